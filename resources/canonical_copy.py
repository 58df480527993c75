"""Rows into Postgres by COPY, inside the tenant's scope.

Postgres refuses COPY into tables with row-level security. So rows go by COPY into a temporary table, a few
megabytes at a time, and from there by INSERT, which the policies check. Measured, that costs a tenth more
than a COPY past the policies would.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from core.event_sql import EventSource

CHUNK_BYTES = 4 * 1024 * 1024

Bytes = bytes | memoryview


@dataclass(frozen=True)
class CopyTarget:
    """A table to fill: the columns of the lines, and the INSERT that takes them from ``arriving``."""

    columns: str
    insert: str
    parameters: tuple[object, ...]


def fill_events(source: EventSource, entity: str) -> CopyTarget:
    """Into ``canonical_streams``, from the lines of ``core.event_sql.select_outcomes``."""
    return CopyTarget(
        columns="event_id uuid, record_id text, op text, data jsonb, unknown_fields jsonb, content_hash text",
        insert="INSERT INTO canonical_streams (tenant_id, event_id, entity, connector, stream, record_id, "
        "op, data, unknown_fields, content_hash, set_id, load_id) "
        "SELECT %s, event_id, %s, %s, %s, record_id, op, data, unknown_fields, content_hash, %s::uuid, %s "
        "FROM arriving",
        parameters=(
            source.tenant_id,
            entity,
            source.connector,
            source.stream,
            source.set_id,
            source.load_id,
        ),
    )


def fill_quarantine(source: EventSource, entity: str) -> CopyTarget:
    """Into ``quarantine``, from the lines of ``core.event_sql.select_refused``."""
    return CopyTarget(
        columns="quarantine_id uuid, record_id text, code text, reason text, record text",
        insert="INSERT INTO quarantine (tenant_id, quarantine_id, connector, stream, load_id, stage, entity, "
        "record_id, code, reason, record, set_id) SELECT %s, quarantine_id, %s, %s, %s, 'canonical', %s, "
        "record_id, code, reason, record, %s::uuid FROM arriving",
        parameters=(
            source.tenant_id,
            source.connector,
            source.stream,
            source.load_id,
            entity,
            source.set_id,
        ),
    )


def copy_lines(conn: Connection, target: CopyTarget, chunks: Iterable[Bytes]) -> int:
    """Insert the lines, which may be cut into chunks at line ends only; returns how many rows."""
    driver: Any = conn.connection.driver_connection
    with driver.cursor() as cursor:
        cursor.execute(f"CREATE TEMPORARY TABLE arriving ({target.columns})")
        rows = 0
        for batch in _gather(chunks):
            with cursor.copy("COPY arriving FROM STDIN (ENCODING 'UTF8')") as copy:
                for chunk in batch:
                    copy.write(chunk)
            cursor.execute(target.insert, target.parameters)
            rows += cursor.rowcount
            cursor.execute("TRUNCATE arriving")
        cursor.execute("DROP TABLE arriving")
    return rows


def _gather(chunks: Iterable[Bytes]) -> Iterator[list[Bytes]]:
    batch: list[Bytes] = []
    size = 0
    for chunk in chunks:
        batch.append(chunk)
        size += len(chunk)
        if size >= CHUNK_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
