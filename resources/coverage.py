"""How much of a tenant's streams is mapped, from what Postgres knows of sets and schemas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.connector import ConnectorSpec
from core.coverage import measure_coverage
from resources.database import Database
from resources.registry import active_sets
from resources.stream_facts import read_schemas


@dataclass(frozen=True)
class StreamCoverage:
    """One stream: source fields consumed by the set that holds for it, and those left over.

    ``primary_key``: the paths that identify a record, whether a set maps them or not.
    """

    connector: str
    stream: str
    entity: str | None
    set_number: int | None
    mapped: tuple[str, ...]
    unknown: tuple[str, ...]
    primary_key: tuple[str, ...] = ()


def read_coverage(db: Database, tenant_id: str, specs: Sequence[ConnectorSpec]) -> list[StreamCoverage]:
    """Coverage of every stream that landed at least once, in the order of the specs."""
    connectors = [spec.connector for spec in specs]
    sets = active_sets(db, tenant_id, connectors)
    schemas = read_schemas(db, tenant_id, connectors)
    found = []
    for spec in specs:
        for name, stream in spec.streams.items():
            schema = schemas.get((spec.connector, name))
            if schema is None:
                continue
            held = sets.get((spec.connector, name))
            coverage = measure_coverage(schema, held.mappings if held else (), stream)
            found.append(
                StreamCoverage(
                    spec.connector,
                    name,
                    held.entity if held else stream.entity,
                    held.number if held else None,
                    coverage.mapped,
                    coverage.unknown,
                    tuple(stream.primary_key),
                )
            )
    return found
