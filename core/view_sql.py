"""The SQL of the views: what Postgres writes out, how DuckDB reads it in, and the tables it fills.

Pure text. Events travel in COPY's text format, one line an event: a line break always ends a record, so
DuckDB may read the file in parallel. Both ends of that format are here.
"""

from __future__ import annotations

from core.names import quote_identifier, quote_literal
from core.ontology import Entity, Ontology
from core.view_layout import META_SCHEMA, ViewColumn, list_columns

OP = "_op"
UNFIT = "_unfit"
FED = "_fed"
_EVENT_COLUMNS = {
    "_seq": "seq",
    "_event_id": "event_id",
    "_connector": "connector",
    "_stream": "stream",
    "_record_id": "record_id",
    OP: "op",
    "_set_id": "set_id",
    "_load_id": "load_id",
    "_updated_at": "emitted_at",
    "_unknown_fields": "unknown_fields",
}
"""What a line starts with: name in the file, column of ``canonical_streams``. The fields follow."""

_LINE_BYTES = 2 * 1024 * 1024
_ESCAPES = {"b": 8, "t": 9, "n": 10, "v": 11, "f": 12, "r": 13}


def write_copy(entity: Entity, tenant_id: str, *, after: int, until: int) -> str:
    """Postgres: send the entity's events with ``after < seq <= until``, a line each."""
    columns = ", ".join(_EVENT_COLUMNS.values())
    fields = "".join(f", data ->> {quote_literal(name)}" for name in entity.fields)
    # `|| '{}'` unpacks a compressed document once instead of once a field; OFFSET 0 keeps it that way
    return (
        f"COPY (SELECT {columns}{fields} FROM (SELECT {columns}, data || '{{}}' AS data "
        f"FROM canonical_streams WHERE tenant_id = {quote_literal(tenant_id)} "
        f"AND entity = {quote_literal(entity.name)} AND seq > {after:d} AND seq <= {until:d} OFFSET 0) e) "
        "TO STDOUT (ENCODING 'UTF8')"
    )


def write_load(entity: Entity, path: str, longest_bytes: int, *, temporary: bool, lenient: bool) -> str:
    """DuckDB: make table ``_fed`` of the file: the view's columns and ``_op``.

    Strict, a value that does not fit its type is an error; lenient, it is null and ``_unfit`` counts it.
    """
    columns = (*list_columns(entity), ViewColumn(OP, "VARCHAR", "upsert or delete"))
    selected = [f"{_read(c, lenient)} AS {quote_identifier(c.name)}" for c in columns]
    if lenient:
        null = " + ".join(
            f"({quote_identifier(c.name)} IS NOT NULL AND {_read(c, True)} IS NULL)::INT" for c in columns
        )
        selected.append(f"{null} AS {UNFIT}")
    line = max(_LINE_BYTES, longest_bytes + 1024)
    return (
        f"CREATE OR REPLACE {'TEMP ' * temporary}TABLE {FED} AS SELECT {', '.join(selected)} "
        f"FROM read_csv({quote_literal(path)}, "
        "auto_detect = false, header = false, delim = '\t', quote = '', escape = '', comment = '', "
        f"nullstr = '\\N', max_line_size = {line}, buffer_size = {max(4 * _LINE_BYTES, 2 * line)}, "
        f"columns = {_write_file_types(entity, lenient)})"
    )


def _write_file_types(entity: Entity, lenient: bool) -> str:
    types = {c.name: c.sql_type for c in list_columns(entity)} | {OP: "VARCHAR"}
    filed = [*_EVENT_COLUMNS, *entity.fields]
    kinds = ["VARCHAR" if lenient or _is_text(types[name]) else types[name] for name in filed]
    pairs = (f"{quote_literal(n)}: {quote_literal(kind)}" for n, kind in zip(filed, kinds, strict=True))
    return f"{{{', '.join(pairs)}}}"


def _is_text(sql_type: str) -> bool:
    return sql_type in ("VARCHAR", "JSON")


def _read(column: ViewColumn, lenient: bool) -> str:
    name = quote_identifier(column.name)
    if not _is_text(column.sql_type):
        return f"TRY_CAST({name} AS {column.sql_type})" if lenient else name
    return f"{_unescape(name)}::JSON" if column.sql_type == "JSON" else _unescape(name)


def _unescape(name: str) -> str:
    r"""Undo COPY's escapes. Split at ``\\`` first, so that an escaped backslash before ``n`` stays one."""
    part = "x"
    for letter, code in _ESCAPES.items():
        part = f"replace({part}, '\\{letter}', chr({code}))"
    pieces = f"list_transform(string_split({name}, '\\\\'), lambda x: {part})"
    return f"CASE WHEN contains({name}, '\\') THEN array_to_string({pieces}, '\\') ELSE {name} END"


def write_create_table(entity: Entity) -> str:
    """DDL of the entity's table, in schema ``main``."""
    columns = ", ".join(f"{quote_identifier(c.name)} {c.sql_type}" for c in list_columns(entity))
    return f"CREATE OR REPLACE TABLE main.{quote_identifier(entity.name)} ({columns})"


def write_comments(entity: Entity) -> str:
    """DDL that puts the descriptions on table and columns, for whoever opens the file."""
    table = f"main.{quote_identifier(entity.name)}"
    columns = (
        f"COMMENT ON COLUMN {table}.{quote_identifier(c.name)} IS {quote_literal(c.description)}"
        for c in list_columns(entity)
    )
    return "; ".join([f"COMMENT ON TABLE {table} IS {quote_literal(entity.description)}", *columns])


def write_streams_view(ontology: Ontology) -> str:
    """DDL of ``mesh.streams``: records of each stream in each view."""
    parts = " UNION ALL ".join(
        f"SELECT {quote_literal(name)} AS entity, _connector, _stream, _load_id, _updated_at "
        f"FROM main.{quote_identifier(name)}"
        for name in ontology.entities
    )
    return (
        f"CREATE OR REPLACE VIEW {META_SCHEMA}.streams AS SELECT _connector AS connector, _stream AS stream, "
        "entity, count(*) AS records, max(_load_id) AS last_load_id, max(_updated_at) AS last_event_at "
        f"FROM ({parts}) GROUP BY ALL ORDER BY ALL"
    )
