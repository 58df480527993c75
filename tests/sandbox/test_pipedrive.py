"""Pipedrive: v2 cursors and updated_since, v1 start and limit, deleted deals, both ways to say who one is."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from sandbox.server import Sandbox
from tests.sandbox.conftest import Connect


def read_v2(client: httpx.Client, kind: str, **params: Any) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = []
    while True:
        body = client.get(f"/api/v2/{kind}", params={"limit": 100, **params}).raise_for_status().json()
        assert body["success"] is True
        records += body["data"]
        cursor = body["additional_data"]["next_cursor"]
        if cursor is None:
            return records
        params["cursor"] = cursor


@pytest.mark.parametrize("kind", ["organizations", "persons", "deals", "activities", "products", "stages"])
def test_every_record_comes_once(connect: Connect, sandbox: Sandbox, kind: str) -> None:
    records = read_v2(connect("pipedrive"), kind)
    assert len({r["id"] for r in records}) == len(records)
    assert len(records) == len(sandbox.site("acme", "pipedrive").tables[kind].rows)


def test_updated_since_in_order(connect: Connect, sandbox: Sandbox) -> None:
    client = connect("pipedrive")
    last = max(d["update_time"] for d in read_v2(client, "deals"))
    touched = sandbox.touch("acme", "pipedrive", "deals", 4)
    added = sandbox.add("acme", "pipedrive", "deals", 2)
    found = read_v2(client, "deals", updated_since=last, sort_by="update_time", sort_direction="asc")
    assert {str(d["id"]) for d in found if d["update_time"] > last} == {*touched, *added}
    assert [d["update_time"] for d in found] == sorted(d["update_time"] for d in found)


def test_deleted_deals_are_listed_by_status(connect: Connect, sandbox: Sandbox) -> None:
    keys = sandbox.delete("acme", "pipedrive", "deals", 2)
    client = connect("pipedrive")
    assert not {str(d["id"]) for d in read_v2(client, "deals")} & set(keys)
    assert {str(d["id"]) for d in read_v2(client, "deals", status="deleted")} == set(keys)
    won = read_v2(client, "deals", status="won")
    assert won
    assert {d["status"] for d in won} == {"won"}


def test_v1_ends_with_more_items_in_collection(connect: Connect) -> None:
    client = connect("pipedrive")
    start, notes = 0, []
    while True:
        body = client.get("/api/v1/notes", params={"start": start, "limit": 40}).json()
        notes += body["data"]
        paging = body["additional_data"]["pagination"]
        if not paging["more_items_in_collection"]:
            assert "next_start" not in paging
            break
        start = paging["next_start"]
    assert len({n["id"] for n in notes}) == len(notes) == 110
    behind = client.get("/v1/notes", params={"start": 500}).json()
    assert behind["data"] is None


def test_retired_v1_endpoints(connect: Connect) -> None:
    assert connect("pipedrive").get("/v1/deals").status_code == 410
    assert connect("pipedrive").get("/v1/users").json()["data"][0]["is_you"] is True


def test_who_one_is(sandbox: Sandbox) -> None:
    base = sandbox.base_url("acme", "pipedrive")
    token = sandbox.credentials("pipedrive", "acme")["api_key"]
    assert httpx.get(f"{base}/v1/users", params={"api_token": token}).status_code == 200
    in_query = httpx.get(f"{base}/api/v2/deals", params={"api_token": token})
    assert in_query.status_code == 401
    assert in_query.json()["error"] == "unauthorized access"
    assert httpx.get(f"{base}/v1/users", headers={"x-api-token": "no"}).status_code == 401


@pytest.mark.parametrize(
    "params", [{"limit": 501}, {"updated_since": "soon"}, {"cursor": "x"}, {"sort_by": "y"}]
)
def test_refused_parameters(connect: Connect, params: dict[str, Any]) -> None:
    answer = connect("pipedrive").get("/api/v2/deals", params=params)
    assert answer.status_code == 400
    assert answer.json()["success"] is False
