"""One record through a compiled projection, on real DuckDB."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import duckdb

from core.compile import compile_projection
from core.mapping import FieldMapping, MappingSet
from core.names import quote_identifier
from core.ontology import CanonicalField, Entity

TYPES = {
    "text": "string",
    "site": "url",
    "stage": "enum",
    "kind": "enum",
    "amount": "currency",
    "count": "integer",
    "share": "number",
    "done": "boolean",
    "at": "datetime",
    "day": "date",
    "land": "country",
}
FIELDS = {
    name: CanonicalField(name, kind, "x", enum=("new", "old") if name == "kind" else ())
    for name, kind in TYPES.items()
}
THING = Entity("thing", "x", "x", "x", {"id": CanonicalField("id", "string", "x", required=True), **FIELDS})
ID = FieldMapping("id", ("id",))


class Row(NamedTuple):
    record_id: str | None
    op: str
    data: dict[str, Any]
    unknown: dict[str, Any] | None
    code: str | None
    reason: str | None
    data_text: str
    unknown_text: str | None


def project(
    engine: duckdb.DuckDBPyConnection,
    record: Mapping[str, str | None],
    mappings: Sequence[FieldMapping],
    entity: Entity = THING,
    **facts: Any,
) -> Row:
    columns = list(record)
    declared = ", ".join(f"{quote_identifier(name)} VARCHAR" for name in columns)
    engine.execute(f"CREATE OR REPLACE TEMP TABLE load ({declared})")
    engine.execute(f"INSERT INTO load VALUES ({', '.join('?' * len(columns))})", list(record.values()))
    made = MappingSet("s", "*", "c", "s", 1, entity.name, tuple(mappings))
    sql = compile_projection(made, entity, columns, **{"primary_key": ("id",), **facts}).sql
    query = f"SELECT record_id, op, data, unknown_fields, code, reason FROM ({sql})"
    record_id, op, data, unknown, code, reason = engine.execute(query).fetchall()[0]
    left = unknown and json.loads(unknown)
    return Row(record_id, op, json.loads(data), left, code, reason, data, unknown)


def value_of(
    engine: duckdb.DuckDBPyConnection,
    target: str,
    found: str | None,
    transform: Any = "cast",
    **args: Any,
) -> Any:
    """The canonical value; ``"!"`` and the code when the row is refused."""
    row = project(engine, {"id": "1", "v": found}, [ID, FieldMapping(target, ("v",), transform, args)])
    return f"!{row.code}" if row.code else row.data.get(target)
