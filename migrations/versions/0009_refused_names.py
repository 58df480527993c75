"""Names that people said have no counterpart are remembered as well, without a target."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.alter_column("mapping_embeddings", "target", nullable=True)


def downgrade() -> None:
    op.execute("DELETE FROM mapping_embeddings WHERE target IS NULL")
    op.alter_column("mapping_embeddings", "target", nullable=False)
