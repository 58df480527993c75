"""The step behind the canonical assets: consume the loads, say what came of each entity."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dagster import (
    AssetExecutionContext,
    AssetKey,
    Failure,
    MaterializeResult,
    MetadataValue,
    TableColumn,
    TableRecord,
    TableSchema,
)

from core.errors import MeshError
from core.lineage import ColumnSources, column_lineage
from core.mapping import MappingSet
from core.names import canonical_key, join_name
from resources.asset_metadata import (
    BY_STREAM,
    COLUMN_LINEAGE,
    ROW_COUNT,
    describe_lineage,
    write_list,
)
from resources.canonical import CanonicalReport, StreamOutcome, advance_canonical
from resources.canonical_due import DueReplay, replay_due
from resources.connections import list_connections
from resources.mesh import Mesh
from resources.news import pick_news
from resources.registry import active_sets
from resources.stream_facts import count_events, read_schemas

COUNTS = ("loads", "landed", "events", "unchanged", "refused", "deleted")
_BY_STREAM = TableSchema([TableColumn("stream"), *(TableColumn(name, "int") for name in ("set", *COUNTS))])


def consume_loads(
    context: AssetExecutionContext, entities: Sequence[str]
) -> Iterator[MaterializeResult[None]]:
    """Consume the loads of these entities' streams; one with a stream that stopped is not materialized."""
    mesh: Mesh = context.resources.mesh
    tenant_id = context.partition_key
    try:
        replays = replay_due(mesh, tenant_id, entities)
        report = advance_canonical(
            mesh.db, mesh.lake, mesh.settings, mesh.ontology, mesh.specs, tenant_id, entities
        )
        totals = count_events(mesh.db, tenant_id)
    except MeshError as error:
        raise Failure(str(error), allow_retries=False) from None
    _tell_waiting(context, mesh, report)
    outcomes: list[StreamOutcome | DueReplay] = [*report.streams, *replays]
    problems = [_say(one) for one in outcomes if one.error is not None]
    stopped = {one.entity for one in outcomes if one.error is not None}
    touched = {one.entity for one in outcomes if one.entity is not None}
    good = [entity for entity in entities if entity not in stopped]
    counts = {entity: _count(entity, report, totals.get(entity, 0)) for entity in good}
    yield from _show(context, counts, touched, report)
    if problems:
        raise Failure("\n".join(problems), metadata={"failed": write_list(problems)}, allow_retries=False)


def _read_lineage(mesh: Mesh, tenant_id: str) -> dict[str, ColumnSources]:
    """Source columns of each entity's fields, by the sets that hold for the tenant's connections."""
    connectors = [one.connector for one in list_connections(mesh.db, tenant_id)]
    schemas = read_schemas(mesh.db, tenant_id, connectors)
    by_entity: dict[str, list[MappingSet]] = {}
    for held in active_sets(mesh.db, tenant_id, connectors).values():
        by_entity.setdefault(held.entity, []).append(held)
    return {entity: column_lineage(sets, schemas) for entity, sets in by_entity.items()}


def _say(one: StreamOutcome | DueReplay) -> str:
    error, name = str(one.error), join_name(one.connector, one.stream)
    return error if name in error else f"{name}: {error}"


def _tell_waiting(context: AssetExecutionContext, mesh: Mesh, report: CanonicalReport) -> None:
    """Warn of loads that wait, unless the config says that the stream is nothing canonical."""
    for one in report.waiting:
        spec = mesh.specs.get(one.connector)
        stream = spec.streams.get(one.stream) if spec is not None else None
        if stream is None or stream.entity is not None:
            name = join_name(one.connector, one.stream)
            context.log.warning(f"{name}: {one.loads} loads wait, {one.reason}")


def _count(entity: str, report: CanonicalReport, total: int) -> dict[str, Any]:
    streams = [one for one in report.streams if one.entity == entity]
    sums = {name: sum(getattr(one, name) for one in streams) for name in COUNTS}
    return {
        ROW_COUNT: total,
        "new events": sums["events"] + sums["deleted"],
        "unchanged": sums["unchanged"],
        "quarantined": sums["refused"],
        "deleted": sums["deleted"],
        "loads": sums["loads"],
        "seconds": round(sum(one.seconds for one in streams), 3),
    }


def _show(
    context: AssetExecutionContext,
    counts: Mapping[str, dict[str, Any]],
    touched: set[str],
    report: CanonicalReport,
) -> Iterator[MaterializeResult[None]]:
    """Tell the counts of every entity, and materialize those with news."""
    mesh: Mesh = context.resources.mesh
    keys = {entity: AssetKey(canonical_key(entity)) for entity in counts}
    for entity, facts in counts.items():
        mesh.tell(context.partition_key, keys[entity].path, facts)
    news = pick_news(context, {key: entity in touched for entity, key in keys.items()})
    lineage = _read_lineage(mesh, context.partition_key) if news else {}
    for entity, key in keys.items():
        if key in news:
            streams = [_write_stream(one) for one in report.streams if one.entity == entity]
            metadata = {
                **counts[entity],
                COLUMN_LINEAGE: describe_lineage(lineage.get(entity, {})),
                **({BY_STREAM: MetadataValue.table(streams, _BY_STREAM)} if streams else {}),
            }
            yield MaterializeResult(asset_key=key, metadata=metadata)


def _write_stream(one: StreamOutcome) -> TableRecord:
    counts = {name: int(getattr(one, name)) for name in COUNTS}
    return TableRecord({"stream": join_name(one.connector, one.stream), "set": one.set_number or 0, **counts})
