"""Which tenants have a run waiting or at work: they get no other."""

from dagster import DagsterInstance, DagsterRunStatus, RunsFilter
from dagster._core.storage.tags import PARTITION_NAME_TAG

UNDER_WAY = [
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]


def find_busy_tenants(instance: DagsterInstance) -> set[str]:
    """Tenants by the partition of the runs under way."""
    runs = instance.get_runs(RunsFilter(statuses=UNDER_WAY))
    return {run.tags[PARTITION_NAME_TAG] for run in runs if PARTITION_NAME_TAG in run.tags}
