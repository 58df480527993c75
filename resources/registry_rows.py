"""The rows behind the registry: reading and writing them inside a caller's transaction and scope.

What may be published, and what a publication means, is ``resources/registry.py``.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, func, select, text
from sqlalchemy.dialects.postgresql import aggregate_order_by

from core.mapping import FieldMapping, MappingSet, fingerprint_mappings
from core.names import GLOBAL_TENANT
from resources.database import Database
from resources.locks import lock_key
from resources.tables import active_mapping_sets as active
from resources.tables import field_mappings as fields
from resources.tables import mapping_sets as sets

StreamKey = tuple[str, str]
"""(connector, stream)."""

_NAMESPACE = uuid.UUID("5f0f5c2e-6f0b-5b0e-9a53-8a3f6a3f2c11")
_ROWS_AT_ONCE = 20_000  # bounds the memory of one statement
_FIELD_COLUMNS = ("target", "sources", "transform", "args", "confidence", "origin")
# COPY is refused on tables with row-level security; one INSERT of arrays is nearly as fast.
_INSERT_SETS = text(
    """
    INSERT INTO mapping_sets
        (tenant_id, set_id, connector, stream, number, entity, fingerprint, created_by, reason)
    SELECT :tenant_id, set_id, connector, stream, number, entity, fingerprint, :actor, :reason
    FROM unnest(CAST(:set_ids AS uuid[]), CAST(:connectors AS text[]), CAST(:streams AS text[]),
                CAST(:numbers AS int[]), CAST(:entities AS text[]), CAST(:fingerprints AS text[]))
         AS given (set_id, connector, stream, number, entity, fingerprint)
    """
)
_INSERT_FIELDS = text(
    """
    INSERT INTO field_mappings
        (tenant_id, set_id, target, sources, transform, args, confidence, origin)
    SELECT :tenant_id, set_id, target, CAST(sources AS jsonb), transform, CAST(args AS jsonb),
           confidence, origin
    FROM unnest(CAST(:set_ids AS uuid[]), CAST(:targets AS text[]), CAST(:sources AS text[]),
                CAST(:transforms AS text[]), CAST(:args AS text[]), CAST(:confidences AS float8[]),
                CAST(:origins AS text[]))
         AS given (set_id, target, sources, transform, args, confidence, origin)
    """
)
_POINT_AT = text(
    """
    INSERT INTO active_mapping_sets (tenant_id, connector, stream, set_id, activated_by)
    SELECT :tenant_id, connector, stream, set_id, :actor
    FROM unnest(CAST(:set_ids AS uuid[]), CAST(:connectors AS text[]), CAST(:streams AS text[]))
         AS given (set_id, connector, stream)
    ON CONFLICT (tenant_id, connector, stream) DO UPDATE
    SET set_id = excluded.set_id, activated_by = excluded.activated_by, activated_at = now()
    """
)


@contextmanager
def open_scope(database: Database, tenant_id: str) -> Iterator[Connection]:
    """A transaction that may write sets of the tenant, or global ones for ``*``."""
    scope = database.operator() if tenant_id == GLOBAL_TENANT else database.tenant(tenant_id)
    with scope as conn:
        yield conn


def wait_turn(conn: Connection, tenant_id: str) -> None:
    """One publisher of a tenant at a time, until its transaction ends: numbers have no gaps."""
    conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": lock_key(tenant_id, "mapping sets")})


def of_stream(table: Table, tenant_id: str, connector: str, stream: str) -> tuple[ColumnElement[bool], ...]:
    """The condition that picks one owner's rows of one stream."""
    columns = table.c
    return (columns.tenant_id == tenant_id, columns.connector == connector, columns.stream == stream)


def number_set(
    tenant_id: str,
    key: StreamKey,
    number: int,
    entity: str,
    mappings: Iterable[FieldMapping],
) -> MappingSet:
    """A new set. Its id follows from owner, stream, number and content: the same everywhere."""
    ordered = tuple(sorted(mappings, key=lambda mapping: mapping.target))
    facts = [tenant_id, *key, number, fingerprint_mappings(entity, ordered)]
    set_id = str(uuid.uuid5(_NAMESPACE, json.dumps(facts)))
    return MappingSet(set_id, tenant_id, key[0], key[1], number, entity, ordered)


