"""The compiled projection with any field name, any value, any nested document."""

from __future__ import annotations

import json
import math
from typing import Any

import duckdb
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from core.mapping import FieldMapping
from core.names import format_path
from resources.database import Database
from tests.canonical.projecting import ID, TYPES, project, value_of

PUNCTUATION = "a'\".\n\t\\$[]{}*,;%~/ é价\u0301😀-`@?_0"
LETTERS = st.sampled_from(PUNCTUATION) | st.characters(codec="utf-8", exclude_categories=["Cc"])
AWKWARD = st.text(LETTERS, min_size=1, max_size=12)
NAMES = AWKWARD.filter(lambda name: not name.lower().startswith(("_aos_", "_dlt_")) and name.lower() != "id")
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30) | AWKWARD
JSONS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(AWKWARD, inner, max_size=4),
    max_leaves=8,
)
OBJECTS = st.dictionaries(AWKWARD, JSONS, max_size=4)


def drop_nulls(value: Any) -> Any:
    """As merging drops them: members of objects, not elements of arrays."""
    if isinstance(value, dict):
        return {key: drop_nulls(inner) for key, inner in value.items() if inner is not None}
    return value


@settings(max_examples=100, deadline=None)
@given(name=NAMES, value=TEXTS)
def test_any_column_can_be_mapped(engine: duckdb.DuckDBPyConnection, name: str, value: str) -> None:
    mapping = FieldMapping("text", (format_path((name,)),))
    row = project(engine, {"id": "1", name: value}, [ID, mapping])
    assert (row.data, row.unknown) == ({"id": "1", "text": value}, None)


@settings(max_examples=100, deadline=None)
@given(name=NAMES, value=TEXTS.filter(lambda text: text[:1] not in ("{", "[")))
def test_any_column_can_be_left_over(engine: duckdb.DuckDBPyConnection, name: str, value: str) -> None:
    assert project(engine, {"id": "1", name: value}, [ID]).unknown == {name: value}


@settings(max_examples=150, deadline=None)
@given(key=AWKWARD.filter(lambda key: key != "*"), value=TEXTS, others=OBJECTS)
def test_any_key_can_be_mapped(
    engine: duckdb.DuckDBPyConnection, key: str, value: str, others: dict[str, Any]
) -> None:
    document = {**others, key: value}
    mapping = FieldMapping("text", (format_path(("o", key)),))
    row = project(engine, {"id": "1", "o": json.dumps(document, ensure_ascii=False)}, [ID, mapping])
    assert row.data["text"] == value
    rest = drop_nulls({other: inner for other, inner in others.items() if other != key})
    left = row.unknown["o"] if row.unknown else {}
    if isinstance(left, str):  # looked like what jsonb refuses
        left = {other: inner for other, inner in drop_nulls(json.loads(left)).items() if other != key}
    assert left == rest


@settings(max_examples=200, deadline=None)
@given(kind=st.sampled_from(sorted(TYPES)), value=TEXTS | st.floats().map(str) | st.datetimes().map(str))
def test_any_value_is_taken_or_refused(engine: duckdb.DuckDBPyConnection, kind: str, value: str) -> None:
    row = project(engine, {"id": "1", "v": value}, [ID, FieldMapping(kind, ("v",), "cast")])
    if row.code is None and TYPES[kind] in ("currency", "integer", "number") and kind in row.data:
        assert math.isclose(row.data[kind], float(value), rel_tol=1e-12)
    if row.code is not None:
        assert row.code in ("wrong_type", "not_in_enum")
        assert row.reason is not None
        assert row.reason.startswith(f"{kind} (from v): expected ")


@settings(max_examples=100, deadline=None)
@given(values=st.dictionaries(TEXTS.map(str.strip), st.sampled_from(["new", "old"]), min_size=1, max_size=5))
def test_any_value_can_be_translated(engine: duckdb.DuckDBPyConnection, values: dict[str, str]) -> None:
    for source, canonical in values.items():
        if source == source.strip("\u200b\ufeff"):
            assert value_of(engine, "kind", source, "enum_map", values=values) == canonical


@settings(max_examples=100, deadline=None)
@given(separator=AWKWARD.filter(lambda text: "x" not in text and "y" not in text))
def test_any_separator_splits_and_joins(engine: duckdb.DuckDBPyConnection, separator: str) -> None:
    assert value_of(engine, "text", f"x{separator}y", "split", separator=separator, index=-1) == "y"
    joining = FieldMapping("text", ("a", "b"), "concat", {"separator": separator})
    assert project(engine, {"id": "1", "a": "x", "b": "y"}, [ID, joining]).data["text"] == f"x{separator}y"


# --- what jsonb takes ----------------------------------------------------------------------------

WORDS = ["null", "NaN", "Infinity", "-inf", "1e9999", "01", '"a"', '"\\u0000"', '"\\ud800"', "\n", "5"]
TOKENS = st.sampled_from([*'{}[],:" \\', *WORDS])
NEARLY_JSON = st.lists(TOKENS, max_size=12).map("".join) | JSONS.map(json.dumps)
REACHING = (
    FieldMapping("text", ("p.x",)),
    FieldMapping("site", ("o.0.y",)),
    FieldMapping("stage", ("q.*.z",)),
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=NEARLY_JSON)
@example(value="[" * 480 + "]" * 480)
@example(value="[" * 50_000 + "]" * 50_000)
@example(value='{"a":' * 480 + "1" + "}" * 480)
def test_jsonb_takes_every_record(engine: duckdb.DuckDBPyConnection, database: Database, value: str) -> None:
    record = {"id": "1", "o": f"[{value}]", "p": f'{{"k":{value}}}', "q": value}
    row = project(engine, record, [ID, *REACHING])
    if row.code is None:
        with database.owner() as conn:
            conn.exec_driver_sql("SELECT %s::jsonb, %s::jsonb", (row.data_text, row.unknown_text))
