"""Salesforce: refresh tokens, describe, SOQL, pages, deleted records, expired sessions."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from sandbox.server import Sandbox
from sandbox.vendors.salesforce_ids import salesforce_id
from tests.sandbox.conftest import Connect

DATA = "/services/data/v60.0"


def read_all(client: httpx.Client, query: str, *, everything: bool = True) -> list[dict[str, Any]]:
    path = f"{DATA}/{'queryAll' if everything else 'query'}"
    body = client.get(path, params={"q": query}).raise_for_status().json()
    records, pages = list(body["records"]), 1
    while not body["done"]:
        body = client.get(body["nextRecordsUrl"]).raise_for_status().json()
        records += body["records"]
        pages += 1
    assert len(records) == body["totalSize"]
    assert pages == max(1, -(-len(records) // 200))
    return records


def test_token_refusals_are_salesforces(sandbox: Sandbox) -> None:
    url = f"{sandbox.base_url('acme', 'salesforce')}/services/oauth2/token"
    right = {"grant_type": "refresh_token", **sandbox.credentials("salesforce", "acme")}
    given = httpx.post(url, data=right).json()
    assert given["token_type"] == "Bearer"
    assert "expires_in" not in given
    cases = {
        "client_id": "invalid_client_id",
        "client_secret": "invalid_client",
        "refresh_token": "invalid_grant",
        "grant_type": "unsupported_grant_type",
    }
    for name, error in cases.items():
        refused = httpx.post(url, data={**right, name: "wrong"})
        assert (refused.status_code, refused.json()["error"]) == (400, error)


def test_every_contact_comes_once_over_several_pages(connect: Connect) -> None:
    records = read_all(connect("salesforce"), "SELECT Id, Email FROM Contact ORDER BY SystemModstamp")
    assert len(records) == 650
    assert len({r["Id"] for r in records}) == 650
    assert set(records[0]) == {"attributes", "Id", "Email"}
    assert records[0]["attributes"]["type"] == "Contact"


def test_next_page_works_below_the_base_url_and_at_the_root(connect: Connect, sandbox: Sandbox) -> None:
    client = connect("salesforce")
    body = client.get(f"{DATA}/query", params={"q": "SELECT Id FROM Contact"}).json()
    below = client.get(body["nextRecordsUrl"]).json()
    root = httpx.get(sandbox.url + body["nextRecordsUrl"], headers=dict(client.headers)).json()
    assert below["records"] == root["records"]


def test_changes_since(connect: Connect, sandbox: Sandbox) -> None:
    client = connect("salesforce")
    last = max(r["SystemModstamp"] for r in read_all(client, "SELECT SystemModstamp FROM Account"))
    since = last.replace("+0000", "Z")
    touched = sandbox.touch("acme", "salesforce", "account", 2)
    query = f"SELECT Id, Description FROM Account WHERE SystemModstamp > {since}"
    assert {r["Id"] for r in read_all(client, query)} == set(touched)


def test_deleted_records_only_in_query_all(connect: Connect, sandbox: Sandbox) -> None:
    (key,) = sandbox.delete("acme", "salesforce", "account")
    client = connect("salesforce")
    everything = read_all(client, "SELECT Id, IsDeleted FROM Account")
    assert {r["Id"] for r in everything if r["IsDeleted"]} == {key}
    living = read_all(client, "SELECT Id FROM Account", everything=False)
    assert len(living) == len(everything) - 1


CONDITIONS = [
    ("Industry = 'Technology'", lambda r: r["Industry"] == "Technology"),
    ("Industry IN ('Technology', 'Retail')", lambda r: r["Industry"] in ("Technology", "Retail")),
    ("NumberOfEmployees >= 500 AND IsDeleted = FALSE", lambda r: r["NumberOfEmployees"] >= 500),
    ("(Industry = 'Media' OR Industry = 'Energy')", lambda r: r["Industry"] in ("Media", "Energy")),
    ("NOT Industry = 'Media'", lambda r: r["Industry"] != "Media"),
    ("Fax = NULL", lambda r: True),
]


@pytest.mark.parametrize(("condition", "expected"), CONDITIONS, ids=[c for c, _ in CONDITIONS])
def test_conditions(connect: Connect, condition: str, expected: Any) -> None:
    client = connect("salesforce")
    fields = "Id, Industry, NumberOfEmployees"
    whole = read_all(client, f"SELECT {fields} FROM Account")
    found = read_all(client, f"SELECT {fields} FROM Account WHERE {condition}")
    assert {r["Id"] for r in found} == {r["Id"] for r in whole if expected(r)}


REFUSED = [
    ("SELECT Nope FROM Account", "INVALID_FIELD"),
    ("SELECT Id FROM Unicorn", "INVALID_TYPE"),
    ("SELECT Id", "MALFORMED_QUERY"),
    ("SELECT Id FROM Account WHERE SystemModstamp > '2024-01-01T00:00:00Z'", "INVALID_FIELD"),
    ("SELECT Id FROM Account WHERE Name", "MALFORMED_QUERY"),
    ("", "MALFORMED_QUERY"),
]


@pytest.mark.parametrize(("query", "code"), REFUSED)
def test_refused_queries(connect: Connect, query: str, code: str) -> None:
    answer = connect("salesforce").get(f"{DATA}/query", params={"q": query})
    assert answer.status_code == 400
    assert answer.json()[0]["errorCode"] == code


def test_describe_follows_the_schema(connect: Connect, sandbox: Sandbox) -> None:
    client = connect("salesforce")
    sandbox.mutate("acme", "salesforce", "account", "rename", "Fax", to="Telefax__c")
    sandbox.mutate("acme", "salesforce", "account", "add", "Tier__c", touch=1)
    fields = {f["name"]: f for f in client.get(f"{DATA}/sobjects/Account/describe").json()["fields"]}
    assert "Fax" not in fields
    assert fields["Tier__c"]["custom"] is True
    found = read_all(client, "SELECT Id, Telefax__c, Tier__c FROM Account")
    assert all(r["Tier__c"] for r in found)
    assert client.get(f"{DATA}/query", params={"q": "SELECT Fax FROM Account"}).status_code == 400


def test_an_expired_session_is_refused_until_refreshed(connect: Connect, sandbox: Sandbox) -> None:
    client = connect("salesforce")
    assert client.get(f"{DATA}/limits").status_code == 200
    sandbox.fault("salesforce", "expired_auth", times=1)
    assert client.get(f"{DATA}/limits").status_code == 401
    again = client.get(f"{DATA}/limits")
    assert again.json()[0]["errorCode"] == "INVALID_SESSION_ID"
    assert connect("salesforce").get(f"{DATA}/limits").status_code == 200
    site = sandbox.site("acme", "salesforce")
    site.session_ttl_s = -1
    assert connect("salesforce").get(f"{DATA}/limits").status_code == 401


def test_keys_carry_their_check_letters() -> None:
    key = salesforce_id("001", 7)
    assert len(key) == 18
    assert key.startswith("001")
    assert len({salesforce_id("001", n) for n in range(5000)}) == 5000
