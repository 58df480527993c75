"""Killed at any moment, or two at once: readers see whole states only, and nothing is lost or doubled."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pytest
from sqlalchemy import text

from core.errors import LockBusy
from core.ontology import Ontology
from resources.database import Database
from resources.query import run_query
from resources.settings import Settings, child_environment
from resources.warehouse import advance_views
from tests.warehouse.conftest import Advance, Event, Writer
from tests.warehouse.test_views import read

ADVANCE = """
import resource
import sys
from pathlib import Path
from core.ontology import load_ontology
from resources.database import Database
from resources.settings import load_settings
from resources.warehouse import advance_views
settings = load_settings(home=Path(sys.argv[1]))
database = Database.open(settings)
print("ready", flush=True)
sys.stdin.readline()
exec(sys.argv[3])
advance_views(database, settings, load_ontology(), sys.argv[2])
print("done", flush=True)
"""

MANY = text(
    """
    INSERT INTO canonical_streams (tenant_id, event_id, entity, connector, stream, record_id, op, data,
                                   content_hash, set_id, load_id)
    SELECT :tenant, gen_random_uuid(), 'account', 'hubspot', 'companies', 'r' || n, 'upsert',
           jsonb_build_object('name', CAST(:name AS text)), '', gen_random_uuid(), '1'
    FROM generate_series(1, :count) n
    """
)


def write_many(database: Database, tenant: str, count: int, name: str) -> None:
    with database.tenant(tenant) as conn:
        conn.execute(MANY, {"tenant": tenant, "count": count, "name": name})


def start_advance(settings: Settings, tenant: str, first: str = "") -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", ADVANCE, str(settings.home), tenant, first],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=child_environment() | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.crash
@pytest.mark.parametrize("delay_s", [0.01, 0.05, 0.1, 0.2, 0.4, 0.8])
def test_killed_while_advancing_the_old_file_stays_and_the_next_run_is_exact(
    database: Database, settings: Settings, tenant: str, advance: Advance, delay_s: float
) -> None:
    write_many(database, tenant, 1000, "old")
    path = advance().path
    write_many(database, tenant, 20_000, "new")
    process = start_advance(settings, tenant)
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    time.sleep(delay_s)
    process.kill()
    process.wait()
    sql = "SELECT name, count(*) FROM account GROUP BY 1 ORDER BY 1"
    assert read(path, sql) in ([("old", 1000)], [("new", 20_000)])
    advance()
    assert read(path, sql) == [("new", 20_000)]
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_readers_see_whole_publications_only(
    database: Database, settings: Settings, tenant: str, advance: Advance
) -> None:
    """Each publication renames all records; a reader that saw two names saw half of one."""
    write_many(database, tenant, 500, "0")
    path = advance().path
    stop, seen, problems = threading.Event(), set[str](), list[object]()

    def look(ask: str) -> None:
        sql = "SELECT count(*), count(DISTINCT name), max(name) FROM account"
        while not stop.is_set():
            try:
                rows = read(path, sql) if ask == "file" else run_query(settings, tenant, sql).rows
            except (duckdb.Error, OSError) as error:
                problems.append(error)
                return
            if rows[0][:2] != (500, 1):
                problems.append(rows)
            seen.add(str(rows[0][2]))

    with ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(look, kind) for kind in ("file", "query")]
        for n in range(1, 21):
            write_many(database, tenant, 500, str(n))
            assert advance().views["account"].rows == 500
        stop.set()
        for reader in readers:
            reader.result()
    assert problems == []
    assert len(seen) > 2
    assert read(path, "SELECT DISTINCT name FROM account") == [("20",)]


def test_two_builders_at_once_take_turns(
    database: Database, settings: Settings, ontology: Ontology, tenant: str
) -> None:
    write_many(database, tenant, 3000, "x")
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(advance_views, database, settings, ontology, tenant) for _ in range(2)]
        reports = [future.result() for future in both]
    assert sorted(report.views["account"].new_events for report in reports) == [0, 3000]
    assert sorted(report.published for report in reports) == [False, True]


def test_a_builder_that_may_not_wait_says_who_holds_the_lock(
    database: Database, settings: Settings, ontology: Ontology, tenant: str
) -> None:
    hasty = settings.model_copy(update={"lock_wait_s": 0.0})
    impatient = Database.open(hasty)
    try:
        with database.lock(tenant, "views"), pytest.raises(LockBusy, match="views"):
            advance_views(impatient, hasty, ontology, tenant)
    finally:
        impatient.close()


def test_a_full_disk_leaves_the_old_file(
    database: Database, settings: Settings, tenant: str, advance: Advance, write_events: Writer
) -> None:
    write_events([Event("old", {"name": "a"})])
    path = advance().path
    write_many(database, tenant, 20_000, "new")
    process = start_advance(settings, tenant, "resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))")
    _, said = process.communicate("go\n")
    assert process.returncode == 1
    assert "StorageUnavailable" in said
    assert "stay as they are" in said
    assert read(path, "SELECT name FROM account") == [("a",)]
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    assert advance().views["account"].rows == 20_001
