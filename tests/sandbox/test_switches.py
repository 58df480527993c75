"""Schema changes and record changes, by method, over HTTP and from the command line."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from sandbox.__main__ import main
from sandbox.server import Sandbox
from tests.sandbox.conftest import Connect


def first_customer(connect: Connect) -> dict[str, Any]:
    found: dict[str, Any] = connect("stripe").get("/v1/customers?limit=1").json()["data"][0]
    return found


def test_a_field_is_added(connect: Connect, sandbox: Sandbox) -> None:
    sandbox.mutate("acme", "stripe", "customers", "add", "tier")
    sandbox.mutate("acme", "stripe", "customers", "add", "metadata.region", value="eu")
    record = first_customer(connect)
    assert record["tier"] == f"tier {record['id']}"
    assert record["metadata"]["region"] == "eu"
    assert "tier" not in connect("stripe", "globex").get("/v1/customers").json()["data"][0]


def test_a_field_is_removed_renamed_nested(connect: Connect, sandbox: Sandbox) -> None:
    before = first_customer(connect)
    sandbox.mutate("acme", "stripe", "customers", "remove", "delinquent")
    sandbox.mutate("acme", "stripe", "customers", "rename", "phone", to="phone_number")
    sandbox.mutate("acme", "stripe", "customers", "nest", "email", to="contact")
    after = first_customer(connect)
    assert "delinquent" not in after
    assert "phone" not in after
    assert after["phone_number"] == before["phone"]
    assert after["contact"] == {"email": before["email"]}
    sandbox.reset("acme")
    assert first_customer(connect) == before


@pytest.mark.parametrize(
    ("to", "kind"), [("string", str), ("number", float), ("boolean", bool), ("object", dict), ("array", list)]
)
def test_a_field_changes_its_type(connect: Connect, sandbox: Sandbox, to: str, kind: type) -> None:
    sandbox.mutate("acme", "stripe", "customers", "retype", "balance", to=to)
    assert isinstance(first_customer(connect)["balance"], kind)


def test_a_schema_change_shows_in_hubspot_without_being_asked_for(connect: Connect, sandbox: Sandbox) -> None:
    sandbox.mutate("acme", "hubspot", "companies", "rename", "properties.phone", to="phone_main")
    path = "/crm/v3/objects/companies?properties=name,phone"
    values = connect("hubspot").get(path).json()["results"][0]["properties"]
    assert values["phone_main"]
    assert "phone" not in values or values["phone"] is None


def test_records_are_touched_added_deleted(sandbox: Sandbox) -> None:
    table = sandbox.site("acme", "pipedrive").tables["persons"]
    before, titles = set(table.rows), {k: r.data["job_title"] for k, r in table.rows.items()}
    newest = max(row.updated for row in table.rows.values())
    touched = sandbox.touch("acme", "pipedrive", "persons", 3)
    assert all(table.rows[k].updated > newest for k in touched)
    assert all(table.rows[k].data["job_title"] != titles[k] for k in touched)
    added = sandbox.add("acme", "pipedrive", "persons", 2)
    deleted = sandbox.delete("acme", "pipedrive", "persons", 2)
    assert set(added) == set(deleted)
    assert set(table.rows) == before
    assert set(table.gone) == set(deleted)


def test_streams_are_named_as_in_the_config(sandbox: Sandbox) -> None:
    (key,) = sandbox.touch("acme", "zendesk", "end_users")
    assert key in sandbox.site("acme", "zendesk").tables["users"].rows
    with pytest.raises(KeyError, match="has no stream 'unicorns'; it has"):
        sandbox.touch("acme", "zendesk", "unicorns")


def test_two_touches_change_the_record_twice(sandbox: Sandbox) -> None:
    table = sandbox.site("acme", "stripe").tables["customers"]
    (key,) = sandbox.touch("acme", "stripe", "customers")
    first = dict(table.rows[key].data)
    sandbox.touch("acme", "stripe", "customers")
    assert table.rows[key].data["phone"] != first["phone"]


def test_over_http_with_the_token_only(sandbox: Sandbox, connect: Connect) -> None:
    url = f"{sandbox.url}/_sandbox"
    assert httpx.get(f"{url}/health").json()["ok"] is True
    assert httpx.get(f"{url}/status").status_code == 401
    token = {"X-Sandbox-Token": sandbox.app.state.admin_token}
    with httpx.Client(base_url=url, headers=token) as admin:
        keys = admin.post(
            "/changes",
            json={"tenant": "acme", "vendor": "stripe", "stream": "customers", "op": "add", "count": 2},
        ).json()["keys"]
        assert len(keys) == 2
        admin.post("/faults", json={"vendor": "stripe", "mode": "error", "times": 1})
        assert connect("stripe").get("/v1/customers").status_code == 500
        assert admin.get("/status").json()["faults"][0]["hits"] == 1
        assert admin.delete("/faults").json() == {"faults": 0}
        admin.post("/limits", json={"tenant": "acme", "vendor": "stripe", "per_s": 0.5, "burst": 1})
        assert [connect("stripe").get("/v1/customers").status_code for _ in range(2)] == [200, 429]
        for wrong in (
            {"mode": "gremlins", "vendor": "stripe"},
            {"mode": "error", "vendor": "soap"},
            {"vendor": "stripe"},
        ):
            assert admin.post("/faults", json=wrong).status_code == 400
        assert admin.get("/unknown").status_code == 404
        assert admin.post("/reset", json={"tenant": "acme"}).json() == {"ok": True}
    assert len(sandbox.site("acme", "stripe").tables["customers"].rows) == 115


def test_from_the_command_line(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    common = ["--url", sandbox.url, "--token", sandbox.app.state.admin_token]
    where = ["--tenant", "acme", "--vendor", "stripe", "--stream", "customers"]
    assert main(["touch", *common, *where, "--count", "2"]) == 0
    assert len(json.loads(capsys.readouterr().out)["keys"]) == 2
    assert main(["mutate", *common, *where, "--change", "add", "--field", "tier"]) == 0
    assert main(["fault", *common, "--vendor", "stripe", "--mode", "slow", "--delay-s", "0.01"]) == 0
    capsys.readouterr()
    assert main(["status", *common]) == 0
    status = json.loads(capsys.readouterr().out)
    assert status["faults"][0]["mode"] == "slow"
    assert main(["clear", *common]) == 0
    assert main(["reset", *common]) == 0
    assert main(["status", "--url", sandbox.url, "--token", "wrong"]) == 2
    assert main(["status", "--url", "http://127.0.0.1:9", "--token", "x"]) == 1
