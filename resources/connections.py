"""Connections: a tenant's use of a connector, its state, and when it is due.

PENDING → ACTIVE → HEALING → ACTIVE | FAILED, and PAUSED by a person. Credentials are in ``secrets.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from sqlalchemy import Connection as SqlConnection
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from core.connector import CREDENTIAL_FIELDS, ConnectorSpec, Schedule
from core.errors import ConfigError, CredentialError, UnknownName
from core.names import join_name
from resources.audit import record
from resources.database import Database
from resources.due import check_cron, next_due, retry_due
from resources.secrets import SecretStore
from resources.tables import connections, tenants

Status = Literal["PENDING", "ACTIVE", "HEALING", "FAILED", "PAUSED"]
STATUSES: tuple[str, ...] = get_args(Status)
FAILURES_UNTIL_FAILED = 5
"""Syncs that must fail in a row before a connection is FAILED; it is still tried, at least hourly."""
ERROR_MAX_CHARS = 2000
MESH = "mesh"
"""Actor of changes that no person made."""
_SECRET_OPTIONS = {"password", "token", "api_key", "client_secret", "refresh_token", "secret"}


@dataclass(frozen=True)
class Connection:
    """A row of ``connections``. One of the two schedules is set; times are in UTC."""

    tenant_id: str
    connector: str
    status: str
    base_url: str | None
    options: dict[str, str]
    schedule_every_s: int | None
    schedule_cron: str | None
    next_due_at: datetime | None
    last_sync_started_at: datetime | None
    last_sync_finished_at: datetime | None
    last_error: str | None
    failures: int
    created_at: datetime


_COLUMNS = [connections.c[field.name] for field in fields(Connection)]


def add_connection(
    database: Database,
    secrets: SecretStore,
    tenant_id: str,
    spec: ConnectorSpec,
    *,
    credentials: Mapping[str, str],
    base_url: str | None = None,
    options: Mapping[str, str] | None = None,
    schedule: Schedule | None = None,
    actor: str,
) -> Connection:
    """Connect a tenant (PENDING, due at once) and store its credentials, in one transaction.

    Raises ConfigError for what does not fit or is there already, CredentialError for wrong names.
    """
    where = join_name(tenant_id, spec.connector)
    chosen = schedule or spec.schedule
    if chosen.cron is not None:
        check_cron(chosen.cron, where)
    _check_credentials(spec, credentials, where)
    row = {
        "tenant_id": tenant_id,
        "connector": spec.connector,
        "status": "PENDING",
        "base_url": _check_base_url(spec, base_url, where),
        "options": _check_options(options or {}, where),
        "schedule_every_s": chosen.every_s,
        "schedule_cron": chosen.cron,
        "next_due_at": datetime.now(UTC),
    }
    try:
        with database.tenant(tenant_id) as conn:
            added = conn.execute(insert(connections).values(**row).returning(*_COLUMNS)).one()
            record(conn, actor, "connection.added", spec.connector, None, _facts(row), tenant_id)
            secrets.store(conn, tenant_id, spec.connector, credentials, actor)
    except IntegrityError as error:
        raise _refusal(error, tenant_id, spec.connector) from None
    return Connection(**added._mapping)


def list_connections(database: Database, tenant_id: str) -> list[Connection]:
    """A tenant's connections by connector."""
    with database.tenant(tenant_id) as conn:
        rows = conn.execute(select(*_COLUMNS).order_by(connections.c.connector)).mappings().all()
    return [Connection(**row) for row in rows]


def get_connection(database: Database, tenant_id: str, connector: str) -> Connection:
    """One connection, or UnknownName."""
    with database.tenant(tenant_id) as conn:
        return _get(conn, tenant_id, connector)


def set_status(database: Database, tenant_id: str, connector: str, status: str, *, actor: str) -> Connection:
    """Change the state; the same state again is no change. Leaving PAUSED makes it due at once."""
    if status not in STATUSES:
        raise ConfigError("unknown status of a connection", expected=", ".join(STATUSES), found=repr(status))
    with database.tenant(tenant_id) as conn:
        before = _get(conn, tenant_id, connector, lock=True)
        if before.status == status:
            return before
        change: dict[str, Any] = {"status": status}
        if before.status == "PAUSED" or (before.status == "FAILED" and status == "ACTIVE"):
            change |= {"next_due_at": datetime.now(UTC), "failures": 0}
        return _change(conn, before, change, actor)


def remove_connection(database: Database, tenant_id: str, connector: str, *, actor: str) -> None:
    """Remove a connection with its credentials and tokens; what it has landed stays."""
    with database.tenant(tenant_id) as conn:
        before = _get(conn, tenant_id, connector, lock=True)
        conn.execute(delete(connections).where(*_is(tenant_id, connector)))
        record(conn, actor, "connection.removed", connector, _facts(vars(before)), None, tenant_id)


def mark_sync_started(database: Database, tenant_id: str, connector: str) -> Connection:
    """Note the start; the connection is due again at its next time, should this sync never end."""
    now = datetime.now(UTC)
    with database.tenant(tenant_id) as conn:
        before = _get(conn, tenant_id, connector, lock=True)
        change = {"last_sync_started_at": now, "next_due_at": _scheduled(before, now)}
        return _change(conn, before, change, MESH)


