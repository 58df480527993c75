"""An incremental window over Arrow text tables: only rows at the window's edges are looked at in Python."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as _typed_compute

from core.connector import CursorFormat
from core.cursors import read_key
from core.incremental import ContentWindow, CursorWindow

pc: Any = _typed_compute


def take_new(
    table: pa.Table, cursor: str, format_: CursorFormat, window: CursorWindow, others: ContentWindow
) -> pa.Table:
    """The rows of ``table`` that are new; rows without a usable cursor are known by content (``others``)."""
    column = table[cursor]
    edges = _find_edges(column, format_, window.last)
    if edges is None:
        edges = list(range(table.num_rows))
    if not edges:
        return table
    dropped = []
    for index, record in zip(edges, table.take(pa.array(edges, pa.int64())).to_pylist(), strict=True):
        value = record[cursor]
        known = window if read_key(value, format_) is not None else others
        if not known.take(value, lambda record=record: record):  # type: ignore[misc]
            dropped.append(index)
    if not dropped:
        return table
    gone = pa.array(dropped, pa.int64())
    rows = pa.array(range(table.num_rows), pa.int64())
    return table.filter(pc.invert(pc.is_in(rows, value_set=gone)))


def _find_edges(column: Any, format_: CursorFormat, last: str | None) -> list[int] | None:
    """Rows at or below ``last``, at this page's maximum, or without a value; None when all must be asked.

    Every row between is new and cannot be the boundary of the next read.
    """
    values = _comparable(column, format_)
    if values is None:
        return None
    top = pc.max(values)
    edge = pc.or_(pc.is_null(values), pc.fill_null(pc.equal(values, top), False))
    if last is not None:
        start = _comparable(pa.chunked_array([pa.array([last], pa.string())]), format_)
        if start is None:
            return None
        edge = pc.or_(edge, pc.fill_null(pc.less_equal(values, start[0]), False))
    indices: list[int] = pc.indices_nonzero(edge).to_pylist()
    return indices


def _comparable(column: Any, format_: CursorFormat) -> Any:
    kind: Any = {"number": pa.decimal128(38, 9), "iso8601": pa.timestamp("us", "UTC")}.get(format_)
    if kind is None:
        return column if format_ == "text" else None
    try:
        zoned = column if format_ == "number" else _with_zone(column)
        return None if zoned is None else pc.cast(zoned, kind)
    except pa.ArrowInvalid:
        return None


def _with_zone(column: Any) -> Any:
    """Arrow reads a zoned text or one without, not both; no zone means UTC."""
    zoned = pc.fill_null(pc.match_substring_regex(column, r"(Z|[+-]\d\d:?\d\d)$"), True)
    if pc.all(zoned).as_py():
        return column
    if pc.all(pc.match_substring_regex(column, r"^\d{4}-\d\d-\d\d$")).as_py():
        return pc.binary_join_element_wise(column, "T00:00:00Z", "")
    dated = pc.match_substring_regex(column, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?$")
    return pc.binary_join_element_wise(column, "Z", "") if pc.all(dated).as_py() else None
