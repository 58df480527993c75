"""The executor of every job: ready steps run in threads of the run's own process.

Connectors that wait for the network overlap without a process each. A step works from what has landed
in the lake and in Postgres, never from a value handed over by another step, so **a failed step does not
stop its dependents**: the others' data flows on to the views, and the run as a whole still fails. Nor does
an asset that a step leaves out because nothing about it is new.
How one step runs is Dagster's own code; this room only holds the threads.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import Any, cast

from dagster import (
    DagsterEvent,
    DagsterInstance,
    ExecutorDefinition,
    Field,
    InitExecutorContext,
    Int,
    executor,
)
from dagster._core.errors import DagsterExecutionInterruptedError, DagsterInvariantViolationError
from dagster._core.events import EngineEventData
from dagster._core.execution.api import ExecuteRunWithPlanIterable
from dagster._core.execution.compute_logs import create_compute_log_file_key
from dagster._core.execution.context.system import (
    PlanExecutionContext,
    PlanOrchestrationContext,
)
from dagster._core.execution.context_creation_job import PlanExecutionContextManager
from dagster._core.execution.plan.active import ActiveExecution
from dagster._core.execution.plan.instance_concurrency_context import InstanceConcurrencyContext
from dagster._core.execution.plan.outputs import StepOutputHandle
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.retries import RetryMode, get_retries_config
from dagster._core.executor.base import Executor

from resources.crew import Crew, Ended

DEFAULT_THREADS = 8
POLL_S = 0.1
"""How often the main thread looks for an interrupt while the steps work."""
GRACE_S = 10.0
"""How long interrupted steps may take to unwind before the run ends without them."""
NUDGE_S = 3.0
"""How long until a step that is still there is interrupted again."""


Hold = Callable[[DagsterInstance, str], AbstractContextManager[object]]
"""Opened around a run, given the instance and the run's id; see ``resources/run_presence.py``."""


def hold_nothing(_: DagsterInstance, __: str) -> AbstractContextManager[object]:
    """Leave a run as it is."""
    return nullcontext()


def build_threaded_executor(
    max_threads: int = DEFAULT_THREADS, hold: Hold = hold_nothing
) -> ExecutorDefinition:
    """The executor ``threaded``; run config may override ``max_threads`` and ``capture_logs``.

    ``capture_logs: false`` leaves standard output alone, for a run inside a terminal program.
    """

    @executor(
        name="threaded",
        config_schema={
            "max_threads": Field(Int, default_value=max_threads, description="Steps at work at once."),
            "capture_logs": Field(bool, default_value=True, description="Keep standard output with the run."),
            "retries": get_retries_config(),  # type: ignore[no-untyped-call]
        },
    )
    def threaded(init: InitExecutorContext) -> ThreadedExecutor:
        """Steps in threads of one process; a failed step does not stop its dependents."""
        return ThreadedExecutor.from_config(init.executor_config, hold)

    return threaded


class ThreadedExecutor(Executor):
    """Runs a plan's steps in up to ``max_threads`` threads; see the module's docstring."""

    def __init__(
        self,
        max_threads: int,
        retries: RetryMode,
        *,
        capture_logs: bool = True,
        hold: Hold = hold_nothing,
    ) -> None:
        if max_threads < 1:
            raise DagsterInvariantViolationError(f"max_threads: expected at least 1, found {max_threads}")
        self.max_threads = max_threads
        self.capture_logs = capture_logs
        self._retries = retries
        self._hold = hold

    @classmethod
    def from_config(cls, config: Mapping[str, object], hold: Hold) -> ThreadedExecutor:
        """Read the validated run config of ``execution``."""
        return cls(
            cast(int, config["max_threads"]),
            RetryMode.from_config(cast(Any, config["retries"])) or RetryMode.ENABLED,
            capture_logs=cast(bool, config["capture_logs"]),
            hold=hold,
        )

    @property
    def retries(self) -> RetryMode:
        return self._retries

    def execute(
        self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan
    ) -> Iterator[DagsterEvent]:
        """Yield every event of the run; raises what interrupted it."""
        keys = execution_plan.step_keys_to_execute
        yield DagsterEvent.engine_event(
            plan_context,
            f"Executing steps in up to {self.max_threads} threads (pid: {os.getpid()})",
            EngineEventData.in_process(os.getpid(), keys),
        )
        context_manager = PlanExecutionContextManager(
            job=plan_context.job,
            retry_mode=plan_context.retry_mode,
            execution_plan=plan_context.execution_plan,
            run_config=plan_context.run_config,
            dagster_run=plan_context.dagster_run,
            instance=plan_context.instance,
            raise_on_error=plan_context.raise_on_error,
            output_capture=plan_context.output_capture,
            step_dependency_config=self.step_dependency_config,
        )
        with self._hold(plan_context.instance, plan_context.run_id):
            yield from ExecuteRunWithPlanIterable(execution_plan, self._run_plan, context_manager)

    def _run_plan(
        self, job_context: PlanExecutionContext, execution_plan: ExecutionPlan
    ) -> Iterator[DagsterEvent]:
        pools = InstanceConcurrencyContext(job_context.instance, job_context.dagster_run)
        with pools, ExitStack() as log_capture:
            if self.capture_logs:
                yield from _start_log_capture(job_context, execution_plan, log_capture)
            active = execution_plan.start(
                retry_mode=job_context.retry_mode,
                max_concurrent=self.max_threads,
                instance_concurrency_context=pools,
                step_dependency_config=job_context.step_dependency_config,
            )
            with active, Crew() as crew:
                yield from Conductor(job_context, active, pools, crew).run()


