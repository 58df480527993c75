"""One load becomes events: transformed by DuckDB, copied into Postgres, marked consumed, in one transaction.

Which loads there are and in which order they go is ``resources/canonical.py``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from sqlalchemy import ColumnElement, Connection, select, update
from sqlalchemy.sql import func

from core.errors import StorageUnavailable
from core.event_sql import DELETE, REFUSED, UNCHANGED, UPSERT, select_outcomes, select_refused
from core.names import join_name
from resources.canonical_absent import delete_absent
from resources.canonical_copy import copy_events, copy_refused
from resources.canonical_engine import open_load
from resources.canonical_work import Lane, StreamWork, stream_lines
from resources.loads import Load
from resources.tables import loads

RECORD_MAX = 65_536
"""Characters of a refused record that quarantine keeps."""


@dataclass(frozen=True)
class LoadOutcome:
    """What came of a load: landed = events + unchanged + refused; ``deleted`` are events besides.

    ``events`` counts upserts and deletes the load's rows made, ``deleted`` records absent from a snapshot.
    ``kept``: records absent from a snapshot that were not deleted, because some rows could not be read.
    """

    landed: int = 0
    events: int = 0
    unchanged: int = 0
    refused: int = 0
    deleted: int = 0
    kept: int = 0


def consume_load(conn: Connection, work: StreamWork, load: Load) -> LoadOutcome | None:
    """Write a load's events and quarantine and mark it consumed; None when somebody else has meanwhile.

    The caller's transaction has to commit. Raises MappingRefused for a set that cannot be applied,
    StorageUnavailable when the lake does not hold what it should.
    """
    if not _claim(conn, work, load):
        return None
    files = work.lake.files(work.tenant_id, load.connector, load.stream, load.load_id)
    lanes = work.lanes(open_load(work.engine, files))
    landed = _prepare(conn, work, load, lanes)
    counts = _write_events(conn, work, load, lanes)
    refused = _write_refused(conn, work, load, lanes) if counts[REFUSED] else 0
    deleted, kept = delete_absent(conn, work, load)
    outcome = LoadOutcome(
        landed, counts[UPSERT] + counts[DELETE], counts[UNCHANGED], counts[REFUSED], deleted, kept
    )
    _check(work, load, outcome, refused)
    _mark_consumed(conn, work, load, outcome)
    return outcome


def _claim(conn: Connection, work: StreamWork, load: Load) -> bool:
    """Hold the load's row until the transaction ends; False when it is consumed."""
    row = select(loads.c.load_id).where(*_row_of(work, load), loads.c.consumed_at.is_(None))
    return conn.execute(row.with_for_update()).first() is not None


def _prepare(conn: Connection, work: StreamWork, load: Load, lanes: Sequence[Lane]) -> int:
    """Make tables ``keys`` (record_id, versions) and ``prior`` (record_id, prior); rows of the load."""
    engine = work.engine
    engine.execute(
        "CREATE OR REPLACE TEMP TABLE keys AS SELECT record_id, count(*) AS versions "
        f"FROM ({lanes[0].keys}) GROUP BY record_id"
    )
    work.heads.advance(conn, engine)
    heads = work.heads.relation(only="keys")
    engine.execute(
        f"CREATE OR REPLACE TEMP TABLE prior AS SELECT record_id, content_hash AS prior FROM {heads}"
    )
    found = engine.execute("SELECT COALESCE(sum(versions), 0)::BIGINT FROM keys").fetchall()
    landed = int(found[0][0])
    if landed != load.landed:
        raise StorageUnavailable(
            f"the lake does not hold load {load.load_id} as it landed",
            expected=f"{load.landed} records",
            found=f"{landed}",
            where=f"{work.tenant_id}/{join_name(load.connector, load.stream)}",
            remedy="Restore the load's files, or remove the connection and sync anew",
        )
    return landed


def _write_events(conn: Connection, work: StreamWork, load: Load, lanes: Sequence[Lane]) -> Counter[str]:
    """Stream records that occur once in any order, then those with several versions in theirs."""
    counts: Counter[str] = Counter()
    repeated = work.engine.execute("SELECT EXISTS (FROM keys WHERE versions > 1 AND record_id IS NOT NULL)")
    several = bool(repeated.fetchall()[0][0])
    queries = [
        select_outcomes(lane.work.source_of(load.load_id), query)
        for lane in lanes
        for query in _select_versions(lane, several=several)
    ]
    lines = chain.from_iterable(stream_lines(work.engine, query, counts) for query in queries)
    copy_events(conn, work.tenant_id, lines)
    return counts


def _select_versions(lane: Lane, *, several: bool) -> Iterator[str]:
    """A lane's records that occur once with what was known of them; then those that occur several times."""
    records = f"SELECT *, NULL::VARCHAR AS prior FROM ({lane.sql})"
    if lane.work.heads.known:
        records = f"SELECT * FROM ({lane.sql}) LEFT JOIN prior USING (record_id)"
    if not several:
        yield records
        return
    repeated = "(SELECT record_id FROM keys WHERE versions > 1)"
    yield f"SELECT * FROM ({records}) ANTI JOIN {repeated} USING (record_id)"
    yield (
        "SELECT * REPLACE (CASE WHEN code IS NULL THEN lag(content_hash, 1, prior) OVER "
        "(PARTITION BY record_id, code IS NULL ORDER BY row) END AS prior) "
        f"FROM (SELECT * FROM ({records}) SEMI JOIN {repeated} USING (record_id)) ORDER BY row"
    )


def _write_refused(conn: Connection, work: StreamWork, load: Load, lanes: Sequence[Lane]) -> int:
    counts: Counter[str] = Counter()
    for lane in lanes:
        query = select_refused(lane.work.source_of(load.load_id), lane.sql, RECORD_MAX)
        copy_refused(conn, work.tenant_id, stream_lines(work.engine, query, counts))
    return counts[REFUSED]


def _check(work: StreamWork, load: Load, outcome: LoadOutcome, quarantined: int) -> None:
    accounted = outcome.events + outcome.unchanged + outcome.refused
    if accounted != outcome.landed or quarantined != outcome.refused:
        raise _does_not_add_up(work, load, f"{outcome}, {quarantined} in quarantine")


def _does_not_add_up(work: StreamWork, load: Load, found: str) -> StorageUnavailable:
    return StorageUnavailable(
        f"the events of load {load.load_id} do not add up, so none was kept",
        expected=f"{load.landed} records as events, unchanged or refused",
        found=found,
        where=f"{work.tenant_id}/{join_name(load.connector, load.stream)}",
        remedy="Sync again; if it stays, report it",
    )


def _mark_consumed(conn: Connection, work: StreamWork, load: Load, outcome: LoadOutcome) -> None:
    conn.execute(
        update(loads)
        .where(*_row_of(work, load))
        .values(
            consumed_at=func.clock_timestamp(),
            set_id=work.mapping_set.set_id,
            events=outcome.events,
            unchanged=outcome.unchanged,
            refused=outcome.refused,
            deleted=outcome.deleted,
        )
    )


def _row_of(work: StreamWork, load: Load) -> tuple[ColumnElement[bool], ...]:
    return (
        loads.c.tenant_id == work.tenant_id,
        loads.c.connector == load.connector,
        loads.c.stream == load.stream,
        loads.c.load_id == load.load_id,
    )
