"""One tenant's sync, run in this process against the real Dagster instance.

What a sync does is the job's assets; here it is narrowed to the tenant's connections, executed, followed
and summed up. The command line and the tests use it; the daemon launches the same job as a process.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from dagster import (
    AssetCheckKey,
    AssetKey,
    DagsterInstance,
    DagsterRun,
    DagsterRunStatus,
    JobDefinition,
    RunsFilter,
)
from dagster._core.storage.tags import PARTITION_NAME_TAG

from core.errors import LockBusy, UnknownName
from core.names import DRIFT_CHECK, canonical_key, raw_key, view_key
from resources.command_runs import ORIGIN_TAG, Progress, create_command_run, execute_command_run
from resources.connections import Connection, list_connections
from resources.mesh import Mesh
from resources.partitions import add_partition
from resources.stream_entities import list_decided_entities
from resources.stuck_runs import GRACE_S, reap_dead_runs
from resources.sync_result import SyncResult, read_result
from resources.tenants import require_tenant

LOCK = "sync"
ONE_OF_A_KIND = (("mappings",), ("lineage_graph",))
WORKING = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]


def run_sync(
    mesh: Mesh,
    instance: DagsterInstance,
    job: JobDefinition,
    tenant_id: str,
    connectors: Sequence[str] | None = None,
    *,
    progress: Progress | None = None,
) -> SyncResult:
    """Sync a tenant's connections (default: all that are not paused) and wait for the end.

    A connector that fails is in the result; everything else is done. ``progress`` hears every Dagster
    event. Raises UnknownName for a tenant or connection there is none of, LockBusy when another sync of
    the tenant does not end within the settings' ``lock_wait_s``.
    """
    require_tenant(mesh.db, tenant_id)
    add_partition(instance, tenant_id)
    chosen = choose_connections(mesh, tenant_id, connectors)
    selection = select_assets(mesh, tenant_id, [one.connector for one in chosen])
    selection &= job.asset_layer.selected_asset_keys
    with _alone(mesh, instance, tenant_id):
        started = time.monotonic()
        run = create_command_run(instance, job, tenant_id, selection, select_checks(selection))
        mesh.take_told(tenant_id)
        events = execute_command_run(instance, job, run, progress)
    return read_result(tenant_id, run.run_id, events, time.monotonic() - started, mesh.take_told(tenant_id))


def choose_connections(
    mesh: Mesh, tenant_id: str, connectors: Sequence[str] | None = None
) -> list[Connection]:
    """The tenant's connections to sync: those named, else all that are neither paused nor without config."""
    present = {one.connector: one for one in list_connections(mesh.db, tenant_id)}
    if connectors is None:
        chosen = [one for one in present.values() if one.status != "PAUSED" and one.connector in mesh.specs]
        if not chosen:
            raise UnknownName(
                f"tenant {tenant_id!r} has no connection to sync",
                remedy=f"Add one: aos connection add {tenant_id} CONNECTOR",
            )
        return chosen
    for name in connectors:
        if name not in present:
            raise UnknownName(
                f"tenant {tenant_id!r} has no connection {name!r}",
                expected="one of " + ", ".join(present) if present else None,
                remedy=f"Add it: aos connection add {tenant_id} {name}",
            )
        _require_config(mesh, name)
    return [present[name] for name in dict.fromkeys(connectors)]


def _require_config(mesh: Mesh, connector: str) -> None:
    if connector in mesh.specs:
        return
    file = mesh.configs.files.get(connector)
    for error in mesh.configs.errors:
        if file is not None and str(file) in str(error.where):
            raise error
    raise UnknownName(f"no config of connector {connector!r}", remedy="`aos config validate` lists configs")


def select_assets(mesh: Mesh, tenant_id: str, connectors: Sequence[str]) -> set[AssetKey]:
    """The connectors' raw streams, the entities they fill, and what there is once a tenant.

    An entity is filled by a stream whose config says so, whose mapping set says so, or where a person did.
    """
    keys = {AssetKey(list(path)) for path in ONE_OF_A_KIND}
    entities = list_decided_entities(mesh.db, tenant_id, connectors)
    for spec in (mesh.specs[name] for name in connectors):
        keys |= {AssetKey(raw_key(spec.connector, name)) for name in spec.streams}
        entities |= {stream.entity for stream in spec.streams.values() if stream.entity is not None}
    for entity in entities:
        keys |= {AssetKey(canonical_key(entity)), AssetKey(view_key(entity))}
    return keys


def select_checks(assets: Iterable[AssetKey]) -> set[AssetCheckKey]:
    """The checks that belong to a sync of these assets: those of raw streams."""
    return {AssetCheckKey(key, DRIFT_CHECK) for key in assets if key.path[0] == "raw"}


# --- running ----------------------------------------------------------------------------------


@contextmanager
def _alone(mesh: Mesh, instance: DagsterInstance, tenant_id: str) -> Iterator[None]:
    """Be the tenant's only sync: other commands wait at a lock, the daemon's runs are seen in its storage."""
    deadline = time.monotonic() + mesh.settings.lock_wait_s
    with mesh.db.lock(tenant_id, LOCK):
        while (other := find_working_run(mesh, instance, tenant_id)) is not None:
            if time.monotonic() >= deadline:
                raise LockBusy(
                    f"a run of tenant {tenant_id!r} is at work",
                    found=f"run {other.run_id}",
                    remedy="Wait until it is done, or terminate it in the Dagster UI",
                )
            time.sleep(0.5)
        yield


def find_working_run(mesh: Mesh, instance: DagsterInstance, tenant_id: str) -> DagsterRun | None:
    """A run of the tenant that is under way. Call it under the tenant's lock, which every command holds:
    a run that a command started is dead then, others are when their process is."""
    of_tenant = RunsFilter(statuses=WORKING, tags={PARTITION_NAME_TAG: tenant_id})
    for record in instance.get_run_records(of_tenant):
        grace_s = 0.0 if ORIGIN_TAG in record.dagster_run.tags else GRACE_S
        if not reap_dead_runs(mesh.db, instance, [record], grace_s):
            return record.dagster_run
    return None
