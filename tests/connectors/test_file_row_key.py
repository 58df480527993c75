"""Rows without a key of their own get one from their content."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from core.config_reader import read_config
from resources.connectors.base import Page, SourceContext, open_reader
from resources.connectors.file_row_key import RowKeys

CONFIG = """
connector: cost
title: Cost
kind: files
streams:
  lines:
    primary_key: [_row_key]
    files: {{pattern: "*.{suffix}", row_key: _row_key}}
    deletion: {{type: snapshot}}
"""


def read_rows(folder: Path, suffix: str) -> list[dict[str, Any]]:
    spec = read_config(CONFIG.format(suffix=suffix), "cost.yaml")
    reader = open_reader(SourceContext("acme", spec, options={"path": str(folder)}))
    rows: list[dict[str, Any]] = []
    for page in reader.read("lines", {}):
        rows += page.records.to_pylist() if isinstance(page.records, pa.Table) else page.records
    return rows


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_equal_rows_are_told_apart_and_keys_stay(tmp_path: Path, suffix: str) -> None:
    csv = "account,cost\n1,5\n1,5\n2,\n"
    jsonl = '{"account": 1, "cost": 5}\n{"account": 1, "cost": 5}\n{"account": 2, "cost": null}\n'
    (tmp_path / f"a.{suffix}").write_text(csv if suffix == "csv" else jsonl)
    keys = [row["_row_key"] for row in read_rows(tmp_path, suffix)]
    assert len(set(keys)) == 3
    assert keys[1] == f"{keys[0]}-2"
    assert [row["_row_key"] for row in read_rows(tmp_path, suffix)] == keys


def test_a_changed_row_is_another_row(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("account,cost\n1,5\n2,6\n")
    before = [row["_row_key"] for row in read_rows(tmp_path, "csv")]
    (tmp_path / "a.csv").write_text("account,cost\n1,5\n2,7\n")
    after = [row["_row_key"] for row in read_rows(tmp_path, "csv")]
    assert before[0] == after[0]
    assert before[1] != after[1]


def test_the_order_of_columns_does_not_matter_but_names_and_nulls_do() -> None:
    def key(columns: dict[str, list[str | None]]) -> str:
        page = Page(pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()}))
        RowKeys("k").add_to(page)
        return str(page.records.to_pylist()[0]["k"])  # type: ignore[union-attr]

    assert key({"a": ["1"], "b": ["2"]}) == key({"b": ["2"], "a": ["1"]})
    assert len({key({"a": ["1"]}), key({"b": ["1"]}), key({"a": [None]}), key({"a": [""]})}) == 4
