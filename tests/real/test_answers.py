"""Answers from the views agree with the sources, asked in another way."""

from __future__ import annotations

from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path

import pytest

from resources.mesh import Mesh
from tests.real.conftest import Ask
from tests.real.sources import open_source, read_rows

SECTORS = {"technolgy": "technology", "medical": "healthcare"}


def test_won_deals_by_industry(ask: Ask, rows: Path) -> None:
    folder = rows / "crm_sales_opportunities"
    sector = {one["account"]: one["sector"] for one in read_rows(folder / "accounts.csv")}
    expected: dict[str, Decimal] = defaultdict(Decimal)
    for deal in read_rows(folder / "sales_pipeline.csv"):
        if deal["deal_stage"] == "Won":
            found = sector[deal["account"]]
            expected[SECTORS.get(found, found)] += Decimal(deal["close_value"])
    answer = ask(
        "crm",
        "SELECT a.industry, sum(o.amount) FROM opportunity o JOIN account a ON a.id = o.account_id "
        "WHERE o.status = 'won' GROUP BY 1",
    )
    assert dict(answer) == expected


def test_deals_keep_their_state_and_open_ones_may_lack_an_account(ask: Ask, rows: Path) -> None:
    deals = read_rows(rows / "crm_sales_opportunities" / "sales_pipeline.csv")
    open_deals = [deal for deal in deals if deal["deal_stage"] in ("Engaging", "Prospecting")]
    answer = ask(
        "crm",
        "SELECT count(*), count(*) FILTER (account_id IS NULL), count(*) FILTER (is_active), "
        "count(*) FILTER (is_won), count(amount), count(close_date) FROM opportunity",
    )
    assert answer == [
        (
            len(deals),
            sum(not deal["account"] for deal in open_deals),
            len(open_deals),
            sum(deal["deal_stage"] == "Won" for deal in deals),
            sum(bool(deal["close_value"]) for deal in deals),
            sum(bool(deal["close_date"]) for deal in deals),
        )
    ]


def test_revenue_in_millions_becomes_dollars(ask: Ask, rows: Path) -> None:
    accounts = read_rows(rows / "crm_sales_opportunities" / "accounts.csv")
    answer = ask("crm", "SELECT id, annual_revenue, employee_count, founded_year FROM account")
    assert {row[0]: row[1:] for row in answer} == {
        one["account"]: (
            Decimal(one["revenue"]) * 1_000_000,
            int(one["employees"]),
            int(one["year_established"]),
        )
        for one in accounts
    }


def test_billed_cost_by_service(ask: Ask, rows: Path) -> None:
    expected: dict[str, Decimal] = defaultdict(Decimal)
    for line in read_rows(rows / "focus" / "focus_sample.csv"):
        expected[line["ServiceName"]] += Decimal(line["BilledCost"])
    answer = ask("cloud", "SELECT service_name, sum(billed_cost) FROM cost_line GROUP BY 1")
    assert dict(answer) == expected


def test_null_spelled_out_is_no_value(ask: Ask, rows: Path) -> None:
    lines = read_rows(rows / "focus" / "focus_sample.csv")
    answer = ask("cloud", "SELECT count(resource_id), count(availability_zone), count(tags) FROM cost_line")
    filled = [
        sum(line[column] not in ("", "NULL") for line in lines)
        for column in ("ResourceId", "AvailabilityZone", "Tags")
    ]
    assert answer == [tuple(filled)]


def test_revenue_of_northwind_by_country(ask: Ask, mesh: Mesh) -> None:
    with open_source(mesh, "northwind") as source:
        expected = source.execute(
            "SELECT o.ship_country, sum(d.unit_price * d.quantity * (1 - d.discount)), "
            "count(DISTINCT o.order_id) FROM order_details d JOIN orders o USING (order_id) GROUP BY 1"
        ).fetchall()
    answer = ask(
        "shops",
        "SELECT o.shipping_country, sum(CAST(l.unit_price AS DOUBLE) * l.quantity "
        "* (1 - CAST(l._unknown_fields ->> 'discount' AS DOUBLE))), count(DISTINCT o.id) "
        "FROM order_line l JOIN \"order\" o ON o.id = split_part(l.id, '-', 1) "
        "WHERE o._connector = 'northwind' GROUP BY 1",
    )
    found = {country: (revenue, orders) for country, revenue, orders in answer}
    assert found.keys() == {row[0] for row in expected}
    for country, revenue, orders in expected:
        assert found[country] == (pytest.approx(revenue, rel=1e-5), orders)


