"""What files of text and sheets share: names for their columns, and the types their values look like."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as _typed_compute

from core.cursors import read_key
from resources.connectors.arrow_text import text_field
from resources.connectors.base import AOS_GUESSED, AOS_TYPE

pc: Any = _typed_compute
_NUMBER = r"[-+]?(0|[1-9]\d*)?(\.\d+)?([eE][-+]?\d{1,3})?"
_SHAPES = {
    "boolean": r"(?i:true|false)",
    # Leading zeros make text, as in postcodes.
    "integer": r"-?(0|[1-9]\d{0,17})",
    "number": rf"{_NUMBER}",
    "date": r"\d{4}-\d\d-\d\d",
    "timestamp": r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d.*",
}
_WIDER = {"integer": "number", "date": "timestamp"}


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

    A column has a type when all its values have it. (DuckDB's sniffer looks at a sample only, and its
    casts cost more here than reading the file.)
    """
    return [_guess(column) for column in table.columns]


def _guess(column: Any) -> str:
    filled = pc.drop_null(column)
    if len(filled) == 0:
        return "null"
    first = filled[0].as_py()
    logical = next((name for name, shape in _SHAPES.items() if first and re.fullmatch(shape, first)), None)
    while logical is not None and not _all_are(filled, logical):
        logical = _WIDER.get(logical)
    return logical or "string"


def _all_are(filled: Any, logical: str) -> bool:
    fits = pc.match_substring_regex(filled, f"^(?:{_SHAPES[logical]})$")
    if logical == "number":
        fits = pc.and_(fits, pc.match_substring_regex(filled, r"\d"))
    if not pc.all(fits).as_py():
        return False
    if logical == "date":
        return _casts(filled, pa.date32())
    if logical == "timestamp" and not any(_casts(filled, pa.timestamp("ns", zone)) for zone in (None, "UTC")):
        return all(read_key(value, "iso8601") is not None for value in pc.unique(filled).to_pylist())
    return True


def _casts(filled: Any, kind: Any) -> bool:
    try:
        pc.cast(filled, kind)
    except pa.ArrowInvalid:
        return False
    return True


def with_types(table: pa.Table, types: Sequence[str]) -> pa.Table:
    """The text table with its logical types in the metadata, marked as guessed from values."""
    fields = [
        text_field(name, logical).with_metadata({AOS_TYPE: logical.encode(), AOS_GUESSED: b"1"})
        for name, logical in zip(table.column_names, types, strict=True)
    ]
    return pa.Table.from_arrays(table.columns, schema=pa.schema(fields))
