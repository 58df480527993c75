"""The audit log: who changed what, and when; appended in the transaction of the change itself.

Each tenant's entries are a chain: an entry's hash covers its own facts and the hash before it. The
database refuses to update or delete an entry; ``verify_audit`` finds what somebody altered all the same.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, insert, select, text

from core.names import GLOBAL_TENANT
from resources.database import Database
from resources.locks import lock_key
from resources.tables import audit_log

FIRST_HASH = "0" * 64
"""What the first entry of a chain follows."""
_SECRET_KEY = re.compile(r"(.*_)?(password|passphrase|secret|token|api_key|private_key|credentials)", re.I)
HIDDEN = "(hidden)"
Fact = tuple[str, str, Any, Any]
"""Action, subject, before, after."""


@dataclass(frozen=True)
class AuditEntry:
    """One entry. ``before`` and ``after`` are JSON data or None."""

    tenant_id: str
    seq: int
    at: datetime
    actor: str
    action: str
    subject: str
    before: Any
    after: Any
    previous_hash: str
    hash: str


@dataclass(frozen=True)
class AuditBreak:
    """A place where a chain does not hold."""

    seq: int
    problem: str


def record(
    conn: Connection,
    actor: str,
    action: str,
    subject: str,
    before: Any,
    after: Any,
    tenant_id: str,
) -> None:
    """Append one entry; ``conn`` is in the scope of the tenant, or the operator's for ``*``.

    ``action`` is ``noun.verb_in_past`` (``connection.paused``). Values under keys that name a secret are
    hidden. Other writers of the same chain wait until the transaction ends.
    """
    record_all(conn, actor, [(action, subject, before, after)], tenant_id)


def record_all(conn: Connection, actor: str, facts: Sequence[Fact], tenant_id: str) -> None:
    """As ``record`` for several entries, in their order: (action, subject, before, after) each."""
    if not facts:
        return
    key = lock_key(tenant_id, "audit chain")
    conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})
    last = select(audit_log.c.hash).where(audit_log.c.tenant_id == tenant_id)
    previous = conn.execute(last.order_by(audit_log.c.seq.desc()).limit(1)).scalar() or FIRST_HASH
    entries: list[dict[str, Any]] = []
    for action, subject, before, after in facts:
        entry = {
            "tenant_id": tenant_id,
            "at": datetime.now(UTC),
            "actor": _plain(actor),
            "action": action,
            "subject": _plain(subject),
            "before": _plain(before),
            "after": _plain(after),
            "previous_hash": previous,
        }
        previous = _hash(entry)
        entries.append({**entry, "hash": previous})
    conn.execute(insert(audit_log), entries)


def read_audit(database: Database, tenant_id: str, limit: int = 100) -> list[AuditEntry]:
    """The newest ``limit`` entries of a tenant (``*``: of the whole mesh), newest first."""
    query = select(audit_log).where(audit_log.c.tenant_id == tenant_id)
    with _scope(database, tenant_id) as conn:
        rows = conn.execute(query.order_by(audit_log.c.seq.desc()).limit(limit)).mappings().all()
    return [AuditEntry(**row) for row in rows]


def verify_audit(database: Database, tenant_id: str) -> list[AuditBreak]:
    """Every place where the tenant's chain does not hold; empty when it was never touched.

    Entries cut off at the end cannot be seen here: keep the last hash elsewhere to prove their absence.
    """
    query = select(audit_log).where(audit_log.c.tenant_id == tenant_id).order_by(audit_log.c.seq)
    with _scope(database, tenant_id) as conn:
        rows = conn.execution_options(yield_per=1000).execute(query).mappings()
        return list(_breaks(rows))


def _breaks(rows: Any) -> Iterator[AuditBreak]:
    previous = FIRST_HASH
    for row in rows:
        if row["previous_hash"] != previous:
            yield AuditBreak(row["seq"], "does not follow the entry before it: one was removed or put in")
        if row["hash"] != _hash(row):
            yield AuditBreak(row["seq"], "was altered after it was written")
        previous = row["hash"]


@contextmanager
def _scope(database: Database, tenant_id: str) -> Iterator[Connection]:
    scope = database.operator() if tenant_id == GLOBAL_TENANT else database.tenant(tenant_id)
    with scope as conn:
        yield conn


def _hash(entry: Mapping[str, Any] | RowMapping) -> str:
    names = ("tenant_id", "at", "actor", "action", "subject", "before", "after", "previous_hash")
    facts = {name: entry[name] for name in names}
    facts["at"] = entry["at"].astimezone(UTC).isoformat(timespec="microseconds")
    return hashlib.sha256(json.dumps(facts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _plain(value: Any) -> Any:
    """JSON data that Postgres gives back exactly as it was written: no floats, NUL or lone surrogates."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, Mapping):
        return {
            _plain(str(k)): HIDDEN if _SECRET_KEY.fullmatch(str(k)) else _plain(v) for k, v in value.items()
        }
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value).replace("\0", "\\x00").encode(errors="backslashreplace").decode()
