"""A steward's first hour with a vendor nobody knows: from files to published sets, by the commands alone."""

from __future__ import annotations

import csv
import datetime as dt
from pathlib import Path

import pytest

from tests.cli.conftest import Aos

TENANT = "atlas-tenant"
CONFIG = """
connector: atlas
title: Atlas
kind: files
auth: {type: none}
streams:
  people:
    entity: contact
    primary_key: [PersonNo]
    files: {pattern: "people*.csv", format: csv}
  deals:
    entity: opportunity
    primary_key: [DealRef]
    files: {pattern: "deals*.csv", format: csv}
"""
PEOPLE = ["PersonNo", "GivenName", "FamilyName", "EMailAddr", "OptedOut", "LastTouched"]
DEALS = ["DealRef", "Headline", "ValueCents", "Ccy", "State", "ExpectedClose", "PersonNo", "Gizmo"]
STATES = ("Open", "Closed Won", "Closed Lost")


def write_vendor(folder: Path) -> None:
    """The vendor's export: names of its own, day-first dates, cents, stages in words."""
    folder.mkdir(exist_ok=True)
    with (folder / "people.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(PEOPLE)
        for n in range(60):
            name = ("Ada", "Lovelace", f"ada{n}@example.com")
            rows.writerow([f"P{n:03}", *name, "NY"[n % 2], 1_700_000_000 + n * 86_400])
    with (folder / "deals.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(DEALS)
        for n in range(40):
            day = dt.date(2024, 1, 1) + dt.timedelta(days=5 * n)
            facts = [f"D-{n:03}", f"Deal {n}", 199_900 + n, "EUR", STATES[n % 3]]
            rows.writerow([*facts, f"{day:%d/%m/%Y}", f"P{n:03}", f"g{n * 37 % 97}"])


@pytest.fixture
def atlas(aos: Aos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "atlas.yaml").write_text(CONFIG)
    monkeypatch.setenv("AOS_CONFIG_PATHS", str(tmp_path))
    monkeypatch.setenv("AOS_ACTOR", "ada")
    write_vendor(tmp_path / "export")
    assert aos("tenant", "add", TENANT).code == 0
    added = aos("connection", "add", TENANT, "atlas", "--option", f"path={tmp_path / 'export'}")
    assert added.code == 0, added.err
    return TENANT


def test_from_files_to_published_sets(aos: Aos, atlas: str) -> None:
    synced = aos("sync", atlas)
    assert "without a mapping: aos mapping review" in synced.out, synced.out + synced.err
    pending = {one["field"]: one for one in aos("mapping", "review", atlas, "--json").json}
    # what is clear is applied; what has two readings waits with its reason
    assert {"State", "name=GivenName+FamilyName", "Headline", "Gizmo"} <= set(pending)
    assert "those of status" in pending["State"]["doubt"]
    assert "3 categories" in pending["State"]["values"]
    shown = aos("mapping", "show", atlas, "atlas", "deals", "--json").json
    applied = {one["target"]: one for one in shown["mappings"]}
    assert applied["id"]["sources"] == ["DealRef"]
    assert shown["profiles"]["ExpectedClose"]["as %d/%m/%Y"] == 1.0
    explained = aos("mapping", "explain", atlas, "atlas", "deals", "ExpectedClose", "--json").json["proposal"]
    assert (explained["target"], explained["args"]) == ("close_date", {"format": "%d/%m/%Y"})

    said = []
    for field, words in {
        "State": ["--target", "status"],
        "Headline": ["--target", "name"],
        "ValueCents": ["--target", "amount"],
    }.items():
        said.append(aos("mapping", "approve", atlas, "atlas", "deals", field, *words, "--json"))
    assert {one.code for one in said} == {0}, [one.err for one in said]
    assert aos("mapping", "reject", atlas, "atlas", "deals", "Gizmo", "--no-counterpart").code == 0
    # the rest of both streams by keys: accept what is proposed, else it has no counterpart
    left = aos("mapping", "review", atlas, "--json").json
    done = aos(
        "mapping",
        "review",
        atlas,
        "--unknown",
        stdin="".join("a\n" if one["target"] else "r\n" for one in left),
    )
    assert "0 left for later" in done.out, done.out

    asked = "select name, amount, currency, status, close_date from opportunity order by id limit 2"
    (first, second) = aos("query", atlas, asked, "--json").json
    assert (first["name"], float(first["amount"]), first["status"]) == ("Deal 0", 1999.0, "open")
    assert (second["status"], second["close_date"]) == ("won", "2024-01-06")
    people = aos("query", atlas, "select name, email from contact order by id limit 1", "--json").json
    assert people == [{"name": "Ada Lovelace", "email": "ada0@example.com"}]
    assert aos("mapping", "propose", atlas, "--json").json["asked"] == 0

    promote = ("mapping", "promote", atlas, "atlas", "deals", "Headline", "State", "--reason", "common")
    assert "second person" in aos(*promote, "--yes").err
    promoted = aos(*promote, "--user", "bob", "--yes", "--json").json
    assert [one["stays"] for one in promoted["fields"]] == [None, "enum_map carries values of the tenant"]


def test_one_source_for_two_targets_is_escalated(aos: Aos) -> None:
    key = (TENANT, "atlas", "deals")
    refused = aos("mapping", "approve", *key, "Headline", "--target", "pipeline", "--json")
    assert refused.code != 0
    assert refused.json["problem"] == "the field was decided otherwise before"
    assert "ada" in refused.json["found"]
    taken = aos("mapping", "approve", *key, "PersonNo", "--target", "name", "--json")
    assert "filled already" in taken.json["problem"] or "otherwise" in taken.json["problem"]
