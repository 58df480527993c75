"""What became of the loads: canonical events, views, lineage."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Float,
    Identity,
    Index,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID

from resources.tables.base import metadata, owned_by_tenant, tenant_key, time_column

canonical_streams = Table(
    "canonical_streams",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("seq", BigInteger, Identity(always=False), nullable=False),
    Column("event_id", UUID(as_uuid=False), nullable=False),
    Column("entity", Text, nullable=False),
    Column("connector", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("record_id", Text, nullable=False),
    Column("op", Text, nullable=False),  # upsert | delete
    Column("data", JSONB, nullable=False),
    Column("unknown_fields", JSONB),  # null when every field is mapped
    Column("content_hash", Text, nullable=False),
    Column("set_id", UUID(as_uuid=False), nullable=False),
    Column("load_id", Text, nullable=False),
    time_column("emitted_at"),
    *tenant_key("seq"),
    UniqueConstraint("tenant_id", "event_id"),
    Index("ix_canonical_streams_entity", "tenant_id", "entity", "seq"),
    # COPY goes past row-level security: inside a tenant's transaction only its rows get in
    CheckConstraint(
        "tenant_id = COALESCE(NULLIF(current_setting('app.tenant', true), ''), tenant_id)", name="one_tenant"
    ),
    postgresql_partition_by="HASH (tenant_id)",
)

view_watermarks = Table(
    "view_watermarks",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("entity", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("rows", BigInteger, nullable=False),
    time_column("published_at"),
    *tenant_key("entity"),
    owned_by_tenant(),
)

lineage_nodes = Table(
    "lineage_nodes",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("node_id", Text, nullable=False),  # e.g. field:hubspot/companies/properties.name
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("details", JSONB, nullable=False, server_default="{}"),
    *tenant_key("node_id"),
    owned_by_tenant(),
)

lineage_edges = Table(
    "lineage_edges",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("from_id", Text, nullable=False),
    Column("to_id", Text, nullable=False),
    Column("set_id", UUID(as_uuid=False)),
    Column("transform", Text),
    Column("confidence", Float),
    Column("details", JSONB, nullable=False, server_default="{}"),
    *tenant_key("from_id", "to_id"),
    owned_by_tenant(),
)

replay_requests = Table(
    "replay_requests",
    metadata,
    Column("tenant_id", Text, nullable=False),  # '*': to be asked of every tenant
    Column("connector", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("request_id", UUID(as_uuid=False), nullable=False),  # a new one each time it is asked for
    Column("requested_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    time_column("requested_at"),
    *tenant_key("connector", "stream"),
)
