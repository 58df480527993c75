"""The compiled projection, run on real DuckDB: transforms, types, errors, what is left over."""

from __future__ import annotations

import json
from typing import Any

import duckdb
import pytest

from core.compile import compile_projection
from core.connector import FlagDeletion
from core.errors import MappingRefused
from core.mapping import FieldMapping, MappingSet
from core.ontology import CanonicalField, Entity
from tests.canonical.projecting import ID, THING, project, value_of

BAD = "!wrong_type"
CASTS: list[tuple[str, str | None, Any]] = [
    ("text", "", ""),
    ("text", " x ", " x "),
    ("text", None, None),
    ("site", " ", None),
    ("stage", "Any thing", "Any thing"),
    ("kind", "new", "new"),
    ("kind", "New", "!not_in_enum"),
    ("kind", "", None),
    ("land", "DE", "DE"),
    *[("count", text, number) for text, number in (("7", 7), (" 7 ", 7), ("+7", 7), ("-07", -7), ("7.0", 7))],
    *[("count", text, BAD) for text in ("7.5", "0x10", "1_000", "1,000", "true", "NaN", "9" * 19, "1e30")],
    ("count", "1e3", 1000),
    ("count", "9223372036854775807", 2**63 - 1),
    ("count", "9223372036854775808", BAD),
    ("count", "", None),
    ("amount", "10.50", 10.5),
    ("amount", "-.5", -0.5),
    ("amount", "5.", 5),
    ("amount", "+007.25", 7.25),
    ("amount", "1e-9", 1e-9),
    *[("amount", text, BAD) for text in ("$5", "1,5", "NaN", "Infinity", "1e27", "--1", "1e", ".")],
    ("share", "1e300", 1e300),
    ("share", "1e400", BAD),
    ("share", "inf", BAD),
    *[("done", text, True) for text in ("true", "TRUE", "t", "1", "yes", " Y ")],
    *[("done", text, False) for text in ("false", "F", "0", "no", "n", "0.0")],
    *[("done", text, BAD) for text in ("2", "maybe", "on")],
    ("at", "2024-05-01", "2024-05-01T00:00:00Z"),
    ("at", "2024-05-01T10:00:00", "2024-05-01T10:00:00Z"),
    ("at", "2024-05-01 10:00", "2024-05-01T10:00:00Z"),
    ("at", "2024-05-01T10:00:00.5Z", "2024-05-01T10:00:00.5Z"),
    ("at", "2024-05-01T10:00:00.123456789Z", "2024-05-01T10:00:00.123456Z"),
    ("at", "2024-05-01T10:00:00.000+0200", "2024-05-01T08:00:00Z"),
    ("at", "2024-05-01 10:00:00 -05:30", "2024-05-01T15:30:00Z"),
    ("at", "2024-05-01T10:00:00+02", "2024-05-01T08:00:00Z"),
    ("at", " 2024-05-01t10:00:00z ", "2024-05-01T10:00:00Z"),
    ("at", "2024-05-01 10:00:00,25 UTC", "2024-05-01T10:00:00.25Z"),
    ("at", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
    ("at", "9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
    *[
        ("at", text, BAD)
        for text in (
            *("2024-02-30", "2024-13-01", "20240501", "1714557600", "infinity", "epoch", "now"),
            *("0000-01-01", "9999-12-31T23:59:59-01:00", "2024-05-01 (BC)", "2024-05-01T25:00:00Z"),
        )
    ],
    ("day", "2024-05-01", "2024-05-01"),
    ("day", "2024-05-01T23:30:00-05:00", "2024-05-01"),
    ("day", "2024-05-01 noon", BAD),
    ("day", "01.05.2024", BAD),
    ("day", "2023-02-29", BAD),
]


@pytest.mark.parametrize(("target", "found", "expected"), CASTS)
def test_casts(engine: duckdb.DuckDBPyConnection, target: str, found: str | None, expected: Any) -> None:
    assert value_of(engine, target, found) == expected


def test_numbers_keep_their_digits(engine: duckdb.DuckDBPyConnection) -> None:
    made = MappingSet("s", "*", "c", "s", 1, "thing", (ID, FieldMapping("amount", ("v",), "cast")))
    sql = compile_projection(
        made, THING, ["id", "v"], primary_key=("id",), source="(VALUES ('1', '{}')) t(id, v)"
    )
    for text in ("0.1234567890123456789", "12345678901234567890123456.5", "1.50", "-0.0"):
        query = f"SELECT data FROM ({sql.sql.replace('{}', text)})"
        assert engine.execute(query).fetchall() == [(f'{{"amount":{text},"id":"1"}}',)]


TRANSFORMS: list[tuple[str, str, dict[str, Any], str | None, Any]] = [
    ("text", "trim", {}, "\u00a0 x\t", "x"),
    ("text", "lower", {}, " ÄB ", "äb"),
    ("kind", "lower", {}, " NEW", "new"),
    ("day", "parse_date", {"format": "%d.%m.%Y"}, "01.05.2024", "2024-05-01"),
    ("day", "parse_date", {"format": "%d.%m.%Y"}, "31.02.2024", BAD),
    ("at", "parse_date", {"format": "%d.%m.%Y"}, "01.05.2024", "2024-05-01T00:00:00Z"),
    ("at", "parse_datetime", {"format": "%d/%m/%Y %H:%M"}, "01/05/2024 10:30", "2024-05-01T10:30:00Z"),
    (
        "at",
        "parse_datetime",
        {"format": "%Y-%m-%d %H:%M %z"},
        "2024-05-01 10:30 +0200",
        "2024-05-01T08:30:00Z",
    ),
    (
        *("at", "parse_datetime"),
        {"format": "%d/%m/%Y %H:%M", "timezone": "Europe/Berlin"},
        *("01/05/2024 10:30", "2024-05-01T08:30:00Z"),
    ),
    ("at", "parse_datetime", {"timezone": "America/New_York"}, "2024-01-01T10:00", "2024-01-01T15:00:00Z"),
    ("at", "parse_datetime", {"timezone": "America/New_York"}, "2024-01-01T10:00Z", "2024-01-01T10:00:00Z"),
    ("at", "parse_datetime", {"timezone": "America/New_York"}, "2024-01-01", "2024-01-01T05:00:00Z"),
    ("day", "parse_datetime", {"timezone": "America/New_York"}, "2024-01-01T03:00Z", "2023-12-31"),
    ("at", "parse_datetime", {"format": "epoch_s"}, "1714557600", "2024-05-01T10:00:00Z"),
    ("at", "parse_datetime", {"format": "epoch_s"}, "1714557600.25", "2024-05-01T10:00:00.25Z"),
    ("at", "parse_datetime", {"format": "epoch_s"}, "-1", "1969-12-31T23:59:59Z"),
    ("at", "parse_datetime", {"format": "epoch_ms"}, "1714557600123", "2024-05-01T10:00:00.123Z"),
    ("at", "parse_datetime", {"format": "epoch_ms"}, "1714557600123000000000", BAD),
    ("at", "parse_datetime", {"format": "epoch_s"}, "2024-05-01", BAD),
    ("day", "parse_datetime", {"format": "epoch_s"}, "1714557600", "2024-05-01"),
    ("amount", "minor_units", {}, "12345", 123.45),
    ("amount", "minor_units", {}, "1250.5", 12.505),
    ("amount", "minor_units", {"digits": 0}, "100", 100),
    ("amount", "minor_units", {"digits": 3}, "-1", -0.001),
    ("amount", "minor_units", {"digits": -6}, "1100.04", 1_100_040_000),
    ("amount", "minor_units", {}, "1e3", BAD),
    ("amount", "minor_units", {}, "12 EUR", BAD),
    ("amount", "minor_units", {}, "", None),
    ("kind", "enum_map", {"values": {"N": "new", "1": "old"}}, " N ", "new"),
    ("kind", "enum_map", {"values": {"N": "new"}}, "X", "!not_in_enum"),
    ("kind", "enum_map", {"values": {"N": "new"}, "default": "old"}, "X", "old"),
    ("kind", "enum_map", {"values": {"N": "new"}, "default": None}, "X", None),
    ("kind", "enum_map", {"values": {"N": "new"}, "default": "old"}, None, None),
    ("kind", "enum_map", {"values": {"": "old"}}, "", "old"),
    ("done", "enum_map", {"values": {"open": False, "won": True}}, "won", True),
    ("text", "split", {"separator": "-", "index": 0}, "a - b", "a"),
    ("text", "split", {"separator": "-", "index": -1}, "a-b", "b"),
    ("text", "split", {"separator": "-", "index": 5}, "a-b", None),
    ("done", "invert_boolean", {}, "yes", False),
    ("done", "invert_boolean", {}, "maybe", BAD),
    ("text", "json_path", {"path": "$.a[0].b"}, '{"a":[{"b":"x"}]}', "x"),
    ("text", "json_path", {"path": "$.a[*].b"}, '{"a":[{"b":null},{"b":"y"}]}', "y"),
    ("count", "json_path", {"path": '$."a b"'}, '{"a b":5}', 5),
    ("text", "json_path", {"path": "$.a"}, "no json", None),
]


@pytest.mark.parametrize(("target", "transform", "args", "found", "expected"), TRANSFORMS)
def test_transforms(
    engine: duckdb.DuckDBPyConnection,
    target: str,
    transform: str,
    args: dict[str, Any],
    found: str | None,
    expected: Any,
) -> None:
    assert value_of(engine, target, found, transform, **args) == expected


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [
        ("500", "JPY", 500),
        ("500", " jpy", 500),
        ("500", "EUR", 5),
        ("500", "KWD", 0.5),
        ("500", None, "!wrong_type"),
        ("0", None, 0),
        ("-0.00", None, 0),
        ("0", "EUR", 0),
        (None, None, None),
    ],
)
def test_minor_units_follow_the_currency(
    engine: duckdb.DuckDBPyConnection, amount: str | None, currency: str | None, expected: Any
) -> None:
    mapping = FieldMapping("amount", ("v",), "minor_units", {"currency_from": "m.code"})
    record = {"id": "1", "v": amount, "m": json.dumps({"code": currency})}
    row = project(engine, record, [ID, mapping])
    assert (f"!{row.code}" if row.code else row.data.get("amount")) == expected


def test_several_sources(engine: duckdb.DuckDBPyConnection) -> None:
    record = {"id": "1", "a": " ", "b": " Ada ", "c": None, "d": "Lovelace"}
    sources = ("a", "b", "c", "d")
    joined = project(engine, record, [ID, FieldMapping("text", sources, "concat")])
    assert joined.data["text"] == "Ada Lovelace"
    dashed = project(engine, record, [ID, FieldMapping("text", sources, "concat", {"separator": "-"})])
    assert dashed.data["text"] == "Ada-Lovelace"
    first = project(engine, record, [ID, FieldMapping("text", sources, "coalesce")])
    assert first.data["text"] == " Ada "
    nothing = project(engine, {"id": "1", "a": " "}, [ID, FieldMapping("text", sources, "concat")])
    assert nothing.data == {"id": "1"}


def test_a_constant_needs_no_source(engine: duckdb.DuckDBPyConnection) -> None:
    constants = [FieldMapping("text", (), "constant", {"value": "it's"})]
    constants.append(FieldMapping("done", (), "constant", {"value": True}))
    assert project(engine, {"id": "1"}, [ID, *constants]).data == {"id": "1", "text": "it's", "done": True}


def test_missing_columns_are_null(engine: duckdb.DuckDBPyConnection) -> None:
    row = project(
        engine, {"id": "1"}, [ID, FieldMapping("text", ("nowhere",)), FieldMapping("at", ("no.where",))]
    )
    assert (row.data, row.unknown, row.code) == ({"id": "1"}, None, None)


def test_every_flaw_of_a_record_is_named(engine: duckdb.DuckDBPyConnection) -> None:
    required = Entity(
        "thing", "x", "x", "x", {**THING.fields, "text": CanonicalField("text", "string", "x", True)}
    )
    record = {"id": "1", "t": "", "n": "é" * 100}
    mappings = [ID, FieldMapping("text", ("t",)), FieldMapping("count", ("n",), "cast")]
    row = project(engine, record, mappings, required)
    assert row.code == "wrong_type"
    assert row.reason == (
        f'count (from n): expected a whole number, found "{"é" * 80}…"; '
        "text (from t): required, found nothing"
    )


def test_a_set_that_does_not_fit_the_entity_is_refused() -> None:
    for mappings, problem in (
        ((ID, FieldMapping("nothing", ("x",))), "no field 'nothing'"),
        ((FieldMapping("text", ("x",)),), "required field 'id'"),
    ):
        made = MappingSet("s", "*", "c", "s", 1, "thing", mappings)
        with pytest.raises(MappingRefused, match=problem):
            compile_projection(made, THING, ["id"], primary_key=("id",))


# --- what is left over ---------------------------------------------------------------------------

REST: list[tuple[dict[str, str | None], tuple[str, ...], Any]] = [
    ({"a": "1", "b": None}, (), {"a": "1"}),
    ({"a": None}, (), None),
    ({"o": '{"x":1,"y":"2"}'}, (), {"o": {"x": 1, "y": "2"}}),
    ({"o": '{"x":1,"y":"2"}'}, ("o.x",), {"o": {"y": "2"}}),
    ({"o": '{"x":1,"y":null}'}, ("o.x",), None),
    ({"o": '{"x":1}'}, ("o",), None),
    ({"o": '{"x":{"p":1,"q":2},"y":3}'}, ("o.x.p", "o.y"), {"o": {"x": {"q": 2}}}),
    ({"o": '{"x":{"p":1},"y":3}'}, ("o.x.p", "o.y"), None),
    ({"o": '{"x":"scalar"}'}, ("o.x.p",), {"o": {"x": "scalar"}}),
    ({"o": "plain"}, ("o.x",), {"o": "plain"}),
    ({"o": "[1,2]"}, ("o.x",), {"o": [1, 2]}),
    ({"l": '[{"v":1,"w":2},{"v":3}]'}, ("l.0.v",), {"l": [{"v": 3}]}),
    ({"l": '[{"v":1}]'}, ("l.0.v",), None),
    ({"o": '{"l":[{"v":1},{"v":2}],"z":[]}'}, ("o.l.0.v",), {"o": {"l": [{"v": 2}], "z": []}}),
    ({"l": '[{"v":1},{"v":3}]'}, ("l.*.v",), None),
    ({"o": '{"a/b~c":1,"it\'s":2}'}, ('o."a/b~c"',), {"o": {"it's": 2}}),
    ({"o": '{"x":NaN}'}, (), {"o": '{"x":NaN}'}),
    ({"o": '{"x":[1,]}'}, (), {"o": '{"x":[1,]}'}),
    ({"o": '{"x":NaN,"y":1}'}, ("o.y",), {"o": '{"x":NaN,"y":1}'}),
    ({"o": '{"x":"finance, ]"}'}, (), {"o": {"x": "finance, ]"}}),
    ({"o": '{"x":1e99999}'}, (), {"o": '{"x":1e99999}'}),
    ({"o": '{"x":"\\u0000"}'}, (), {"o": '{"x":"\\u0000"}'}),
    ({"o": '["\\\\u0000"]'}, (), {"o": ["\\u0000"]}),
    ({"o": "[" * 5000 + "]" * 5000}, (), {"o": "[" * 5000 + "]" * 5000}),
    ({"o": "[1\n]"}, (), {"o": "[1\n]"}),
    ({"_aos_row": "1", "_dlt_id": "x", "n": "5"}, (), {"n": "5"}),
]


@pytest.mark.parametrize(("record", "taken", "expected"), REST)
def test_what_nothing_takes_is_left_over(
    engine: duckdb.DuckDBPyConnection, record: dict[str, str | None], taken: tuple[str, ...], expected: Any
) -> None:
    mappings = [ID, *(FieldMapping(t, (p,)) for t, p in zip(("text", "site"), taken, strict=False))]
    row = project(engine, {"id": "1", **record}, mappings)
    assert row.code is None
    assert row.unknown == expected


def test_a_json_path_takes_what_it_names(engine: duckdb.DuckDBPyConnection) -> None:
    mapping = FieldMapping("text", ("o",), "json_path", {"path": "$.a[0].b"})
    row = project(engine, {"id": "1", "o": '{"a":[{"b":1},{"b":2}],"c":3}'}, [ID, mapping])
    assert (row.data["text"], row.unknown) == ("1", {"o": {"a": [{"b": 2}], "c": 3}})


def test_the_deletion_flag_is_understood(engine: duckdb.DuckDBPyConnection) -> None:
    flag = FlagDeletion(type="flag", field="m.gone")
    row = project(engine, {"id": "1", "m": '{"gone":true,"x":1}'}, [ID], deletion=flag)
    assert (row.op, row.unknown) == ("delete", {"m": {"x": 1}})
