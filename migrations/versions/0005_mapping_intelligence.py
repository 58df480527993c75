"""Mapping intelligence: proposals, decisions and their vectors, embeddings that were computed once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from pgvector.sqlalchemy import VECTOR
from sqlalchemy.dialects.postgresql import JSONB, UUID

from resources.rls import protect_table

revision = "0005"
down_revision = "0004"

TABLES = ("proposals", "mapping_decisions", "mapping_embeddings", "embedding_cache")


def upgrade() -> None:
    op.execute("CREATE EXTENSION IF NOT EXISTS vector")
    op.create_table(
        "proposals",
        *_names("tenant_id", "connector", "stream", "field", "entity"),
        sa.Column("target", sa.Text),
        *_names("transform"),
        sa.Column("args", JSONB, nullable=False),
        sa.Column("confidence", sa.Float, nullable=False),
        *_names("method", "status"),
        sa.Column("candidates", JSONB, nullable=False),
        sa.Column("evidence", JSONB, nullable=False),
        sa.Column("remarks", JSONB, nullable=False),
        *_names("basis"),
        sa.Column("set_id", UUID(as_uuid=False)),
        sa.Column("decided_by", sa.Text),
        sa.Column("reason", sa.Text),
        _now("proposed_at"),
        sa.Column("decided_at", sa.DateTime(timezone=True)),
        *_keys("proposals", "connector", "stream", "field"),
        _owned("proposals"),
    )
    op.create_index("ix_proposals_status", "proposals", ["tenant_id", "status"])
    op.create_table(
        "mapping_decisions",
        *_names("tenant_id", "connector", "stream", "field", "entity"),
        sa.Column("target", sa.Text),
        *_names("transform"),
        sa.Column("args", JSONB, nullable=False),
        *_names("origin", "decided_by", "reason"),
        _now("decided_at"),
        *_keys("mapping_decisions", "connector", "stream", "field"),
    )
    op.create_table(
        "mapping_embeddings",
        *_names("tenant_id", "connector", "stream", "field", "entity", "target", "words", "origin"),
        sa.Column("embedding", VECTOR(384)),
        *_keys("mapping_embeddings", "connector", "stream", "field"),
    )
    op.create_index("ix_mapping_embeddings_words", "mapping_embeddings", ["tenant_id", "entity", "words"])
    op.create_table(
        "embedding_cache",
        *_names("tenant_id", "model", "words"),
        sa.Column("embedding", VECTOR(384), nullable=False),
        *_keys("embedding_cache", "model", "words"),
    )
    for table in TABLES:
        for statement in protect_table(table):
            op.execute(statement)


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)


def _names(*names: str) -> list[sa.Column]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def _now(name: str) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now())


def _keys(table: str, *columns: str) -> list[sa.Constraint]:
    return [sa.PrimaryKeyConstraint("tenant_id", *columns, name=f"pk_{table}")]


def _owned(table: str) -> sa.Constraint:
    return sa.ForeignKeyConstraint(
        ["tenant_id"], ["tenants.tenant_id"], name=f"fk_{table}_tenants", ondelete="CASCADE"
    )
