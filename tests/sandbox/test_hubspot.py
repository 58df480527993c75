"""HubSpot: pages by ``after``, properties asked for by name, archived records, associations, refusals."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from sandbox.server import Sandbox
from tests.sandbox.conftest import Connect

COMPANIES = "/crm/v3/objects/companies"


def read_all(client: httpx.Client, path: str, **params: Any) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = []
    while True:
        body = client.get(path, params={"limit": 100, **params}).raise_for_status().json()
        records += body["results"]
        if "paging" not in body:
            return records
        params["after"] = body["paging"]["next"]["after"]


def test_every_company_comes_once(connect: Connect, sandbox: Sandbox) -> None:
    companies = read_all(connect("hubspot"), COMPANIES, properties="name,domain")
    assert len(companies) == len(sandbox.site("acme", "hubspot").tables["companies"].rows) > 150
    assert len({c["id"] for c in companies}) == len(companies)
    first = companies[0]
    assert set(first) == {"id", "properties", "createdAt", "updatedAt", "archived"}
    assert set(first["properties"]) == {"name", "domain", "hs_object_id"}
    assert first["archived"] is False


def test_properties_are_text_and_default_to_a_few(connect: Connect) -> None:
    client = connect("hubspot")
    asked = client.get(COMPANIES, params={"properties": "annualrevenue,numberofemployees,nonsense"}).json()
    values = asked["results"][0]["properties"]
    assert isinstance(values["annualrevenue"], str)
    assert "nonsense" not in values
    default = client.get(COMPANIES).json()
    assert set(default["results"][0]["properties"]) == {
        "name",
        "domain",
        "createdate",
        "hs_lastmodifieddate",
        "hs_object_id",
    }
    assert len(default["results"]) == 10


def test_archived_records_leave_the_list_and_are_listed_apart(connect: Connect, sandbox: Sandbox) -> None:
    (key,) = sandbox.delete("acme", "hubspot", "companies")
    client = connect("hubspot")
    assert key not in {c["id"] for c in read_all(client, COMPANIES)}
    (archived,) = read_all(client, COMPANIES, archived="true")
    assert archived["id"] == key
    assert archived["archived"] is True


def test_a_record_deleted_between_two_pages_loses_no_other(connect: Connect, sandbox: Sandbox) -> None:
    client = connect("hubspot")
    before = [c["id"] for c in read_all(client, COMPANIES)]
    page = client.get(COMPANIES, params={"limit": 100}).json()
    row = sandbox.site("acme", "hubspot").tables["companies"].rows.pop(page["paging"]["next"]["after"])
    rest = read_all(client, COMPANIES, after=row.key)
    assert [c["id"] for c in page["results"] + rest] == before


def test_associations_only_when_asked(connect: Connect) -> None:
    client = connect("hubspot")
    with_links = read_all(client, "/crm/v3/objects/deals", associations="companies,contacts")
    companies = {c["id"] for c in read_all(client, COMPANIES)}
    for deal in with_links:
        (link,) = deal["associations"]["companies"]["results"]
        assert link["id"] in companies
        assert link["type"] == "deal_to_company"
    assert "associations" not in client.get("/crm/v3/objects/deals").json()["results"][0]


def test_search_filters_by_time_of_change(connect: Connect, sandbox: Sandbox) -> None:
    client = connect("hubspot")
    last = max(c["updatedAt"] for c in read_all(client, COMPANIES))
    touched = sandbox.touch("acme", "hubspot", "companies", 3)
    condition = {"propertyName": "hs_lastmodifieddate", "operator": "GT", "value": last}
    body = client.post(f"{COMPANIES}/search", json={"filterGroups": [{"filters": [condition]}]}).json()
    assert body["total"] == 3
    assert {r["id"] for r in body["results"]} == set(touched)


def test_stages_of_a_pipeline(connect: Connect) -> None:
    client = connect("hubspot")
    pipelines = client.get("/crm/v3/pipelines/deals").json()["results"]
    assert [p["id"] for p in pipelines] == ["default", "20480001"]
    stages = client.get("/crm/v3/pipelines/deals/default/stages").json()["results"]
    deals = read_all(client, "/crm/v3/objects/deals", properties="dealstage")
    assert {d["properties"]["dealstage"] for d in deals} <= {s["id"] for s in stages}
    assert client.get("/crm/v3/pipelines/deals/none/stages").status_code == 404


def test_refusals(sandbox: Sandbox, connect: Connect) -> None:
    base = sandbox.base_url("acme", "hubspot")
    refused = httpx.get(f"{base}{COMPANIES}", headers={"Authorization": "Bearer wrong"})
    assert refused.status_code == 401
    assert refused.json()["category"] == "INVALID_AUTHENTICATION"
    client = connect("hubspot")
    assert client.get(COMPANIES, params={"limit": 101}).status_code == 400
    assert client.get("/crm/v3/objects/unicorns").json()["category"] == "VALIDATION_ERROR"
    assert client.get("/nowhere").json()["category"] == "OBJECT_NOT_FOUND"


def test_another_tenants_token_is_refused(connect: Connect, sandbox: Sandbox) -> None:
    client = connect("hubspot", "acme")
    other = sandbox.base_url("globex", "hubspot")
    assert httpx.get(f"{other}{COMPANIES}", headers=dict(client.headers)).status_code == 401


def test_the_ten_second_limit(connect: Connect, sandbox: Sandbox) -> None:
    sandbox.limit("acme", "hubspot", per_s=1, burst=3)
    client = connect("hubspot")
    answers = [client.get("/crm/v3/owners") for _ in range(4)]
    assert [a.status_code for a in answers] == [200, 200, 200, 429]
    assert answers[3].headers["retry-after"] == "1"
    assert answers[3].json()["policyName"] == "TEN_SECONDLY_ROLLING"
    assert connect("hubspot", "globex").get("/crm/v3/owners").status_code == 200


@pytest.mark.parametrize("kind", ["notes", "tasks", "meetings", "calls", "emails", "products", "tickets"])
def test_every_object_kind_is_served(connect: Connect, kind: str) -> None:
    assert len(read_all(connect("hubspot"), f"/crm/v3/objects/{kind}")) >= 20
