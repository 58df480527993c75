"""Ends runs that nobody executes any more, and runs that take too long.

Dagster's default launcher never notices that a worker died together with its code server; the run stays
STARTED, and with it the tenant's place in the queue. Who is alive is told by ``run_presence.py``.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable

from dagster import DagsterInstance, DagsterRun, DagsterRunStatus, RunRecord, RunsFilter

from resources.database import Database
from resources.run_presence import is_run_held

GRACE_S = 20.0
"""A run counts as started a moment before its process shows that it lives."""
log = logging.getLogger(__name__)


def reap_stuck_runs(db: Database, instance: DagsterInstance, max_s: float, limit: int = 50) -> list[str]:
    """End what is dead or older than ``max_s``; returns run ids. Looks at ``limit`` runs, oldest first."""
    working = RunsFilter(statuses=[DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING])
    records = instance.get_run_records(working, limit=limit, ascending=True)
    now = time.time()
    dead = reap_dead_runs(db, instance, records)
    overdue = [
        record.dagster_run
        for record in records
        if record.dagster_run.run_id not in dead and now - (record.start_time or now) > max_s
    ]
    for run in overdue:
        _end(instance, run, f"Took longer than {max_s:.0f} s; ended by the mesh.", terminate=True)
    return [*dead, *(run.run_id for run in overdue)]


def reap_dead_runs(
    db: Database, instance: DagsterInstance, records: Iterable[RunRecord], grace_s: float = GRACE_S
) -> list[str]:
    """End those of the started runs whose process is gone, ``grace_s`` after their start; returns ids."""
    ended = []
    for record in records:
        run_id = record.dagster_run.run_id
        if record.start_time is None or time.time() - record.start_time < grace_s or is_run_held(db, run_id):
            continue
        run = instance.get_run_by_id(run_id)  # it may have ended while we asked
        if run is not None and not run.is_finished:
            _end(instance, run, "The process that executed this run is gone; ended by the mesh.")
            ended.append(run_id)
    return ended


def _end(instance: DagsterInstance, run: DagsterRun, reason: str, *, terminate: bool = False) -> None:
    log.warning("run %s: %s", run.run_id, reason)
    if terminate and instance.run_launcher.terminate(run.run_id):
        return
    instance.report_run_failed(run, message=reason)
    instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
