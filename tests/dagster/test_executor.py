"""The threaded executor: overlap, failures that stop nobody, retries, pools, interrupts."""

from __future__ import annotations

import importlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from dagster import (
    AssetSpec,
    DagsterEventType,
    DagsterInstance,
    DagsterRunStatus,
    Definitions,
    Failure,
    MaterializeResult,
    RetryPolicy,
    RetryRequested,
    failure_hook,
    in_process_executor,
    job,
    multi_asset,
    op,
    success_hook,
)
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.events import DagsterEvent
from dagster._core.execution.api import execute_run_iterator

from resources import crew
from resources import executor as executor_module
from resources.executor import build_threaded_executor


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


def step(name: str, body: Callable[[], None], deps: tuple[str, ...] = (), **options: Any) -> Any:
    """An asset of one op that runs ``body``."""

    @multi_asset(name=name, specs=[AssetSpec(name, deps=list(deps))], can_subset=True, **options)
    def run_body() -> Iterator[MaterializeResult[None]]:
        body()
        yield MaterializeResult(asset_key=name)

    return run_body


class Run:
    """What came of a run of the given assets through the threaded executor."""

    def __init__(self, instance: DagsterInstance, *assets: Any, threads: int = 8) -> None:
        defs = Definitions(assets=list(assets), executor=build_threaded_executor(threads))
        self._execute(instance, defs.resolve_implicit_global_asset_job_def())

    def _execute(self, instance: DagsterInstance, definition: Any) -> None:
        config = {"execution": {"config": {"capture_logs": False}}}
        run = instance.create_run_for_job(definition, run_config=config)
        self.events: list[DagsterEvent] = list(execute_run_iterator(InMemoryJob(definition), run, instance))
        found = instance.get_run_by_id(run.run_id)
        assert found is not None
        self.status = found.status

    @classmethod
    def of_job(cls, instance: DagsterInstance, definition: Any) -> Run:
        self = cls.__new__(cls)
        self._execute(instance, definition)
        return self

    def steps(self, event_type: DagsterEventType) -> list[str]:
        """Step keys of the events of one type, in order."""
        return [str(e.step_key) for e in self.events if e.event_type == event_type]


def void(_: object) -> None:
    """Drop a value."""


def raise_(error: BaseException) -> Callable[[], None]:
    def body() -> None:
        raise error

    return body


def test_nine_waiting_steps_overlap(instance: DagsterInstance) -> None:
    barrier = threading.Barrier(9, timeout=20)
    run = Run(instance, *(step(f"source_{i}", lambda: void(barrier.wait())) for i in range(9)), threads=9)
    assert run.status == DagsterRunStatus.SUCCESS
    assert len(run.steps(DagsterEventType.STEP_SUCCESS)) == 9


def test_no_more_steps_at_once_than_threads(instance: DagsterInstance) -> None:
    lock = threading.Lock()
    at_work, most = 0, 0

    def work() -> None:
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        time.sleep(0.05)
        with lock:
            at_work -= 1

    run = Run(instance, *(step(f"source_{i}", work) for i in range(7)), threads=3)
    assert run.status == DagsterRunStatus.SUCCESS
    assert most == 3


def test_a_failed_step_stops_nobody_and_the_run_is_failed(instance: DagsterInstance) -> None:
    ran: list[str] = []
    run = Run(
        instance,
        step("broken", raise_(Failure("the source is gone"))),
        step("sound", lambda: ran.append("sound")),
        step("canonical", lambda: ran.append("canonical"), deps=("broken", "sound")),
        step("views", lambda: ran.append("views"), deps=("canonical",)),
    )
    assert run.status == DagsterRunStatus.FAILURE
    assert ran == ["sound", "canonical", "views"]
    assert run.steps(DagsterEventType.STEP_FAILURE) == ["broken"]
    assert not run.steps(DagsterEventType.STEP_SKIPPED)
    failure = next(e for e in run.events if e.is_step_failure).step_failure_data
    assert failure.user_failure_data is not None
    assert failure.user_failure_data.description == "the source is gone"


def test_every_step_may_fail(instance: DagsterInstance) -> None:
    run = Run(
        instance,
        step("a", raise_(ValueError("a"))),
        step("b", raise_(ValueError("b")), deps=("a",)),
        step("c", raise_(ValueError("c")), deps=("b",)),
    )
    assert run.status == DagsterRunStatus.FAILURE
    assert run.steps(DagsterEventType.STEP_FAILURE) == ["a", "b", "c"]


