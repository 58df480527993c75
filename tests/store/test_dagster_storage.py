"""Dagster's own tables live in the same server, out of the application's reach."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from dagster import DagsterEvent, DagsterEventType, EventLogEntry
from dagster._core.storage.dagster_run import DagsterRun, RunsFilter
from dagster_postgres import PostgresEventLogStorage, PostgresRunStorage, PostgresScheduleStorage
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from resources.database import Database
from resources.rls import find_offences
from resources.settings import Settings


@pytest.fixture(params=["embedded", "given"])
def any_database(
    request: pytest.FixtureRequest, database: Database, empty_database: Settings
) -> Iterator[Database]:
    """The embedded server's database, and one given by URL."""
    if request.param == "embedded":
        yield database
        return
    given = Database.open(empty_database)
    yield given
    given.close()


def test_the_three_storages_work_in_their_schema(any_database: Database) -> None:
    url = any_database.dagster_url
    runs = PostgresRunStorage(url)
    run = runs.add_run(DagsterRun(job_name="sync", tags={"tenant": "acme"}))
    assert runs.get_runs(RunsFilter(run_ids=[run.run_id])) == [run]
    events, schedules = PostgresEventLogStorage(url), PostgresScheduleStorage(url)
    assert events.get_logs_for_run(run.run_id) == []
    assert schedules.all_instigator_state(repository_selector_id="nobody") == []
    with any_database.owner() as conn:
        query = (
            "SELECT table_schema FROM information_schema.tables WHERE table_name IN ('runs', 'event_logs')"
        )
        assert set(conn.execute(text(query)).scalars()) == {"dagster"}
        assert find_offences(conn) == []
    for storage in (runs, events, schedules):
        storage.dispose()


def test_events_are_announced(database: Database) -> None:
    storage = PostgresEventLogStorage(database.dagster_url)
    run = DagsterRun(job_name="sync")
    seen = threading.Event()
    storage.watch(run.run_id, None, lambda *_: seen.set())
    event = DagsterEvent(DagsterEventType.RUN_START.value, "sync")
    entry = EventLogEntry(  # type: ignore[no-untyped-call]
        error_info=None, level=10, user_message="", run_id=run.run_id, timestamp=0.0, dagster_event=event
    )
    storage.store_event(entry)
    assert seen.wait(10)
    storage.end_watch(run.run_id, lambda *_: None)
    storage.dispose()


def test_the_application_cannot_read_it(database: Database, tenant: str) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"), database.tenant(tenant) as conn:
        conn.execute(text("SELECT * FROM dagster.runs"))
