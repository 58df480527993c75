"""Killed anywhere and run again: every record is in exactly one load that counts, settled exactly once."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from resources.connections import add_connection
from resources.connectors.base import KINDS
from resources.database import Database
from resources.lake import Lake
from resources.loads import list_loads, list_quarantine
from resources.schema_versions import list_drift, list_versions
from resources.secrets import SecretStore
from resources.settings import Settings, child_environment
from tests.loader.conftest import Loading
from tests.loader.crashing import CONNECTOR, POINTS, build_source_of
from tests.loader.fake_kind import SOURCES, FakeSource

pytestmark = pytest.mark.crash

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def loading(settings: Settings, database: Database, tenant: str, monkeypatch: pytest.MonkeyPatch) -> Loading:
    monkeypatch.setitem(KINDS, "rest", "tests.loader.fake_kind")
    spec, _ = build_source_of(0)
    secrets = SecretStore(database, settings)
    add_connection(
        database, secrets, tenant, spec, credentials={}, base_url="http://shop.example", actor="tester"
    )
    return Loading(settings, database, tenant, spec, FakeSource())


@pytest.fixture
def start(loading: Loading, project_root: Path) -> Start:
    def run(count: int, point: str) -> subprocess.Popen[str]:
        arguments = [str(loading.settings.home), loading.tenant_id, str(count), point]
        return subprocess.Popen(
            [sys.executable, "-m", "tests.loader.crashing", *arguments],
            cwd=project_root,
            env=child_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return run


def load_again(loading: Loading, count: int) -> None:
    _, SOURCES[loading.tenant_id, CONNECTOR] = build_source_of(count)
    assert loading.load().errors == {}


def finish(process: subprocess.Popen[str]) -> None:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err[-3000:]
    assert out.splitlines()[-1] == "{}"


def check_exactly_once(loading: Loading, count: int) -> None:
    rows = Counter(row["id"] for row in loading.rows("grows"))
    assert rows == Counter({str(n): 1 for n in range(1, count)})
    whole = {row["id"] for row in loading.rows("whole")}
    assert whole == {str(n) for n in range(count // 2)}
    marked = set(loading.lake.loads(loading.tenant_id, CONNECTOR))
    loads = list_loads(loading.db, loading.tenant_id)
    assert {one.load_id for one in loads} == marked
    per_stream = Counter(one.stream for one in loads for _ in range(one.landed))
    assert per_stream["grows"] == count - 1
    refused = list_quarantine(loading.db, loading.tenant_id, limit=1000)
    assert len(refused) == sum(one.quarantined for one in loads)
    assert [one.version for one in list_versions(loading.db, loading.tenant_id, CONNECTOR, "grows")] == [1]
    assert list_drift(loading.db, loading.tenant_id) == []


DEADLY = [name for name in POINTS if name not in ("nowhere", "on_a_full_disk")]


@pytest.mark.parametrize("point", DEADLY)
def test_killed_at_a_point_then_run_again(loading: Loading, start: Start, point: str) -> None:
    process = start(2_000, point)
    _, err = process.communicate(timeout=120)
    assert process.returncode == -9, f"it should have died {point}: {err[-3000:]}"
    load_again(loading, 2_000)
    check_exactly_once(loading, 2_000)
    place = Path(loading.settings.lake) / loading.tenant_id / CONNECTOR
    done = Lake(loading.settings).loads(loading.tenant_id, CONNECTOR)
    for path in place.glob("[!_]*/*.parquet"):
        assert any(path.name.startswith(f"{load_id}.") for load_id in done), (
            "files of a dead load are removed"
        )


def test_a_full_disk_is_one_clear_error_and_the_next_load_is_exact(loading: Loading, start: Start) -> None:
    process = start(2_000, "on_a_full_disk")
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "StorageUnavailable: " in err.splitlines()[-1]
    assert "File too large" in err.splitlines()[-1]
    assert loading.rows("grows") == []
    load_again(loading, 2_000)
    check_exactly_once(loading, 2_000)


def test_killed_in_a_later_load(loading: Loading, start: Start) -> None:
    load_again(loading, 1_000)
    for point in ("before_marker", "in_the_state", "before_settling"):
        start(2_000, point).communicate(timeout=120)
    load_again(loading, 2_000)
    rows = Counter(row["id"] for row in loading.rows("grows"))
    assert rows == Counter({str(n): 1 for n in range(1, 2_000)})


def test_killed_at_random_moments(loading: Loading, start: Start) -> None:
    moments = random.Random(7)
    count = 0
    for _ in range(5):
        count += 1_000
        process = start(count, "nowhere")
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(moments.uniform(0.0, 1.2))
        process.kill()
        process.communicate(timeout=60)
    load_again(loading, count)
    check_exactly_once(loading, count)


def test_two_processes_load_one_connection(loading: Loading, start: Start) -> None:
    both = [start(3_000, "nowhere"), start(3_000, "nowhere")]
    for process in both:
        finish(process)
    check_exactly_once(loading, 3_000)
