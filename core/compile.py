"""A mapping set becomes one SQL projection: a load's text columns in, canonical records out.

Pure: nothing runs here. The SQL is DuckDB's; the session's time zone must be UTC. What one mapping becomes
is ``core/transforms_sql.py``, what is left over ``core/unknown_sql.py``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from core.columns import DELETED, ROW
from core.connector import Deletion, FlagDeletion
from core.errors import MappingRefused
from core.json_sql import join_members, write_key, write_string
from core.load_columns import LoadColumns
from core.mapped_fields import MappedField, compile_field, write_flags, write_refusal
from core.mapping import MappingSet
from core.names import Path, join_name, parse_path, quote_literal
from core.ontology.model import Entity
from core.transforms_sql import list_consumed
from core.typed_sql import trim
from core.unknown_sql import compile_record, compile_unknown

HASH_DIGITS = 32
"""Hex digits kept of a SHA-256: 128 bits tell versions of one record apart."""


@dataclass(frozen=True)
class Projection:
    """SQL over a relation of text columns, one row out for each row in.

    Columns of ``sql``:
    ``row`` BIGINT            position in the load
    ``record_id`` VARCHAR     primary key as text; a JSON array when it has several parts
    ``op`` VARCHAR            upsert | delete
    ``data`` VARCHAR          JSON object of the canonical fields that have a value
    ``unknown_fields`` VARCHAR JSON object of what no mapping consumed, NULL when empty
    ``content_hash`` VARCHAR  32 hex digits: SHA-256 over entity, op, data and unknown fields
    ``code``, ``reason``      why the row is refused, NULL when it is not
    ``record`` VARCHAR        the source record as JSON text

    ``keys`` gives ``record_id`` alone: planning the whole query is most of a small load.
    """

    sql: str
    keys: str


def compile_projection(
    mapping_set: MappingSet,
    entity: Entity,
    columns: Sequence[str],
    *,
    primary_key: Sequence[str],
    deletion: Deletion | None = None,
    source: str = "load",
) -> Projection:
    """The projection of a load with these columns, read from the relation ``source``.

    Fields of the mapping that the load lacks are NULL. Raises MappingRefused for a set whose targets the
    entity does not have, or that leaves a required field without a source.
    """
    fields, layers = _build_layers(mapping_set, entity, columns, primary_key, deletion)
    refusal = write_refusal(fields, primary_key)
    layers.append([*_OUTPUT, *refusal, f"{_write_hash(entity)} AS content_hash"])
    return Projection(_stack(layers, source), _compile_keys(columns, primary_key, source))


@dataclass(frozen=True)
class FieldColumns:
    """The columns of one canonical field in the SQL of ``Values``, by name; None: it cannot happen.

    ``value`` is JSON text or NULL; ``missing`` says that a required value is not there, ``misfit`` that
    the source's text does not fit.
    """

    target: str
    value: str
    missing: str | None
    misfit: str | None


@dataclass(frozen=True)
class Values:
    """SQL of what a projection makes of each field: ``row``, ``record_id``, ``op``, ``code``, ``fields``."""

    sql: str
    fields: tuple[FieldColumns, ...]


def compile_values(
    mapping_set: MappingSet,
    entity: Entity,
    columns: Sequence[str],
    *,
    primary_key: Sequence[str],
    deletion: Deletion | None = None,
    source: str = "load",
) -> Values:
    """As ``compile_projection``, field by field: for looking at a set, not for writing events."""
    fields, layers = _build_layers(mapping_set, entity, columns, primary_key, deletion)
    made = [
        FieldColumns(
            f.canonical.name,
            f.value,
            f.missing if f.is_required else None,
            f.misfit if f.sql.expected is not None else None,
        )
        for f in fields
    ]
    names = [name for one in made for name in (one.value, one.missing, one.misfit) if name is not None]
    code = write_refusal(fields, primary_key)[0]
    return Values(_stack([*layers, ["row", "record_id", "op", *names, code]], source), tuple(made))


def _build_layers(
    mapping_set: MappingSet,
    entity: Entity,
    columns: Sequence[str],
    primary_key: Sequence[str],
    deletion: Deletion | None,
) -> tuple[list[MappedField], list[list[str]]]:
    """The mapped fields, and the queries over each other that compute them, up to the last but one."""
    _check_targets(mapping_set, entity)
    load = LoadColumns(columns)
    fields = [compile_field(n, m, entity, load) for n, m in enumerate(mapping_set.mappings)]
    fields.sort(key=lambda field: field.canonical.name)  # one order, whatever order the set has
    texts = [
        f"{_write_key([load.read(path) for path in primary_key])} AS record_id",
        f"{_write_op(load, deletion)} AS op",
        f"{compile_unknown(load, _list_consumed(mapping_set, primary_key, deletion))} AS unknown_fields",
        f"{compile_record(load)} AS record",
        *(f"{f.sql.text} AS {f.text}, {f.sql.aside} AS {f.aside}" for f in fields),
    ]
    row = f"TRY_CAST({load.helper(ROW, '0')} AS BIGINT) AS row"
    layers = [
        [row, _read_deleted(load), *load.select_columns()],
        ["*", *load.select_nested()],
        ["row", *texts],
        ["*", *(f"{f.sql.instant} AS {f.instant}" for f in fields if f.sql.instant)],
        ["*", *(f"{f.sql.value} AS {f.value}" for f in fields)],
        ["*", *_write_data(fields), *(flag for f in fields for flag in write_flags(f))],
    ]
    return fields, layers


_OUTPUT = ("row", "record_id", "op", "data", "unknown_fields", "record")


def _compile_keys(columns: Sequence[str], primary_key: Sequence[str], source: str) -> str:
    roots = {parse_path(path)[0] for path in primary_key}
    load = LoadColumns([name for name in columns if name in roots])
    key = f"{_write_key([load.read(path) for path in primary_key])} AS record_id"
    return _stack([load.select_columns() or ["1"], ["*", *load.select_nested()], [key]], source)


def _stack(layers: Sequence[Sequence[str]], source: str) -> str:
    """One query over another, innermost first; each computes columns from those of the one before."""
    query = source
    for number, items in enumerate(layers):
        inner = query if number == 0 else f"({query})"
        query = f"SELECT {', '.join(items)} FROM {inner}"
    return query


def _check_targets(mapping_set: MappingSet, entity: Entity) -> None:
    where = f"mapping set {mapping_set.number} of {join_name(mapping_set.connector, mapping_set.stream)}"
    targets = {mapping.target for mapping in mapping_set.mappings}
    strange = sorted(targets - entity.fields.keys())
    if strange:
        raise MappingRefused(
            f"entity {entity.name!r} has no field {strange[0]!r}",
            where=where,
            remedy="Publish a mapping set without it",
        )
    lacking = [name for name in entity.required if name not in targets]
    if lacking:
        raise MappingRefused(
            f"nothing fills the required field {lacking[0]!r} of entity {entity.name!r}",
            where=where,
            remedy="Publish a mapping set that does",
        )


def _list_consumed(
    mapping_set: MappingSet, primary_key: Sequence[str], deletion: Deletion | None
) -> list[Path]:
    """What the mesh understands: mapped sources, the key and the deletion flag."""
    paths = [path for mapping in mapping_set.mappings for path in list_consumed(mapping)]
    paths += [parse_path(path) for path in primary_key]
    return [*paths, parse_path(deletion.field)] if isinstance(deletion, FlagDeletion) else paths


def _write_key(parts: Sequence[str]) -> str:
    if len(parts) == 1:
        return f"NULLIF({parts[0]}, '')"
    # || makes the whole NULL when a part is; the brackets keep ("a|b", "c") apart from ("a", "b|c")
    return "'[' || " + " || ',' || ".join(write_string(f"NULLIF({part}, '')") for part in parts) + " || ']'"


def _read_deleted(load: LoadColumns) -> str:
    return f"lower(CAST({load.helper(DELETED, 'false')} AS VARCHAR)) IN ('true', '1') AS tombstone"


def _write_op(load: LoadColumns, deletion: Deletion | None) -> str:
    flagged = "false"
    if isinstance(deletion, FlagDeletion):
        values = ", ".join(quote_literal(value.strip().lower()) for value in deletion.values)
        flagged = f"lower({trim(load.read(deletion.field))}) IN ({values})"
    return f"CASE WHEN tombstone OR {flagged} THEN 'delete' ELSE 'upsert' END"


def _write_data(fields: Sequence[MappedField]) -> list[str]:
    members = [f"{write_key(f.canonical.name)} || {f.value}" for f in fields]
    return [f"{join_members(members)} AS data"]


def hash_deletion(entity: Entity) -> str:
    """The content hash of every delete of an entity: a record that is gone has no content."""
    return hashlib.sha256(f"{entity.name}\ndelete".encode()).hexdigest()[:HASH_DIGITS]


def _write_hash(entity: Entity) -> str:
    gone = quote_literal(hash_deletion(entity))
    head = quote_literal(f"{entity.name}\nupsert\n")
    content = f"concat({head}, data, chr(10), unknown_fields)"
    return f"CASE WHEN op = 'delete' THEN {gone} ELSE left(sha256({content}), {HASH_DIGITS}) END"
