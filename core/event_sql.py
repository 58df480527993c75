"""Events as lines of COPY's text format, made in SQL from canonical records; and what identifies an event.

SQL is DuckDB's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from core.names import quote_literal

ROWS_TOGETHER = 1024
"""Neighbours in a load share the beginning of their event ids, so that the index grows at its end."""

EVENT_COLUMNS = (
    *("tenant_id", "entity", "connector", "stream", "set_id", "load_id"),
    *("event_id", "record_id", "op", "data", "unknown_fields", "content_hash"),
)
"""Columns of ``canonical_streams`` in the order of an event's line."""
QUARANTINE_COLUMNS = (
    *("tenant_id", "entity", "connector", "stream", "set_id", "load_id"),
    *("quarantine_id", "record_id", "stage", "code", "reason", "record"),
)
"""Columns of ``quarantine`` in the order of a refused record's line."""

UPSERT, DELETE, UNCHANGED, REFUSED = "upsert", "delete", "unchanged", "refused"


@dataclass(frozen=True)
class EventSource:
    """What all lines of one load have in common. ``replay`` is empty, or names the replay.

    A replay is named by the last event before it, so that killed and run again it makes the same ids, and
    going back to an older set makes new ones.
    """

    tenant_id: str
    entity: str
    connector: str
    stream: str
    set_id: str
    load_id: str
    replay: str = ""

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of all of it."""
        return hashlib.sha256("\0".join((*self._columns, self.replay)).encode()).hexdigest()

    @property
    def prefix(self) -> str:
        """SQL literal of what each line begins with."""
        return quote_literal("\t".join(self._columns) + "\t")

    @property
    def _columns(self) -> tuple[str, ...]:
        return (self.tenant_id, self.entity, self.connector, self.stream, self.set_id, self.load_id)


def select_outcomes(source: EventSource, records: str) -> str:
    """Per record: ``status``, and for an event the ``line`` of COPY, which ends in a line break.

    ``records`` is a query with the columns of a ``Projection`` and ``prior``, the content hash of the
    record's version before this one (NULL when there is none).
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
    line = _write_line(source, fields)
    event = f"CASE WHEN status IN ('{UPSERT}', '{DELETE}') THEN {line} END"
    return f"SELECT status, {event} AS line FROM ({identified})"


def _write_identity(source: EventSource) -> str:
    """SHA-256 over tenant, entity, connector, stream, set, load, row, op, content and record.

    Load and row are in it because A → B → A are three facts.
    """
    own = "op || COALESCE(row, -1) || ' ' || content_hash || record_id"
    return f"sha256({quote_literal(source.digest)} || {own})"


def _write_event_id(source: EventSource) -> str:
    """A UUID (version 8) as 32 hex digits: second of the load, block of rows in it, 72 bits of identity."""
    second = f"{int(Decimal(source.load_id)) % 2**32:08x}"
    block = f"lpad(to_hex((COALESCE(row, -1) // {ROWS_TOGETHER}) & 65535), 4, '0')"
    return f"'{second}' || {block} || '8' || left(identity, 3) || 'a' || substr(identity, 4, 15)"


def select_refused(source: EventSource, records: str, record_max: int) -> str:
    """Lines of COPY for the refused records of a query with the columns of a ``Projection``.

    ``record_max``: characters of the source record that are kept.
    """
    quarantine_id = f"left(sha256({quote_literal(source.digest + 'refused')} || row), 32)"
    record_id = "replace(record_id, chr(0), '\\u0000')"
    record = f"CASE WHEN length(record) > {record_max} THEN left(record, {record_max}) || '…' ELSE record END"
    fields = [
        quarantine_id,
        f"COALESCE({escape_copy(record_id)}, '\\N')",
        "'canonical'",
        "code",
        escape_copy("reason"),
        escape_copy(record),
    ]
    line = _write_line(source, fields)
    return (
        f"SELECT '{REFUSED}' AS status, {line} AS line FROM ({records}) WHERE code IS NOT NULL ORDER BY row"
    )


def _write_line(source: EventSource, fields: Sequence[str]) -> str:
    # one concat copies each text once, a chain of || over and over
    return f"concat({source.prefix}, {', chr(9), '.join(fields)}, chr(10))"


def escape_copy(text: str) -> str:
    """SQL of a text as COPY's text format spells it."""
    escaped = f"replace({text}, '\\', '\\\\')"
    for code, letter in ((9, "t"), (10, "n"), (13, "r")):
        escaped = f"replace({escaped}, chr({code}), '\\{letter}')"
    return f"CASE WHEN regexp_matches({text}, '[\\\\\\t\\n\\r]') THEN {escaped} ELSE {text} END"


def escape_json(text: str) -> str:
    """SQL of JSON text as COPY spells it: it has no control characters, so only backslashes matter."""
    return f"CASE WHEN contains({text}, '\\') THEN replace({text}, '\\', '\\\\') ELSE {text} END"
