"""Schema versions of streams and the drift between them, as stored in Postgres."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select
from sqlalchemy.dialects.postgresql import JSONB

from core.drift import Operation, diff_schemas, operation_from_json
from core.names import GLOBAL_TENANT, join_name, parse_path
from core.schema import TableSchema
from resources.database import Database
from resources.registry_rows import StreamKey, open_scope
from resources.tables import drift_events, schema_versions

OPEN = "OPEN"
ACCEPTED = "ACCEPTED"
_DRIFT_NAMESPACE = uuid.UUID("6f0c1f0a-3a63-5e0b-9a51-6d7f0e1c9b42")


@dataclass(frozen=True)
class SchemaVersion:
    """A numbered shape of a stream, and the load that showed it first."""

    connector: str
    stream: str
    version: int
    fingerprint: str
    schema: TableSchema
    load_id: str
    observed_at: datetime


@dataclass(frozen=True)
class DriftEvent:
    """The difference between two versions. ``status``: OPEN, REPAIRED or ACCEPTED."""

    drift_id: str
    connector: str
    stream: str
    from_version: int
    to_version: int
    operations: tuple[Operation, ...]
    load_id: str
    status: str
    detected_at: datetime


def latest_version(db: Database, tenant_id: str, connector: str, stream: str) -> SchemaVersion | None:
    """The stream's newest schema version, or None before its first load."""
    with db.tenant(tenant_id) as conn:
        return read_latest(conn, tenant_id, connector, stream)


def list_versions(db: Database, tenant_id: str, connector: str, stream: str) -> list[SchemaVersion]:
    """All versions of a stream, oldest first."""
    query = _versions(tenant_id, connector, stream).order_by(schema_versions.c.version)
    with db.tenant(tenant_id) as conn:
        return [_version(row) for row in conn.execute(query).mappings()]


def read_columns(db: Database, tenant_id: str, key: StreamKey) -> set[str]:
    """Every column that a load of the stream ever had (``*``: of any tenant); none before the first."""
    table = schema_versions.c
    path = func.jsonb_array_elements(table.fields, type_=JSONB)["path"].astext
    query = select(path).distinct().where(table.connector == key[0], table.stream == key[1])
    if tenant_id != GLOBAL_TENANT:
        query = query.where(table.tenant_id == tenant_id)
    with open_scope(db, tenant_id) as conn:
        return {str(parse_path(one)[0]) for one in conn.execute(query).scalars()}


def list_drift(
    db: Database,
    tenant_id: str,
    connector: str | None = None,
    stream: str | None = None,
    status: str | None = None,
) -> list[DriftEvent]:
    """Drift events of a tenant, newest first, narrowed by what is given."""
    table = drift_events.c
    query = select(drift_events).where(table.tenant_id == tenant_id)
    for column, wanted in ((table.connector, connector), (table.stream, stream), (table.status, status)):
        if wanted is not None:
            query = query.where(column == wanted)
    with db.tenant(tenant_id) as conn:
        rows = conn.execute(query.order_by(table.detected_at.desc(), table.to_version.desc())).mappings()
        return [_drift(row) for row in rows]


# --- inside a transaction ---------------------------------------------------------------------


def read_latest(conn: Connection, tenant_id: str, connector: str, stream: str) -> SchemaVersion | None:
    """As ``latest_version``, in the caller's transaction."""
    query = _versions(tenant_id, connector, stream).order_by(schema_versions.c.version.desc()).limit(1)
    row = conn.execute(query).mappings().first()
    return None if row is None else _version(row)


def read_all_latest(conn: Connection, tenant_id: str, connector: str) -> dict[str, SchemaVersion]:
    """The newest version of each of the connector's streams that has one."""
    table = schema_versions.c
    query = (
        select(schema_versions)
        .distinct(table.stream)
        .where(table.tenant_id == tenant_id, table.connector == connector)
        .order_by(table.stream, table.version.desc())
    )
    return {row["stream"]: _version(row) for row in conn.execute(query).mappings()}


def record_schema(
    conn: Connection,
    tenant_id: str,
    connector: str,
    stream: str,
    schema: TableSchema,
    load_id: str,
    known: Mapping[str, SchemaVersion] | None = None,
) -> tuple[int, list[Operation]]:
    """Store ``schema`` if it differs from the newest version, and the drift; (version, operations).

    Call it under the connector's lock. Drift of nullability alone is recorded as ACCEPTED.
    ``known``: ``read_all_latest`` of the same transaction, for a caller with many streams.
    """
    latest = read_latest(conn, tenant_id, connector, stream) if known is None else known.get(stream)
    if latest is not None and latest.fingerprint == schema.fingerprint:
        return latest.version, []
    version = 1 if latest is None else latest.version + 1
    owner = {"tenant_id": tenant_id, "connector": connector, "stream": stream, "load_id": load_id}
    conn.execute(
        insert(schema_versions).values(
            **owner, version=version, fingerprint=schema.fingerprint, fields=schema.to_json()
        )
    )
    if latest is None:
        return version, []
    operations = diff_schemas(latest.schema, schema)
    conn.execute(
        insert(drift_events).values(
            **owner,
            drift_id=str(
                uuid.uuid5(_DRIFT_NAMESPACE, f"{tenant_id}/{join_name(connector, stream)}/{version}")
            ),
            from_version=latest.version,
            to_version=version,
            operations=[operation.to_json() for operation in operations],
            status=OPEN if any(operation.loud for operation in operations) else ACCEPTED,
        )
    )
    return version, operations


def _versions(tenant_id: str, connector: str, stream: str) -> Any:
    table = schema_versions.c
    return select(schema_versions).where(
        table.tenant_id == tenant_id, table.connector == connector, table.stream == stream
    )


def _version(row: Any) -> SchemaVersion:
    facts = {
        name: row[name]
        for name in ("connector", "stream", "version", "fingerprint", "load_id", "observed_at")
    }
    return SchemaVersion(**facts, schema=TableSchema.from_json(row["fields"]))


def _drift(row: Any) -> DriftEvent:
    names = (
        "drift_id",
        "connector",
        "stream",
        "from_version",
        "to_version",
        "load_id",
        "status",
        "detected_at",
    )
    facts = {name: row[name] for name in names}
    return DriftEvent(**facts, operations=tuple(operation_from_json(one) for one in row["operations"]))
