"""Connections: adding, states, when they are due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.connector import ConnectorSpec, Schedule
from core.errors import ConfigError, CredentialError, UnknownName
from resources.audit import read_audit, verify_audit
from resources.connections import (
    FAILURES_UNTIL_FAILED,
    Connection,
    add_connection,
    due_connections,
    get_connection,
    list_connections,
    mark_sync_finished,
    mark_sync_started,
    remove_connection,
    set_status,
)
from resources.database import Database
from resources.secrets import SecretStore
from resources.settings import Settings

LATER = timedelta(days=3650)


def build_spec(connector: str = "hubspot", kind: str = "rest", **more: Any) -> ConnectorSpec:
    locator: dict[str, dict[str, Any]] = {
        "rest": {"endpoint": {"path": "/x"}},
        "files": {"files": {"pattern": "*.csv"}},
    }
    stream = {"primary_key": ("id",), **locator[kind]}
    document = {
        "connector": connector,
        "title": connector.title(),
        "kind": kind,
        "base_url": "https://api.example.com" if kind == "rest" else None,
        "auth": {"type": "bearer"} if kind == "rest" else {"type": "none"},
        "streams": {"companies": stream},
        **more,
    }
    return ConnectorSpec.model_validate(document)


@pytest.fixture
def secrets(database: Database, settings: Settings) -> SecretStore:
    return SecretStore(database, settings)


def add(database: Database, secrets: SecretStore, tenant: str, **more: Any) -> Connection:
    given: dict[str, Any] = {"credentials": {"token": "s3cr3t"}, "actor": "ann", **more}
    spec = given.pop("spec", build_spec())
    return add_connection(database, secrets, tenant, spec, **given)


def test_a_new_connection_is_pending_and_due_at_once(
    database: Database, secrets: SecretStore, tenant: str
) -> None:
    added = add(database, secrets, tenant, options={"region": "eu"}, base_url="https://eu.example.com")
    assert (added.status, added.options, added.schedule_every_s) == ("PENDING", {"region": "eu"}, 3600)
    assert added == get_connection(database, tenant, "hubspot") == list_connections(database, tenant)[0]
    assert added in due_connections(database, datetime.now(UTC))
    assert secrets.read(tenant, "hubspot")["token"] == "s3cr3t"
    assert {entry.action for entry in read_audit(database, tenant)} == {
        "connection.added",
        "credentials.added",
    }
    assert "s3cr3t" not in str(read_audit(database, tenant))


def test_a_source_without_credentials(database: Database, secrets: SecretStore, tenant: str) -> None:
    add(database, secrets, tenant, spec=build_spec("drop", "files"), credentials={}, base_url="/data/drop")
    assert dict(secrets.read(tenant, "drop")) == {}


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no token": ({"credentials": {}}, "no token"),
    "an unknown credential": ({"credentials": {"token": "s3cr3t", "pin": "s3cr3t"}}, "unknown pin"),
    "an empty credential": ({"credentials": {"token": ""}}, "no token"),
    "no URL": ({"base_url": "api.example.com"}, "base_url is not usable"),
    "a file URL": ({"base_url": "file:///etc/passwd"}, "base_url is not usable"),
    "a password in the URL": ({"base_url": "https://u:s3cr3t@h/"}, "contains a password"),
    "a broken URL": ({"base_url": "https://[::1/"}, "base_url is not usable"),
    "an option that is no text": ({"options": {"n": 3}}, "is not a text"),
    "a secret option": ({"options": {"api_key": "s3cr3t"}}, "is a secret"),
    "NUL": ({"options": {"a": "s3cr3t\0"}}, "is not a text"),
    "no cron": ({"schedule": Schedule(cron="often")}, "is not a cron expression"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused_whole(
    database: Database, secrets: SecretStore, tenant: str, name: str
) -> None:
    given, message = REFUSED[name]
    with pytest.raises((ConfigError, CredentialError), match=message) as caught:
        add(database, secrets, tenant, **given)
    assert "s3cr3t" not in str(caught.value)
    assert list_connections(database, tenant) == []
    assert read_audit(database, tenant) == []


def test_twice_is_refused_and_changes_nothing(database: Database, secrets: SecretStore, tenant: str) -> None:
    before = add(database, secrets, tenant)
    with pytest.raises(ConfigError, match="already"):
        add(database, secrets, tenant, credentials={"token": "other"})
    assert get_connection(database, tenant, "hubspot") == before
    assert secrets.read(tenant, "hubspot")["token"] == "s3cr3t"


def test_unknown_names(database: Database, secrets: SecretStore, tenant: str) -> None:
    with pytest.raises(UnknownName, match="no tenant 'nobody'"):
        add(database, secrets, "nobody")
    for call in (get_connection, mark_sync_started):
        with pytest.raises(UnknownName, match="aos connection add"):
            call(database, tenant, "hubspot")
    with pytest.raises(UnknownName):
        set_status(database, tenant, "hubspot", "PAUSED", actor="ann")
    with pytest.raises(UnknownName):
        remove_connection(database, tenant, "hubspot", actor="ann")
    with pytest.raises(UnknownName):
        secrets.rotate(tenant, "hubspot", {"token": "x"}, actor="ann")


def test_a_paused_connection_is_never_due(database: Database, secrets: SecretStore, tenant: str) -> None:
    add(database, secrets, tenant)
    paused = set_status(database, tenant, "hubspot", "PAUSED", actor="ann")
    assert set_status(database, tenant, "hubspot", "PAUSED", actor="ann") == paused
    assert tenant not in {c.tenant_id for c in due_connections(database, datetime.now(UTC) + LATER)}
    set_status(database, tenant, "hubspot", "ACTIVE", actor="ann")
    assert tenant in {c.tenant_id for c in due_connections(database, datetime.now(UTC))}
    actions = [entry.action for entry in read_audit(database, tenant)]
    assert actions[:2] == ["connection.active", "connection.paused"]
    with pytest.raises(ConfigError, match="unknown status"):
        set_status(database, tenant, "hubspot", "BROKEN", actor="ann")


def test_a_sync_makes_active_and_moves_the_due_time(
    database: Database, secrets: SecretStore, tenant: str
) -> None:
    add(database, secrets, tenant)
    started = mark_sync_started(database, tenant, "hubspot")
    assert started.status == "PENDING"
    assert started.next_due_at is not None
    assert started.next_due_at > datetime.now(UTC) + timedelta(minutes=29)
    done = mark_sync_finished(database, tenant, "hubspot", None)
    assert (done.status, done.failures, done.last_error) == ("ACTIVE", 0, None)
    assert done.last_sync_finished_at is not None
    assert done not in due_connections(database, datetime.now(UTC))
    assert done in due_connections(database, done.next_due_at or datetime.now(UTC))


def test_failures_are_tried_again_sooner_and_lead_to_failed(
    database: Database, secrets: SecretStore, tenant: str
) -> None:
    add(database, secrets, tenant, schedule=Schedule(every_s=86400))
    mark_sync_finished(database, tenant, "hubspot", None)
    for number in range(1, FAILURES_UNTIL_FAILED + 1):
        failed = mark_sync_finished(database, tenant, "hubspot", "x" * 5000)
        assert failed.failures == number
        assert failed.next_due_at is not None
        assert failed.next_due_at <= datetime.now(UTC) + timedelta(hours=1)
        assert failed.status == ("FAILED" if number == FAILURES_UNTIL_FAILED else "ACTIVE")
    assert failed.last_error == "x" * 2000
    assert mark_sync_finished(database, tenant, "hubspot", None).status == "ACTIVE"
    assert verify_audit(database, tenant) == []


def test_a_paused_connection_stays_paused_through_a_sync(
    database: Database, secrets: SecretStore, tenant: str
) -> None:
    add(database, secrets, tenant)
    set_status(database, tenant, "hubspot", "PAUSED", actor="ann")
    assert mark_sync_finished(database, tenant, "hubspot", None).status == "PAUSED"


def test_removing_takes_the_credentials_along(database: Database, secrets: SecretStore, tenant: str) -> None:
    add(database, secrets, tenant)
    remove_connection(database, tenant, "hubspot", actor="ann")
    with pytest.raises(CredentialError, match="no credentials are stored"):
        secrets.read(tenant, "hubspot")
    assert add(database, secrets, tenant).status == "PENDING"