def test_invoices_of_chinook_by_country(ask: Ask, mesh: Mesh) -> None:
    with open_source(mesh, "chinook") as source:
        expected = source.execute(
            "SELECT billing_country, sum(total), min(invoice_date)::date FROM invoice GROUP BY 1"
        ).fetchall()
    answer = ask(
        "shops",
        "SELECT billing_country, sum(total_amount), min(issue_date) FROM invoice "
        "WHERE _connector = 'chinook' GROUP BY 1",
    )
    assert sorted(answer) == sorted(expected)


def test_lines_of_chinook_add_up_to_their_invoices(ask: Ask) -> None:
    answer = ask(
        "shops",
        "SELECT count(*) FROM (SELECT i.id FROM invoice i JOIN invoice_line l ON l.invoice_id = i.id "
        "AND l._connector = i._connector GROUP BY i.id, i.total_amount "
        "HAVING round(sum(l.unit_price * l.quantity), 2) <> i.total_amount)",
    )
    assert answer == [(0,)]


def test_amounts_of_stripe_are_in_major_units(ask: Ask, rows: Path) -> None:
    folder = rows / "fivetran" / "stripe"
    cents = {
        "invoice": sum(Decimal(one["total"]) for one in read_rows(folder / "invoice_data.csv")),
        "payment": sum(
            Decimal(one["amount"])
            for name in ("charge", "payment_intent")
            for one in read_rows(folder / f"{name}_data.csv")
        ),
        "refund": sum(Decimal(one["amount"]) for one in read_rows(folder / "refund_data.csv")),
    }
    columns = {"invoice": "total_amount", "payment": "amount", "refund": "amount"}
    for entity, column in columns.items():
        answer = ask("saas", f"SELECT sum({column}) FROM {entity} WHERE _connector = 'seed_stripe'")
        assert answer == [(cents[entity] / 100,)]


def test_a_balance_of_nothing_needs_no_currency(ask: Ask) -> None:
    answer = ask("saas", "SELECT DISTINCT balance, currency FROM customer WHERE _connector = 'seed_stripe'")
    assert answer == [(Decimal(0), None)]


def test_what_is_owed_to_and_by_xero(ask: Ask, rows: Path) -> None:
    kinds = {"ACCREC": "receivable", "ACCPAY": "payable"}
    expected: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for one in read_rows(rows / "fivetran" / "xero" / "xero_invoice_data.csv"):
        if one["status"] != "DELETED":
            expected[kinds[one["type"]], one["currency_code"]] += Decimal(one["total"])
    answer = ask(
        "saas",
        "SELECT type, currency, sum(total_amount) FROM invoice WHERE _connector = 'seed_xero' GROUP BY ALL",
    )
    assert {(kind, currency): total for kind, currency, total in answer} == expected


def test_tickets_of_three_vendors(ask: Ask, rows: Path) -> None:
    seeds = rows / "fivetran"
    states: Counter[tuple[str, str]] = Counter()
    for one in read_rows(seeds / "github" / "github_issue_data.csv"):
        states["seed_github", one["state"]] += 1
    for one in read_rows(seeds / "zendesk" / "ticket_data.csv"):
        states["seed_zendesk", one["status"]] += one["status"] != "deleted"
    for one in read_rows(seeds / "hubspot" / "ticket_data.csv"):
        states["seed_hubspot", one["property_hs_pipeline_stage"]] += 1
    answer = ask("saas", "SELECT _connector, status, count(*) FROM ticket GROUP BY ALL")
    assert {(vendor, state): count for vendor, state, count in answer} == +states


def test_times_of_a_spreadsheet_are_read(ask: Ask) -> None:
    answer = ask("saas", "SELECT count(*), count(created_at) FROM account WHERE _connector = 'seed_hubspot'")
    assert answer == [(24, 24)]
