"""Killed at any point and run again: nothing lost, nothing doubled; and two processes at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.canonical.conftest import Stage, with_stream

pytestmark = pytest.mark.crash

POINTS = [
    "resources.canonical_load/open_load:before",
    "psycopg/Copy/write:1",
    "psycopg/Copy/write:2",
    "resources.canonical_load/copy_events:1",
    "resources.canonical_load/copy_refused:1",
    "resources.canonical_absent/copy_events:1",
    "resources.canonical_load/_mark_consumed:1",
    "resources.canonical_load/_mark_consumed:2",
    "resources.locks/HeldLock/verify:1",
    "resources.canonical/_add:1",
    "resources.canonical/_add:2",
    "resources.canonical_heads/_write_parquet:1",
    "resources.canonical_heads/_write_chain:1",
    "resources.canonical_heads/_write_chain:2",
    "resources.canonical_heads/Heads/_tidy:before",
]


def run(stage: Stage, point: str, root: Path) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-m",
        "tests.canonical.crashing",
        str(stage.settings.home),
        stage.tenant_id,
        point,
    ]
    return subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


MANY = 6_000
FINAL = """
    SELECT op, count(*), count(DISTINCT record_id), count(DISTINCT event_id)
    FROM canonical_streams GROUP BY op ORDER BY op
"""


def land_history(stage: Stage) -> None:
    names: list[dict[str, str | None]] = [{"id": str(n), "name": f"Name {n}"} for n in range(MANY)]
    stage.land(names, mode="snapshot")
    rest = [row for number, row in enumerate(names) if number % 10]
    stage.land([*rest, {"id": "new", "name": "New"}, {"id": "bad", "revenue": "x"}], mode="snapshot")
    stage.land(names[:1], mode="snapshot")


@pytest.mark.parametrize("point", POINTS)
def test_killed_and_run_again_completes_exactly(stage: Stage, project_root: Path, point: str) -> None:
    stage = with_stream(stage, deletion={"type": "snapshot"})
    land_history(stage)
    killed = run(stage, point, project_root)
    _, errors = killed.communicate(timeout=120)
    assert killed.returncode == -9, errors
    assert stage.advance().errors == ()
    check_history(stage)


def check_history(stage: Stage) -> None:
    tenth = MANY // 10
    assert stage.query(FINAL) == [
        ("delete", MANY + 1, MANY + 1, MANY + 1),
        ("upsert", MANY + 2, MANY + 1, MANY + 2),
    ]
    assert stage.query("SELECT record_id FROM quarantine") == [("bad",)]
    sums = stage.query("SELECT landed, events, unchanged, refused, deleted FROM loads ORDER BY load_id")
    assert sums == [
        (MANY, MANY, 0, 0, 0),
        (MANY - tenth + 2, 1, MANY - tenth, 1, tenth),
        (1, 1, 0, 0, MANY - tenth + 1),
    ]
    assert stage.query("SELECT count(*) FROM loads WHERE consumed_at IS NULL") == [(0,)]


def test_two_processes_at_once_do_the_work_once(stage: Stage, project_root: Path) -> None:
    stage = with_stream(stage, deletion={"type": "snapshot"})
    land_history(stage)
    both = [run(stage, "none", project_root) for _ in range(2)]
    outputs = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert sorted(int(said.splitlines()[-1]) for said, _ in outputs) == [0, 2 * MANY + 3]
    check_history(stage)
