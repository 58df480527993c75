"""Arrow tables to text: every column becomes strings in ISO and JSON spelling, its logical type kept beside.

Column by column; only nested, binary and unusual types are written value by value.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as _typed_compute

from resources.connectors.base import AOS_TYPE

pc: Any = _typed_compute
"""pyarrow's functions, which take more than their stubs say."""


def to_text_table(table: pa.Table) -> pa.Table:
    """Every column as string: booleans true/false, timestamps ISO with ``T`` (zoned ones in UTC with ``Z``),
    binary hex, nested values compact JSON. Fields keep name and nullability; metadata gets ``AOS_TYPE``.
    """
    columns = [to_text(column) for column in table.columns]
    fields = [text_field(one.name, name_type(one.type), nullable=one.nullable) for one in table.schema]
    return pa.Table.from_arrays(columns, schema=pa.schema(fields))


def text_field(name: str, logical: str, *, nullable: bool = True) -> Any:
    """A string field that carries the source's logical type (one of ``core.schema.TYPES``)."""
    return pa.field(name, pa.string(), nullable=nullable, metadata={AOS_TYPE: logical.encode()})


def name_type(kind: Any) -> str:
    """The logical type of an Arrow type, one of ``core.schema.TYPES``."""
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return name_type(kind.value_type)
    return next((name for test, name in _NAMES if test(kind)), "string")


def to_text(column: Any) -> Any:
    """One column as strings; null stays null."""
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        return _by_value(column)
    if pa.types.is_dictionary(kind):
        return to_text(pc.cast(column, kind.value_type))
    if pa.types.is_run_end_encoded(kind):
        return to_text(pc.run_end_decode(column))
    if _is_text(kind):
        return _checked(column)
    if pa.types.is_timestamp(kind):
        return _timestamps(column)
    if pa.types.is_floating(kind):
        return _floats(column)
    if pa.types.is_null(kind) or pa.types.is_boolean(kind) or pa.types.is_integer(kind):
        return pc.cast(column, pa.string())
    if pa.types.is_decimal(kind) or pa.types.is_date(kind) or pa.types.is_time(kind):
        return pc.cast(pc.cast(column, pa.date32()) if pa.types.is_date64(kind) else column, pa.string())
    return _by_value(column)


def write_json(value: Any) -> str:
    """Compact JSON of a nested value; dates ISO, binary hex, non-finite numbers as text."""
    return json.dumps(_plain(value), ensure_ascii=False, separators=(",", ":"))


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _checked(column: Any) -> Any:
    """Text that is valid UTF-8; files may claim it without being so, and one byte would fail the load."""
    try:
        column.validate(full=True)
        return pc.cast(column, pa.string())
    except pa.ArrowInvalid:
        values = pc.cast(pc.cast(column, pa.large_string()), pa.large_binary()).to_pylist()
        texts = [None if v is None else v.decode("utf-8", "backslashreplace") for v in values]
        return pa.chunked_array([pa.array(texts, pa.string())])


def _timestamps(column: Any) -> Any:
    if column.type.tz is not None:
        column = pc.cast(column, pa.timestamp(column.type.unit, "UTC"))
    try:
        return pc.replace_substring(pc.cast(column, pa.string()), " ", "T")
    except pa.ArrowInvalid:  # no time zone database on this machine
        return _by_value(column)


def _floats(column: Any) -> Any:
    texts = pc.cast(column, pa.string())
    endless = pc.if_else(pc.less(column, 0.0), "-Infinity", "Infinity")
    return pc.if_else(pc.is_nan(column), "NaN", pc.if_else(pc.is_inf(column), endless, texts))


def _by_value(column: Any) -> Any:
    texts = [None if scalar is None else _spell(scalar) for scalar in _values(column)]
    return pa.chunked_array([pa.array(texts, pa.string())])


def _values(column: Any) -> list[Any]:
    try:
        return list(column.to_pylist(maps_as_pydicts="lossy"))
    except (
        ValueError,
        OverflowError,
        TypeError,
    ):  # what Python cannot hold, such as nanoseconds or year 20000
        return [None if not scalar.is_valid else str(scalar) for scalar in column]


def _spell(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, (dict, list, tuple)):
        return write_json(value)
    plain = _plain(value)
    return plain if isinstance(plain, str) else write_json(plain)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else _non_finite(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).hex()
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    return str(value) if not isinstance(value, Decimal) else format(value, "f")


def _non_finite(value: float) -> str:
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"


_NAMES: tuple[tuple[Callable[[Any], bool], str], ...] = (
    (pa.types.is_null, "null"),
    (pa.types.is_boolean, "boolean"),
    (pa.types.is_integer, "integer"),
    (pa.types.is_floating, "number"),
    (pa.types.is_decimal, "number"),
    (pa.types.is_date, "date"),
    (pa.types.is_time, "time"),
    (pa.types.is_timestamp, "timestamp"),
    (pa.types.is_binary, "binary"),
    (pa.types.is_large_binary, "binary"),
    (pa.types.is_fixed_size_binary, "binary"),
    (pa.types.is_binary_view, "binary"),
    (pa.types.is_struct, "object"),
    (pa.types.is_map, "object"),
    (pa.types.is_nested, "array"),
)
