"""A load from end to end: source → lake → Postgres."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from resources.connections import remove_connection
from resources.loads import list_loads, list_quarantine
from resources.schema_versions import latest_version, list_drift
from resources.tables import loads
from tests.loader.fake_kind import after_cursor, pages_of


def test_first_load_lands_and_settles(make_loading: Any) -> None:
    people = [{"id": n, "n": n, "name": f"P{n}", "address": {"city": "Köln"}} for n in range(250)]
    loading = make_loading(
        whole={"colours": pages_of([{"id": "r", "hex": "#f00"}, {"id": "g", "hex": None}])},
        new={"people": after_cursor(people)},
    )
    report = loading.load()
    assert not report.errors
    assert (report.streams["people"].records, report.streams["people"].landed) == (250, 250)
    assert report.streams["people"].schema_version == 1
    rows = loading.rows("people")
    assert [row["id"] for row in rows] == [str(n) for n in range(250)]
    assert rows[0] == {
        "_aos_row": 0, "_aos_deleted": False, "id": "0", "n": "0", "name": "P0", "address": '{"city":"Köln"}',
    }  # fmt: skip
    assert loading.rows("colours")[1]["hex"] is None
    known = list_loads(loading.db, loading.tenant_id)
    assert {(one.stream, one.mode, one.records, one.landed) for one in known} == {
        ("people", "incremental", 250, 250), ("colours", "snapshot", 2, 2),
    }  # fmt: skip
    version = latest_version(loading.db, loading.tenant_id, "shop", "people")
    assert version is not None
    assert [field.path for field in version.schema.fields] == ["address", "address.city", "id", "n", "name"]
    assert list_drift(loading.db, loading.tenant_id) == []
    assert list_quarantine(loading.db, loading.tenant_id) == []
    assert loading.source.closed == 1


def test_a_load_notes_its_run(make_loading: Any) -> None:
    loading = make_loading(whole={"a": pages_of([{"id": 1}])})
    loading.load(run_id="run-7")
    (load_id,) = loading.lake.loads(loading.tenant_id, "shop")
    assert [row.run_id for row in loading.lake.manifest(loading.tenant_id, "shop", load_id)] == ["run-7"]
    with loading.db.tenant(loading.tenant_id) as conn:
        assert conn.execute(select(loads.c.run_id)).scalars().all() == ["run-7"]


def test_second_load_takes_only_what_is_new(make_loading: Any) -> None:
    people = [{"id": n, "n": n} for n in range(3)]
    colours = [{"id": "r"}, {"id": "g"}]
    loading = make_loading(whole={"colours": pages_of(colours)}, new={"people": after_cursor(people)})
    loading.load()
    again = loading.load()
    assert len(loading.lake.loads(loading.tenant_id, "shop")) == 1
    assert again.streams["colours"].unchanged == 2
    assert again.streams["people"].records == 0
    people.append({"id": 3, "n": 3})
    third = loading.load()
    assert third.streams["people"].landed == 1
    assert third.streams["colours"].landed == 0
    assert len(loading.rows("people")) == 4
    assert len(loading.rows("colours")) == 2


def test_a_connection_made_anew_starts_from_the_beginning(make_loading: Any) -> None:
    """It may be another account, whose records lie behind the old one's position."""
    people = [{"id": n, "n": n} for n in range(3)]
    colours = pages_of([{"id": "r"}])
    loading = make_loading(whole={"colours": colours}, new={"people": after_cursor(people)})
    loading.load()
    remove_connection(loading.db, loading.tenant_id, "shop", actor="tester")
    other = [{"id": "x", "n": 1}]
    again = make_loading(whole={"colours": colours}, new={"people": after_cursor(other)})
    report = again.load()
    assert report.streams["people"].landed == 1
    assert report.streams["colours"].landed == 1
    assert again.load().streams["people"].landed == 0
