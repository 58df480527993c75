"""Checks the views that changed: some time after a sync, never while one runs, seldom more than hourly."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

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

from core.names import view_key
from resources.jobs import QUALITY
from resources.mesh import Mesh
from resources.partitions import TENANT_TAG
from sensors.busy_tenants import find_busy_tenants

EVERY_S = 60
AGAIN_S = 3600
RUNS_A_TICK = 5


def build_quality_sensor() -> SensorDefinition:
    """The sensor that starts the job ``quality``; its cursor holds when each tenant was checked last."""

    @sensor(
        name="quality_checks",
        job_name=QUALITY,
        minimum_interval_seconds=EVERY_S,
        default_status=DefaultSensorStatus.RUNNING,
        required_resource_keys={"mesh"},
        description="Runs the data-quality checks of views that changed since they were last checked.",
    )
    def quality_checks(context: SensorEvaluationContext) -> SensorResult | SkipReason:
        now = datetime.now(UTC)
        checked = _read_cursor(context.cursor)
        requests = list(islice(_request(context, checked, now), RUNS_A_TICK))
        if not requests:
            return SkipReason("No view changed that was not checked within the hour.")
        checked |= {str(request.partition_key): now for request in requests}
        return SensorResult(run_requests=requests, cursor=_write_cursor(checked))

    return quality_checks


def _request(
    context: SensorEvaluationContext, checked: dict[str, datetime], now: datetime
) -> Iterator[RunRequest]:
    from resources.changed_views import list_changed_views

    mesh: Mesh = context.resources.mesh
    changed = list_changed_views(mesh.db, checked)
    for gone in checked.keys() - changed.keys():
        if now - checked[gone] > timedelta(days=7):
            del checked[gone]
    busy = find_busy_tenants(context.instance) if changed else set()
    graph = context.repository_def.asset_graph if context.repository_def else None
    partitions = set(context.instance.get_dynamic_partitions("tenants"))
    for tenant_id, entities in changed.items():
        last = checked.get(tenant_id)
        waits = last is not None and now - last < timedelta(seconds=AGAIN_S)
        if waits or tenant_id in busy or tenant_id not in partitions:
            continue
        keys = [AssetKey(view_key(entity)) for entity in entities]
        yield RunRequest(
            run_key=f"{tenant_id}/{now.isoformat(timespec='seconds')}",
            partition_key=tenant_id,
            tags={TENANT_TAG: tenant_id},
            asset_selection=[key for key in keys if graph is None or graph.has(key)],
        )


def _read_cursor(cursor: str | None) -> dict[str, datetime]:
    found = json.loads(cursor) if cursor else {}
    return {tenant_id: datetime.fromisoformat(at) for tenant_id, at in found.items()}


def _write_cursor(checked: dict[str, datetime]) -> str:
    return json.dumps({tenant_id: at.isoformat(timespec="seconds") for tenant_id, at in checked.items()})
