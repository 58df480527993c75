"""Finds the syncs that are due and asks for one run a tenant, however many connectors that takes."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING

from dagster import (
    AssetKey,
    DefaultSensorStatus,
    RunRequest,
    SensorDefinition,
    SensorEvaluationContext,
    SensorResult,
    SkipReason,
    sensor,
)

from resources.jobs import SYNC
from resources.mesh import Mesh
from resources.partitions import TENANT_TAG, add_partition
from sensors.busy_tenants import find_busy_tenants

if TYPE_CHECKING:
    pass

EVERY_S = 30
RUNS_A_TICK = 20
"""A tick ends within a minute; what is left is due at the next one, and longest overdue comes first."""


def build_due_syncs_sensor() -> SensorDefinition:
    """The one sensor that starts syncs."""

    @sensor(
        name="due_syncs",
        job_name=SYNC,
        minimum_interval_seconds=EVERY_S,
        default_status=DefaultSensorStatus.RUNNING,
        required_resource_keys={"mesh"},
        description="Starts one run for each tenant with connections that are due and no run under way.",
    )
    def due_syncs(context: SensorEvaluationContext) -> SensorResult | SkipReason:
        requests = list(islice(_request(context), RUNS_A_TICK))
        if not requests:
            return SkipReason("No tenant has a connection that is due and no run under way.")
        return SensorResult(run_requests=requests)

    return due_syncs


def _request(context: SensorEvaluationContext) -> Iterator[RunRequest]:
    from resources.connections import due_connections
    from resources.sync import select_assets
    from resources.sync_requests import name_request, record_request

    mesh: Mesh = context.resources.mesh
    now = datetime.now(UTC)
    due = [one for one in due_connections(mesh.db, now) if one.connector in mesh.specs]
    busy = find_busy_tenants(context.instance) if due else set()
    known = context.repository_def.asset_graph.get_all_asset_keys() if context.repository_def else set()
    for tenant_id in dict.fromkeys(one.tenant_id for one in due):
        if tenant_id in busy:
            continue
        chosen = [one for one in due if one.tenant_id == tenant_id]
        run_key = name_request(chosen, now)
        if record_request(mesh.db, tenant_id, run_key, [one.connector for one in chosen]):
            add_partition(context.instance, tenant_id)
            keys = select_assets(mesh, tenant_id, [one.connector for one in chosen]) & known
            yield _build_request(tenant_id, run_key, sorted(keys))


def _build_request(tenant_id: str, run_key: str, keys: Sequence[AssetKey]) -> RunRequest:
    from resources.sync import select_checks

    return RunRequest(
        run_key=f"{tenant_id}/{run_key}",
        partition_key=tenant_id,
        tags={TENANT_TAG: tenant_id},
        asset_selection=list(keys),
        asset_check_keys=sorted(select_checks(keys)),
    )