def test_good_outputs_of_a_failing_step_are_materialized(instance: DagsterInstance) -> None:
    @multi_asset(specs=[AssetSpec("contacts"), AssetSpec("deals")], can_subset=True)
    def source() -> Iterator[MaterializeResult[None]]:
        yield MaterializeResult(asset_key="contacts")
        raise Failure("deals: refused")

    downstream: list[str] = []
    run = Run(instance, source, step("canonical", lambda: downstream.append("ran"), deps=("deals",)))
    assert run.status == DagsterRunStatus.FAILURE
    assert downstream == ["ran"]
    materialized = [e.asset_key for e in run.events if e.is_step_materialization]
    assert [key.to_user_string() for key in materialized if key] == ["contacts", "canonical"]


def test_an_asset_left_out_skips_nobody(instance: DagsterInstance) -> None:
    @multi_asset(specs=[AssetSpec("contacts"), AssetSpec("deals")], can_subset=True)
    def source() -> Iterator[MaterializeResult[None]]:
        yield MaterializeResult(asset_key="contacts")

    ran: list[str] = []
    run = Run(instance, source, step("views", lambda: ran.append("views"), deps=("deals", "contacts")))
    assert run.status == DagsterRunStatus.SUCCESS
    assert ran == ["views"]


def test_retries_wait_and_then_give_up(instance: DagsterInstance) -> None:
    attempts: list[float] = []

    def flaky() -> None:
        attempts.append(time.monotonic())
        if len(attempts) < 3:
            raise RetryRequested(max_retries=3, seconds_to_wait=0.2)

    run = Run(
        instance,
        step("flaky", flaky),
        step("hopeless", raise_(ValueError("no")), retry_policy=RetryPolicy(max_retries=1)),
        step("after", lambda: None, deps=("flaky", "hopeless")),
    )
    assert run.status == DagsterRunStatus.FAILURE
    assert len(attempts) == 3
    assert attempts[1] - attempts[0] >= 0.2
    assert run.steps(DagsterEventType.STEP_FAILURE) == ["hopeless"]
    assert run.steps(DagsterEventType.STEP_UP_FOR_RETRY).count("flaky") == 2
    assert "after" in run.steps(DagsterEventType.STEP_SUCCESS)


def test_a_pool_limits_steps_across_the_run(tmp_path: Any) -> None:
    lock = threading.Lock()
    at_work, most = 0, 0

    def work() -> None:
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        time.sleep(0.05)
        with lock:
            at_work -= 1

    with DagsterInstance.local_temp(str(tmp_path)) as instance:
        instance.event_log_storage.set_concurrency_slots("vendor", 1)
        run = Run(instance, *(step(f"source_{i}", work, pool="vendor") for i in range(3)))
        info = instance.event_log_storage.get_concurrency_info("vendor")
    assert run.status == DagsterRunStatus.SUCCESS
    assert most == 1
    assert info.active_slot_count == 0


def test_a_failed_step_gives_its_pool_slot_back(tmp_path: Any) -> None:
    with DagsterInstance.local_temp(str(tmp_path)) as instance:
        instance.event_log_storage.set_concurrency_slots("vendor", 1)
        run = Run(
            instance,
            step("broken", raise_(ValueError("no")), pool="vendor"),
            step("after", lambda: None, deps=("broken",), pool="vendor"),
        )
    assert run.steps(DagsterEventType.STEP_SUCCESS) == ["after"]


def test_hooks_run(instance: DagsterInstance) -> None:
    heard: list[str] = []

    @success_hook
    def cheer(context: Any) -> None:
        heard.append(f"good {context.op.name}")

    @failure_hook
    def moan(context: Any) -> None:
        heard.append(f"bad {context.op.name}")

    @op
    def sound() -> None: ...

    @op
    def broken() -> None:
        raise ValueError("no")

    @job(hooks={cheer, moan}, executor_def=build_threaded_executor())
    def both() -> None:
        sound()
        broken()

    run = Run.of_job(instance, both)
    assert sorted(heard) == ["bad broken", "good sound"]
    assert len(run.steps(DagsterEventType.HOOK_COMPLETED)) == 2


def test_values_still_pass_between_ops(instance: DagsterInstance) -> None:
    got: list[int] = []

    @op
    def give() -> int:
        return 7

    @op
    def take(number: int) -> None:
        got.append(number)

    @job(executor_def=build_threaded_executor())
    def chain() -> None:
        take(give())

    assert Run.of_job(instance, chain).status == DagsterRunStatus.SUCCESS
    assert got == [7]


