"""Loads and raw quarantine as Postgres knows them: what landed, what is consumed, what was refused."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select
from sqlalchemy import cast as sql_cast
from sqlalchemy.types import Numeric

from core.names import join_name
from resources.database import Database
from resources.lake import ManifestRow
from resources.tables import loads, quarantine

RAW = "raw"
_QUARANTINE_NAMESPACE = uuid.UUID("c8a4cd0e-5b6e-5d0b-8f0c-2f7b7f4a1d11")


@dataclass(frozen=True)
class Load:
    """One stream in one load. ``consumed_at`` None: the canonical step has not taken it yet."""

    connector: str
    stream: str
    load_id: str
    mode: str
    records: int
    landed: int
    quarantined: int
    schema_version: int | None
    loaded_at: datetime
    consumed_at: datetime | None


@dataclass(frozen=True)
class QuarantinedRecord:
    """A refused record. ``stage``: raw (before landing) or canonical."""

    connector: str
    stream: str
    load_id: str
    stage: str
    entity: str | None
    record_id: str | None
    code: str
    reason: str
    record: str
    quarantined_at: datetime


_LOAD_COLUMNS = [loads.c[one.name] for one in fields(Load)]
_QUARANTINE_COLUMNS = [quarantine.c[one.name] for one in fields(QuarantinedRecord)]


def list_loads(
    db: Database, tenant_id: str, connector: str | None = None, stream: str | None = None
) -> list[Load]:
    """Loads of a tenant, oldest first."""
    return _read_loads(db, tenant_id, connector, stream, unconsumed=False)


def list_unconsumed(
    db: Database, tenant_id: str, connector: str | None = None, stream: str | None = None
) -> list[Load]:
    """Loads the canonical step has yet to take, oldest first."""
    return _read_loads(db, tenant_id, connector, stream, unconsumed=True)


def list_landed(db: Database, tenant_id: str) -> list[str]:
    """The connectors of which anything ever landed, by name."""
    query = select(loads.c.connector).where(loads.c.tenant_id == tenant_id).distinct()
    with db.tenant(tenant_id) as conn:
        return sorted(conn.execute(query).scalars())


def list_newest(db: Database, tenant_id: str, connector: str, stream: str, limit: int) -> list[Load]:
    """Loads of a stream that landed something, newest first, at most ``limit``."""
    query = select(*_LOAD_COLUMNS).where(
        loads.c.tenant_id == tenant_id,
        loads.c.connector == connector,
        loads.c.stream == stream,
        loads.c.landed > 0,
    )
    newest = query.order_by(sql_cast(loads.c.load_id, Numeric).desc()).limit(limit)
    with db.tenant(tenant_id) as conn:
        return [Load(**row) for row in conn.execute(newest).mappings()]


def _read_loads(
    db: Database, tenant_id: str, connector: str | None, stream: str | None, *, unconsumed: bool
) -> list[Load]:
    query = select(*_LOAD_COLUMNS).where(loads.c.tenant_id == tenant_id)
    if connector is not None:
        query = query.where(loads.c.connector == connector)
    if stream is not None:
        query = query.where(loads.c.stream == stream)
    if unconsumed:
        query = query.where(loads.c.consumed_at.is_(None))
    by_age = sql_cast(loads.c.load_id, Numeric)
    with db.tenant(tenant_id) as conn:
        rows = conn.execute(query.order_by(by_age, loads.c.connector, loads.c.stream)).mappings()
        return [Load(**row) for row in rows]


def list_quarantine(
    db: Database,
    tenant_id: str,
    connector: str | None = None,
    stream: str | None = None,
    limit: int = 100,
) -> list[QuarantinedRecord]:
    """Refused records of a tenant, newest first, at most ``limit``."""
    query = select(*_QUARANTINE_COLUMNS).where(quarantine.c.tenant_id == tenant_id)
    if connector is not None:
        query = query.where(quarantine.c.connector == connector)
    if stream is not None:
        query = query.where(quarantine.c.stream == stream)
    query = query.order_by(quarantine.c.quarantined_at.desc(), quarantine.c.quarantine_id).limit(limit)
    with db.tenant(tenant_id) as conn:
        return [QuarantinedRecord(**row) for row in conn.execute(query).mappings()]


def count_quarantine(db: Database, tenant_id: str) -> dict[tuple[str, str, str, str], int]:
    """(connector, stream, stage, code) → refused records of a tenant."""
    key = (quarantine.c.connector, quarantine.c.stream, quarantine.c.stage, quarantine.c.code)
    query = select(*key, func.count()).where(quarantine.c.tenant_id == tenant_id).group_by(*key)
    with db.tenant(tenant_id) as conn:
        return {(row[0], row[1], row[2], row[3]): row[4] for row in conn.execute(query)}


# --- inside a transaction ---------------------------------------------------------------------


def read_settled(conn: Connection, tenant_id: str, connector: str) -> set[str]:
    """Ids of the loads that are registered already."""
    query = select(loads.c.load_id).where(loads.c.tenant_id == tenant_id, loads.c.connector == connector)
    return set(conn.execute(query.distinct()).scalars())


def register_load(
    conn: Connection,
    tenant_id: str,
    connector: str,
    load_id: str,
    row: ManifestRow,
    schema_version: int,
) -> None:
    """Write the row of one stream in one load. One that brought nothing to consume is consumed at once."""
    nothing = row.landed == 0 and not row.complete
    values: dict[str, Any] = {
        "tenant_id": tenant_id,
        "connector": connector,
        "stream": row.stream,
        "load_id": load_id,
        "mode": row.mode,
        "records": row.records,
        "landed": row.landed,
        "quarantined": row.quarantined,
        "schema_version": schema_version,
        "run_id": row.run_id or None,
    }
    if nothing:
        zero = dict.fromkeys(("events", "unchanged", "refused", "deleted"), 0)
        values |= {"consumed_at": datetime.now(UTC), **zero}
    conn.execute(insert(loads).values(**values))


def register_quarantine(
    conn: Connection, tenant_id: str, connector: str, load_id: str, batches: Iterable[list[dict[str, Any]]]
) -> int:
    """Write the records a load refused; returns how many. Ids follow from the load and the position."""
    count = 0
    for batch in batches:
        rows = []
        for row in batch:
            place = f"{tenant_id}/{join_name(connector, row['stream'])}/{load_id}/{count}"
            facts = {name: row[name] for name in ("stream", "record_id", "code", "reason", "record")}
            rows.append(
                {
                    "tenant_id": tenant_id,
                    "quarantine_id": str(uuid.uuid5(_QUARANTINE_NAMESPACE, place)),
                    "connector": connector,
                    "load_id": load_id,
                    "stage": RAW,
                    **facts,
                }
            )
            count += 1
        if rows:
            conn.execute(insert(quarantine), rows)
    return count
