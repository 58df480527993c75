"""Arrow columns of every type become text that says the same, and keep what they were."""

from __future__ import annotations

import uuid
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from resources.connectors.arrow_text import to_text_table
from resources.connectors.base import AOS_TYPE

_BAD_UTF8 = pa.Array.from_buffers(
    pa.string(), 2, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0\2\0\0\0"), pa.py_buffer(b"\xffa")]
)

CASES: list[tuple[Any, list[str | None], str]] = [
    (pa.array([True, None, False]), ["true", None, "false"], "boolean"),
    (pa.array([1, -(2**63)]), ["1", "-9223372036854775808"], "integer"),
    (pa.array([2**64 - 1], pa.uint64()), ["18446744073709551615"], "integer"),
    (pa.array([0.1 + 0.2, float("nan"), None]), ["0.30000000000000004", "NaN", None], "number"),
    (pa.array([float("inf"), float("-inf")]), ["Infinity", "-Infinity"], "number"),
    (pa.array([0.1], pa.float32()), ["0.1"], "number"),
    (pa.array([Decimal("1.10"), None], pa.decimal128(10, 2)), ["1.10", None], "number"),
    (pa.array([Decimal("1" * 60)], pa.decimal256(70, 0)), ["1" * 60], "number"),
    (pa.array([date(1, 1, 1), None]), ["0001-01-01", None], "date"),
    (pa.array([date(2024, 2, 29)], pa.date64()), ["2024-02-29"], "date"),
    (pa.array([time(1, 2, 3)]), ["01:02:03.000000"], "time"),
    (pa.array([datetime(2024, 1, 1, 2, 3, 4, 5)]), ["2024-01-01T02:03:04.000005"], "timestamp"),
    (
        pa.array([0, 253402300800], pa.timestamp("s")),
        ["1970-01-01T00:00:00", "10000-01-01T00:00:00"],
        "timestamp",
    ),
    (pa.array([1], pa.timestamp("ns")), ["1970-01-01T00:00:00.000000001"], "timestamp"),
    (pa.array([0], pa.timestamp("s", "Europe/Berlin")), ["1970-01-01T00:00:00Z"], "timestamp"),
    (pa.array([b"\xff\x00", None, b""]), ["ff00", None, ""], "binary"),
    (pa.array([[1, None], None, []]), ["[1,null]", None, "[]"], "array"),
    (
        pa.array([{"a": date(2024, 1, 1), "b": b"\1", "c": "é"}]),
        ['{"a":"2024-01-01","b":"01","c":"é"}'],
        "object",
    ),
    (pa.array([[("k", 1.5)]], pa.map_(pa.string(), pa.float64())), ['{"k":1.5}'], "object"),
    (pa.array(["x", None]).dictionary_encode(), ["x", None], "string"),
    (pa.array([1, 1]).dictionary_encode(), ["1", "1"], "integer"),
    (pa.array(["x"], pa.large_string()), ["x"], "string"),
    (pa.array(["x"], pa.string_view()), ["x"], "string"),
    (pa.array([uuid.UUID(int=5).bytes], pa.uuid()), ["00000000-0000-0000-0000-000000000005"], "string"),
    (pa.array([timedelta(days=1)]), ["1 day, 0:00:00"], "string"),
    (pa.nulls(2), [None, None], "null"),
    (_BAD_UTF8, ["\\xff", "a"], "string"),
]


@pytest.mark.parametrize(("column", "texts", "logical"), CASES)
def test_a_column_becomes_text(column: Any, texts: list[str | None], logical: str) -> None:
    table = to_text_table(pa.table({"c": column}))
    assert table["c"].to_pylist() == texts
    field = table.schema.field("c")
    assert field.type == pa.string()
    assert (field.metadata or {})[AOS_TYPE].decode() == logical


def test_names_nullability_and_chunks_are_kept() -> None:
    fields: list[pa.Field[Any]] = [pa.field("a b", pa.int64(), nullable=False), pa.field("ä", pa.bool_())]
    schema = pa.schema(fields)
    table = pa.concat_tables([pa.table({"a b": [1], "ä": [None]}, schema=schema)] * 2)
    text = to_text_table(table)
    assert text.to_pylist() == [{"a b": "1", "ä": None}] * 2
    assert [field.nullable for field in text.schema] == [False, True]


def test_a_table_without_rows() -> None:
    text = to_text_table(
        pa.table({"l": pa.array([], pa.list_(pa.int64())), "t": pa.array([], pa.timestamp("us"))})
    )
    assert text.num_rows == 0
    assert set(text.schema.types) == {pa.string()}
