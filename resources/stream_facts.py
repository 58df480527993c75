"""What is known of a connector's streams beside one load: rows in the lake, shape, open drift.

Read in one transaction, for showing; who writes these is ``loads.py`` and ``schema_versions.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, func, select

from core.drift import Operation, operation_from_json
from core.schema import TableSchema
from resources.database import Database
from resources.schema_versions import OPEN
from resources.tables import drift_events, loads, mapping_sets, schema_versions


@dataclass
class StreamFacts:
    """``rows``: landed so far in all loads. ``schema``: newest version. ``drift``: not dealt with yet."""

    rows: int = 0
    version: int | None = None
    schema: TableSchema | None = None
    drift: list[Operation] = field(default_factory=list)


def read_stream_facts(db: Database, tenant_id: str, connector: str) -> Mapping[str, StreamFacts]:
    """Facts by stream; a stream that never landed is absent."""
    facts: dict[str, StreamFacts] = {}
    with db.tenant(tenant_id) as conn:
        _add_rows(conn, facts, tenant_id, connector)
        _add_schemas(conn, facts, tenant_id, connector)
        _add_drift(conn, facts, tenant_id, connector)
    return facts


def _add_rows(conn: Connection, facts: dict[str, StreamFacts], tenant_id: str, connector: str) -> None:
    table = loads.c
    query = select(table.stream, func.sum(table.landed)).where(
        table.tenant_id == tenant_id, table.connector == connector
    )
    for stream, landed in conn.execute(query.group_by(table.stream)):
        facts.setdefault(stream, StreamFacts()).rows = int(landed)


def _add_schemas(conn: Connection, facts: dict[str, StreamFacts], tenant_id: str, connector: str) -> None:
    table = schema_versions.c
    query = (
        select(table.stream, table.version, table.fields)
        .distinct(table.stream)
        .where(table.tenant_id == tenant_id, table.connector == connector)
        .order_by(table.stream, table.version.desc())
    )
    for stream, version, fields in conn.execute(query):
        found = facts.setdefault(stream, StreamFacts())
        found.version, found.schema = version, TableSchema.from_json(fields)


def _add_drift(conn: Connection, facts: dict[str, StreamFacts], tenant_id: str, connector: str) -> None:
    table = drift_events.c
    query = (
        select(table.stream, table.operations)
        .where(table.tenant_id == tenant_id, table.connector == connector, table.status == OPEN)
        .order_by(table.to_version)
    )
    for stream, operations in conn.execute(query):
        found = facts.setdefault(stream, StreamFacts())
        found.drift.extend(op for op in map(operation_from_json, operations) if op.loud)


def read_schemas(
    db: Database, tenant_id: str, connectors: Iterable[str]
) -> Mapping[tuple[str, str], TableSchema]:
    """The newest schema of each (connector, stream) that ever landed."""
    table = schema_versions.c
    query = (
        select(table.connector, table.stream, table.fields)
        .distinct(table.connector, table.stream)
        .where(table.tenant_id == tenant_id, table.connector.in_(list(connectors)))
        .order_by(table.connector, table.stream, table.version.desc())
    )
    with db.tenant(tenant_id) as conn:
        return {(one, stream): TableSchema.from_json(fields) for one, stream, fields in conn.execute(query)}


def count_events(db: Database, tenant_id: str) -> Mapping[str, int]:
    """Canonical events of a tenant by entity, deletions included, from what the loads say they made."""
    table, sets = loads.c, mapping_sets.c
    made = func.coalesce(table.events, 0) + func.coalesce(table.deleted, 0)
    query = (
        select(sets.entity, func.sum(made))
        .join(mapping_sets, sets.set_id == table.set_id)
        .where(table.tenant_id == tenant_id)
        .group_by(sets.entity)
    )
    with db.tenant(tenant_id) as conn:
        return {entity: int(count) for entity, count in conn.execute(query)}