def mark_sync_finished(database: Database, tenant_id: str, connector: str, error: str | None) -> Connection:
    """Note the end: success makes ACTIVE; an error is tried again soon, after several it is FAILED."""
    now = datetime.now(UTC)
    with database.tenant(tenant_id) as conn:
        before = _get(conn, tenant_id, connector, lock=True)
        change: dict[str, Any] = {"last_sync_finished_at": now}
        if error is None:
            change |= {"failures": 0, "last_error": None, "next_due_at": _scheduled(before, now)}
            if before.status in ("PENDING", "FAILED"):
                change["status"] = "ACTIVE"
        else:
            failures = before.failures + 1
            due = retry_due(failures, now)
            change |= {"failures": failures, "last_error": error[:ERROR_MAX_CHARS], "next_due_at": due}
            if failures >= FAILURES_UNTIL_FAILED and before.status in ("PENDING", "ACTIVE"):
                change["status"] = "FAILED"
        return _change(conn, before, change, MESH)


def due_connections(database: Database, now: datetime) -> list[Connection]:
    """Connections of all tenants that should sync now, longest overdue first; paused ones never."""
    query = (
        select(*_COLUMNS)
        .join(tenants, tenants.c.tenant_id == connections.c.tenant_id)
        .where(tenants.c.status == "ACTIVE", connections.c.status != "PAUSED")
        .where(connections.c.next_due_at <= now)
        .order_by(connections.c.next_due_at, connections.c.tenant_id, connections.c.connector)
    )
    with database.operator() as conn:
        return [Connection(**row) for row in conn.execute(query).mappings()]


# --- inside a transaction -----------------------------------------------------------------------


def _is(tenant_id: str, connector: str) -> tuple[Any, Any]:
    return connections.c.tenant_id == tenant_id, connections.c.connector == connector


def _get(conn: SqlConnection, tenant_id: str, connector: str, *, lock: bool = False) -> Connection:
    query = select(*_COLUMNS).where(*_is(tenant_id, connector))
    row = conn.execute(query.with_for_update() if lock else query).mappings().first()
    if row is None:
        raise UnknownName(
            f"tenant {tenant_id!r} has no connection {connector!r}",
            remedy=f"Add it: aos connection add {tenant_id} {connector}",
        )
    return Connection(**row)


def _change(conn: SqlConnection, before: Connection, change: dict[str, Any], actor: str) -> Connection:
    """Write ``change``; a new status goes to the audit log, the bookkeeping of syncs does not."""
    where = _is(before.tenant_id, before.connector)
    values = {**change, "updated_at": datetime.now(UTC)}
    row = conn.execute(update(connections).where(*where).values(**values).returning(*_COLUMNS)).one()
    after = Connection(**row._mapping)
    if after.status != before.status:
        action = f"connection.{after.status.lower()}"
        old, new = {"status": before.status}, {"status": after.status, "last_error": after.last_error}
        record(conn, actor, action, before.connector, old, new, before.tenant_id)
    return after


def _scheduled(connection: Connection, now: datetime) -> datetime:
    seed = join_name(connection.tenant_id, connection.connector)
    return next_due(now, connection.schedule_every_s, connection.schedule_cron, seed)


def _facts(row: Mapping[str, Any]) -> dict[str, Any]:
    names = ("status", "base_url", "options", "schedule_every_s", "schedule_cron")
    return {name: row[name] for name in names}


# --- validation ---------------------------------------------------------------------------------


def _refusal(error: IntegrityError, tenant_id: str, connector: str) -> ConfigError | UnknownName:
    if getattr(error.orig, "sqlstate", None) == "23503":
        return UnknownName(f"no tenant {tenant_id!r}", remedy=f"Add it: aos tenant add {tenant_id}")
    return ConfigError(
        f"tenant {tenant_id!r} has a connection {connector!r} already",
        remedy="Change its credentials with aos connection rotate, or remove it first",
    )


def _check_credentials(spec: ConnectorSpec, given: Mapping[str, str], where: str) -> None:
    wanted = set(CREDENTIAL_FIELDS[spec.auth.type])
    missing = sorted(name for name in wanted if not given.get(name))
    extra = sorted(set(given) - wanted)
    if missing or extra:
        found = [f"no {name}" for name in missing] + [f"unknown {name}" for name in extra]
        raise CredentialError(
            "credentials do not fit the connector",
            expected=", ".join(sorted(wanted)) or "none",
            found=", ".join(found),
            where=where,
        )


def _check_base_url(spec: ConnectorSpec, base_url: str | None, where: str) -> str | None:
    if base_url is None:
        return None
    try:
        parts = urlsplit(base_url)
        host = parts.hostname
    except ValueError:
        parts, host = urlsplit(""), None
    if parts.password is not None:
        raise ConfigError("base_url contains a password", where=where, remedy="Give it as a credential")
    web = spec.kind in ("rest", "salesforce")
    if "\0" in base_url or (web and (parts.scheme not in ("http", "https") or not host)):
        raise ConfigError("base_url is not usable", expected="http(s)://host/…", where=where)
    return base_url


def _check_options(options: Mapping[str, str], where: str) -> dict[str, str]:
    for name, value in options.items():
        if not isinstance(name, str) or not isinstance(value, str) or "\0" in name + value:
            raise ConfigError("an option is not a text", expected="name=value", found=repr(name), where=where)
        if name.lower() in _SECRET_OPTIONS:
            raise ConfigError(
                f"option {name!r} is a secret", where=where, remedy="Give it as a credential instead"
            )
    return dict(options)
