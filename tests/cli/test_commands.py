"""Commands one by one: what they say, how they end, and that bad input is one clear error."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from resources.database import Database
from resources.settings import load_settings
from sandbox.server import Sandbox
from tests.cli.conftest import Aos

TENANT = "wayne"


@pytest.fixture
def tenant(aos: Aos) -> str:
    """A tenant; made by the first test that asks for it."""
    if TENANT not in [row["tenant"] for row in aos("tenant", "list", "--json").json]:
        assert aos("tenant", "add", TENANT, "--title", "Wayne Enterprises").code == 0
    return TENANT


BAD_INPUT = [
    (["sync"], "Missing argument"),
    (["nonsense"], "No such command"),
    (["sync", "nobody"], "no tenant 'nobody'"),
    (["query", "nobody", "select 1"], "no tenant 'nobody'"),
    (["check", "nobody"], "no tenant 'nobody'"),
    (["lineage", "nobody", "views.account"], "no tenant 'nobody'"),
    (["connection", "list", "nobody"], "no tenant 'nobody'"),
    (["quarantine", "list", "nobody"], "no tenant 'nobody'"),
    (["tenant", "remove", "nobody", "--yes"], "no tenant 'nobody'"),
    (["tenant", "add", "Not A Name"], "unusable name"),
    (["config", "validate", "does/not/exist"], "no such file"),
    (["connection", "add", TENANT, "hubspott"], "hubspot"),
    (["connection", "add", TENANT, "hubspot"], "credentials are needed"),
    (["connection", "add", TENANT, "hubspot", "--every", "soon"], "unusable --every"),
    (["connection", "add", TENANT, "hubspot", "--every", "1h", "--cron", "* * * * *"], "one schedule"),
    (["connection", "add", TENANT, "files", "--option", "path"], "name=value"),
    (["connection", "add", TENANT, "hubspot", "--credentials", "no/such/file"], "cannot be read"),
    (["connection", "show", TENANT, "hubspot"], "hubspot"),
    (["query", TENANT, "select 1"], "aos sync"),
    (["sync", TENANT], "no connection to sync"),
]


@pytest.mark.parametrize(("arguments", "said"), BAD_INPUT, ids=[" ".join(a[:3]) for a, _ in BAD_INPUT])
def test_bad_input_is_one_clear_error_and_exit_2(
    aos: Aos, tenant: str, arguments: list[str], said: str
) -> None:
    answer = aos(*arguments)
    assert answer.code == 2
    assert said in " ".join((answer.err + answer.out).split())


def test_an_error_is_a_document_where_a_program_reads(aos: Aos) -> None:
    answer = aos("check", "nobody", "--json")
    assert answer.code == 2
    assert answer.json["error"] == "UnknownName"
    assert "aos tenant add nobody" in answer.json["remedy"]


def test_credentials_that_do_not_fit_are_told_by_name_only(aos: Aos, tenant: str) -> None:
    given = json.dumps({"tokn": "s3cret-value"})
    answer = aos("connection", "add", tenant, "hubspot", "--credentials", "-", stdin=given)
    assert answer.code == 2
    assert "missing token" in answer.err
    assert "unknown tokn" in answer.err
    assert "s3cret-value" not in answer.err + answer.out


def test_a_refused_credential_adds_no_connection(aos: Aos, tenant: str, sandbox: Sandbox) -> None:
    answer = aos(
        "connection", "add", tenant, "hubspot", "--base-url", str(sandbox.base_url(tenant, "hubspot")),
        "--credentials", "-", stdin="token=wr0ng-value",
    )  # fmt: skip
    assert answer.code == 2
    assert "CredentialError" in answer.err
    assert "wr0ng-value" not in answer.err
    assert aos("connection", "list", tenant, "--json").json == []


def test_a_document_of_an_error_says_which_file_is_meant(aos: Aos, tenant: str, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.yaml", tmp_path / "keyless.yaml"
    text = "connector: shop\nstream: {0}\nentity: account\nmappings: {{{1}name: name}}\n"
    good.write_text(text.format("accounts", "id: id, "))
    bad.write_text(text.format("others", ""))
    answer = aos("mapping", "import", tenant, str(tmp_path), "--json")
    assert (answer.code, answer.json["error"]) == (1, "MappingRefused")
    assert answer.json["notes"] == [f"in {bad}"]
    assert aos("check", "nobody", "--json").json["notes"] == []


def test_from_a_connection_to_an_answer(aos: Aos, sandbox: Sandbox, home: Path) -> None:
    tenant = "stark"
    assert aos("tenant", "add", tenant).code == 0
    added = aos(
        "connection", "add", tenant, "zendesk", "--base-url", str(sandbox.base_url(tenant, "zendesk")),
        "--credentials", "-", "--every", "30m", "--json",
        stdin=json.dumps(sandbox.credentials("zendesk", tenant)),
    )  # fmt: skip
    assert (added.code, added.json["status"], added.json["schedule_every_s"]) == (0, "ACTIVE", 1800)

    first = aos("sync", tenant, "--json").json
    assert first["success"]
    landed = {stream["stream"]: stream["landed"] for stream in first["streams"]}
    assert landed["tickets"] > 100
    assert sum(first["events"].values()) == sum(
        stream["landed"] for stream in first["streams"] if stream["mapped"]
    )

    again = aos("sync", tenant)
    assert again.code == 0
    assert "Nothing new" in again.out

    rows = aos("query", tenant, "select count(*) as n from ticket", "--json").json
    assert rows == [{"n": landed["tickets"]}]
    tree = aos("lineage", tenant, "views.ticket.subject")
    assert "raw.zendesk.tickets.subject" in tree.out
    assert aos("check", tenant).code == 0
    status = aos("status", "--json").json
    assert [row["status"] for row in status if row["tenant"] == tenant] == ["ACTIVE"]

    assert aos("connection", "pause", tenant, "zendesk").code == 0
    assert aos("sync", tenant).code == 2
    assert aos("tenant", "remove", tenant, "--yes").code == 0
    with closing(Database.open(load_settings(home=home))) as db, db.owner() as conn:
        left = conn.execute(text("SELECT count(*) FROM dagster.run_tags WHERE value = :t"), {"t": tenant})
        assert left.scalar() == 0
    assert aos("query", tenant, "select 1").code == 2


def test_configs_are_counted_and_a_broken_one_is_told_with_its_line(aos: Aos, tmp_path: Path) -> None:
    shipped = aos("config", "validate", "--json")
    assert shipped.code == 0
    assert len(shipped.json["connectors"]) == 9
    (tmp_path / "broken.yaml").write_text("connector: broken\ntitle: B\nkind: rest\nstreamz: {}\n")
    answer = aos("config", "validate", str(tmp_path))
    assert answer.code == 2
    assert "broken.yaml:4" in answer.out


def test_help_lists_every_command(aos: Aos) -> None:
    text = aos("--help").out
    for command in ("sync", "status", "query", "lineage", "check", "up", "sandbox", "env", "demo", "mapping"):
        assert command in text
