"""How much of a tenant's streams is mapped, from what Postgres knows of sets and schemas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.connector import ConnectorSpec, StreamSpec
from core.coverage import measure_coverage
from core.mapping import MappingSet
from core.schema import TableSchema
from resources.database import Database
from resources.registry import active_sets
from resources.stream_entities import CONFIRMED, NO_ENTITY, StreamEntity, read_entities
from resources.stream_facts import read_schemas


@dataclass(frozen=True)
class StreamCoverage:
    """One stream: source fields consumed by the set that holds for it, and those left over.

    ``primary_key``: the paths that identify a record, whether a set maps them or not. ``stays_raw``: a
    person said that the stream is no canonical entity.
    """

    connector: str
    stream: str
    entity: str | None
    set_number: int | None
    mapped: tuple[str, ...]
    unknown: tuple[str, ...]
    primary_key: tuple[str, ...] = ()
    stays_raw: bool = False


def read_coverage(
    db: Database,
    tenant_id: str,
    specs: Sequence[ConnectorSpec],
    schemas: Mapping[tuple[str, str], TableSchema] | None = None,
) -> list[StreamCoverage]:
    """Coverage of every stream that landed at least once, in the order of the specs.

    ``schemas``: the newest ones, where the caller has read them.
    """
    connectors = [spec.connector for spec in specs]
    sets = active_sets(db, tenant_id, connectors)
    schemas = read_schemas(db, tenant_id, connectors) if schemas is None else schemas
    with db.tenant(tenant_id) as conn:
        decided = read_entities(conn, tenant_id)
    found = []
    for spec in specs:
        for name, stream in spec.streams.items():
            schema = schemas.get((spec.connector, name))
            if schema is None:
                continue
            held = sets.get((spec.connector, name))
            taken = decided.get((spec.connector, name))
            coverage = measure_coverage(schema, held.mappings if held else (), stream)
            found.append(
                StreamCoverage(
                    spec.connector,
                    name,
                    _name_entity(held, stream, taken),
                    held.number if held else None,
                    coverage.mapped,
                    coverage.unknown,
                    tuple(stream.primary_key),
                    held is None and taken is not None and taken.status == NO_ENTITY,
                )
            )
    return found


def _name_entity(held: MappingSet | None, stream: StreamSpec, taken: StreamEntity | None) -> str | None:
    """The set that holds says, else the config, else a person; a guess says nothing."""
    if held is not None:
        return held.entity
    if stream.entity is None and taken is not None and taken.status == CONFIRMED:
        return taken.entity
    return stream.entity
