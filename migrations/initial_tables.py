"""The tables as the first revision makes them: frozen, while ``resources/tables/`` goes on changing."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

TABLES = (
    "audit_log",
    "canonical_streams",
    "mapping_sets",
    "tenants",
    "active_mapping_sets",
    "connections",
    "drift_events",
    "field_mappings",
    "lineage_edges",
    "lineage_nodes",
    "loads",
    "quarantine",
    "schema_versions",
    "sync_requests",
    "view_watermarks",
    "credentials",
    "oauth_tokens",
)
"""In the order they are made; each row of each has a tenant."""


def create_tables() -> None:
    """All of them, bare: rights and partitions are the revision's."""
    _audit_log()
    _canonical_streams()
    _mapping_sets()
    _tenants()
    _active_mapping_sets()
    _connections()
    _drift_events()
    _field_mappings()
    _lineage_edges()
    _lineage_nodes()
    _loads()
    _quarantine()
    _schema_versions()
    _sync_requests()
    _view_watermarks()
    _credentials()
    _oauth_tokens()


def _audit_log() -> None:
    op.create_table(
        "audit_log",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("before", JSONB(), nullable=True),
        sa.Column("after", JSONB(), nullable=True),
        sa.Column("previous_hash", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "seq", name="pk_audit_log"),
    )


