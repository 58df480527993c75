"""What the views are fed: new events of one tenant, streamed from Postgres into a text file.

The format of the file is in ``core/view_sql.py``; who reads it is ``resources/view_builder.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

from core.ontology import Entity
from core.view_sql import write_copy


@dataclass(frozen=True)
class Watermark:
    """How far a view has come: the last event it holds (``seq`` 0 and no id: none yet)."""

    seq: int = 0
    event_id: str | None = None


@dataclass(frozen=True)
class Pending:
    """Where the events of an entity stand: the newest ``seq``; whether the watermark is still true."""

    top: int
    known: bool


@dataclass(frozen=True)
class Feed:
    """A file of events: how many lines, the longest in bytes."""

    path: Path
    events: int
    longest_bytes: int


_PENDING = text(
    """
    SELECT w.entity,
           coalesce((SELECT max(c.seq) FROM canonical_streams c
                     WHERE c.tenant_id = :tenant AND c.entity = w.entity), 0) AS top,
           w.seq = 0 OR EXISTS (SELECT FROM canonical_streams c WHERE c.tenant_id = :tenant
                                AND c.seq = w.seq AND c.event_id = w.event_id) AS known
    FROM unnest(CAST(:entities AS text[]), CAST(:seqs AS bigint[]), CAST(:event_ids AS uuid[]))
         AS w (entity, seq, event_id)
    """
)


def read_pending(conn: Connection, tenant_id: str, marks: Mapping[str, Watermark]) -> dict[str, Pending]:
    """Compare watermarks with the events; a watermark whose event is gone or another is not known.

    That happens when Postgres was restored from an older copy, or the file belongs to another database.
    """
    rows = conn.execute(
        _PENDING,
        {
            "tenant": tenant_id,
            "entities": list(marks),
            "seqs": [mark.seq for mark in marks.values()],
            "event_ids": [mark.event_id for mark in marks.values()],
        },
    )
    return {row.entity: Pending(top=row.top, known=row.known) for row in rows}


def write_feed(
    conn: Connection, tenant_id: str, entity: Entity, *, after: int, until: int, path: Path
) -> Feed:
    """Stream the entity's events with ``after < seq <= until`` into ``path``, in no particular order.

    Sequence numbers are given out before a transaction commits, so this is exact only because the
    canonical step is the one writer of a tenant at a time (advisory lock ``canonical``).
    """
    statement = write_copy(entity, tenant_id, after=after, until=until)
    events = longest = 0
    connection: Any = conn.connection.driver_connection
    with path.open("wb", buffering=1 << 20) as file, connection.cursor().copy(statement) as copy:
        for line in copy:  # libpq hands out one line at a time
            file.write(line)
            events += 1
            if len(line) > longest:
                longest = len(line)
    return Feed(path, events, longest)
