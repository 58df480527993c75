"""Several loads at once, and what a load leaves on the machine."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from core.errors import LockBusy, StorageUnavailable
from resources.connectors.base import Page
from resources.loads import list_loads
from resources.settling import settle_loads
from tests.loader.fake_kind import after_cursor, pages_of


def test_eight_connections_load_at_once_without_mixing(make_loading: Any) -> None:
    def build(number: int) -> Any:
        records = [{"id": n, "n": n, f"only_{number}": number} for n in range(40)]
        return make_loading(
            f"c{number}", new={"a": after_cursor(records, 5)}, whole={"b": pages_of(records[:number])}
        )

    loadings = [build(number) for number in range(8)]
    for _ in range(2):
        with ThreadPoolExecutor(8) as pool:
            reports = list(pool.map(lambda loading: loading.load(), loadings))
        assert [report.errors for report in reports] == [{}] * 8
    for number, loading in enumerate(loadings):
        assert {row[f"only_{number}"] for row in loading.rows("a")} == {str(number)}
        assert len(loading.rows("a")) == 40
        assert len(loading.rows("b")) == number
        assert len(loading.lake.loads(loading.tenant_id, f"c{number}")) == 1


def test_one_connection_is_loaded_by_one_at_a_time(make_loading: Any) -> None:
    reading, go_on = Event(), Event()

    def slow(state: dict[str, Any]) -> Iterator[Page]:
        reading.set()
        assert go_on.wait(60)
        yield Page([{"id": 1}])

    loading = make_loading(whole={"a": slow})
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(loading.load)
        assert reading.wait(60)
        busy = loading.settings.model_copy(update={"lock_wait_s": 0.2})
        db_wait = loading.db._settings
        loading.db._settings = busy
        try:
            with pytest.raises(LockBusy, match="another process works on"):
                loading.load()
        finally:
            loading.db._settings = db_wait
            go_on.set()
        assert first.result().streams["a"].landed == 1


def test_nothing_is_left_in_the_working_folder(make_loading: Any) -> None:
    loading = make_loading(whole={"a": pages_of([{"id": 1}])})
    loading.load()
    assert not list((loading.settings.home / "work").glob(f"{loading.tenant_id}*"))


def test_a_bug_in_a_kind_is_raised_and_leaves_nothing(make_loading: Any) -> None:
    def broken(state: dict[str, Any]) -> Iterator[Page]:
        yield Page([{"id": 1}])
        raise ZeroDivisionError("a bug")

    loading = make_loading(whole={"a": broken})
    with pytest.raises(Exception, match="a bug"):
        loading.load()
    assert loading.lake.loads(loading.tenant_id, "shop") == []
    assert not list((loading.settings.home / "work").glob(f"{loading.tenant_id}*"))
    loading.source.streams["a"] = pages_of([{"id": 1}])
    assert loading.load().streams["a"].landed == 1


def test_a_lake_that_cannot_be_written_is_one_clear_error(make_loading: Any) -> None:
    loading = make_loading(whole={"a": pages_of([{"id": 1}])})
    blocked = Path(loading.settings.lake) / loading.tenant_id
    blocked.parent.mkdir(exist_ok=True)
    blocked.write_text("a file where a folder should be")
    with pytest.raises(StorageUnavailable, match="lake"):
        loading.load()
    blocked.unlink()
    assert loading.load().streams["a"].landed == 1


def test_settling_again_changes_nothing(make_loading: Any) -> None:
    loading = make_loading(whole={"a": pages_of([{"id": 1}, {"id": None}])})
    loading.load()
    before = list_loads(loading.db, loading.tenant_id)
    assert settle_loads(loading.db, loading.lake, loading.tenant_id, "shop") == []
    assert list_loads(loading.db, loading.tenant_id) == before


def test_a_load_may_be_run_by_another_runner(make_loading: Any) -> None:
    """As dagster-dlt does it: drop the pipeline's local state, run a subset of the source's resources."""
    people = [{"id": 1, "n": 1}]
    loading = make_loading(new={name: after_cursor(people) for name in "abc"})

    def run(source: Any, pipeline: Any) -> None:
        pipeline.drop()
        pipeline.run(source.with_resources("a")).raise_on_failed_jobs()

    report = loading.load(run=run, streams=["a", "b"])
    assert report.streams["a"].landed == 1
    assert report.errors == {"b": "b was read, but not landed"}
    people.append({"id": 2, "n": 2})
    assert loading.load(run=run, streams=["a"]).streams["a"].landed == 1
    assert loading.load().streams["b"].landed == 2


def test_a_run_with_nothing_new_does_not_run_the_pipeline(make_loading: Any) -> None:
    people = [{"id": 1, "n": 1}]
    loading = make_loading(new={"a": after_cursor(people)}, whole={"b": pages_of(people)})
    calls: list[Any] = []
    loading.load()
    loading.load(run=lambda source, pipeline: calls.append(source))
    assert calls == []