def _canonical_streams() -> None:
    op.create_table(
        "canonical_streams",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("event_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("connector", sa.Text(), nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("op", sa.Text(), nullable=False),
        sa.Column("data", JSONB(), nullable=False),
        sa.Column("unknown_fields", JSONB(), nullable=True),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("set_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("load_id", sa.Text(), nullable=False),
        sa.Column("emitted_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "tenant_id = COALESCE(NULLIF(current_setting('app.tenant', true), ''), tenant_id)",
            name="one_tenant",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "seq", name="pk_canonical_streams"),
        sa.UniqueConstraint("tenant_id", "event_id", name="uq_canonical_streams_tenant_id"),
        postgresql_partition_by="HASH (tenant_id)",
    )
    op.create_index(
        "ix_canonical_streams_entity", "canonical_streams", ["tenant_id", "entity", "seq"], unique=False
    )


def _mapping_sets() -> None:
    op.create_table(
        "mapping_sets",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("set_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("connector", sa.Text(), nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "set_id", name="pk_mapping_sets"),
        sa.UniqueConstraint("tenant_id", "connector", "stream", "number", name="uq_mapping_sets_tenant_id"),
    )


def _tenants() -> None:
    op.create_table(
        "tenants",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), server_default="", nullable=False),
        sa.Column("status", sa.Text(), server_default="ACTIVE", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", name="pk_tenants"),
    )


def _active_mapping_sets() -> None:
    op.create_table(
        "active_mapping_sets",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("connector", sa.Text(), nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("set_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("activated_by", sa.Text(), nullable=False),
        sa.Column(
            "activated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "set_id"],
            ["mapping_sets.tenant_id", "mapping_sets.set_id"],
            name="fk_active_mapping_sets_mapping_sets",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "connector", "stream", name="pk_active_mapping_sets"),
    )


def _connections() -> None:
    op.create_table(
        "connections",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("connector", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("base_url", sa.Text(), nullable=True),
        sa.Column("options", JSONB(), server_default="{}", nullable=False),
        sa.Column("schedule_every_s", sa.Integer(), nullable=True),
        sa.Column("schedule_cron", sa.Text(), nullable=True),
        sa.Column("next_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_sync_started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_sync_finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.tenant_id"], name="fk_connections_tenants", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "connector", name="pk_connections"),
    )


def _drift_events() -> None:
    op.create_table(
        "drift_events",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("drift_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("connector", sa.Text(), nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("from_version", sa.Integer(), nullable=False),
        sa.Column("to_version", sa.Integer(), nullable=False),
        sa.Column("operations", JSONB(), nullable=False),
        sa.Column("load_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), server_default="OPEN", nullable=False),
        sa.Column("detected_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.tenant_id"], name="fk_drift_events_tenants", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "drift_id", name="pk_drift_events"),
        sa.UniqueConstraint(
            "tenant_id", "connector", "stream", "to_version", name="uq_drift_events_tenant_id"
        ),
    )


def _field_mappings() -> None:
    op.create_table(
        "field_mappings",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("set_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("sources", JSONB(), nullable=False),
        sa.Column("transform", sa.Text(), nullable=False),
        sa.Column("args", JSONB(), server_default="{}", nullable=False),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "set_id"],
            ["mapping_sets.tenant_id", "mapping_sets.set_id"],
            name="fk_field_mappings_mapping_sets",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "set_id", "target", name="pk_field_mappings"),
    )


def _lineage_edges() -> None:
    op.create_table(
        "lineage_edges",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("from_id", sa.Text(), nullable=False),
        sa.Column("to_id", sa.Text(), nullable=False),
        sa.Column("set_id", sa.UUID(as_uuid=False), nullable=True),
        sa.Column("transform", sa.Text(), nullable=True),
        sa.Column("confidence", sa.Float(), nullable=True),
        sa.Column("details", JSONB(), server_default="{}", nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.tenant_id"], name="fk_lineage_edges_tenants", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "from_id", "to_id", name="pk_lineage_edges"),
    )


def _lineage_nodes() -> None:
    op.create_table(
        "lineage_nodes",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("node_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("details", JSONB(), server_default="{}", nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.tenant_id"], name="fk_lineage_nodes_tenants", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "node_id", name="pk_lineage_nodes"),
    )


def _loads() -> None:
    op.create_table(
        "loads",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("connector", sa.Text(), nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("load_id", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("records", sa.BigInteger(), nullable=False),
        sa.Column("landed", sa.BigInteger(), nullable=False),
        sa.Column("quarantined", sa.BigInteger(), nullable=False),
        sa.Column("schema_version", sa.Integer(), nullable=True),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("loaded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("consumed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("set_id", sa.UUID(as_uuid=False), nullable=True),
        sa.Column("events", sa.BigInteger(), nullable=True),
        sa.Column("unchanged", sa.BigInteger(), nullable=True),
        sa.Column("refused", sa.BigInteger(), nullable=True),
        sa.Column("deleted", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.tenant_id"], name="fk_loads_tenants", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "connector", "stream", "load_id", name="pk_loads"),
    )
    op.create_index(
        "ix_loads_unconsumed", "loads", ["tenant_id", "connector", "stream", "consumed_at"], unique=False
    )


def _quarantine() -> None:
    op.create_table(
        "quarantine",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("quarantine_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("connector", sa.Text(), nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("load_id", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=True),
        sa.Column("record_id", sa.Text(), nullable=True),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("set_id", sa.UUID(as_uuid=False), nullable=True),
        sa.Column(
            "quarantined_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.tenant_id"], name="fk_quarantine_tenants", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "quarantine_id", name="pk_quarantine"),
    )
    op.create_index(
        "ix_quarantine_stream", "quarantine", ["tenant_id", "connector", "stream", "load_id"], unique=False
    )


def _schema_versions() -> None:
    op.create_table(
        "schema_versions",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("connector", sa.Text(), nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("fields", JSONB(), nullable=False),
        sa.Column("load_id", sa.Text(), nullable=False),
        sa.Column("observed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.tenant_id"], name="fk_schema_versions_tenants", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "connector", "stream", "version", name="pk_schema_versions"),
    )


def _sync_requests() -> None:
    op.create_table(
        "sync_requests",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("run_key", sa.Text(), nullable=False),
        sa.Column("connectors", JSONB(), nullable=False),
        sa.Column(
            "requested_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.tenant_id"], name="fk_sync_requests_tenants", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "run_key", name="pk_sync_requests"),
    )


def _view_watermarks() -> None:
    op.create_table(
        "view_watermarks",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column(
            "published_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.tenant_id"], name="fk_view_watermarks_tenants", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "entity", name="pk_view_watermarks"),
    )


def _credentials() -> None:
    op.create_table(
        "credentials",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("connector", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("nonce", sa.LargeBinary(), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "connector"],
            ["connections.tenant_id", "connections.connector"],
            name="fk_credentials_connections",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "connector", "version", name="pk_credentials"),
    )


def _oauth_tokens() -> None:
    op.create_table(
        "oauth_tokens",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("connector", sa.Text(), nullable=False),
        sa.Column("credential_version", sa.Integer(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("nonce", sa.LargeBinary(), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "refreshed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "connector"],
            ["connections.tenant_id", "connections.connector"],
            name="fk_oauth_tokens_connections",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "connector", name="pk_oauth_tokens"),
    )
