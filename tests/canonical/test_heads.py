"""The cache of latest content hashes: whatever happens to its files, it says what the events say."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from resources.canonical_heads import FILES_MAX
from tests.canonical.conftest import Stage


def folder_of(stage: Stage) -> Path:
    return stage.settings.warehouse_dir / stage.tenant_id / "heads" / "shop" / "accounts" / "account"


def land_and_advance(stage: Stage, *names: str) -> tuple[int, int]:
    stage.land([{"id": str(n), "name": name} for n, name in enumerate(names)])
    (outcome,) = stage.advance().streams
    assert outcome.error is None
    return outcome.events, outcome.unchanged


def lose_all(folder: Path) -> None:
    shutil.rmtree(folder)


def lose_a_file(folder: Path) -> None:
    next(folder.glob("*.parquet")).unlink()


def lose_the_chain(folder: Path) -> None:
    (folder / "heads.json").unlink()


def spoil_the_chain(folder: Path) -> None:
    (folder / "heads.json").write_text('{"seq": "x"')


def spoil_a_file(folder: Path) -> None:
    next(folder.glob("*.parquet")).write_bytes(b"")


def leave_litter(folder: Path) -> None:
    (folder / "999-abc.parquet").write_bytes(b"half")
    (folder / "x.csv").write_bytes(b"half")


@pytest.mark.parametrize(
    "harm", [lose_all, lose_a_file, lose_the_chain, spoil_the_chain, spoil_a_file, leave_litter]
)
def test_harmed_files_are_made_anew(stage: Stage, harm: Callable[[Path], None]) -> None:
    assert land_and_advance(stage, "Ada", "Bob") == (2, 0)
    assert land_and_advance(stage, "Ada", "Eve") == (1, 1)
    harm(folder_of(stage))
    assert land_and_advance(stage, "Ada", "Eve") == (0, 2)
    assert land_and_advance(stage, "Ada", "Bob") == (1, 1)


def test_events_postgres_forgot_are_forgotten(stage: Stage) -> None:
    """As after a restore from a copy that is older than the files."""
    assert land_and_advance(stage, "Ada", "Bob") == (2, 0)
    assert land_and_advance(stage, "Ada", "Eve") == (1, 1)
    assert land_and_advance(stage, "Ada", "Eve") == (0, 2)
    stage.query_write("DELETE FROM canonical_streams WHERE data ->> 'name' = 'Eve'")
    assert land_and_advance(stage, "Ada", "Eve") == (1, 1)


def test_many_files_are_merged(stage: Stage) -> None:
    for number in range(FILES_MAX + 4):
        assert land_and_advance(stage, "same", f"Name {number}")[0] == (1 if number else 2)
        assert len(list(folder_of(stage).glob("*.parquet"))) <= FILES_MAX
    assert land_and_advance(stage, "same", f"Name {FILES_MAX + 3}") == (0, 2)


def test_events_are_read_back_once(stage: Stage) -> None:
    land_and_advance(stage, *(f"Name {n}" for n in range(50)))
    for number in range(3):
        land_and_advance(stage, f"Other {number}")
    sizes = sorted(path.stat().st_size for path in folder_of(stage).glob("*.parquet"))
    assert len(sizes) == 3
    assert sizes[0] < sizes[-1] / 2
