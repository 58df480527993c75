"""Replays that are due: written with the change that makes them so, taken away by the replay itself.

So a change and its replay need no common transaction: killed between the two, the next sync (or the same
command again) finds the request and completes it. How a replay works is ``resources/canonical_replay.py``.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from core.names import GLOBAL_TENANT
from resources.database import Database
from resources.tables import active_mapping_sets as active
from resources.tables import loads, replay_requests
from resources.tenants import ACTIVE, list_tenants

StreamKey = tuple[str, str]


@dataclass(frozen=True)
class ReplayRequest:
    """A stream whose history has to be brought up to date. ``request_id`` is new at each asking."""

    connector: str
    stream: str
    request_id: str
    requested_by: str
    reason: str
    requested_at: datetime


_COLUMNS = [replay_requests.c[name] for name in ReplayRequest.__dataclass_fields__]


def request_replay(conn: Connection, tenant_id: str, key: StreamKey, actor: str, reason: str) -> None:
    """Ask for a replay of the stream (of every tenant's: ``*``); asking again replaces the request."""
    request_replays(conn, tenant_id, [key], actor, reason)


def request_replays(
    conn: Connection, tenant_id: str, keys: Iterable[StreamKey], actor: str, reason: str
) -> None:
    """``request_replay`` for many streams, in one statement."""
    asked = {"requested_by": actor, "reason": reason}
    rows = [
        {"tenant_id": tenant_id, "connector": one, "stream": stream, "request_id": str(uuid.uuid4())} | asked
        for one, stream in keys
    ]
    if rows:
        wanted = insert(replay_requests).values(rows)
        new = {name: wanted.excluded[name] for name in ("request_id", "requested_by", "reason")}
        of = ["tenant_id", "connector", "stream"]
        conn.execute(wanted.on_conflict_do_update(index_elements=of, set_=new | {"requested_at": func.now()}))


def list_replay_requests(db: Database, tenant_id: str) -> list[ReplayRequest]:
    """What is due for a tenant, oldest first."""
    with db.tenant(tenant_id) as conn:
        return _read_requests(conn, tenant_id)


def hand_out_requests(db: Database) -> None:
    """Ask of each tenant what is due for all, as a global set changed; then it is due there.

    Killed in between, it is handed out again: a replay under what holds already changes nothing.
    """
    with db.operator() as conn:
        due = _read_requests(conn, GLOBAL_TENANT)
    if not due:
        return
    for tenant in list_tenants(db):
        if tenant.status == ACTIVE:
            with db.tenant(tenant.tenant_id) as conn:
                follows = _read_following(conn, tenant.tenant_id)
                for one in due:
                    if (one.connector, one.stream) in follows:
                        key, why = (one.connector, one.stream), f"for all tenants: {one.reason}"
                        request_replay(conn, tenant.tenant_id, key, one.requested_by, why)
    with db.operator() as conn:
        for one in due:
            settle_request(conn, GLOBAL_TENANT, (one.connector, one.stream), one.request_id)


def _read_requests(conn: Connection, tenant_id: str) -> list[ReplayRequest]:
    query = select(*_COLUMNS).where(replay_requests.c.tenant_id == tenant_id)
    rows = conn.execute(query.order_by(replay_requests.c.requested_at)).mappings()
    return [ReplayRequest(**row) for row in rows]


def _read_following(conn: Connection, tenant_id: str) -> set[StreamKey]:
    """Streams that landed something and have no set of the tenant's own."""
    query = select(loads.c.connector, loads.c.stream).where(loads.c.tenant_id == tenant_id).distinct()
    own = select(active.c.connector, active.c.stream).where(active.c.tenant_id == tenant_id)
    return {(connector, stream) for connector, stream in conn.execute(query.except_(own))}


def read_request_id(conn: Connection, tenant_id: str, key: StreamKey) -> str | None:
    """The id of the stream's request, None when nothing is due."""
    query = select(replay_requests.c.request_id).where(*_of(tenant_id, key))
    return conn.execute(query).scalar()


def settle_request(conn: Connection, tenant_id: str, key: StreamKey, request_id: str | None) -> None:
    """Take a request away in the transaction of its replay; one asked for since then stays."""
    if request_id is not None:
        same = replay_requests.c.request_id == request_id
        conn.execute(delete(replay_requests).where(*_of(tenant_id, key), same))


def has_history(conn: Connection, tenant_id: str, key: StreamKey) -> bool:
    """Whether any load of the stream became events, so that a replay could change something."""
    query = select(loads.c.load_id).where(
        loads.c.tenant_id == tenant_id,
        loads.c.connector == key[0],
        loads.c.stream == key[1],
        loads.c.set_id.is_not(None),
    )
    return conn.execute(query.limit(1)).first() is not None


def _of(tenant_id: str, key: StreamKey) -> tuple[ColumnElement[bool], ...]:
    table = replay_requests.c
    return (table.tenant_id == tenant_id, table.connector == key[0], table.stream == key[1])