def test_an_error_of_the_machinery_surfaces(
    instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken_sequence(_: Any) -> Iterator[DagsterEvent]:
        raise OSError("the event log is gone")
        yield

    monkeypatch.setattr(crew, "dagster_event_sequence_for_step", broken_sequence)
    run = Run(instance, step("a", lambda: None), step("b", lambda: None, deps=("a",)))
    assert run.status == DagsterRunStatus.FAILURE
    error = next(e for e in run.events if e.event_type == DagsterEventType.PIPELINE_FAILURE)
    assert "the event log is gone" in str(error.job_failure_data.error)


def test_a_step_that_never_settles_fails_the_run(
    instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew, "dagster_event_sequence_for_step", lambda _: iter(()))
    run = Run(instance, step("a", lambda: None))
    assert run.status == DagsterRunStatus.FAILURE


def test_an_interrupt_stops_the_steps_and_what_waits(instance: DagsterInstance) -> None:
    ended: list[str] = []
    started = threading.Barrier(3, timeout=20)

    def wait_long() -> None:
        try:
            started.wait()
            for _ in range(1000):
                time.sleep(0.02)
            ended.append("ran to the end")
        finally:
            ended.append("unwound")

    def interrupt() -> None:
        started.wait()
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    before = time.monotonic()
    run = Run(
        instance,
        step("a", wait_long),
        step("b", wait_long),
        step("after", lambda: ended.append("dependent ran"), deps=("a",)),
    )
    assert time.monotonic() - before < executor_module.GRACE_S
    assert ended == ["unwound", "unwound"]
    assert run.status == DagsterRunStatus.FAILURE
    assert sorted(run.steps(DagsterEventType.STEP_FAILURE)) == ["a", "b"]


def test_an_import_is_not_cut_by_an_interrupt(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut inside the import machinery, its lock stayed held and the process hung at its next import."""
    body = "import time\nfor _ in range(50):\n    time.sleep(0.01)\n"
    (tmp_path / "slow_to_import.py").write_text(body)
    monkeypatch.syspath_prepend(str(tmp_path))
    ended: list[str] = []

    def work() -> None:
        try:
            importlib.import_module("slow_to_import")
            ended.append("imported")
            while True:
                time.sleep(0.01)
        except DagsterExecutionInterruptedError:
            ended.append("interrupted")

    team = crew.Crew()
    thread = threading.Thread(target=work, daemon=True)
    team._threads.add(thread)
    thread.start()
    time.sleep(0.1)
    until = time.monotonic() + 20
    while thread.is_alive() and time.monotonic() < until:
        team.interrupt()
        thread.join(0.05)
    assert ended == ["imported", "interrupted"]


def test_an_unwilling_step_does_not_hold_the_process(
    instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor_module, "GRACE_S", 0.5)
    release = threading.Event()
    started = threading.Event()

    def deaf() -> None:
        started.set()
        release.wait(20)

    def interrupt() -> None:
        started.wait()
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    before = time.monotonic()
    run = Run(instance, step("deaf", deaf))
    release.set()
    assert time.monotonic() - before < 5
    assert run.status == DagsterRunStatus.FAILURE


def test_a_cancelled_run_is_cancelled(instance: DagsterInstance) -> None:
    started = threading.Event()

    def wait_long() -> None:
        started.set()
        for _ in range(1000):
            time.sleep(0.02)

    def cancel() -> None:
        started.wait()
        run = instance.get_runs()[0]
        instance.report_run_canceling(run)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=cancel, daemon=True).start()
    run = Run(instance, step("a", wait_long))
    assert run.status == DagsterRunStatus.CANCELED


def test_the_same_graph_in_process_stops_at_the_failure(instance: DagsterInstance) -> None:
    """What Dagster does by itself, so that a change of theirs is noticed."""
    ran: list[str] = []
    defs = Definitions(
        assets=[
            step("broken", raise_(ValueError("no"))),
            step("after", lambda: ran.append("after"), deps=("broken",)),
        ],
        executor=in_process_executor,
    )
    definition = defs.resolve_implicit_global_asset_job_def()
    run = instance.create_run_for_job(definition)
    list(execute_run_iterator(InMemoryJob(definition), run, instance))
    assert ran == []
