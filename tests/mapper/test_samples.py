"""Which loads a stream is judged by, and what of them counts."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from core.columns import DELETED, ROW
from resources.database import Database
from resources.lake import Lake, ManifestRow
from resources.loads import Load, register_load
from resources.looks import measure_looks
from resources.mapper_transforms import Looker
from resources.profiles import measure_profiles
from resources.samples import LOADS, ROWS, choose_loads, open_sample
from resources.settings import Settings


def make_load(number: int, landed: int, mode: str = "incremental") -> Load:
    return Load("shop", "orders", str(number), mode, landed, landed, 0, 1, datetime.now(UTC), None)


def write_load(file: Path, rows: dict[str, list[str]], deleted: bool = False) -> str:
    """One load's parquet; ``deleted``: its last row says that its record is gone."""
    count = len(next(iter(rows.values())))
    table = pa.table({**rows, ROW: [str(at) for at in range(count)]})
    gone = [deleted and at == count - 1 for at in range(count)]
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table.append_column(DELETED, pa.array(gone)), file)
    return str(file)


def test_the_newest_loads_are_taken_until_they_are_enough() -> None:
    loads = [make_load(9, 10), make_load(8, ROWS), make_load(7, ROWS)]
    assert [one.load_id for one in choose_loads(loads)] == ["9", "8"]
    assert choose_loads([]) == []


def test_a_snapshot_holds_all_there_is() -> None:
    loads = [make_load(9, 3), make_load(8, 20, "snapshot"), make_load(7, 30, "snapshot")]
    assert [one.load_id for one in choose_loads(loads)] == ["9", "8"]


def test_small_deltas_do_not_hide_the_large_load_before_them() -> None:
    deltas = [make_load(90 - at, 1) for at in range(LOADS)]
    older = [make_load(50, 2), make_load(40, 400), make_load(30, 2)]
    chosen = [one.load_id for one in choose_loads([*deltas, *older])]
    assert chosen == [*(one.load_id for one in deltas), "40"]


def test_loads_that_brought_no_record_are_passed_over() -> None:
    loads = [make_load(9, 0, "snapshot"), make_load(8, 5, "deletions"), make_load(7, 5)]
    assert [one.load_id for one in choose_loads(loads)] == ["7"]


def test_records_that_came_again_count_once_and_deleted_ones_not(tmp_path: Path) -> None:
    first = write_load(tmp_path / "1.parquet", {"id": ["a", "b", "c"], "city": ["x", "x", "x"]})
    again = write_load(tmp_path / "2.parquet", {"id": ["c", "d"], "city": ["x", "x"]}, deleted=True)
    with duckdb.connect() as db:
        assert open_sample(db, [again, first], ROWS) == ["id", "city"]
        assert db.execute("SELECT id FROM sample ORDER BY id").fetchall() == [("a",), ("b",), ("c",)]
    found = measure_profiles([again, first], ["id", "city"])
    assert (found["id"].count, found["id"].unique, found["city"].null) == (3, 1.0, 0.0)


def test_nothing_is_seen_of_nothing(tmp_path: Path) -> None:
    only = tmp_path / "only.parquet"
    pq.write_table(pa.table({ROW: ["0"]}), only)
    with duckdb.connect() as db:
        assert open_sample(db, [], ROWS) == open_sample(db, [str(only)], ROWS) == []
    assert measure_profiles([str(only)], ["id"]) == measure_profiles([], ["id"]) == {}
    assert measure_looks([], {"id": "time"}) == {}


def test_a_field_is_judged_by_what_its_source_writes_today(
    database: Database, tenant: str, settings: Settings
) -> None:
    """The first load wrote days; since then the source counts seconds, and has a new field."""
    lake = Lake(settings)
    loads = {
        "1763000001.5": {"paid": ["2024-01-31", "2024-02-01"]},
        "1763000002.5": {"paid": ["1700000000"] * ROWS, "rate": ["0.5"] * ROWS},
    }
    for load_id, rows in loads.items():
        write_load(Path(settings.lake) / tenant / "shop" / "orders" / f"{load_id}.abc.parquet", rows)
        count = len(rows["paid"])
        row = ManifestRow("orders", "incremental", count, count, 0, False, "[]", "{}")
        with database.tenant(tenant) as conn:
            register_load(conn, tenant, "shop", load_id, row, 1)
    looker = Looker(database, lake, tenant)
    files = looker.list_files(("shop", "orders"))
    assert [Path(file).name for file in files] == ["1763000002.5.abc.parquet"]
    look = looker.look(("shop", "orders"), {"paid": "time"})["paid"]
    assert look.times is not None
    assert look.times["epoch_s"] == 1.0
    assert measure_profiles(files, ["rate"])["rate"].fraction == 1.0
    assert Looker(database, lake, "t-nobody").list_files(("shop", "orders")) == []
