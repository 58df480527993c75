"""GitHub: Link header, since, pull requests among issues, what belongs to which repository."""

from __future__ import annotations

from typing import Any

import httpx

from sandbox.server import Sandbox
from tests.sandbox.conftest import Connect


def read_all(client: httpx.Client, path: str, **params: Any) -> list[dict[str, Any]]:
    answer = client.get(path, params=params).raise_for_status()
    records = list(answer.json())
    while "next" in answer.links:
        answer = client.get(answer.links["next"]["url"]).raise_for_status()
        records += answer.json()
    return records


def test_links_lead_through_all_pages(connect: Connect) -> None:
    client = connect("github")
    first = client.get("/orgs/acme-dev/members", params={"per_page": 10})
    assert set(first.links) == {"next", "last"}
    assert str(client.base_url) in first.links["next"]["url"]
    members = read_all(client, "/orgs/acme-dev/members", per_page=10)
    assert len({m["id"] for m in members}) == len(members) == 24
    last = client.get(first.links["last"]["url"])
    assert set(last.links) == {"prev", "first"}


def test_issues_of_each_repository(connect: Connect, sandbox: Sandbox) -> None:
    client = connect("github")
    issues: list[dict[str, Any]] = []
    for repository in read_all(client, "/user/repos", per_page=3):
        found = read_all(client, f"/repos/{repository['full_name']}/issues", state="all", per_page=20)
        assert {i["repository_url"] for i in found} == {repository["url"]}
        issues += found
    assert len({i["id"] for i in issues}) == len(issues)
    assert len(issues) == len(sandbox.site("acme", "github").tables["issues"].rows)
    assert any("pull_request" in i for i in issues)
    assert not any(k.startswith("_") for k in issues[0])


def test_open_ones_unless_asked(connect: Connect) -> None:
    client = connect("github")
    assert {i["state"] for i in read_all(client, "/repos/acme-dev/gateway/issues")} == {"open"}
    assert {i["state"] for i in read_all(client, "/repos/acme-dev/gateway/pulls", state="closed")} == {
        "closed"
    }


def test_since(connect: Connect, sandbox: Sandbox) -> None:
    client = connect("github")
    path, params = "/repos/acme-dev/gateway/issues", {"state": "all", "sort": "updated", "direction": "asc"}
    before = read_all(client, path, **params)
    assert [i["updated_at"] for i in before] == sorted(i["updated_at"] for i in before)
    last = before[-1]["updated_at"]
    assert [i["id"] for i in read_all(client, path, since=last, **params)] == [before[-1]["id"]]
    touched = sandbox.touch("acme", "github", "issues", 2)
    newer = read_all(client, path, since=last, **params)
    assert {str(i["id"]) for i in newer} == {*touched, str(before[-1]["id"])}
    assert client.get(path, params={"since": "yesterday"}).status_code == 422


def test_refusals(sandbox: Sandbox, connect: Connect) -> None:
    base = sandbox.base_url("acme", "github")
    refused = httpx.get(f"{base}/user/repos", headers={"Authorization": "Bearer no"})
    assert (refused.status_code, refused.json()["message"]) == (401, "Bad credentials")
    nameless = httpx.get(f"{base}/user/repos", headers={"User-Agent": ""})
    assert nameless.status_code == 403
    client = connect("github")
    assert client.get("/repos/acme-dev/none/issues").status_code == 404
    assert client.get("/orgs/other/members").status_code == 404
