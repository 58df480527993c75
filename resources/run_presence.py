"""Whether the process that executes a run is alive: it holds a lock that dies with it.

Dagster's default launcher does not notice that a worker is gone. A process id says nothing about another
machine and is given to somebody else in time; a lock of the database session does neither.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from dagster import DagsterInstance

from core.errors import LockBusy
from core.names import GLOBAL_TENANT

if TYPE_CHECKING:
    from resources.database import Database


def hold_run(instance: DagsterInstance, run_id: str) -> AbstractContextManager[object]:
    """Be known as the living worker of a run. An instance outside the mesh's Postgres holds nothing."""
    from resources.dagster_storage import MeshEventLog

    storage = instance.event_log_storage
    if not isinstance(storage, MeshEventLog):
        return nullcontext()
    return storage.database.lock(GLOBAL_TENANT, _name(run_id))


def is_run_held(database: Database, run_id: str) -> bool:
    """Whether a living process executes the run."""
    try:
        with database.lock(GLOBAL_TENANT, _name(run_id), wait_s=0):
            return False
    except LockBusy:
        return True


def _name(run_id: str) -> str:
    return f"run {run_id}"
