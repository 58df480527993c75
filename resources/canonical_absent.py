"""What a complete snapshot does not have any more is deleted."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import Connection, select

from core.compile import hash_deletion
from core.connector import SnapshotDeletion
from core.event_sql import DELETE, select_outcomes
from core.names import quote_literal
from resources.canonical_copy import copy_events
from resources.canonical_work import StreamWork, stream_lines
from resources.loads import RAW, Load
from resources.tables import quarantine


def delete_absent(conn: Connection, work: StreamWork, load: Load) -> tuple[int, int]:
    """Emit deletes for known records absent from a snapshot; (deleted, kept). Reads the table ``keys``.

    A record refused before landing is there nevertheless. When the key of one could not even be read, it
    may be any of the absent, and none is deleted: these are ``kept``.
    """
    whole = load.mode == "snapshot" and isinstance(work.spec.deletion, SnapshotDeletion)
    if not whole or not work.heads.known:
        return 0, 0
    rejected = _read_rejected(conn, work, load) if load.quarantined else []
    absent = _select_absent(work, rejected)
    keyless = work.engine.execute("SELECT EXISTS (FROM keys WHERE record_id IS NULL)").fetchall()[0][0]
    if keyless or None in rejected:
        return 0, int(work.engine.execute(f"SELECT count(*) FROM ({absent})").fetchall()[0][0])
    gone = (
        f"SELECT NULL::BIGINT AS row, record_id, '{DELETE}' AS op, '{{}}' AS data, "
        "NULL::VARCHAR AS unknown_fields, NULL::VARCHAR AS code, NULL::VARCHAR AS prior, "
        f"{quote_literal(hash_deletion(work.entity))} AS content_hash FROM ({absent})"
    )
    source = work.source_of(load.load_id)
    counts: Counter[str] = Counter()
    copy_events(conn, work.tenant_id, stream_lines(work.engine, select_outcomes(source, gone), counts))
    return counts[DELETE], 0


def _select_absent(work: StreamWork, rejected: list[str | None]) -> str:
    engine = work.engine
    engine.execute("CREATE OR REPLACE TEMP TABLE rejected (record_id VARCHAR)")
    if rejected:
        engine.executemany("INSERT INTO rejected VALUES (?)", [[one] for one in rejected])
    # the loader joins the parts of a key by |, which is enough to recognise it
    several = len(work.spec.primary_key) > 1
    spelled = "array_to_string(json_extract_string(record_id, '$[*]'), '|')" if several else "record_id"
    return (
        f"SELECT record_id FROM {work.heads.relation()} WHERE op <> '{DELETE}' "
        "AND NOT EXISTS (FROM keys WHERE keys.record_id = heads.record_id) "
        f"AND {spelled} NOT IN (SELECT record_id FROM rejected WHERE record_id IS NOT NULL)"
    )


def _read_rejected(conn: Connection, work: StreamWork, load: Load) -> list[str | None]:
    query = select(quarantine.c.record_id).where(
        quarantine.c.tenant_id == work.tenant_id,
        quarantine.c.connector == load.connector,
        quarantine.c.stream == load.stream,
        quarantine.c.load_id == load.load_id,
        quarantine.c.stage == RAW,
    )
    return list(conn.execute(query).scalars())
