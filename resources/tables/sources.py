"""Tenants, their connections and secrets, and what landed of which shape."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID

from resources.tables.base import metadata, owned_by_tenant, part_of, tenant_key, time_column

tenants = Table(
    "tenants",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("title", Text, nullable=False, server_default=""),
    Column("status", Text, nullable=False, server_default="ACTIVE"),  # ACTIVE | REMOVING
    time_column("created_at"),
)

connections = Table(
    "connections",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("connector", Text, nullable=False),
    Column("status", Text, nullable=False),  # PENDING | ACTIVE | HEALING | FAILED | PAUSED
    Column("base_url", Text),
    Column("options", JSONB, nullable=False, server_default="{}"),
    Column("schedule_every_s", Integer),
    Column("schedule_cron", Text),
    time_column("next_due_at", nullable=True),
    time_column("last_sync_started_at", nullable=True),
    time_column("last_sync_finished_at", nullable=True),
    Column("last_error", Text),
    Column("failures", Integer, nullable=False, server_default="0"),
    time_column("created_at"),
    time_column("updated_at"),
    *tenant_key("connector"),
    owned_by_tenant(),
)

credentials = Table(
    "credentials",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("connector", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("nonce", LargeBinary, nullable=False),
    Column("ciphertext", LargeBinary, nullable=False),
    time_column("created_at"),
    *tenant_key("connector", "version"),
    part_of("connections", "connector"),
)

oauth_tokens = Table(
    "oauth_tokens",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("connector", Text, nullable=False),
    Column("credential_version", Integer, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("nonce", LargeBinary, nullable=False),
    Column("ciphertext", LargeBinary, nullable=False),
    time_column("expires_at", nullable=True),
    time_column("refreshed_at"),
    *tenant_key("connector"),
    part_of("connections", "connector"),
)

loads = Table(
    "loads",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("connector", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("load_id", Text, nullable=False),
    Column("mode", Text, nullable=False),  # incremental | snapshot | deletions
    Column("records", BigInteger, nullable=False),  # read from the source in this load
    Column("landed", BigInteger, nullable=False),
    Column("quarantined", BigInteger, nullable=False),  # refused before landing
    Column("schema_version", Integer),
    Column("run_id", Text),
    time_column("loaded_at"),
    time_column("consumed_at", nullable=True),
    Column("set_id", UUID(as_uuid=False)),  # mapping set of the first consumption
    Column("events", BigInteger),
    Column("unchanged", BigInteger),
    Column("refused", BigInteger),  # quarantined by the canonical step
    Column("deleted", BigInteger),  # delete events of records absent from a snapshot
    *tenant_key("connector", "stream", "load_id"),
    owned_by_tenant(),
    Index("ix_loads_unconsumed", "tenant_id", "connector", "stream", "consumed_at"),
)

schema_versions = Table(
    "schema_versions",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("connector", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("fields", JSONB, nullable=False),
    Column("load_id", Text, nullable=False),
    time_column("observed_at"),
    *tenant_key("connector", "stream", "version"),
    owned_by_tenant(),
)

drift_events = Table(
    "drift_events",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("drift_id", UUID(as_uuid=False), nullable=False),
    Column("connector", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("from_version", Integer, nullable=False),
    Column("to_version", Integer, nullable=False),
    Column("operations", JSONB, nullable=False),
    Column("load_id", Text, nullable=False),
    Column("status", Text, nullable=False, server_default="OPEN"),  # OPEN | REPAIRED | ACCEPTED
    time_column("detected_at"),
    *tenant_key("drift_id"),
    UniqueConstraint("tenant_id", "connector", "stream", "to_version"),
    owned_by_tenant(),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("quarantine_id", UUID(as_uuid=False), nullable=False),
    Column("connector", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("load_id", Text, nullable=False),
    Column("stage", Text, nullable=False),  # raw | canonical
    Column("entity", Text),
    Column("record_id", Text),
    Column("code", Text, nullable=False),  # snake_case class of the reason
    Column("reason", Text, nullable=False),  # a sentence with field, expected, found
    Column("record", Text, nullable=False),  # the raw record as JSON text, escaped where it cannot be
    Column("set_id", UUID(as_uuid=False)),
    time_column("quarantined_at"),
    *tenant_key("quarantine_id"),
    Index("ix_quarantine_stream", "tenant_id", "connector", "stream", "load_id"),
    owned_by_tenant(),
)

sync_requests = Table(
    "sync_requests",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("run_key", Text, nullable=False),
    Column("connectors", JSONB, nullable=False),
    time_column("requested_at"),
    *tenant_key("run_key"),
    owned_by_tenant(),
)
