"""A stream whose config names no entity: once a person confirms it, each sync fills it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Aos

TENANT = "cardbox-tenant"
CONFIG = """
connector: cardbox
title: Card box
kind: files
auth: {type: none}
streams:
  invoices:
    primary_key: [id]
    files: {pattern: "invoices*.csv", format: csv}
"""
HEADER = "id,invoice_number,invoice_date,due_date,total_amount,currency_code\n"


@pytest.fixture
def export(aos: Aos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "cardbox.yaml").write_text(CONFIG)
    monkeypatch.setenv("AOS_CONFIG_PATHS", str(tmp_path))
    folder = tmp_path / "export"
    folder.mkdir()
    write(folder, 1)
    assert aos("tenant", "add", TENANT).code == 0
    added = aos("connection", "add", TENANT, "cardbox", "--option", f"path={folder}")
    assert added.code == 0, added.err
    return folder


def write(folder: Path, number: int) -> None:
    rows = [f"{number}{n:02},R-{n},2024-02-{n:02},2024-03-{n:02},{n}.50,EUR\n" for n in range(1, 29)]
    (folder / f"invoices{number}.csv").write_text(HEADER + "".join(rows))


def count(aos: Aos) -> int:
    (row,) = aos("query", TENANT, "select count(*) as n from invoice", "--json").json
    return int(row["n"])


def test_confirmed_once_every_sync_fills_it(aos: Aos, export: Path) -> None:
    first = aos("sync", TENANT)
    assert first.code == 0, first.err
    (guess,) = aos("mapping", "entity", TENANT, "--json").json
    assert (guess["entity"], guess["status"]) == ("invoice", "proposed")
    assert aos("mapping", "entity", TENANT, "cardbox", "invoices", "invoice", "--json").code == 0
    proposed = aos("mapping", "propose", TENANT, "--json").json
    assert proposed["applied"] >= 4, proposed
    assert count(aos) == 28, "what had landed before is taken with the first set"
    write(export, 2)
    second = aos("sync", TENANT)
    assert second.code == 0, second.err
    assert count(aos) == 56
