"""Records to text columns: values, refusals, names."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.columns import MAX_COLUMNS, ColumnNames
from core.names import parse_path
from core.records import MAX_QUOTED_BYTES, MAX_RECORD_BYTES, EncodedPage, encode_page
from core.value_text import printable

KEY = (parse_path("id"),)


def encode(*records: Any, names: ColumnNames | None = None) -> EncodedPage:
    return encode_page(records, KEY, names or ColumnNames())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("é\0 x", "é\0 x"),
        ("", ""),
        (0, "0"),
        (2**63, "9223372036854775808"),
        (-(10**400), "-1" + "0" * 400),
        (1.5, "1.5"),
        (1e16, "1e+16"),
        (float("nan"), "NaN"),
        (float("inf"), "Infinity"),
        (float("-inf"), "-Infinity"),
        (Decimal("1.10"), "1.10"),
        (True, "true"),
        (False, "false"),
        (None, None),
        ({}, "{}"),
        ([], "[]"),
        ({"a": [1, None, True, "é"]}, '{"a":[1,null,true,"é"]}'),
        ({"a": Decimal("1.10"), "b": [Decimal("-2E+3")]}, '{"a":1.10,"b":[-2E+3]}'),
        ([float("nan"), 1.0], '["NaN",1.0]'),
    ],
)
def test_values_keep_their_spelling(value: Any, text: str | None) -> None:
    assert encode({"id": 1, "v": value}).columns["v"] == [text]


def test_absent_fields_are_null_and_columns_keep_the_order_of_appearance() -> None:
    page = encode({"id": 1, "b": "x"}, {"id": 2, "a": 1, "b": None})
    assert page.columns == {"id": ["1", "2"], "b": ["x", None], "a": [None, "1"]}
    assert page.rows == 2


def _nest(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


REFUSED = [
    ([1], "not_an_object", "found an array"),
    (None, "not_an_object", "found null"),
    ("text", "not_an_object", "found text"),
    ({"name": "x"}, "key_missing", "primary key id is missing"),
    ({"id": None}, "key_missing", "is null"),
    ({"id": ""}, "key_missing", "is empty"),
    ({"id": {"a": 1}}, "key_not_scalar", "found an object"),
    ({"id": 1, "a": "\ud800"}, "lone_surrogate", "field a"),
    ({"id": 1, "a": ["\udfff"]}, "lone_surrogate", "field a"),
    ({"id": 1, "a": {"\ud800": 1}}, "lone_surrogate", "field a"),
    ({"id": 1, "a": _nest(64)}, "too_deep", "64 levels"),
    ({"id": 1, "a": _nest(5000)}, "too_deep", "64 levels"),
    ({"id": 1, "": 1}, "bad_field_name", "empty name"),
    ({"id": 1, "x" * 501: 1}, "bad_field_name", "501"),
    ({"id": 1, "a\0": 1}, "bad_field_name", "cannot be stored"),
    ({"id": 1, "a\ud800": 1}, "bad_field_name", "cannot be stored"),
    ({"id": 1, "a": object()}, "unknown_type", "not JSON"),
    ({"id": 1, "a": {"b": {1, 2}}}, "unknown_type", "not JSON"),
    ({"id": 1, "a": "x" * (MAX_RECORD_BYTES + 1)}, "too_large", "bytes"),
    ({"id": 1, "a": 10**5000}, "number_too_long", "digits"),
    ({"id": 1} | {f"c{n}": n for n in range(MAX_COLUMNS)}, "too_many_columns", "2001"),
]


@pytest.mark.parametrize(
    ("record", "code", "words"), REFUSED, ids=[f"{r[1]}-{n}" for n, r in enumerate(REFUSED)]
)
def test_a_bad_record_is_refused_and_the_others_land(record: Any, code: str, words: str) -> None:
    page = encode({"id": 1}, record, {"id": 2})
    assert page.columns == {"id": ["1", "2"]}
    (reject,) = page.rejects
    assert reject.code == code
    assert words in reject.reason
    assert len(reject.record.encode()) <= MAX_QUOTED_BYTES
    assert "\0" not in reject.record


def test_depth_63_below_the_field_still_lands() -> None:
    assert encode({"id": 1, "a": _nest(63)}).rejects == []


def test_a_refused_record_says_its_id_and_itself() -> None:
    (reject,) = encode({"id": 7, "a": "\ud800\0"}).rejects
    assert reject.record_id == "7"
    assert reject.record == '{"id":7,"a":"\\ud800\\u0000"}'


def test_keys_may_lie_deeper_and_be_several() -> None:
    keys = (parse_path("ref.id"), parse_path("n"))
    page = encode_page([{"ref": {"id": 1}, "n": 2}, {"ref": None, "n": 2}], keys, ColumnNames())
    assert page.rows == 1
    assert page.rejects[0].reason == "primary key ref.id is missing"


def test_a_record_that_would_make_too_many_columns_is_refused_for_good() -> None:
    names = ColumnNames()
    for n in range(0, 3000, 100):
        page = encode({"id": n, **{f"c{m}": 1 for m in range(n, n + 100)}}, names=names)
    assert page.rejects[0].code == "too_many_columns"
    assert len(names.columns) <= MAX_COLUMNS
    assert not encode({"id": 1, "c5": 1}, names=names).rejects


def test_names_of_a_refused_record_make_no_columns() -> None:
    names = ColumnNames()
    encode({"id": 1}, {"id": None, "extra": 1}, names=names)
    assert names.columns == ["id"]


def test_given_names_are_kept() -> None:
    names = ColumnNames({"Name": "Name"})
    assert encode({"id": 1, "name": 1, "NAME": 2, "_dlt_id": 3, "_aos_x": 4}, names=names).columns.keys() == {
        "id", "name__2", "NAME__3", "x_dlt_id", "x_aos_x",
    }  # fmt: skip
    again = ColumnNames(names.given)
    assert encode({"id": 1, "NAME": 1}, names=again).columns.keys() == {"id", "NAME__3"}


SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
JSON_VALUES = st.recursive(
    SCALARS, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(), v, max_size=3)
)
RECORDS = st.dictionaries(st.text(max_size=5), JSON_VALUES, max_size=5) | JSON_VALUES


@given(st.lists(RECORDS, max_size=6))
def test_law_every_record_lands_or_is_refused(records: list[Any]) -> None:
    page = encode(*records)
    assert page.rows + len(page.rejects) == len(records)
    assert all(len(column) == page.rows for column in page.columns.values())
    for column in page.columns.values():
        for text in column:
            assert text is None or isinstance(text.encode(), bytes)
    for reject in page.rejects:
        assert reject.record.encode()


@given(st.lists(st.dictionaries(st.text(min_size=1, max_size=5), JSON_VALUES, max_size=4), max_size=5))
def test_law_nested_values_read_back_as_they_were(records: list[dict[str, Any]]) -> None:
    records = [{**record, "id": 1} for record in records]
    page = encode_page(records, KEY, names := ColumnNames())
    if page.rejects:
        return
    for name, column in ((source, page.columns.get(column)) for source, column in names.given.items()):
        assert column is not None
        for record, text in zip(records, column, strict=True):
            if isinstance(record.get(name), (dict, list)):
                assert json.loads(str(text)) == record[name]


def test_printable_cuts_at_a_character() -> None:
    text = printable("é" * 100, 51)
    assert text == "é" * 24 + "…"
    assert len(text.encode()) <= 51
