"""Views: the latest state of each record, typed, advanced by new events only."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from core.errors import UnknownName
from core.ontology import Ontology
from resources.database import Database
from resources.settings import Settings
from resources.warehouse import advance_views, rebuild_views
from tests.warehouse.conftest import SET_ID, Advance, Event, Writer


def read(path: Path, sql: str) -> list[tuple[Any, ...]]:
    """Ask the published file; attached, for duckdb.connect(path) may answer from an older file."""
    with duckdb.connect() as conn:
        conn.execute(f"ATTACH '{path}' AS registry (READ_ONLY); USE registry; SET TimeZone = 'UTC'")
        rows: list[tuple[Any, ...]] = conn.execute(sql).fetchall()
    return rows


def test_a_view_holds_the_newest_state_of_each_record(write_events: Writer, advance: Advance) -> None:
    write_events([Event("1", {"name": "old"}), Event("2", {"name": "two"}), Event("1", {"name": "new"})])
    report = advance()
    assert report.published
    assert (report.views["account"].rows, report.views["account"].new_events) == (2, 3)
    assert read(report.path, "SELECT _record_id, name FROM account ORDER BY 1") == [
        ("1", "new"),
        ("2", "two"),
    ]
    assert read(report.path, "SELECT count(*) FROM views.account") == [(2,)]


def test_the_same_record_id_in_two_streams_is_two_rows(write_events: Writer, advance: Advance) -> None:
    write_events(
        [Event("1", {"name": "a"}), Event("1", {"name": "b"}, connector="stripe", stream="customers")]
    )
    rows = read(advance().path, "SELECT _connector, _stream, name FROM account ORDER BY 1")
    assert rows == [("hubspot", "companies", "a"), ("stripe", "customers", "b")]


def test_a_delete_removes_the_record_until_it_comes_back(write_events: Writer, advance: Advance) -> None:
    write_events([Event("1", {"name": "a"}), Event("2", {"name": "b"})])
    advance()
    write_events([Event("1", None)])
    report = advance()
    assert (report.views["account"].rows, report.views["account"].deletes) == (1, 1)
    assert (report.views["account"].new_events, report.views["account"].rebuilt) == (1, False)
    write_events([Event("2", None), Event("2", {"name": "again"}), Event("1", {"name": "back"})])
    assert read(advance().path, "SELECT name FROM account ORDER BY 1") == [("again",), ("back",)]


def test_columns_have_the_types_of_the_ontology(write_events: Writer, advance: Advance) -> None:
    write_events(
        [
            Event(
                "7",
                {
                    "id": "7",
                    "name": "Ünïcode 价格",
                    "annual_revenue": 1234567890123456789.123456789012,
                    "employee_count": 9007199254740993,
                    "is_deleted": False,
                    "created_at": "2024-05-01T12:34:56.789012+02:00",
                },
                unknown={"properties.x": [1, {"y": None}]},
            ),
            Event(
                "8",
                {"close_date": "2024-02-29", "probability": 12.5, "amount": "0.000000000001"},
                "opportunity",
            ),
        ]
    )
    path = advance().path
    row = read(
        path,
        "SELECT name, employee_count, is_deleted, created_at, _unknown_fields->>'properties.x', "
        "_set_id::VARCHAR, _load_id, _updated_at IS NOT NULL, domain FROM account",
    )[0]
    moment = dt.datetime(2024, 5, 1, 10, 34, 56, 789012, dt.UTC)
    assert row == (
        "Ünïcode 价格", 9007199254740993, False, moment, '[1,{"y":null}]', SET_ID, "1700000000.1", True, None,
    )  # fmt: skip
    deal = read(path, "SELECT close_date, probability, amount, typeof(_unknown_fields) FROM opportunity")[0]
    assert deal == (dt.date(2024, 2, 29), 12.5, Decimal("0.000000000001"), "JSON")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\\N",
        "\\",
        "\\\\n",
        "a\tb\nc\rd\\ne",
        "\"quoted\", 'so'",
        " padded ",
        "\b\f\v\x01\x1f",
        "NULL",
        "𝄞\u2028\x85",
    ],
)
def test_any_text_arrives_as_it_is(write_events: Writer, advance: Advance, text: str) -> None:
    write_events([Event("1", {"name": text}, unknown={text: text}), Event(text or "e", {"name": "b"})])
    path = advance().path
    assert read(path, "SELECT name FROM account WHERE _record_id = '1'") == [(text,)]
    assert read(path, "SELECT json_keys(_unknown_fields)[1] FROM account WHERE _record_id = '1'") == [(text,)]
    assert read(path, "SELECT count(DISTINCT _record_id) FROM account") == [(2,)]


def test_a_record_of_many_megabytes_fits(write_events: Writer, advance: Advance) -> None:
    write_events([Event("1", {"description": "x\n" * 5_000_000}), Event("2", {"name": "small"})])
    assert read(advance().path, "SELECT length(description) FROM account ORDER BY _record_id") == [
        (10**7,),
        (None,),
    ]


def test_without_new_events_no_file_is_written(write_events: Writer, advance: Advance) -> None:
    write_events([Event("1")])
    first = advance()
    before = first.path.stat()
    second = advance()
    assert not second.published
    assert second.path.stat().st_ino == before.st_ino
    assert second.views["account"].rows == 1
    assert [p.name for p in first.path.parent.iterdir()] == [first.path.name]


def test_every_entity_has_a_view_even_without_records(advance: Advance, ontology: Ontology) -> None:
    path = advance().path
    tables = {
        name for (name,) in read(path, "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'main'")
    }
    assert tables == set(ontology.entities)
    assert read(path, 'SELECT count(*) FROM views.order, "order"') == [(0,)]
    comment = read(
        path, "SELECT comment FROM duckdb_columns() WHERE table_name = 'account' AND column_name = 'name'"
    )
    assert comment[0][0] == ontology.entity("account").field("name").description


def test_a_reader_of_the_old_file_keeps_it(write_events: Writer, advance: Advance) -> None:
    write_events([Event("1")])
    path = advance().path
    with duckdb.connect() as reader:
        reader.execute(f"ATTACH '{path}' AS registry (READ_ONLY)")
        write_events([Event("2")])
        entry = advance().views["account"]
        assert (entry.rows, entry.new_events, entry.rebuilt) == (2, 1, False)
        assert reader.execute("SELECT count(*) FROM registry.account").fetchall() == [(1,)]
    assert read(path, "SELECT count(*) FROM account") == [(2,)]


def test_a_missing_file_is_built_from_nothing(write_events: Writer, advance: Advance) -> None:
    write_events([Event("1"), Event("2")])
    advance().path.unlink()
    report = advance()
    assert report.views["account"].rebuilt
    assert report.views["account"].rows == 2


@pytest.mark.parametrize("damage", ["empty", "text", "header", "middle", "foreign"])
def test_a_damaged_file_is_built_from_nothing(write_events: Writer, advance: Advance, damage: str) -> None:
    write_events([Event(str(n), {"name": f"company {n}"}) for n in range(500)])
    path = advance().path
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    if damage == "foreign":
        path.unlink()
        with duckdb.connect(str(path)) as conn:
            conn.execute("CREATE TABLE account (x INT)")
    else:
        if damage == "middle":
            content[12288:] = bytes(len(content) - 12288)
        content[:512] = bytes(512) if damage == "header" else content[:512]
        path.write_bytes({"empty": b"", "text": b"hello"}.get(damage, bytes(content)))
    write_events([Event("new")])
    report = advance()
    assert report.views["account"].rows == 501
    assert read(path, "SELECT count(name) FROM account") == [(500,)]


def test_events_postgres_no_longer_knows_are_forgotten(
    database: Database, tenant: str, write_events: Writer, advance: Advance
) -> None:
    write_events([Event("1"), Event("2")])
    advance()
    with database.tenant(tenant) as conn:  # as after a restore from an older copy
        conn.exec_driver_sql("DELETE FROM canonical_streams WHERE record_id = '2'")
    report = advance()
    assert (report.views["account"].rows, report.views["account"].rebuilt) == (1, True)


def test_rebuild_gives_the_same_rows(
    database: Database,
    settings: Settings,
    ontology: Ontology,
    tenant: str,
    write_events: Writer,
    advance: Advance,
) -> None:
    write_events([Event("1", {"name": "a"}), Event("2"), Event("9", {}, "contact")])
    advance()
    write_events([Event("1", {"name": "b"}), Event("2", None)])
    path = advance().path
    sql = "SELECT * FROM account ORDER BY _record_id"
    before = read(path, sql)
    one = rebuild_views(database, settings, ontology, tenant, ["account"])
    assert (set(one.views), one.views["account"].new_events) == ({"account"}, 4)
    assert read(path, sql) == before
    assert read(path, "SELECT count(*) FROM contact") == [(1,)]
    assert rebuild_views(database, settings, ontology, tenant).views["contact"].rebuilt
    assert read(path, sql) == before


def test_only_the_asked_views_advance(
    database: Database,
    settings: Settings,
    ontology: Ontology,
    tenant: str,
    write_events: Writer,
    advance: Advance,
) -> None:
    advance()
    write_events([Event("1"), Event("2", {}, "contact")])
    report = advance_views(database, settings, ontology, tenant, ["contact"])
    assert set(report.views) == {"contact"}
    assert read(report.path, "SELECT (SELECT count(*) FROM account), (SELECT count(*) FROM contact)") == [
        (0, 1)
    ]
    assert advance().views["account"].rows == 1


def test_watermarks_stand_in_postgres_for_display(
    database: Database, tenant: str, write_events: Writer, advance: Advance
) -> None:
    write_events([Event("1"), Event("2")])
    advance()
    with database.tenant(tenant) as conn:
        rows = conn.exec_driver_sql("SELECT entity, rows, seq FROM view_watermarks").all()
        top = conn.exec_driver_sql("SELECT max(seq) FROM canonical_streams").scalar()
    assert [tuple(row) for row in rows] == [("account", 2, top)]


def test_streams_tell_where_the_rows_come_from(write_events: Writer, advance: Advance) -> None:
    write_events([Event("1"), Event("2"), Event("1", {}, "contact", stream="contacts")])
    rows = read(advance().path, "SELECT connector, stream, entity, records, last_load_id FROM mesh.streams")
    assert rows == [
        ("hubspot", "companies", "account", 2, "1700000000.1"),
        ("hubspot", "contacts", "contact", 1, "1700000000.1"),
    ]


def test_an_unknown_tenant_or_entity_is_named(
    database: Database, settings: Settings, ontology: Ontology, tenant: str
) -> None:
    with pytest.raises(UnknownName, match="nobody"):
        advance_views(database, settings, ontology, "nobody")
    assert not (settings.warehouse_dir / "nobody").exists()
    with pytest.raises(UnknownName, match="'account'"):
        advance_views(database, settings, ontology, tenant, ["acount"])


def test_a_value_of_an_older_type_is_null_and_counted(write_events: Writer, advance: Advance) -> None:
    write_events([Event("1", {"employee_count": 5, "name": "a\\b"})])
    advance()
    write_events([Event("2", {"employee_count": "many", "name": "c\nd"}), Event("3", {"employee_count": 7})])
    report = advance()
    assert (report.views["account"].unfit, report.views["account"].rebuilt) == (1, False)
    rows = read(report.path, "SELECT employee_count, name FROM account ORDER BY _record_id")
    assert rows == [(5, "a\\b"), (None, "c\nd"), (7, None)]
