"""Events as lines of COPY's text format, made in SQL from canonical records; and what identifies an event.

SQL is DuckDB's.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from decimal import Decimal

from core.names import quote_literal

ROWS_TOGETHER = 1024
"""Neighbours in a load share the beginning of their event ids, so that the index grows at its end."""

UPSERT, DELETE, UNCHANGED, REFUSED = "upsert", "delete", "unchanged", "refused"


@dataclass(frozen=True)
class EventSource:
    """What all events of one load have in common. ``replay`` is empty, or names the replay.

    A replay is named by the last event before it, so that killed and run again it makes the same ids, and
    going back to an older set makes new ones.
    """

    tenant_id: str
    connector: str
    stream: str
    load_id: str
    set_id: str
    replay: str = ""


def select_outcomes(source: EventSource, records: str) -> str:
    """Per record: ``status``, and for an event the ``line`` of COPY, which ends in a line break.

    ``records`` is a query with the columns of a ``Projection`` and ``prior``, the content hash of the
    record's version before this one (NULL when there is none). Columns of the line: event_id, record_id,
    op, data, unknown_fields, content_hash.
    """
    unchanged = f"WHEN content_hash = prior THEN '{UNCHANGED}'"
    status = f"CASE WHEN code IS NOT NULL THEN '{REFUSED}' {unchanged} ELSE op END"
    identified = f"SELECT *, {status} AS status, {_write_identity(source)} AS identity FROM ({records})"
    fields = [
        _write_event_id(source),
        escape_copy("record_id"),
        "op",
        escape_json("data"),
        f"COALESCE({escape_json('unknown_fields')}, '\\N')",
        "content_hash",
    ]
    line = f"{' || chr(9) || '.join(fields)} || chr(10)"
    event = f"CASE WHEN status IN ('{UPSERT}', '{DELETE}') THEN {line} END"
    return f"SELECT status, {event} AS line FROM ({identified})"


def _write_identity(source: EventSource) -> str:
    """SHA-256 over tenant, connector, stream, load, set, row, op, content and record.

    Load and row are in it because A → B → A are three facts.
    """
    facts = (source.tenant_id, source.connector, source.stream, source.load_id, source.set_id, source.replay)
    common = hashlib.sha256("\0".join(facts).encode()).hexdigest()
    return f"sha256({quote_literal(common)} || op || COALESCE(row, -1) || ' ' || content_hash || record_id)"


def _write_event_id(source: EventSource) -> str:
    """A UUID (version 8) as 32 hex digits: second of the load, block of rows in it, 72 bits of identity."""
    second = f"{int(Decimal(source.load_id)) % 2**32:08x}"
    block = f"lpad(to_hex((COALESCE(row, -1) // {ROWS_TOGETHER}) & 65535), 4, '0')"
    return f"'{second}' || {block} || '8' || left(identity, 3) || 'a' || substr(identity, 4, 15)"


def select_refused(source: EventSource, records: str, record_max: int) -> str:
    """Lines of COPY for the refused records of a query with the columns of a ``Projection``.

    Columns: quarantine_id, record_id, code, reason, record (cut at ``record_max`` characters).
    """
    facts = (source.tenant_id, source.connector, source.stream, source.load_id, source.set_id, source.replay)
    common = hashlib.sha256("\0".join(("quarantine", *facts)).encode()).hexdigest()
    quarantine_id = f"left(sha256({quote_literal(common)} || row), 32)"
    record_id = "replace(record_id, chr(0), '\\u0000')"
    record = f"CASE WHEN length(record) > {record_max} THEN left(record, {record_max}) || '…' ELSE record END"
    fields = [
        quarantine_id,
        f"COALESCE({escape_copy(record_id)}, '\\N')",
        "code",
        escape_copy("reason"),
        escape_copy(record),
    ]
    line = f"{' || chr(9) || '.join(fields)} || chr(10)"
    return (
        f"SELECT '{REFUSED}' AS status, {line} AS line FROM ({records}) WHERE code IS NOT NULL ORDER BY row"
    )


def escape_copy(text: str) -> str:
    """SQL of a text as COPY's text format spells it."""
    escaped = f"replace({text}, '\\', '\\\\')"
    for code, letter in ((9, "t"), (10, "n"), (13, "r")):
        escaped = f"replace({escaped}, chr({code}), '\\{letter}')"
    return f"CASE WHEN regexp_matches({text}, '[\\\\\\t\\n\\r]') THEN {escaped} ELSE {text} END"


def escape_json(text: str) -> str:
    """SQL of JSON text as COPY spells it: it has no control characters, so only backslashes matter."""
    return f"CASE WHEN contains({text}, '\\') THEN replace({text}, '\\', '\\\\') ELSE {text} END"
