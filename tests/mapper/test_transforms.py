"""Proposed transforms, from the values to the canonical record: looked at, chosen, compiled and run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.mapper.categories import match_categories, match_truth
from core.mapper.lexicon import build_lexicon
from core.mapper.look import FORMATS, ISO, Look, choose_format
from core.mapper.profile import Profile
from core.mapper.question import Question, read_question
from core.mapper.transforms import ALONE, Around, TransformChoice, propose_transform
from core.mapping import FieldMapping
from core.ontology import CanonicalField, Entity, Ontology, load_ontology
from core.transforms import find_problem
from resources.looks import Wanted, count_categories, measure_looks
from tests.canonical.projecting import project

ONTOLOGY: Ontology = load_ontology()
KEY = CanonicalField("id", "string", "x", required=True)
Values = Sequence[str | None]


@pytest.fixture
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        opened.execute("SET TimeZone = 'UTC'")
        yield opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def look_at(folder: Path, values: Values, wanted: Wanted) -> Look:
    file = folder / "load.parquet"
    pq.write_table(pa.table({"v": pa.array(list(values), pa.string())}), file)
    return measure_looks([str(file)], {"v": wanted})["v"]


def choose(
    name: str,
    target: CanonicalField,
    look: Look | None = None,
    *,
    kind: str = "string",
    entity: str = "account",
    negated: bool = False,
    around: Around = ALONE,
    profile: Profile | None = None,
) -> TransformChoice:
    question = Question("acme", "things", name, entity, kind, profile=profile)
    reading = read_question(question, ONTOLOGY.entity(entity), build_lexicon(ONTOLOGY))
    return propose_transform(question, reading, target, negated=negated, look=look, around=around)


def run(
    engine: duckdb.DuckDBPyConnection,
    target: CanonicalField,
    choice: TransformChoice,
    found: str | None,
    **more: str,
) -> Any:
    """The canonical value of one source text; ``"!"`` and the code where the record is refused."""
    entity = Entity("thing", "x", "x", "x", {"id": KEY, target.name: target})
    mapping = FieldMapping(target.name, ("v",), choice.transform, choice.args)
    assert find_problem(mapping, target) is None
    row = project(engine, {"id": "1", "v": found, **more}, [FieldMapping("id", ("id",)), mapping], entity)
    return f"!{row.code}" if row.code else row.data.get(target.name)


DAY, AT = CanonicalField("day", "date", "x"), CanonicalField("at", "datetime", "x")
DAYS_FIRST = [f"{n % 28 + 1:02d}/{n % 12 + 1:02d}/2024" for n in range(60)]
TIMES = [
    (DAYS_FIRST, DAY, "parse_date", "%d/%m/%Y", "2024-01-01"),
    ([f"{n % 12 + 1}/{n % 28 + 1}/2024" for n in range(60)], DAY, "parse_date", "%m/%d/%Y", "2024-01-01"),
    ([f"{n % 28 + 1:02d}.{n % 12 + 1:02d}.2024 17:05" for n in range(60)], AT, "parse_datetime",
     "%d.%m.%Y %H:%M", "2024-01-01T17:05:00Z"),
    (["01/13/2024 05:06 PM"] * 30, AT, "parse_datetime", "%m/%d/%Y %I:%M %p", "2024-01-13T17:06:00Z"),
    ([f"2024{n % 12 + 1:02d}{n % 28 + 1:02d}" for n in range(60)], DAY, "parse_date", "%Y%m%d", "2024-01-01"),
    (["20240131101112"] * 30, AT, "parse_datetime", "%Y%m%d%H%M%S", "2024-01-31T10:11:12Z"),
    (["1700000000"] * 30, AT, "parse_datetime", "epoch_s", "2023-11-14T22:13:20Z"),
    (["1700000000123"] * 30, AT, "parse_datetime", "epoch_ms", "2023-11-14T22:13:20.123Z"),
    (["1700000000"] * 30, DAY, "parse_datetime", "epoch_s", "2023-11-14"),
    (["Wed, 03 Jan 2024 10:11:12 +0200"] * 30, AT, "parse_datetime", "%a, %d %b %Y %H:%M:%S %z",
     "2024-01-03T08:11:12Z"),
    (["3-Jan-2024"] * 30, DAY, "parse_date", "%d-%b-%Y", "2024-01-03"),
    (["2024-01-02"] * 30, DAY, "cast", None, "2024-01-02"),
    (["2024-01-02T10:00:00+01:00"] * 30, AT, "cast", None, "2024-01-02T09:00:00Z"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("values", "target", "transform", "form", "value"), TIMES, ids=[str(t[3]) for t in TIMES]
)
def test_the_way_all_times_are_written_is_found_and_reads_them(
    folder: Path,
    engine: duckdb.DuckDBPyConnection,
    values: Values,
    target: CanonicalField,
    transform: str,
    form: str | None,
    value: str,
) -> None:
    choice = choose("started", target, look_at(folder, [*values, None, ""], "time"))
    assert (choice.transform, choice.args.get("format"), choice.doubt) == (transform, form, None)
    assert run(engine, target, choice, values[0]) == value
    assert run(engine, target, choice, None) is None
    assert all(not str(run(engine, target, choice, text)).startswith("!") for text in values[:12])


AMBIGUOUS = [
    (["01/02/2024", "03/04/2024"] * 20, "day first (%d/%m/%Y) and month first (%m/%d/%Y)"),
    (["2024-01-02"] * 10 + ["03/04/2024"] * 10, "no known format, or in several"),
    (["13/01/2024"] * 97 + ["yesterday"] * 3, "3.0% of the values are not day first"),
    (["31/12/99"] * 30, "two digits"),
    (["1700000000123456"] * 30, "no known format"),
    (["45321"] * 30, "no known format"),
]


@pytest.mark.parametrize(("values", "told"), AMBIGUOUS, ids=[told for _, told in AMBIGUOUS])
def test_times_that_can_be_read_in_two_ways_are_a_persons(folder: Path, values: Values, told: str) -> None:
    choice = choose("started", DAY, look_at(folder, values, "time"))
    assert told in (choice.doubt or "")
    assert find_problem(FieldMapping("day", ("v",), choice.transform, choice.args), DAY) is None


def test_formats_are_ones_duckdb_reads(engine: duckdb.DuckDBPyConnection) -> None:
    for pattern in FORMATS:
        row = engine.execute(
            f"SELECT try_strptime(strftime(TIMESTAMP '2024-05-06 07:08:09', '{pattern}'), '{pattern}')"
        )
        assert row.fetchall()[0][0] is not None or "%z" in pattern.lower(), pattern


def test_nothing_seen_is_no_doubt_about_text_but_about_numbers(folder: Path) -> None:
    empty = look_at(folder, [None, ""], "time")
    assert choose_format(empty).format is None
    assert choose("started", AT, empty).doubt is None
    assert "seconds or milliseconds" in (choose("started", AT, empty, kind="integer").doubt or "")
    profile = Profile(epoch=1.0, length=13.0, count=50)
    assert choose("started", AT, kind="integer", profile=profile).args == {"format": "epoch_ms"}
    assert choose("started", AT, kind="integer", profile=Profile(length=8.0, count=50)).doubt
    assert choose_format(Look(filled=3, times={ISO: 1.0})).doubt is None


# --- categories --------------------------------------------------------------------------------

CLOSED = CanonicalField("status", "enum", "x", enum=("open", "won", "lost"))
OPEN = CanonicalField("status", "enum", "x", enum=("open", "won", "lost"), open=True)


def test_every_value_known_by_words_or_synonyms(folder: Path, engine: duckdb.DuckDBPyConnection) -> None:
    values = ["Closed Won", "closed-lost", "OPEN", "reopened"] * 10
    choice = choose("state", CLOSED, look_at(folder, values, "category"))
    assert choice.doubt is None
    assert choice.args["values"] == {
        "Closed Won": "won",
        "closed-lost": "lost",
        "OPEN": "open",
        "reopened": "open",
    }
    assert [run(engine, CLOSED, choice, text) for text in ("Closed Won ", "reopened", "")] == [
        "won",
        "open",
        None,
    ]
    assert run(engine, CLOSED, choice, "abandoned") == "!not_in_enum"


def test_letters_of_another_case_are_lowered(folder: Path, engine: duckdb.DuckDBPyConnection) -> None:
    choice = choose("state", CLOSED, look_at(folder, ["Open", "WON", "lost"] * 10, "category"))
    assert (choice.transform, choice.doubt) == ("lower", None)
    assert run(engine, CLOSED, choice, "WON") == "won"


def test_what_nobody_knows_is_counted_and_never_kept(folder: Path) -> None:
    choice = choose("state", CLOSED, look_at(folder, ["won", "Ada Lovelace", "Bob"] * 10, "category"))
    assert "2 of 3 values" in (choice.doubt or "")
    assert "refused" in (choice.doubt or "")
    assert "Ada" not in str(choice)
    few = choose("state", CLOSED, look_at(folder, ["Closed Won", "lost"], "category"))
    assert "only 2 values" in (few.doubt or "")


def test_an_open_list_keeps_a_vendors_own_words(folder: Path, engine: duckdb.DuckDBPyConnection) -> None:
    same = choose("state", OPEN, look_at(folder, ["open", "won", "lost"] * 10, "category"))
    assert (same.transform, same.doubt) == ("direct", None)
    mixed = choose("state", OPEN, look_at(folder, ["Closed Won", "Contract sent"] * 10, "category"))
    assert mixed.args == {"values": {"Closed Won": "won"}, "keep": True}
    assert "stay as they are" in (mixed.doubt or "")
    assert [run(engine, OPEN, mixed, t) for t in ("Closed Won", "Contract sent")] == ["won", "Contract sent"]


NO_CATEGORIES = [
    ([f"value {n}" for n in range(31)], "too many"),
    (["eve@example.com"] * 40, "an address"),
    (["x" * 41] * 40, "too long"),
]


@pytest.mark.parametrize(("values", "why"), NO_CATEGORIES, ids=[why for _, why in NO_CATEGORIES])
def test_what_is_no_list_of_words_is_not_looked_at(folder: Path, values: Values, why: str) -> None:
    look = look_at(folder, values, "category")
    assert look.categories is None
    assert count_categories([str(folder / "load.parquet")], "v") is None
    assert choose("state", CLOSED, look).doubt


def test_categories_are_counted_for_the_person_who_decides(folder: Path) -> None:
    look_at(folder, ["won"] * 3 + ["lost", None], "category")
    assert count_categories([str(folder / "load.parquet")], "v") == [("won", 3), ("lost", 1)]


MEANT = [
    ("opportunity", "stage", "Closed Won", "closed_won"),
    ("opportunity", "status", "closedwon", "won"),
    ("task", "status", "In Progress", "in_progress"),
    ("task", "status", "TODO", "not_started"),
    ("employee", "employment_type", "Full-Time", "full_time"),
    ("employee", "employment_type", "fulltime", "full_time"),
    ("price", "billing_interval", "monthly", "month"),
    ("price", "billing_interval", "annually", "year"),
    ("ledger_account", "normal_balance", "CR", "credit"),
    ("ledger_account", "type", "Assets", "asset"),
    ("subscription", "status", "cancelled", "canceled"),
    ("subscription", "status", "STATUS_ACTIVE", "active"),
    ("ticket", "priority", "critical", "urgent"),
    ("cost_line", "charge_frequency", "One-Time", "one-time"),
    ("user", "status", "disabled", None),  # deactivated, or inactive?
    ("ticket", "priority", "P1", None),
    ("ticket", "status", "3", None),
]


@pytest.mark.parametrize(("entity", "field", "text", "meant"), MEANT, ids=[f"{m[1]}-{m[2]}" for m in MEANT])
def test_words_of_vendors(entity: str, field: str, text: str, meant: str | None) -> None:
    found = match_categories([text], ONTOLOGY.entity(entity).fields[field], ("status", field))
    assert found.values.get(text) == meant
    assert found.unknown == (meant is None)


# --- booleans ----------------------------------------------------------------------------------

ACTIVE = CanonicalField("is_active", "boolean", "x")
TRUTHS = [
    ("status", False, ["Active", "Inactive"], {"Active": True, "Inactive": False}),
    ("is_active", False, ["Ja", "Nein"], {"Ja": True, "Nein": False}),
    ("closed", True, ["Closed", "not closed"], {"Closed": False, "not closed": True}),
    ("is_closed", True, ["on", "off"], {"on": False, "off": True}),
]


@pytest.mark.parametrize(("name", "negated", "values", "meant"), TRUTHS)
def test_yes_and_no_in_words(
    folder: Path,
    engine: duckdb.DuckDBPyConnection,
    name: str,
    negated: bool,
    values: Values,
    meant: dict[str, bool],
) -> None:
    choice = choose(name, ACTIVE, look_at(folder, list(values) * 20, "category"), negated=negated)
    assert (choice.transform, choice.args, choice.doubt) == ("enum_map", {"values": meant}, None)
    assert {text: run(engine, ACTIVE, choice, text) for text in meant} == meant


def test_usual_booleans_need_no_list(engine: duckdb.DuckDBPyConnection) -> None:
    plain, flags = Profile(boolean=1.0, count=50), ("Y", "n", "1", "0", "TRUE")
    choice = choose("is_active", ACTIVE, profile=plain)
    assert [run(engine, ACTIVE, choice, flag) for flag in flags] == [True, False, True, False, True]
    inverted = choose("inactive", ACTIVE, profile=plain, negated=True)
    assert inverted.transform == "invert_boolean"
    assert run(engine, ACTIVE, inverted, "Y") is False
    assert choose("is_active", ACTIVE, kind="boolean").doubt is None


def test_words_that_are_neither_are_a_persons(folder: Path) -> None:
    assert "1 of 3" in (
        choose("status", ACTIVE, look_at(folder, ["active", "inactive", "vip"] * 9, "category")).doubt or ""
    )
    assert choose("status", ACTIVE, look_at(folder, ["gold", "silver"] * 9, "category")).doubt
    assert match_truth(["paid", "unpaid", "not paid"], "is_paid", ("paid",), negated=False).unknown == 0


# --- amounts -----------------------------------------------------------------------------------

AMOUNT = CanonicalField("total_amount", "currency", "x", currency="currency")


def test_cents_by_name_with_the_streams_currency(folder: Path, engine: duckdb.DuckDBPyConnection) -> None:
    look = look_at(folder, ["1999", "500"] * 20, "amount")
    alone = choose("total_cents", AMOUNT, look)
    assert (alone.transform, alone.args, alone.doubt) == ("minor_units", {}, None)
    assert run(engine, AMOUNT, alone, "1999") == 19.99
    beside = choose("total_minor", AMOUNT, look, around=Around(True, "currency", ("EUR", "JPY")))
    assert (beside.args, beside.doubt) == ({"currency_from": "currency"}, None)
    found = [run(engine, AMOUNT, beside, "1999", currency=code) for code in ("eur", "JPY", "KWD")]
    assert found == [19.99, 1999, 1.999]


DOUBTFUL_AMOUNTS = [
    ("total_cents", ["19.99"], ALONE, "minor_units", "the values have decimals"),
    ("total_cents", ["1999"], Around(True, "currency", ("JPY",)), "minor_units", "JPY does not have two"),
    ("total_minor", ["1999"], ALONE, "minor_units", "how many decimals"),
    ("total", ["1999"], Around(minor=True), "minor_units", "other amounts of the stream"),
    ("total", ["1999"], ALONE, "cast", "cents, or full units"),
]


@pytest.mark.parametrize(("name", "values", "around", "transform", "told"), DOUBTFUL_AMOUNTS)
def test_amounts_that_could_be_off_by_a_hundred_are_a_persons(
    folder: Path, name: str, values: Values, around: Around, transform: str, told: str
) -> None:
    choice = choose(name, AMOUNT, look_at(folder, list(values) * 40, "amount"), around=around)
    assert choice.transform == transform
    assert told in (choice.doubt or "")


def test_decimals_say_full_units(folder: Path, engine: duckdb.DuckDBPyConnection) -> None:
    look = look_at(folder, ["12.50"] + ["3"] * 999, "amount")
    for around in (ALONE, Around(minor=True)):
        choice = choose("total", AMOUNT, look, around=around)
        assert (choice.transform, choice.doubt) == ("cast", None)
    assert run(engine, AMOUNT, choice, "12.50") == 12.5
    assert choose("revenue", CanonicalField("annual_revenue", "currency", "x"), kind="integer").doubt is None


def test_nested_values_and_closed_lists_without_a_look() -> None:
    assert "nested" in (choose("tags", CanonicalField("text", "string", "x"), kind="array").doubt or "")
    assert "would be refused" in (choose("state", CLOSED).doubt or "")
    assert choose("state", OPEN).doubt is None
    assert choose("name", CanonicalField("name", "string", "x")).transform == "direct"
