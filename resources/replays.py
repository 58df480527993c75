"""Replays that are due: written with the change that makes them so, taken away by the replay itself.

So a change and its replay need no common transaction: killed between the two, the next sync (or the same
command again) finds the request and completes it. How a replay works is ``resources/canonical_replay.py``.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from resources.database import Database
from resources.tables import loads, replay_requests

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
    """Ask for a replay of the stream; asking again replaces the request before."""
    connector, stream = key
    facts = {"request_id": str(uuid.uuid4()), "requested_by": actor, "reason": reason}
    row = insert(replay_requests).values(tenant_id=tenant_id, connector=connector, stream=stream, **facts)
    conn.execute(
        row.on_conflict_do_update(
            index_elements=["tenant_id", "connector", "stream"],
            set_=facts | {"requested_at": func.now()},
        )
    )


def list_replay_requests(db: Database, tenant_id: str) -> list[ReplayRequest]:
    """What is due for a tenant, oldest first."""
    query = select(*_COLUMNS).where(replay_requests.c.tenant_id == tenant_id)
    with db.tenant(tenant_id) as conn:
        rows = conn.execute(query.order_by(replay_requests.c.requested_at)).mappings()
        return [ReplayRequest(**row) for row in rows]


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
