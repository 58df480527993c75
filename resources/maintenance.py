"""Keeps Dagster's history from growing without limit: old runs, their events, logs and check results.

A run that holds the newest materialization of an asset and partition stays, whatever its age: without it
the asset would look as if it had never been made.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from dagster import DagsterInstance, DagsterRunStatus, RunsFilter
from dagster._core.storage.tags import PARTITION_NAME_TAG
from sqlalchemy import Connection, text

from resources.dagster_storage import MeshEventLog

FINISHED = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED]
PAGE = 100

_NEWEST = text(
    """
    SELECT DISTINCT run_id FROM (
        SELECT DISTINCT ON (asset_key, partition) run_id FROM dagster.event_logs
        WHERE dagster_event_type = 'ASSET_MATERIALIZATION'
        ORDER BY asset_key, partition, id DESC
    ) AS newest
    """
)
_OLD_CHECKS = text(
    """
    DELETE FROM dagster.asset_check_executions AS old
    WHERE create_timestamp < :before AND EXISTS (
        SELECT FROM dagster.asset_check_executions AS newer
        WHERE newer.asset_key = old.asset_key AND newer.check_name = old.check_name
          AND newer.partition IS NOT DISTINCT FROM old.partition AND newer.id > old.id
    )
    """
)

_TENANTS_CHECKS = text("DELETE FROM dagster.asset_check_executions WHERE partition = :tenant")


@dataclass(frozen=True)
class PruneReport:
    """What was deleted; ``finished`` is false when the time was over before the work was."""

    runs: int
    checks: int
    finished: bool


def prune_dagster(instance: DagsterInstance, older_than_days: float, max_s: float = 300.0) -> PruneReport:
    """Delete finished runs that ended so long ago, and superseded check results of that age."""
    before = datetime.now(UTC) - timedelta(days=older_than_days)
    deadline = time.monotonic() + max_s
    storage = instance.event_log_storage
    keep: set[str] = set()
    checks = 0
    if isinstance(storage, MeshEventLog):
        with storage.database.owner() as conn:
            keep = set(conn.execute(_NEWEST).scalars())
            checks = _delete_checks(conn, before)
    cursor: str | None = None
    runs = 0
    while time.monotonic() < deadline:
        old = RunsFilter(statuses=FINISHED, created_before=before)
        found = [run.run_id for run in instance.get_runs(old, cursor=cursor, limit=PAGE)]
        if not found:
            return PruneReport(runs, checks, finished=True)
        kept = [run_id for run_id in found if run_id in keep]
        for run_id in found:
            if run_id not in keep:
                _delete_run(instance, run_id)
                runs += 1
        cursor = kept[-1] if kept else cursor
    return PruneReport(runs, checks, finished=False)


def _delete_run(instance: DagsterInstance, run_id: str) -> None:
    instance.compute_log_manager.delete_logs(prefix=[run_id])
    instance.delete_run(run_id)


def _delete_checks(conn: Connection, before: datetime) -> int:
    return conn.execute(_OLD_CHECKS, {"before": before.replace(tzinfo=None)}).rowcount


def forget_tenant(instance: DagsterInstance, tenant_id: str) -> int:
    """Delete a removed tenant's runs with their events, and its check results; returns how many runs."""
    runs = instance.get_runs(filters=RunsFilter(tags={PARTITION_NAME_TAG: tenant_id}))
    for run in runs:
        _delete_run(instance, run.run_id)
    storage = instance.event_log_storage
    if isinstance(storage, MeshEventLog):
        with storage.database.owner() as conn:
            conn.execute(_TENANTS_CHECKS, {"tenant": tenant_id})
    return len(runs)
