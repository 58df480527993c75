"""Drop folders, AWS exports and the shop: written once, readable, and in step with the rest of the world."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from sqlalchemy import create_engine, make_url, text

from core.errors import StorageUnavailable
from resources.database import Database
from sandbox.seed import add_files, load_postgres, write_files
from sandbox.seed_office import iban
from sandbox.server import Sandbox


def test_files_are_written_once_and_the_same(tmp_path: Path) -> None:
    first = write_files(tmp_path / "one", "acme")
    write_files(tmp_path / "two", "acme")
    assert len(first) == 22
    for path in first:
        if path.suffix != ".xlsx":  # a workbook holds the time it was written
            twin = tmp_path / "two" / path.relative_to(tmp_path / "one")
            assert path.read_bytes() == twin.read_bytes()
    assert write_files(tmp_path / "one", "acme") == []
    (added,) = add_files(tmp_path / "one", "acme")
    assert added.name == "expenses_2025-07.csv"
    assert not list(tmp_path.rglob("*.partial"))


def test_the_older_crms_dialect(tmp_path: Path) -> None:
    write_files(tmp_path, "acme")
    raw = (tmp_path / "files" / "accounts.csv").read_bytes()
    with pytest.raises(UnicodeDecodeError):
        raw.decode("utf-8")
    rows = list(csv.DictReader(raw.decode("cp1252").splitlines(), delimiter=";"))
    assert {r["Jahresumsatz"] for r in rows if not r["Jahresumsatz"].isdigit()} == {"unbekannt"}
    assert sum(r["Angelegt am"].startswith("31.02.") for r in rows) == 1


def test_monthly_reports_add_up_to_the_lines(tmp_path: Path) -> None:
    write_files(tmp_path, "acme")
    home = tmp_path / "aws_cost"
    sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    lost = 0
    for path in sorted(home.glob("focus/*/*.csv")):
        for row in csv.DictReader(path.open()):
            lost += row["BilledCost"] == "NULL"
            cost = row["ListCost"] if row["BilledCost"] == "NULL" else row["BilledCost"]
            sums[row["SubAccountId"], row["BillingPeriodStart"][:10]] += Decimal(cost)
    for path in sorted(home.glob("cur/*/*.csv")):
        for row in csv.DictReader(path.open()):
            key = (row["lineItem/UsageAccountId"], row["bill/BillingPeriodStartDate"][:10])
            sums[key] += Decimal(row["lineItem/UnblendedCost"])
    reports = [json.loads(line) for line in (home / "cost_explorer" / "2025.jsonl").read_text().splitlines()]
    known = {
        (r["Keys"][0], r["TimePeriod"]["Start"]): r["Metrics"]["UnblendedCost"]["Amount"] for r in reports
    }
    assert lost == 1
    assert len(sums) == 4
    for key, total in sums.items():
        assert Decimal(known[key]) == total


def test_parquet_is_typed(tmp_path: Path) -> None:
    write_files(tmp_path, "acme")
    bills = pq.read_schema(tmp_path / "files" / "bills.parquet")
    assert str(bills.field("bill_date").type) == "date32[day]"
    assert str(bills.field("total_amount").type).startswith("decimal128")


def test_resources_of_cost_lines_are_in_the_inventory(tmp_path: Path) -> None:
    write_files(tmp_path, "acme")
    lines = (tmp_path / "aws_cost" / "config" / "snapshot.jsonl").read_text().splitlines()
    known = {json.loads(line)["ARN"] for line in lines}
    for path in (tmp_path / "aws_cost").glob("focus/*/*.csv"):
        assert {r["ResourceId"] for r in csv.DictReader(path.open())} - {"NULL"} <= known


def test_ibans_check() -> None:
    for account in (4_711, 0, 10**18 - 1):
        code = iban(account)
        digits = code[4:] + "1314" + code[2:4]
        assert len(code) == 22
        assert int(digits) % 97 == 1


def test_the_shop_in_postgres(database: Database) -> None:
    url = database.dagster_url
    given = load_postgres(url, "acme-shop")
    assert load_postgres(url, "acme-shop") == given
    engine = create_engine(make_url(given["url"]).set(drivername="postgresql+psycopg"))
    with engine.connect() as conn:
        counts = {
            table: conn.execute(text(f"select count(*) from {table}")).scalar_one()
            for table in ("customers", "products", "orders", "order_items", "employees")
        }
        broken = conn.execute(
            text(
                "select count(*) from orders o join (select order_id, sum(line_total) s from order_items"
                " group by 1) l using (order_id) where abs(o.subtotal - l.s) > 0.005"
            )
        ).scalar_one()
        conn.execute(text("delete from order_items"))
        conn.commit()
    assert counts["orders"] == 760
    assert min(counts.values()) >= 20
    assert broken == 0
    load_postgres(url, "acme-shop", replace=True)
    with engine.connect() as conn:
        assert conn.execute(text("select count(*) from order_items")).scalar_one() == counts["order_items"]
        conn.execute(text('drop schema "shop_acme-shop" cascade'))
        conn.commit()
    engine.dispose()


def test_a_database_that_does_not_answer() -> None:
    with pytest.raises(StorageUnavailable, match="does not answer") as caught:
        load_postgres("postgresql://user:hunter2@127.0.0.1:9/none", "acme")
    assert "hunter2" not in str(caught.value)


def test_options_name_the_folder(sandbox: Sandbox) -> None:
    folder = Path(sandbox.options("acme", "files")["path"])
    assert (folder / "accounts.csv").exists()
    assert Path(sandbox.options("acme", "aws_cost")["path"]).name == "aws_cost"
    assert sandbox.options("acme", "hubspot") == {}
    assert sandbox.base_url("acme", "files") is None
