"""What assets show in Dagster: column schemas, counts and tables, in the same shape everywhere.

What is in them is decided elsewhere; this room only writes Dagster's metadata types.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dagster import (
    AssetKey,
    MetadataValue,
    TableColumn,
    TableColumnConstraints,
    TableColumnDep,
    TableColumnLineage,
)
from dagster import TableSchema as DagsterTableSchema

from core.ontology import CanonicalField, Entity
from core.schema import TableSchema
from core.view_layout import list_columns

SHORT = 300
"""Characters of a list that is shown as one text."""
COLUMN_SCHEMA = "dagster/column_schema"
COLUMN_LINEAGE = "dagster/column_lineage"
ROW_COUNT = "dagster/row_count"
FAILED_STREAMS = "failed streams"
"""Of a raw step's failure: JSON ``{"connector": …, "errors": {stream: reason}}``."""
BY_STREAM = "by stream"
"""Metadata of a canonical asset: a table with a row a stream."""
COVERAGE = "coverage"
"""Of ``mappings``: a table with a row a stream."""
WARNINGS = "mapper warnings"
"""Text, a line each: what the mapper did worse than it should."""


def describe_source_columns(schema: TableSchema, targets: Mapping[str, Sequence[str]]) -> DagsterTableSchema:
    """The fields of a stream as observed, nested paths included, with their logical types.

    ``targets``: the canonical fields each path fills, told in its description.
    """
    columns = [
        TableColumn(
            field.path,
            type=" | ".join(t for t in field.types if t != "null") or "null",
            description=_list_some("→", targets.get(field.path, ())) or None,
            constraints=TableColumnConstraints(nullable=field.nullable),
        )
        for field in schema.fields
    ]
    return DagsterTableSchema(columns)


def describe_entity_columns(entity: Entity, sources: Mapping[str, Sequence[str]]) -> DagsterTableSchema:
    """The canonical fields of an entity; ``sources`` of each are told in its description."""
    return DagsterTableSchema([_describe_field(f, f.type, sources) for f in entity.fields.values()])


def describe_view_columns(entity: Entity, sources: Mapping[str, Sequence[str]]) -> DagsterTableSchema:
    """The columns of an entity's view: canonical fields with their SQL types, then provenance."""
    fields = entity.fields
    columns = [
        _describe_field(fields[column.field], column.sql_type, sources)
        if column.field is not None
        else TableColumn(column.name, type=column.sql_type, description=column.description)
        for column in list_columns(entity)
    ]
    return DagsterTableSchema(columns)


def _describe_field(
    field: CanonicalField, column_type: str, sources: Mapping[str, Sequence[str]]
) -> TableColumn:
    marks = {"identity": field.identity, "personal data": field.pii}
    constraints = [name for name, holds in marks.items() if holds]
    if field.is_closed:
        constraints.append("one of " + ", ".join(field.enum))
    said = (field.description, _list_some("←", sources.get(field.name, ())))
    return TableColumn(
        field.name,
        type=column_type,
        description="  \n".join(part for part in said if part),
        constraints=TableColumnConstraints(nullable=not field.required, other=constraints),
    )


def _list_some(sign: str, names: Sequence[str], most: int = 6) -> str:
    if not names:
        return ""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{sign} {', '.join(names[:most])}{more}"


ColumnSources = Mapping[str, Iterable[tuple[Sequence[str], str]]]
"""Column → (asset key, column) of each of its sources."""


def describe_lineage(sources: ColumnSources) -> TableColumnLineage:
    """Column lineage as Dagster draws it."""
    deps = {
        column: [TableColumnDep(AssetKey(list(key)), source) for key, source in found]
        for column, found in sources.items()
    }
    return TableColumnLineage({column: found for column, found in deps.items() if found})


def write_table(headers: Sequence[str], rows: Iterable[Sequence[Any]]) -> MetadataValue:
    """A markdown table; a bar or line break inside a cell does not break it."""
    lines = [_write_row(headers), _write_row(["---"] * len(headers)), *(_write_row(row) for row in rows)]
    return MetadataValue.md("\n".join(lines))


def write_list(items: Iterable[str], nothing: str = "none") -> MetadataValue:
    """A list: as text while it is short, for the UI shows markdown only when asked."""
    listed = list(items)
    text = "; ".join(listed) or nothing
    if len(text) <= SHORT:
        return MetadataValue.text(text)
    return MetadataValue.md("\n".join(f"- {_escape(item)}" for item in listed))


def _write_row(cells: Sequence[Any]) -> str:
    return "| " + " | ".join(_escape(str(cell)) for cell in cells) + " |"


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")
