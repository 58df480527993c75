"""Retrieval at scale: an index over the vectors, knowledge that all share, and a cache kept as bytes."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from pgvector.sqlalchemy import VECTOR

from resources.rls import protect_table

revision = "0006"
down_revision = "0005"

INDEX = "ix_mapping_embeddings_embedding"


def upgrade() -> None:
    op.create_index(
        INDEX,
        "mapping_embeddings",
        ["embedding"],
        postgresql_using="hnsw",
        postgresql_ops={"embedding": "vector_cosine_ops"},
    )
    _keep_cache_as(sa.LargeBinary())
    op.create_table(
        "shared_knowledge",
        sa.Column("tenant_id", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("entries", sa.BigInteger, nullable=False),
        sa.Column("refreshed_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.PrimaryKeyConstraint("tenant_id", name="pk_shared_knowledge"),
    )
    for statement in protect_table("shared_knowledge"):
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("shared_knowledge")
    _keep_cache_as(VECTOR(384))
    op.drop_index(INDEX, "mapping_embeddings")


def _keep_cache_as(kind: sa.types.TypeEngine[Any]) -> None:
    """What is in the cache can be computed again; emptied, it needs no conversion."""
    op.execute("TRUNCATE embedding_cache")
    op.drop_column("embedding_cache", "embedding")
    op.add_column("embedding_cache", sa.Column("embedding", kind, nullable=False))
