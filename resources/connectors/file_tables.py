"""What files of text and sheets share: names for their columns, and the types their values look like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from resources.connectors.arrow_text import text_field

_GUESSES = """
    SELECT {columns} FROM batch
"""
_COLUMN = """
    struct_pack(
        filled := count({c}),
        "integer" := count(*) FILTER (regexp_full_match({c}, '-?(0|[1-9]\\d{{0,17}})')),
        "number" := count(*) FILTER (
            regexp_full_match({c}, '[-+]?(0|[1-9]\\d*)?(\\.\\d+)?([eE][-+]?\\d{{1,3}})?')
            AND regexp_matches({c}, '\\d')),
        "boolean" := count(*) FILTER (lower({c}) IN ('true', 'false')),
        "date" := count(*) FILTER (
            regexp_full_match({c}, '\\d{{4}}-\\d\\d-\\d\\d') AND try_cast({c} AS DATE) IS NOT NULL),
        "timestamp" := count(*) FILTER (
            regexp_full_match({c}, '\\d{{4}}-\\d\\d-\\d\\d[T ]\\d\\d:\\d\\d.*')
            AND try_cast({c} AS TIMESTAMPTZ) IS NOT NULL)
    )
"""
_ORDER = ("boolean", "integer", "number", "date", "timestamp")


def name_columns(header: Sequence[str | None]) -> tuple[list[str], list[str]]:
    """Usable, distinct column names for a header, and a sentence about each that had to be changed."""
    names: list[str] = []
    problems: list[str] = []
    taken = {name.strip() for name in header if name}
    for position, given in enumerate(header, start=1):
        name = (given or "").strip()
        if not name:
            name = _free(f"column_{position}", taken, names)
            problems.append(f"column {position} has no name and is read as {name!r}")
        elif name in names:
            renamed = _free(name, taken, names)
            problems.append(f"column {position} is named {name!r} again and is read as {renamed!r}")
            name = renamed
        names.append(name)
    return names, problems


def _free(name: str, taken: set[str], names: list[str]) -> str:
    candidate, number = name, 1
    while candidate in taken or candidate in names:
        number += 1
        candidate = f"{name}__{number}"
    return candidate


def guess_types(table: pa.Table) -> list[str]:
    """What the texts of each column look like, set-wise: a type of ``core.schema.TYPES`` a column.

    A column has a type when all its values have it; leading zeros make text, as postcodes are.
    """
    import duckdb

    if table.num_rows == 0:
        return ["null"] * table.num_columns
    batch = table.rename_columns([f"c{index}" for index in range(table.num_columns)])
    columns = ", ".join(_COLUMN.format(c=name) + f" AS {name}" for name in batch.column_names)
    with duckdb.connect(":memory:", config={"threads": 1}) as connection:
        connection.register("batch", batch)
        row = connection.execute(_GUESSES.format(columns=columns)).fetchone() or ()
    return [_decide(counts) for counts in row]


def with_types(table: pa.Table, types: Sequence[str]) -> pa.Table:
    """The text table with its logical types in the metadata."""
    fields = [text_field(name, logical) for name, logical in zip(table.column_names, types, strict=True)]
    return pa.Table.from_arrays(table.columns, schema=pa.schema(fields))


def _decide(counts: dict[str, Any]) -> str:
    filled = counts["filled"]
    if filled == 0:
        return "null"
    return next((name for name in _ORDER if counts[name] == filled), "string")
