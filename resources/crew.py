"""The threads of a run: each runs one step and puts what Dagster has to hear into one queue.

What is started, and what a failure means, is decided in ``resources/executor.py``.
"""

from __future__ import annotations

import contextvars
import ctypes
import sys
import threading
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from types import FrameType

from dagster import DagsterEvent
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.execution.context.data_version_cache import DataVersionCache
from dagster._core.execution.context.system import StepExecutionContext
from dagster._core.execution.plan.execute_plan import _trigger_hook, dagster_event_sequence_for_step


@dataclass(frozen=True)
class Ended:
    """A step's thread is through. ``settled``: Dagster heard success, failure or retry from it."""

    step_key: str
    settled: bool
    error: BaseException | None


class NoDataVersions(DataVersionCache):
    """Keeps Dagster from asking for the versions of a step's inputs, some queries for each input.

    A version would be new with every run and say nothing: what changed is told by loads and events.
    """

    def fetch_external_input_asset_version_info(self) -> None:
        """Nothing is fetched, so nothing is recorded with the step's materializations."""


class Crew(AbstractContextManager["Crew"]):
    """The threads at work. What they have to say waits in one queue; leaving interrupts the rest."""

    def __init__(self) -> None:
        self._said: SimpleQueue[DagsterEvent | Ended] = SimpleQueue()
        self._threads: set[threading.Thread] = set()
        self.unheard = 0
        """Steps whose end was not listened to yet; a success is heard before its hooks are."""

    def start(self, step_context: StepExecutionContext) -> None:
        """Run a step in a thread of its own (a daemon: an unwilling one cannot hold the process)."""
        step_context._data_version_cache = NoDataVersions(step_context)
        scope = contextvars.copy_context()
        thread = threading.Thread(
            target=scope.run,
            args=(self._work, step_context),
            name=f"step {step_context.step.key}",
            daemon=True,
        )
        self._threads.add(thread)
        self.unheard += 1
        thread.start()

    def _work(self, step_context: StepExecutionContext) -> None:
        error: BaseException | None = None
        settled = False
        events: list[DagsterEvent] = []
        try:
            for event in dagster_event_sequence_for_step(step_context):
                settled = settled or _settles(event)
                events.append(event)
                self._said.put(event)
            for event in _trigger_hook(step_context, events):
                self._said.put(event)
        except BaseException as exc:  # noqa: BLE001  handed to the main thread, which raises it
            error = exc
        finally:
            self._said.put(Ended(step_context.step.key, settled, error))

    def listen(self, timeout_s: float) -> list[DagsterEvent | Ended]:
        """What was said since: waits up to ``timeout_s`` for the first, takes what else is there."""
        heard: list[DagsterEvent | Ended] = []
        with suppress(Empty):
            heard.append(self._said.get(timeout=timeout_s))
            while True:
                heard.append(self._said.get_nowait())
        self.unheard -= sum(isinstance(said, Ended) for said in heard)
        return heard

    @property
    def at_work(self) -> bool:
        """Whether any thread lives; forgets those that do not."""
        self._threads = {thread for thread in self._threads if thread.is_alive()}
        return bool(self._threads)

    def interrupt(self) -> None:
        """Raise DagsterExecutionInterruptedError inside every thread at its next Python instruction.

        One that imports is left alone, to be asked again: cut there, an import lock stays held for good.
        """
        if not self.at_work:
            return
        frames = sys._current_frames()
        for thread in self._threads:
            if thread.ident is not None and not _imports(frames.get(thread.ident)):
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(thread.ident), ctypes.py_object(DagsterExecutionInterruptedError)
                )

    def __exit__(self, *_: object) -> None:
        self.interrupt()


def _imports(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _settles(event: DagsterEvent) -> bool:
    return event.is_step_success or event.is_step_failure or event.is_step_up_for_retry
