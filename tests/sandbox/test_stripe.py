"""Stripe: newest first, starting_after and has_more, created filters, deleted stubs, amounts that add up."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest

from sandbox.server import Sandbox
from tests.sandbox.conftest import Connect


def read_all(client: httpx.Client, path: str, **params: Any) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = []
    while True:
        body = client.get(path, params={"limit": 50, **params}).raise_for_status().json()
        assert body["object"] == "list"
        records += body["data"]
        if not body["has_more"]:
            return records
        params["starting_after"] = records[-1]["id"]


@pytest.mark.parametrize("kind", ["customers", "products", "prices", "invoices", "charges", "events"])
def test_every_record_comes_once_newest_first(connect: Connect, sandbox: Sandbox, kind: str) -> None:
    records = read_all(connect("stripe"), f"/v1/{kind}")
    assert len({r["id"] for r in records}) == len(records)
    assert len(records) == len(sandbox.site("acme", "stripe").tables[kind].rows)
    assert [r["created"] for r in records] == sorted((r["created"] for r in records), reverse=True)


def test_created_never_shows_an_update(connect: Connect, sandbox: Sandbox) -> None:
    client = connect("stripe")
    last = max(c["created"] for c in read_all(client, "/v1/customers"))
    sandbox.touch("acme", "stripe", "customers", 3)
    assert read_all(client, "/v1/customers", **{"created[gt]": last}) == []
    added = sandbox.add("acme", "stripe", "customers", 2)
    assert {c["id"] for c in read_all(client, "/v1/customers", **{"created[gt]": last})} == set(added)


def test_cancelled_subscriptions_only_when_asked(connect: Connect) -> None:
    client = connect("stripe")
    usual = read_all(client, "/v1/subscriptions")
    everything = read_all(client, "/v1/subscriptions", status="all")
    assert "canceled" not in {s["status"] for s in usual}
    assert {s["status"] for s in everything} >= {"active", "canceled"}


def test_deleted_customers_leave_a_stub(connect: Connect, sandbox: Sandbox) -> None:
    (key,) = sandbox.delete("acme", "stripe", "customers")
    client = connect("stripe")
    assert key not in {c["id"] for c in read_all(client, "/v1/customers")}
    assert client.get(f"/v1/customers/{key}").json() == {"id": key, "object": "customer", "deleted": True}


def test_the_books_balance(connect: Connect) -> None:
    client = connect("stripe")
    charges = {c["id"]: c for c in read_all(client, "/v1/charges")}
    customers = {c["id"] for c in read_all(client, "/v1/customers")}
    for invoice in read_all(client, "/v1/invoices"):
        assert invoice["customer"] in customers
        assert invoice["amount_paid"] + invoice["amount_remaining"] == invoice["total"]
        assert not invoice["charge"] or charges[invoice["charge"]]["amount"] == invoice["total"]
        lines = client.get(f"/v1/invoices/{invoice['id']}/lines", params={"limit": 100}).json()["data"]
        assert sum(line["amount"] for line in lines) == invoice["subtotal"]
    refunds = read_all(client, "/v1/refunds")
    assert refunds
    assert all(charges[r["charge"]]["amount_refunded"] == r["amount"] for r in refunds)


def test_yen_have_no_minor_units(connect: Connect) -> None:
    prices = read_all(connect("stripe"), "/v1/prices")
    plan = {p["currency"]: p["unit_amount"] for p in prices if p["nickname"].startswith("Team plan")}
    assert plan["usd"] == 19_900
    assert 25_000 < plan["jpy"] < 35_000


def test_keys(sandbox: Sandbox) -> None:
    url = f"{sandbox.base_url('acme', 'stripe')}/v1/products"
    key = sandbox.credentials("stripe")["token"]
    basic = base64.b64encode(f"{key}:".encode()).decode()
    assert httpx.get(url, headers={"Authorization": f"Basic {basic}"}).status_code == 200
    assert "did not provide" in httpx.get(url).json()["error"]["message"]
    refused = httpx.get(url, headers={"Authorization": "Bearer sk_live_abcdefghijkl"})
    assert refused.status_code == 401
    assert "abcdefgh" not in refused.text


def test_refusals(connect: Connect) -> None:
    client = connect("stripe")
    assert client.get("/v1/customers", params={"limit": 0}).status_code == 400
    missing = client.get("/v1/customers", params={"starting_after": "cus_none"})
    assert missing.json()["error"]["code"] == "resource_missing"
    assert client.get("/v1/unicorns").status_code == 404
    assert client.get("/v1/invoices/in_none/lines").status_code == 404