def _start_log_capture(
    job_context: PlanExecutionContext, plan: ExecutionPlan, stack: ExitStack
) -> Iterator[DagsterEvent]:
    """Keep the process's standard output and error with the run until ``stack`` closes."""
    manager = job_context.instance.compute_log_manager
    file_key = create_compute_log_file_key()  # type: ignore[no-untyped-call]
    log_key = manager.build_log_key_for_run(job_context.run_id, file_key)
    log_context = stack.enter_context(manager.capture_logs(log_key))
    keys = [step.key for step in plan.get_steps_to_execute_in_topo_order()]
    yield DagsterEvent.capture_logs(job_context, keys, log_key, log_context)


class Conductor:
    """Starts what is ready, passes on what the crew says, and decides what a failure means."""

    def __init__(
        self,
        job_context: PlanExecutionContext,
        active: ActiveExecution,
        pools: InstanceConcurrencyContext,
        crew: Crew,
    ) -> None:
        self._job = job_context
        self._active = active
        self._pools = pools
        self._crew = crew
        self._raised: list[BaseException] = []

    def run(self) -> Iterator[DagsterEvent]:
        """Yield all events. With ``raise_on_error`` the first step's error is raised after the last."""
        while not self._active.is_complete or self._crew.unheard:
            self._start_ready()
            yield from self._active.concurrency_event_iterator(self._job)
            yield from self._active.plan_events_iterator(self._job)
            yield from self._listen_until_some_end()
        if self._raised:
            raise self._raised[0]

    def _start_ready(self) -> None:
        for step in self._active.get_steps_to_execute():
            context = self._job.for_step(step, self._active.get_known_state())
            missing = [k for k in context.required_resource_keys if not hasattr(context.resources, k)]
            if missing:
                raise DagsterInvariantViolationError(f"{context.describe_op()} lacks resources {missing}")
            self._crew.start(context)

    def _listen_until_some_end(self) -> Iterator[DagsterEvent]:
        """Pass on events until a step is through, or it is time to look for retries and pool slots."""
        until = time.monotonic() + POLL_S
        ended = False
        while not ended:
            for said in self._crew.listen(POLL_S):
                if isinstance(said, Ended):
                    ended = True
                    yield from self._end(said)
                else:
                    yield said
                    self._note(said)
            if self._active.check_for_interrupts():
                yield from self._stop(DagsterExecutionInterruptedError("The run was interrupted."))
            ended = ended or time.monotonic() >= until

    def _note(self, event: DagsterEvent) -> None:
        """Tell Dagster's state machine that a step which ended has produced all its outputs.

        It must not hear of a failure, nor of an output left out: either would keep dependents from running.
        """
        if event.is_step_success or event.is_step_failure:
            key = cast(str, event.step_key)
            for output in self._active.get_step_by_key(key).step_outputs:
                if not output.is_dynamic:
                    self._active.mark_step_produced_output(StepOutputHandle(key, output.name))
            if event.is_step_failure:
                self._active.mark_success(key)
                self._pools.free_step(key)
                return
        self._active.handle_event(event)

    def _end(self, said: Ended) -> Iterator[DagsterEvent]:
        if said.error is None and not said.settled:
            self._active.verify_complete(self._job, said.step_key)
        elif isinstance(said.error, Exception) and said.settled:
            self._raised.append(said.error)
        elif said.error is not None:
            yield from self._stop(said.error)

    def _stop(self, reason: BaseException) -> Iterator[DagsterEvent]:
        """Interrupt the steps, pass on their last words for a while, raise ``reason``."""
        self._active.mark_interrupted()
        deadline = time.monotonic() + GRACE_S
        nudge = 0.0
        while self._crew.at_work and time.monotonic() < deadline:
            if time.monotonic() >= nudge:
                self._crew.interrupt()
                nudge = time.monotonic() + NUDGE_S
            yield from self._hear_out()
            if self._active.check_for_interrupts():
                break
        yield from self._hear_out()
        raise reason

    def _hear_out(self) -> Iterator[DagsterEvent]:
        for said in self._crew.listen(POLL_S):
            if isinstance(said, DagsterEvent):
                yield said
                self._active.handle_event(said)
