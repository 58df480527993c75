"""What one stream's trouble, emptiness or change does to the load."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from core.errors import (
    AccessDenied,
    CredentialError,
    MeshError,
    SourceUnavailable,
    UnexpectedAnswer,
    UnknownName,
)
from resources.connectors.base import AOS_TYPE, Page, Reject
from resources.loads import count_quarantine, list_loads, list_quarantine, list_unconsumed
from resources.schema_versions import latest_version, list_drift, list_versions
from tests.loader.fake_kind import Pages, after_cursor, pages_of


def failing(error: Exception, *pages: list[Any]) -> Pages:
    def read(state: dict[str, Any]) -> Iterator[Page]:
        state["n"] = 99
        for page in pages:
            yield Page(page)
        raise error

    return read


def text_table(types: dict[str, str], rows: dict[str, list[str | None]]) -> pa.Table:
    schema = pa.schema(
        [pa.field(k, pa.string(), nullable=k != "id", metadata={AOS_TYPE: kind}) for k, kind in types.items()]
    )
    return pa.table(rows, schema=schema)


def test_a_failing_stream_lands_nothing_and_the_others_go_on(make_loading: Any) -> None:
    people = [{"id": 1, "n": 1}]
    loading = make_loading(
        whole={"a": pages_of([{"id": 1}]), "b": failing(SourceUnavailable("b is broken"), [{"id": 1}])},
        new={"c": failing(SourceUnavailable("c is broken"), [{"id": 1, "n": 1}]), "d": after_cursor(people)},
    )
    report = loading.load()
    assert report.errors == {"b": "b is broken", "c": "c is broken"}
    assert {one.stream for one in list_loads(loading.db, loading.tenant_id)} == {"a", "d"}
    assert loading.rows("b") == loading.rows("c") == []
    loading.source.streams["c"] = after_cursor(people)
    assert loading.load().streams["c"].landed == 1, "its position did not advance"


def test_refused_credentials_stop_the_connection(make_loading: Any) -> None:
    loading = make_loading(whole={"a": failing(CredentialError("refused")), "b": pages_of([{"id": 1}])})
    report = loading.load()
    assert report.errors == {"a": "refused", "b": "not tried, since a failed"}
    assert loading.rows("b") == []


def test_a_silent_source_is_not_asked_for_every_stream(make_loading: Any) -> None:
    down = {name: failing(SourceUnavailable("no answer")) for name in "abc"}
    loading = make_loading(whole={**down, "d": pages_of([{"id": 1}])})
    for _ in range(3):
        skipped = dict.fromkeys("cd", "not tried, since b failed")
        assert loading.load().errors == {"a": "no answer", "b": "no answer", **skipped}
    assert len(loading.lake.loads(loading.tenant_id, "shop")) <= 1, "dlt's own state, at most"
    assert list_loads(loading.db, loading.tenant_id) == []


@pytest.mark.parametrize("error", [AccessDenied("no scope"), UnexpectedAnswer("not JSON")])
def test_a_source_that_answers_wrongly_keeps_its_other_streams(make_loading: Any, error: MeshError) -> None:
    wrong = {name: failing(error) for name in "abc"}
    loading = make_loading(whole={**wrong, "d": pages_of([{"id": 1}])})
    report = loading.load()
    assert report.errors == dict.fromkeys("abc", str(error))
    assert report.streams["d"].landed == 1


def test_an_unknown_stream_or_tenant_is_said(make_loading: Any) -> None:
    loading = make_loading(whole={"a": pages_of()})
    with pytest.raises(UnknownName, match="no stream 'nope'"):
        loading.load(streams=["nope"])
    loading.tenant_id = "nobody"
    with pytest.raises(UnknownName, match="nobody"):
        loading.load()


def test_streams_may_be_loaded_apart(make_loading: Any) -> None:
    people = [{"id": 1, "n": 1}]
    loading = make_loading(whole={"a": pages_of([{"id": 1}])}, new={"b": after_cursor(people)})
    assert loading.load(streams=["b"]).streams.keys() == {"b"}
    assert loading.load(streams=["a"]).streams["a"].landed == 1
    again = loading.load()
    assert (again.streams["a"].unchanged, again.streams["b"].records) == (1, 0)


def test_streams_without_records_are_known_and_quiet(make_loading: Any) -> None:
    loading = make_loading(whole={"a": pages_of()}, new={"b": after_cursor([])})
    loading.load()
    loads = {one.stream: one for one in list_loads(loading.db, loading.tenant_id)}
    assert loads["b"].consumed_at is not None
    assert loads["a"].mode == "snapshot", "an empty snapshot says that everything is gone"
    loading.load()
    assert len(loading.lake.loads(loading.tenant_id, "shop")) == 1


def test_a_snapshot_lands_again_when_anything_in_it_changed(make_loading: Any) -> None:
    records = [{"id": 1, "v": "a"}, {"id": 2, "v": "b"}]
    loading = make_loading(whole={"a": pages_of(records)})
    loading.load()
    loading.source.streams["a"] = pages_of([records[1]], [records[0]])
    assert loading.load().streams["a"].unchanged == 2, "order and paging do not matter"
    loading.source.streams["a"] = pages_of([{"id": 1, "v": "a"}, {"id": 2, "v": "c"}])
    assert loading.load().streams["a"].landed == 2
    loading.source.streams["a"] = pages_of([{"id": 1, "v": "c"}, {"id": 2, "v": "a"}])
    assert loading.load().streams["a"].landed == 2
    loading.source.streams["a"] = pages_of()
    assert loading.load().streams["a"].landed == 0
    (last,) = list_unconsumed(loading.db, loading.tenant_id)[-1:]
    assert (last.mode, last.landed) == ("snapshot", 0)


def test_an_incomplete_snapshot_claims_nothing_about_absence(make_loading: Any) -> None:
    loading = make_loading(whole={"a": pages_of(Page([{"id": 1}], complete=False))})
    assert loading.load().streams["a"].mode == "incremental"
    assert loading.load().streams["a"].unchanged == 1
    loading.source.streams["a"] = pages_of([{"id": 1}])
    assert loading.load().streams["a"].mode == "snapshot"


def test_tombstones_land_flagged(make_loading: Any) -> None:
    loading = make_loading(new={"a": pages_of(Page([{"id": 1, "x": 1}]), Page([{"id": 2}], deleted=True))})
    assert loading.load().streams["a"].mode == "incremental"
    assert [(row["id"], row["_aos_deleted"]) for row in loading.rows("a")] == [("1", False), ("2", True)]
    loading.source.streams["a"] = pages_of(Page([{"id": 3}], deleted=True))
    report = loading.load().streams["a"]
    assert (report.mode, report.drift) == ("deletions", [])


def test_every_record_in_is_landed_or_in_quarantine(make_loading: Any) -> None:
    rejects = [Reject(3, "1;2;3\0\ud800", "has 3 values for 2 columns", "people.csv")]
    records = [{"id": 1}, {"id": None}, [], {"id": 2, "a": "\ud800"}, {"id": 3}]
    loading = make_loading(new={"a": pages_of(Page(records, rejects=rejects))})
    report = loading.load().streams["a"]
    assert (report.records, report.landed, report.quarantined) == (6, 2, 4)
    found = {one.code: one for one in list_quarantine(loading.db, loading.tenant_id)}
    assert found.keys() == {"key_missing", "not_an_object", "lone_surrogate", "unreadable"}
    assert found["lone_surrogate"].record_id == "2"
    assert found["unreadable"].reason == "people.csv line 3: has 3 values for 2 columns"
    assert found["unreadable"].record == "1;2;3\\u0000\\ud800"
    assert count_quarantine(loading.db, loading.tenant_id)["shop", "a", "raw", "unreadable"] == 1


def test_tables_land_as_they_are_and_declare_their_types(make_loading: Any) -> None:
    types = {"id": "integer", "born": "date", "Ö": "string"}
    first = text_table(
        types, {"id": ["1", None, "2", ""], "born": ["2020-01-01", None, None, None], "Ö": ["x"] * 4}
    )
    loading = make_loading(whole={"a": pages_of(Page(first))})
    report = loading.load().streams["a"]
    assert (report.records, report.landed, report.quarantined) == (4, 2, 2)
    assert [row["born"] for row in loading.rows("a")] == ["2020-01-01", None]
    version = latest_version(loading.db, loading.tenant_id, "shop", "a")
    assert version is not None
    assert {field.path: (*field.types, field.nullable) for field in version.schema.fields} == {
        "id": ("integer", False), "born": ("date", True), "Ö": ("string", True),
    }  # fmt: skip
    second = text_table({"id": "integer", "Ö": "integer"}, {"id": ["1"], "Ö": ["5"]})
    loading.source.streams["a"] = pages_of(Page(second))
    drift = loading.load().streams["a"].drift
    assert [one.describe() for one in drift] == [
        "field born was removed (was date)", "field Ö changed from string to integer",
    ]  # fmt: skip


def test_a_table_without_the_key_fails_its_stream(make_loading: Any) -> None:
    table = text_table({"name": "string"}, {"name": ["x"]})
    loading = make_loading(whole={"a": pages_of(Page(table)), "b": pages_of([{"id": 1}])})
    report = loading.load()
    assert report.errors.keys() == {"a"}
    assert "primary key id is not a column" in report.errors["a"]


def test_drift_is_a_new_version_and_an_event(make_loading: Any) -> None:
    records = [{"id": n, "n": n, "old": "x", "t": n} for n in range(100)]
    loading = make_loading(new={"a": after_cursor(records)})
    assert loading.load().streams["a"].drift == []
    records += [{"id": n, "n": n, "new": "x", "t": str(n)} for n in range(100, 110)]
    report = loading.load().streams["a"]
    assert report.schema_version == 2
    assert [(one.op, one.path) for one in report.drift] == [
        ("added", "new"), ("removed", "old"), ("type_changed", "t"),
    ]  # fmt: skip
    (event,) = list_drift(loading.db, loading.tenant_id, "shop", "a")
    assert (event.from_version, event.to_version, event.status) == (1, 2, "OPEN")
    assert list(event.operations) == report.drift
    records += [{"id": n, "n": n, "new": None, "t": str(n)} for n in range(110, 112)]
    loading.load()
    assert list_drift(loading.db, loading.tenant_id, "shop", "a")[0].status == "ACCEPTED"
    assert [one.version for one in list_versions(loading.db, loading.tenant_id, "shop", "a")] == [1, 2, 3]
    assert {row["id"]: row["t"] for row in loading.rows("a")}["105"] == "105"


def test_a_stream_of_many_columns_and_chunks_lands_whole(
    make_loading: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resources.spool.CHUNK_BYTES", 100_000)
    records = [{"id": n, "n": n, **{f"c{(n + m) % 1900}": "v" for m in range(50)}} for n in range(300)]
    loading = make_loading(new={"a": after_cursor(records, page_size=7)}, whole={"b": pages_of(records)})
    report = loading.load()
    assert not report.errors
    rows = loading.rows("a")
    assert [row["id"] for row in rows] == [str(n) for n in range(300)]
    for n in (0, 150, 299):
        assert {name for name, value in rows[n].items() if value == "v"} == {
            f"c{(n + m) % 1900}" for m in range(50)
        }
    assert loading.load().streams["b"].unchanged == 300
