"""The DuckDB of the canonical step: reading a lake by URL, spilling, cleaning up after the killed."""

from __future__ import annotations

from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from resources.canonical_engine import open_engine, open_load
from resources.settings import Settings, load_settings


def make_settings(tmp_path: Path, lake_url: str) -> Settings:
    return load_settings(home=tmp_path, lake_url=lake_url, database_url=None)


def test_a_lake_by_url_is_read_through_fsspec(tmp_path: Path) -> None:
    with fsspec.open("memory://lake/acme/one.parquet", "wb") as file:
        pq.write_table(pa.table({"id": ["1", "2"], "_aos_row": ["0", "1"]}), file)
    with open_engine(make_settings(tmp_path, "memory://lake")) as engine:
        assert open_load(engine, ["memory://lake/acme/one.parquet"]) == ["id", "_aos_row"]
        assert engine.execute("SELECT count(*) FROM load").fetchall() == [(2,)]


def test_files_with_different_columns_are_one_load(tmp_path: Path) -> None:
    paths = [str(tmp_path / f"{name}.parquet") for name in "ab"]
    pq.write_table(pa.table({"id": ["1"], "b": ["x"]}), paths[0])
    pq.write_table(pa.table({"id": ["2"], "a": ["y"]}), paths[1])
    with open_engine(make_settings(tmp_path, str(tmp_path))) as engine:
        assert open_load(engine, paths) == ["id", "b", "a"]
        assert sorted(engine.execute("SELECT * FROM load").fetchall()) == [("1", "x", None), ("2", None, "y")]


def test_no_files_are_an_empty_load(tmp_path: Path) -> None:
    with open_engine(make_settings(tmp_path, str(tmp_path))) as engine:
        open_load(engine, [])
        assert engine.execute("SELECT count(*) FROM load").fetchall() == [(0,)]


def test_what_the_killed_left_is_removed(tmp_path: Path) -> None:
    spill = tmp_path / "spill"
    left, running = spill / "canonical-999999999-x", spill / "canonical-1-x"
    for folder in (left, running):
        folder.mkdir(parents=True)
    with open_engine(make_settings(tmp_path, str(tmp_path))):
        assert len(list(spill.iterdir())) == 2
        assert not left.exists()
    assert list(spill.iterdir()) == [running]
