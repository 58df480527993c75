"""Value profiles: shares only."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.mapper.proposal import find_source
from core.names import format_path
from resources.looks import measure_looks
from resources.profiles import measure_profiles

SECRET = "canary-7f3a@secret.example"


def test_patterns_are_counted_and_no_value_is_kept(tmp_path: Path) -> None:
    n = 100
    table = pa.table(
        {
            "mail": [SECRET] * 90 + [None] * 10,
            'odd "name".x': [str(i) for i in range(n)],
            "at": ["2024-01-01T00:00:00Z"] * n,
            "epoch": ["1700000000"] * n,
            "inner": [json.dumps({"url": "https://x.example/a", 'k"q': "DE"})] * 99 + ["{broken"],
            "empty": [None] * n,
            "flag": ["true", "false"] * 50,
        }
    )
    file = tmp_path / "it's.parquet"
    pq.write_table(table, file)
    paths = ["mail", '"odd ""name"".x"', "at", "epoch", "inner.url", "empty", "flag", "nope", "tags.*"]
    found = measure_profiles([str(file)], paths)
    assert set(found) == set(paths) - {"nope", "tags.*"}
    assert (found["mail"].email, found["mail"].null) == (1.0, 0.1)
    assert found['"odd ""name"".x"'].unique > 0.9
    assert found["at"].datetime == 1.0
    assert (found["epoch"].epoch, found["epoch"].length) == (1.0, 10.0)
    assert (found["inner.url"].url, found["inner.url"].null) == (1.0, 0.01)
    assert found["empty"].null == 1.0
    assert found["flag"].boolean == 1.0
    assert SECRET not in json.dumps([one.to_json() for one in found.values()])


@pytest.mark.parametrize(
    "key", ["a\\", 'a"b', "a.b", "a/b", "~1", "", "0", "*b", "a[0]", "$", "#", "it's", "\n"]
)
def test_any_key_of_a_nested_value_can_be_looked_at(tmp_path: Path, key: str) -> None:
    file = str(tmp_path / "load.parquet")
    pq.write_table(pa.table({"inner": [json.dumps({key: "word", key + "x": "other"})]}), file)
    path = format_path(("inner", key))
    assert measure_profiles([file], [path])[path].length == 4
    assert measure_looks([file], {path: "category"})[path].categories == ("word",)


@pytest.mark.parametrize("name", ["a.*.b", "*", 'x".*."'])
def test_a_column_with_a_star_in_its_name_is_no_list(name: str) -> None:
    assert find_source(format_path((name,))) == format_path((name,))
    assert find_source(format_path((name, "*", "b"))) == format_path((name, 0, "b"))


def test_one_value_in_thousands_is_seen(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": ["a", *([None] * 4_999)]}), tmp_path / "load.parquet")
    (found,) = measure_profiles([str(tmp_path / "load.parquet")], ["x"]).values()
    assert found.null == 1.0
    assert not found.is_empty


def test_days_and_times_in_any_usual_spelling(tmp_path: Path) -> None:
    days = ["2024-01-31", "31/01/2024", "1.2.2024", "1/31/24", "20240131", "31-Jan-2024", "January 31, 2024"]
    times = [
        "2024-01-31T10:00:00Z",
        "31/01/2024 10:00",
        "1/31/2024 5:06 PM",
        "Wed, 31 Jan 2024 10:00:00 +0000",
    ]
    others = ["1.2.24", "99999999", "12-34", "may 5", "10.0.0.1", "2024-1"]
    columns = {"day": days, "at": times, "no": others}
    table = pa.table({name: pa.array((values * 7)[:7]) for name, values in columns.items()})
    pq.write_table(table, tmp_path / "load.parquet")
    found = measure_profiles([str(tmp_path / "load.parquet")], ["day", "at", "no"])
    assert (found["day"].date, found["day"].datetime) == (1.0, 0.0)
    assert (found["at"].date, found["at"].datetime) == (0.0, 1.0)
    assert (found["no"].date, found["no"].datetime) == (0.0, 0.0)
