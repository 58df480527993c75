"""What a complete snapshot does not have any more is deleted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from sqlalchemy import Connection, select

from core.compile import hash_deletion
from core.connector import SnapshotDeletion
from core.event_sql import DELETE, EventSource, select_outcomes
from core.names import quote_literal
from core.ontology import Entity
from resources.canonical_copy import copy_events
from resources.canonical_work import StreamWork, stream_lines
from resources.loads import RAW, Load
from resources.tables import quarantine


@dataclass(frozen=True)
class Absent:
    """A query of the record_ids that a snapshot lacks. ``certain``: none of them was only refused.

    A record refused before landing is there nevertheless. When the key of one could not even be read, it
    may be any of the absent.
    """

    query: str
    certain: bool


def tells_absence(work: StreamWork, load: Load) -> bool:
    """Whether a record that this load lacks is deleted."""
    return load.mode == "snapshot" and isinstance(work.spec.deletion, SnapshotDeletion)


def delete_absent(conn: Connection, work: StreamWork, load: Load) -> tuple[int, int]:
    """Emit deletes for known records absent from a snapshot; (deleted, kept because it is not certain).

    Reads the table ``keys`` of the load.
    """
    if not tells_absence(work, load) or not work.heads.known:
        return 0, 0
    known = f"SELECT record_id FROM {work.heads.relation()} WHERE op <> '{DELETE}'"
    absent = find_absent(conn, work, load, known, present="SELECT record_id FROM keys")
    if absent.certain:
        return delete_records(conn, work, work.source_of(load.load_id), work.entity, absent.query), 0
    return 0, int(work.engine.execute(f"SELECT count(*) FROM ({absent.query})").fetchall()[0][0])


def find_absent(conn: Connection, work: StreamWork, load: Load, known: str, present: str) -> Absent:
    """Those of the ``known`` record_ids a load lacks; ``present``: the record_ids it has, NULL ones too."""
    rejected = _read_rejected(conn, work, load) if load.quarantined else []
    engine = work.engine
    engine.execute("CREATE OR REPLACE TEMP TABLE rejected (record_id VARCHAR)")
    if rejected:
        engine.executemany("INSERT INTO rejected VALUES (?)", [[one] for one in rejected])
    # the loader joins the parts of a key by |, which is enough to recognise it
    several = len(work.spec.primary_key) > 1
    spelled = "array_to_string(json_extract_string(record_id, '$[*]'), '|')" if several else "record_id"
    query = (
        f"SELECT record_id FROM ({known}) WHERE record_id NOT IN "
        f"(SELECT record_id FROM ({present}) WHERE record_id IS NOT NULL) "
        f"AND {spelled} NOT IN (SELECT record_id FROM rejected WHERE record_id IS NOT NULL)"
    )
    keyless = engine.execute(f"SELECT EXISTS (FROM ({present}) WHERE record_id IS NULL)").fetchall()
    return Absent(query, certain=None not in rejected and not keyless[0][0])


def delete_records(
    conn: Connection, work: StreamWork, source: EventSource, entity: Entity, record_ids: str
) -> int:
    """Emit a delete without data for each of the ``record_ids`` (a query); returns how many."""
    gone = (
        f"SELECT NULL::BIGINT AS row, record_id, '{DELETE}' AS op, '{{}}' AS data, "
        "NULL::VARCHAR AS unknown_fields, NULL::VARCHAR AS code, NULL::VARCHAR AS prior, "
        f"{quote_literal(hash_deletion(entity))} AS content_hash FROM ({record_ids})"
    )
    counts: Counter[str] = Counter()
    copy_events(conn, work.tenant_id, stream_lines(work.engine, select_outcomes(source, gone), counts))
    return counts[DELETE]


def _read_rejected(conn: Connection, work: StreamWork, load: Load) -> list[str | None]:
    query = select(quarantine.c.record_id).where(
        quarantine.c.tenant_id == work.tenant_id,
        quarantine.c.connector == load.connector,
        quarantine.c.stream == load.stream,
        quarantine.c.load_id == load.load_id,
        quarantine.c.stage == RAW,
    )
    return list(conn.execute(query).scalars())
