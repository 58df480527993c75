"""Observation, evidence across loads, drift: examples and laws."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.drift import (
    Added,
    NullableChanged,
    Removed,
    TypeChanged,
    apply_operations,
    describe_drift,
    diff_schemas,
    operation_from_json,
)
from core.evidence import (
    MAX_PATH,
    MAX_PATHS,
    Columns,
    build_schema,
    columns_from_json,
    columns_to_json,
    merge_observation,
)
from core.names import parse_path
from core.observe import MAX_KEYS, Observation, Seen, observe_records
from core.schema import FieldSchema, TableSchema


def merge(known: Columns, records: list[dict[str, Any]], *, whole: bool = False) -> Columns:
    return merge_observation(known, observe_records(records), whole=whole)


def types_of(columns: Columns) -> dict[str, str]:
    return {
        one.path: "|".join(one.types) + ("?" if one.nullable else "") for one in build_schema(columns).fields
    }


def test_types_nulls_and_nested_paths() -> None:
    seen = merge(
        {},
        [
            {
                "id": 1,
                "a": {"b": 1.5, "c": None},
                "tags": ["x", None],
                "items": [{"sku": "s", "n": 1}, {"sku": "t"}],
            },
            {"id": 2, "a": {"b": 2}, "tags": [], "items": [], "flag": True, "none": None},
        ],
    )
    assert types_of(seen) == {
        "id": "integer",
        "a": "object",
        "a.b": "number",
        "a.c": "null?",
        "tags": "array",
        "tags.*": "string?",
        "items": "array",
        "items.*": "object",
        "items.*.sku": "string",
        "items.*.n": "integer?",
        "flag": "boolean?",
        "none": "null?",
    }


def test_presence_is_remembered_but_is_no_part_of_the_fingerprint() -> None:
    columns = merge({}, [{"id": 1, "a": 1}, {"id": 2}])
    (a, _) = build_schema(columns).fields
    assert (a.path, a.presence_ratio) == ("a", 0.5)
    more = merge(columns, [{"id": 3, "a": 1}])
    assert build_schema(more).fingerprint == build_schema(columns).fingerprint


def test_a_small_load_that_lacks_a_rare_field_removes_nothing() -> None:
    known = merge({}, [{"id": n, **({"rare": 1} if n % 10 == 0 else {})} for n in range(100)])
    assert "rare" in merge(known, [{"id": n} for n in range(20)])
    assert "rare" not in merge(known, [{"id": n} for n in range(80)])


def test_a_field_that_was_always_there_is_removed_after_some_records_over_several_loads() -> None:
    columns = merge({}, [{"id": n, "always": 1} for n in range(1000)])
    for _ in range(2):
        columns = merge(columns, [{"id": 1}, {"id": 2}])
        assert "always" in columns
    assert types_of(columns)["always"] == "integer?"
    assert "always" not in merge(columns, [{"id": 1}])


def test_a_field_seen_again_starts_anew() -> None:
    columns = merge({}, [{"id": n, "a": 1} for n in range(1000)])
    for n in range(20):
        columns = merge(columns, [{"id": 1}, {"id": 2}, {"id": 3}] if n % 2 else [{"id": 1, "a": 1}])
    assert "a" in columns


def test_a_whole_read_is_taken_at_its_word() -> None:
    known = merge({}, [{"id": 1, "a": 1}, {"id": 2, "b": "x"}])
    assert types_of(merge(known, [{"id": 1, "b": 2}], whole=True)) == {"id": "integer", "b": "integer?"}
    assert merge(known, [], whole=True) == known


def test_a_table_without_rows_still_shows_its_columns() -> None:
    known = merge({}, [{"id": 1, "gone": 1}])
    empty = Observation(0, {"id": Seen(types={"integer"}), "new": Seen(types={"string"})})
    assert types_of(merge_observation(known, empty, whole=True)) == {"id": "integer", "new": "string"}


@pytest.mark.parametrize(
    ("before", "after", "types"),
    [
        ([1], [1.5], "number"),
        ([1.5], [1] * 9, "number"),
        ([1], ["x"] * 4, "integer|string"),
        ([1], ["x"] * 5, "string"),
        ([1], ["x"] * 5 + [2], "integer|string"),
        ([1, "x"], [1] * 9, "integer|string"),
        ([None], [1], "integer?"),
        ([1], [None] * 9, "integer?"),
        ([{"k": 1}], ["x"] * 5, "string"),
        ([[1]], ["x"] * 5, "string"),
    ],
)
def test_types_join_unless_clearly_replaced(before: list[Any], after: list[Any], types: str) -> None:
    columns = merge({}, [{"v": value} for value in before])
    columns = merge(columns, [{"v": value} for value in after])
    assert types_of(columns) == {"v": types}


def test_what_was_guessed_from_text_becomes_text_and_stays_text() -> None:
    def guess(*types: str) -> Observation:
        return Observation(9, {"v": Seen(9, 9, types=set(types), guessed=True)})

    columns: Columns = {}
    said = []
    for types in (["null"], ["integer"], ["number"], ["integer"], ["date"], ["integer"], ["string", "date"]):
        columns = merge_observation(columns, guess(*types), whole=True)
        said.append(types_of(columns)["v"])
    assert said == ["null", "integer", "number", "number", "string", "string", "string"]


def test_an_object_used_as_a_map_is_one_path_whatever_the_paging() -> None:
    records = [{"id": n, "m": {f"k{n}-{m}": m for m in range(3)}} for n in range(MAX_KEYS)]
    expected = {"id": "integer", "m": "object", "m.*": "integer"}
    assert types_of(merge({}, records)) == expected
    known: Columns = {}
    for start in range(0, len(records), 10):
        known = merge(known, records[start : start + 10])
    assert types_of(known) == expected
    assert types_of(merge(known, [{"id": 1, "m": {"other": "x"}}])) == {**expected, "m.*": "integer|string"}
    assert types_of(merge({}, [{"id": 1, "m": {"x" * 300: 1}}])) == expected


def test_paths_are_bounded_from_the_deep_end() -> None:
    wide = {f"c{n}": {f"k{m}": 1 for m in range(100)} for n in range(30)}
    schema = build_schema(merge({}, [{"id": 1, **wide}]))
    assert len(schema.fields) == 31 <= MAX_PATHS


def test_a_path_that_no_index_takes_ends_at_its_parent() -> None:
    key = "\u4e2d" * 200
    nested: dict[str, Any] = {key: {key: {key: {key: {key: 1}}}}}
    paths = [one.path for one in build_schema(merge({}, [{"id": 1, "a": nested}])).fields]
    assert paths == ["a", f"a.{key}", f"a.{key}.{key}", f"a.{key}.{key}.{key}", "id"]
    assert max(len(one.encode()) for one in paths) <= MAX_PATH


@pytest.mark.parametrize("key", ["", ".", '"', '""', "0", "a\\", "*b"])
def test_any_nested_key_is_a_path_that_can_be_read(key: str) -> None:
    paths = [one.path for one in build_schema(merge({}, [{"a": {key: {key: 1}}}])).fields]
    assert ("a", key, key) in map(parse_path, paths)


def test_nul_in_a_nested_key_is_spelled_out() -> None:
    schema = build_schema(merge({}, [{"a": {"b\0": 1}}]))
    assert [field.path for field in schema.fields] == ["a", "a.b\\u0000"]


# --- laws -------------------------------------------------------------------------------------

VALUES = st.recursive(
    st.sampled_from([None, True, 1, 2.5, "x"]),
    lambda v: st.lists(v, max_size=2) | st.dictionaries(st.sampled_from("abc"), v, max_size=3),
    max_leaves=6,
)
RECORDS = st.lists(st.dictionaries(st.sampled_from("abcde"), VALUES, max_size=5), min_size=1, max_size=12)


@given(RECORDS, st.randoms(use_true_random=False))
def test_law_the_order_of_records_and_pages_does_not_matter(
    records: list[dict[str, Any]], random: Any
) -> None:
    once = build_schema(merge({}, records))
    shuffled = list(records)
    random.shuffle(shuffled)
    paged = Observation()
    for record in shuffled:
        paged.absorb(observe_records([record]))
    assert build_schema(merge_observation({}, paged, whole=False)).to_json() == once.to_json()


@given(RECORDS, st.booleans())
def test_law_the_same_data_again_changes_nothing(records: list[dict[str, Any]], whole: bool) -> None:
    once = merge({}, records, whole=whole)
    again = merge(once, records, whole=whole)
    assert build_schema(again).fingerprint == build_schema(once).fingerprint


@given(RECORDS, RECORDS, st.booleans())
def test_law_a_load_again_removes_at_most_what_it_lacks(
    first: list[dict[str, Any]], load: list[dict[str, Any]], whole: bool
) -> None:
    once = merge(merge({}, first, whole=whole), load, whole=whole)
    again = merge(once, load, whole=whole)
    difference = diff_schemas(build_schema(once), build_schema(again))
    assert all(isinstance(one, Removed) for one in difference)
    if whole:
        assert difference == []
    carried = {one.path for one in build_schema(merge({}, load)).fields}
    assert not carried & {one.path for one in difference}


@given(RECORDS, RECORDS)
def test_law_nullability_only_widens(first: list[dict[str, Any]], load: list[dict[str, Any]]) -> None:
    before, after = merge({}, first), merge(merge({}, first), load)
    for operation in diff_schemas(build_schema(before), build_schema(after)):
        assert not isinstance(operation, NullableChanged) or operation.nullable


@given(RECORDS, RECORDS)
def test_law_evidence_survives_being_stored(first: list[dict[str, Any]], load: list[dict[str, Any]]) -> None:
    columns = merge(merge({}, first), load)
    assert columns_from_json(columns_to_json(columns)) == columns


SCHEMAS = st.dictionaries(
    st.sampled_from(["a", "a.b", "c", "d.*", "e"]),
    st.tuples(st.sampled_from([("null",), ("integer",), ("integer", "string"), ("number",)]), st.booleans()),
).map(lambda fields: TableSchema(tuple(FieldSchema(path, *facts) for path, facts in sorted(fields.items()))))


@given(SCHEMAS, SCHEMAS)
def test_law_a_difference_leads_from_one_to_the_other(old: TableSchema, new: TableSchema) -> None:
    operations = diff_schemas(old, new)
    assert apply_operations(operations, old).fingerprint == new.fingerprint
    assert [operation_from_json(one.to_json()) for one in operations] == operations
    assert diff_schemas(old, old) == []
    assert bool(operations) == (old.fingerprint != new.fingerprint)


def test_operations_say_what_they_do() -> None:
    operations = [
        NullableChanged("n", True),
        Added("a", ("string",), True),
        Removed("r", ("integer",)),
        TypeChanged("t", ("integer",), ("string",)),
    ]
    assert describe_drift(operations) == (
        "field a was added (string); field r was removed (was integer); "
        "field t changed from integer to string; field n may now be null"
    )
    assert [one.destructive for one in operations] == [False, False, True, True]
    assert [one.loud for one in operations] == [False, True, True, True]


@pytest.mark.parametrize(
    ("before", "after", "destructive", "loud"),
    [
        ("integer", "number", False, True),
        ("integer", "integer|string", False, True),
        ("number", "integer", True, True),
        ("null", "string", False, False),
        ("string", "null", True, True),
    ],
)
def test_a_type_change_knows_its_severity(before: str, after: str, destructive: bool, loud: bool) -> None:
    change = TypeChanged("f", tuple(before.split("|")), tuple(after.split("|")))
    assert (change.destructive, change.loud) == (destructive, loud)
