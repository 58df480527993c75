"""A real delivery, damaged as deliveries are: what cannot be taken says why, all else lands."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from resources.connections import add_connection
from resources.loads import list_quarantine
from resources.mesh import Mesh
from resources.query import run_query
from resources.tenants import add_tenant
from tests.real.conftest import Sync
from tests.real.sources import read_rows

TENANT = "damaged"
DAMAGE: dict[str, list[Callable[[str], str]]] = {
    "accounts.csv": [
        lambda line: line.replace("technolgy", "aerospace"),
        lambda line: line.replace(",495,", ",about 500,"),
    ],
    "sales_pipeline.csv": [
        lambda line: line.replace("Won", "Wonn"),
        lambda line: line.replace("2017-03-11", "2017-02-30"),
        lambda line: line.replace(",50", ",fifty"),
        lambda line: "," + line.split(",", 1)[1],
        lambda line: line.rsplit(",", 3)[0],
        lambda line: f"{line}\n{line}",
        lambda line: f"{line}\n{line.replace('Won', 'Lost')}",
    ],
}
"""What happens to the first records of a file, one after the other."""
EXPECTED = [
    ("accounts", "Acme Corporation", "industry (from sector): expected one of ", 'found "aerospace"'),
    ("accounts", "Betasoloin", "employee_count (from employees): expected a whole number, ", '"about 500"'),
    ("sales_pipeline", "", "primary key opportunity_id is null or empty", ""),
    ("sales_pipeline", "", "sales_pipeline.csv line 6: ", "5 fields where the header has 8"),
    ("sales_pipeline", "1C1I7A6R", "is_active (from deal_stage): expected one of ", 'found "Wonn"'),
    ("sales_pipeline", "EC4QE1BX", "amount (from close_value): expected an amount, ", 'found "fifty"'),
    (
        "sales_pipeline",
        "Z063OYW0",
        "close_date (from close_date): expected a date (ISO 8601), ",
        "2017-02-30",
    ),
]
"""Stream and record of everything that is refused, how the reason begins, and what it says further on."""


@pytest.fixture
def delivery(rows: Path, tmp_path: Path) -> Path:
    """A copy of the pipeline's files, damaged."""
    folder = tmp_path / "delivery"
    shutil.copytree(rows / "crm_sales_opportunities", folder)
    for name, hands in DAMAGE.items():
        header, *lines = (folder / name).read_text().splitlines()
        for number, damage in enumerate(hands):
            damaged = damage(lines[number])
            assert damaged != lines[number], f"{name}: {lines[number]}"
            lines[number] = damaged
        (folder / name).write_text("\n".join([header, *lines, ""]))
    return folder


def test_damage_costs_the_damaged_records_only(mesh: Mesh, sync: Sync, delivery: Path, rows: Path) -> None:
    add_tenant(mesh.db, TENANT, "A damaged delivery", "tester")
    spec = mesh.specs["crm_sales"]
    options = {"path": str(delivery)}
    add_connection(mesh.db, mesh.secrets, TENANT, spec, credentials={}, options=options, actor="tester")
    result = sync(TENANT)
    assert result.success, result.failures
    refused = sorted(
        (one.stream, one.record_id or "", one.reason) for one in list_quarantine(mesh.db, TENANT)
    )
    for (stream, record, reason), (*where, start, part) in zip(refused, EXPECTED, strict=True):
        assert [stream, record] == where
        assert reason.startswith(start)
        assert part in reason
    counted = _read_counts(mesh)
    assert counted["accounts"] == {"records": 85, "events": 83, "unchanged": 0, "quarantined": 2}
    # Two lines were added: one equal to its neighbour, one another version of it.
    assert counted["sales_pipeline"] == {"records": 8802, "events": 8796, "unchanged": 1, "quarantined": 5}
    assert run_query(mesh.settings, TENANT, "SELECT count(*) FROM opportunity").rows == [(8795,)]

    for name in DAMAGE:
        shutil.copy(rows / "crm_sales_opportunities" / name, delivery / name)
    mended = sync(TENANT)
    assert mended.success, mended.failures
    # The five refused ones, and the one whose last version was the changed line.
    assert _read_counts(mesh)["sales_pipeline"]["events"] == 8796 + 6
    deals = read_rows(delivery / "sales_pipeline.csv")
    found = run_query(mesh.settings, TENANT, "SELECT count(*), sum(amount) FROM opportunity").rows
    assert found == [(8800, sum(int(deal["close_value"] or 0) for deal in deals))]
    assert run_query(mesh.settings, TENANT, "SELECT count(*) FROM account").rows == [(85,)]


def _read_counts(mesh: Mesh) -> dict[str, dict[str, int]]:
    """Stream → what became of its records, over all loads."""
    query = text(
        "SELECT stream, sum(records) AS records, sum(events) AS events, sum(unchanged) AS unchanged, "
        "sum(refused + quarantined) AS quarantined FROM loads GROUP BY 1"
    )
    with mesh.db.tenant(TENANT) as conn:
        rows = conn.execute(query).mappings().all()
    return {row["stream"]: {name: int(row[name]) for name in row if name != "stream"} for row in rows}