def insert_sets(conn: Connection, made: Sequence[MappingSet], actor: str, reason: str) -> None:
    """Store new sets of one owner, with their mappings."""
    if not made:
        return
    owner = {"tenant_id": made[0].tenant_id}
    columns = _identity(made) | {
        "numbers": [one.number for one in made],
        "entities": [one.entity for one in made],
        "fingerprints": [one.fingerprint for one in made],
    }
    conn.execute(_INSERT_SETS, owner | columns | {"actor": actor, "reason": reason})
    rows = [(one.set_id, mapping) for one in made for mapping in one.mappings]
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        conn.execute(_INSERT_FIELDS, owner | _field_columns(rows[start : start + _ROWS_AT_ONCE]))


def point_at(conn: Connection, chosen: Sequence[MappingSet], actor: str) -> None:
    """Make stored sets of one owner the active ones of their streams."""
    if chosen:
        owner = {"tenant_id": chosen[0].tenant_id, "actor": actor}
        conn.execute(_POINT_AT, owner | _identity(chosen))


def read_sets(conn: Connection, query: Select[Any]) -> list[MappingSet]:
    """The sets that a query over ``mapping_sets`` yields, each with its mappings by target."""
    chosen = query.subquery()
    same = (fields.c.tenant_id == chosen.c.tenant_id) & (fields.c.set_id == chosen.c.set_id)
    row = func.jsonb_build_array(*(fields.c[name] for name in _FIELD_COLUMNS))
    mappings = select(func.jsonb_agg(aggregate_order_by(row, fields.c.target))).where(same).scalar_subquery()
    head = (chosen.c[name] for name in ("set_id", "tenant_id", "connector", "stream", "number", "entity"))
    rows = conn.execute(select(*head, mappings))
    return [MappingSet(*row[:6], mappings=tuple(map(_read_field, row[6] or ()))) for row in rows]


def _read_field(row: list[Any]) -> FieldMapping:
    target, sources, transform, args, confidence, origin = row
    return FieldMapping(target, tuple(sources), transform, args, float(confidence), origin)


def select_active(tenant_id: str) -> Select[Any]:
    """Active sets that concern a tenant: its own and the global ones."""
    same = (active.c.tenant_id == sets.c.tenant_id) & (active.c.set_id == sets.c.set_id)
    return select(sets).join(active, same).where(active.c.tenant_id.in_({tenant_id, GLOBAL_TENANT}))


def read_active_number(conn: Connection, tenant_id: str, key: StreamKey) -> int | None:
    """Number of the owner's active set of a stream."""
    query = select_active(tenant_id).where(*of_stream(active, tenant_id, *key)).subquery()
    return conn.execute(select(query.c.number)).scalar()


def read_newest_numbers(
    conn: Connection, tenant_id: str, key: StreamKey | None = None
) -> dict[StreamKey, int]:
    """The highest number of each of the owner's streams, or of one stream."""
    query = select(sets.c.connector, sets.c.stream, func.max(sets.c.number))
    chosen = of_stream(sets, tenant_id, *key) if key else (sets.c.tenant_id == tenant_id,)
    rows = conn.execute(query.where(*chosen).group_by(sets.c.connector, sets.c.stream))
    return {(connector, stream): number for connector, stream, number in rows}


def _identity(chosen: Sequence[MappingSet]) -> dict[str, list[Any]]:
    return {
        "set_ids": [one.set_id for one in chosen],
        "connectors": [one.connector for one in chosen],
        "streams": [one.stream for one in chosen],
    }


def _field_columns(rows: Sequence[tuple[str, FieldMapping]]) -> dict[str, list[Any]]:
    return {
        "set_ids": [set_id for set_id, _ in rows],
        "targets": [mapping.target for _, mapping in rows],
        "sources": [json.dumps(mapping.sources, ensure_ascii=False) for _, mapping in rows],
        "transforms": [mapping.transform for _, mapping in rows],
        "args": [json.dumps(mapping.args, ensure_ascii=False) for _, mapping in rows],
        "confidences": [float(mapping.confidence) for _, mapping in rows],
        "origins": [mapping.origin for _, mapping in rows],
    }
