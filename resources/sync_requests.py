"""Which syncs the daemon was asked for: each request once, whatever becomes of Dagster's own run history."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert

from core.names import join_name
from resources.connections import Connection
from resources.database import Database
from resources.tables import sync_requests

AGAIN_S = 600
"""A request whose run never came to touch the connections is made again after so long."""
KEEP_DAYS = 30


def name_request(due: Iterable[Connection], now: datetime) -> str:
    """The run key of syncing these connections: the same until one of them gets another due time.

    A run that dies before it starts leaves them due, so the key changes every ``AGAIN_S``.
    """
    facts = sorted((one.connector, one.next_due_at or now) for one in due)
    text = "\n".join(f"{join_name(connector, at.isoformat())}" for connector, at in facts)
    overdue_s = (now - min(at for _, at in facts)).total_seconds()
    return f"{hashlib.sha256(text.encode()).hexdigest()[:24]}-{int(overdue_s // AGAIN_S)}"


def record_request(db: Database, tenant_id: str, run_key: str, connectors: Sequence[str]) -> bool:
    """Note a request; False if it was made before. Forgets the tenant's requests of long ago."""
    row = {"tenant_id": tenant_id, "run_key": run_key, "connectors": list(connectors)}
    long_ago = datetime.now(UTC) - timedelta(days=KEEP_DAYS)
    table = sync_requests.c
    with db.tenant(tenant_id) as conn:
        conn.execute(delete(sync_requests).where(table.tenant_id == tenant_id, table.requested_at < long_ago))
        made = insert(sync_requests).values(**row).on_conflict_do_nothing().returning(table.run_key)
        return conn.execute(made).first() is not None
