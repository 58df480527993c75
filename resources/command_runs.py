"""Dagster runs that a command makes and executes in its own process."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet

from dagster import AssetCheckKey, AssetKey, DagsterEvent, DagsterInstance, DagsterRun, JobDefinition
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import create_execution_plan, execute_run_iterator
from dagster._core.snap import snapshot_from_execution_plan
from dagster._core.storage.tags import PARTITION_NAME_TAG

from resources.partitions import TENANT_TAG

ORIGIN_TAG = "aos/origin"
"""Marks these runs: they end with their command."""
QUIET = {
    "execution": {"config": {"capture_logs": False}},
    "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
}
"""Run config: what happens is in Dagster's event log, not on the terminal."""

Progress = Callable[[DagsterEvent], None]


def create_command_run(
    instance: DagsterInstance,
    job: JobDefinition,
    tenant_id: str,
    assets: AbstractSet[AssetKey],
    checks: AbstractSet[AssetCheckKey],
) -> DagsterRun:
    """A run of part of ``job`` for a tenant: exactly these assets and checks."""
    part = job.get_subset(asset_selection=assets, asset_check_selection=checks)
    tags = {PARTITION_NAME_TAG: tenant_id, TENANT_TAG: tenant_id, ORIGIN_TAG: "command"}
    plan = create_execution_plan(part, QUIET, instance_ref=instance.get_ref(), tags=tags)
    return instance.create_run(
        job_name=part.name,
        run_id=None,
        run_config=QUIET,
        status=None,
        tags=tags,
        root_run_id=None,
        parent_run_id=None,
        step_keys_to_execute=plan.step_keys_to_execute,
        execution_plan_snapshot=snapshot_from_execution_plan(plan, part.get_job_snapshot_id()),
        job_snapshot=part.get_job_snapshot(),
        parent_job_snapshot=part.get_parent_job_snapshot(),
        asset_selection=assets,
        asset_check_selection=checks,
        resolved_op_selection=None,
        op_selection=None,
        remote_job_origin=None,
        job_code_origin=None,
        asset_graph=part.asset_layer.asset_graph,
    )


def execute_command_run(
    instance: DagsterInstance, job: JobDefinition, run: DagsterRun, progress: Progress | None
) -> list[DagsterEvent]:
    """Execute the run here, to its end; ``progress`` hears every event."""
    events: list[DagsterEvent] = []
    for event in execute_run_iterator(InMemoryJob(job), run, instance):
        events.append(event)
        if progress is not None:
            progress(event)
    return events
