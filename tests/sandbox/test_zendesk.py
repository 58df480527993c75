"""Zendesk: incremental export with deleted tickets, cursor and page pagination, comments, token auth."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest

from sandbox.server import Sandbox
from tests.sandbox.conftest import Connect

EXPORT = "/api/v2/incremental/tickets/cursor.json"


def export(client: httpx.Client, **params: Any) -> list[dict[str, Any]]:
    body = client.get(EXPORT, params=params).raise_for_status().json()
    tickets = list(body["tickets"])
    while not body["end_of_stream"]:
        body = client.get(body["after_url"]).raise_for_status().json()
        tickets += body["tickets"]
    return tickets


def test_export_gives_each_ticket_once_oldest_change_first(connect: Connect) -> None:
    tickets = export(connect("zendesk"), start_time=0, per_page=40)
    assert len(tickets) == 150
    assert len({t["id"] for t in tickets}) == 150
    stamps = [t["generated_timestamp"] for t in tickets]
    assert stamps == sorted(stamps)


def test_the_last_page_still_names_a_next_one(connect: Connect, sandbox: Sandbox) -> None:
    client = connect("zendesk")
    body = client.get(EXPORT, params={"start_time": 0}).json()
    assert body["end_of_stream"] is True
    assert client.get(body["after_url"]).json()["tickets"] == []
    touched = sandbox.touch("acme", "zendesk", "tickets", 2)
    later = client.get(body["after_url"]).json()
    assert {str(t["id"]) for t in later["tickets"]} == set(touched)


def test_deleted_tickets_come_as_status_deleted(connect: Connect, sandbox: Sandbox) -> None:
    client = connect("zendesk")
    last = max(t["generated_timestamp"] for t in export(client, start_time=0))
    (key,) = sandbox.delete("acme", "zendesk", "tickets")
    (found,) = export(client, start_time=last + 1)
    assert (str(found["id"]), found["status"]) == (key, "deleted")
    assert client.get(f"/api/v2/tickets/{key}/comments.json").status_code == 404
    assert client.get(f"/api/v2/tickets/{key}.json").status_code == 404


def test_start_time_is_required(connect: Connect) -> None:
    client = connect("zendesk")
    assert client.get(EXPORT).json()["error"] == "StartTimeMissing"
    assert client.get(EXPORT, params={"start_time": "NOW"}).status_code == 400
    assert client.get(EXPORT, params={"cursor": "x"}).json()["error"] == "InvalidCursor"


def test_export_by_time(connect: Connect) -> None:
    body = connect("zendesk").get("/api/v2/incremental/organizations.json?start_time=0").json()
    assert body["end_of_stream"] is True
    assert body["count"] == len(body["organizations"])
    assert f"start_time={body['end_time']}" in body["next_page"]


@pytest.mark.parametrize("role", ["end-user", "agent", "admin"])
def test_users_by_role_over_cursor_pages(connect: Connect, sandbox: Sandbox, role: str) -> None:
    client = connect("zendesk")
    url: str | None = f"/api/v2/users.json?page%5Bsize%5D=100&role={role}"
    users: list[dict[str, Any]] = []
    while url:
        body = client.get(url).raise_for_status().json()
        users += body["users"]
        url = body["links"]["next"]
        assert body["meta"]["has_more"] == (url is not None)
    rows = sandbox.site("acme", "zendesk").tables["users"].rows.values()
    assert {str(u["id"]) for u in users} == {r.key for r in rows if r.data["role"] == role}


def test_pages_by_number(connect: Connect) -> None:
    client = connect("zendesk")
    first = client.get("/api/v2/organizations.json?per_page=60").json()
    assert first["previous_page"] is None
    second = client.get(first["next_page"]).json()
    assert len(first["organizations"]) == 60
    assert not {o["id"] for o in first["organizations"]} & {o["id"] for o in second["organizations"]}


def test_comments_of_every_ticket(connect: Connect, sandbox: Sandbox) -> None:
    client = connect("zendesk")
    tickets = export(client, start_time=0)
    found = 0
    for ticket in tickets[:20]:
        comments = client.get(f"/api/v2/tickets/{ticket['id']}/comments.json?page[size]=100").json()[
            "comments"
        ]
        found += len(comments)
        assert comments[0]["author_id"] == ticket["requester_id"]
        assert "_ticket" not in comments[0]
    assert found >= 20


def test_token_auth(sandbox: Sandbox) -> None:
    url = f"{sandbox.base_url('acme', 'zendesk')}/api/v2/groups.json"
    token = sandbox.credentials("zendesk")["password"]

    def ask(user: str, password: str) -> httpx.Response:
        text = base64.b64encode(f"{user}:{password}".encode()).decode()
        return httpx.get(url, headers={"Authorization": f"Basic {text}"})

    assert ask("a@b.example/token", token).status_code == 200
    assert ask("a@b.example", token).json() == {"error": "Couldn't authenticate you"}
    assert ask("a@b.example/token", "wrong").status_code == 401
    assert httpx.get(url).status_code == 401
