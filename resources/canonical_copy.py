"""Lines into Postgres: which tables and columns the canonical step's COPY fills."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, Table

from core.event_sql import EVENT_COLUMNS, QUARANTINE_COLUMNS
from resources.copying import copy_into
from resources.tables import canonical_streams, quarantine

Chunks = Iterable[bytes | memoryview]


def copy_events(conn: Connection, tenant_id: str, chunks: Chunks) -> None:
    """Write lines of ``core.event_sql.select_outcomes``, cut anywhere."""
    _copy(conn, tenant_id, canonical_streams, EVENT_COLUMNS, chunks)


def copy_refused(conn: Connection, tenant_id: str, chunks: Chunks) -> None:
    """Write lines of ``core.event_sql.select_refused``, cut anywhere."""
    _copy(conn, tenant_id, quarantine, QUARANTINE_COLUMNS, chunks)


def _copy(conn: Connection, tenant_id: str, table: Table, columns: Sequence[str], chunks: Chunks) -> None:
    with copy_into(conn, tenant_id, table, columns, "ENCODING 'UTF8'") as copy:
        for chunk in chunks:
            copy.write(chunk)
