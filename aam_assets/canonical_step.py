"""The step behind the canonical assets: consume the loads, say what came of each entity."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from dagster import AssetExecutionContext, AssetKey, Failure, MaterializeResult

from core.errors import MeshError
from core.names import canonical_key, join_name
from resources.asset_metadata import ROW_COUNT, write_list, write_table
from resources.canonical import CanonicalReport, StreamOutcome, advance_canonical
from resources.mesh import Mesh
from resources.stream_facts import count_events

COUNTS = ("loads", "landed", "events", "unchanged", "refused", "deleted")


def consume_loads(
    context: AssetExecutionContext, entities: Sequence[str]
) -> Iterator[MaterializeResult[None]]:
    """Consume the loads of these entities' streams; one with a stream that stopped is not materialized."""
    mesh: Mesh = context.resources.mesh
    tenant_id = context.partition_key
    try:
        report = advance_canonical(
            mesh.db, mesh.lake, mesh.settings, mesh.ontology, mesh.specs, tenant_id, entities
        )
        totals = count_events(mesh.db, tenant_id)
    except MeshError as error:
        raise Failure(str(error), allow_retries=False) from None
    _tell_waiting(context, report)
    stopped = {one.entity for one in report.streams if one.error is not None}
    for entity in entities:
        if entity not in stopped:
            yield _show(entity, report, totals.get(entity, 0))
    problems = [_say(one) for one in report.streams if one.error is not None]
    if problems:
        raise Failure("\n".join(problems), metadata={"failed": write_list(problems)}, allow_retries=False)


def _say(one: StreamOutcome) -> str:
    error, name = str(one.error), join_name(one.connector, one.stream)
    return error if name in error else f"{name}: {error}"


def _tell_waiting(context: AssetExecutionContext, report: CanonicalReport) -> None:
    for one in report.waiting:
        context.log.warning(f"{join_name(one.connector, one.stream)}: {one.loads} loads wait, {one.reason}")


def _show(entity: str, report: CanonicalReport, total: int) -> MaterializeResult[None]:
    streams = [one for one in report.streams if one.entity == entity]
    sums = {name: sum(getattr(one, name) for one in streams) for name in COUNTS}
    metadata: dict[str, Any] = {
        ROW_COUNT: total,
        "new events": sums["events"] + sums["deleted"],
        "unchanged": sums["unchanged"],
        "quarantined": sums["refused"],
        "deleted": sums["deleted"],
        "loads": sums["loads"],
        "seconds": round(sum(one.seconds for one in streams), 3),
    }
    if streams:
        rows = [
            (join_name(one.connector, one.stream), one.set_number, *(getattr(one, name) for name in COUNTS))
            for one in streams
        ]
        metadata["by stream"] = write_table(("stream", "mapping set", *COUNTS), rows)
    return MaterializeResult(asset_key=AssetKey(canonical_key(entity)), metadata=metadata)
