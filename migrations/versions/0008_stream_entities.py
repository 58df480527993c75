"""Which canonical entity a stream is, where its config does not say: guessed, and what people decided."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from resources.rls import protect_table

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "stream_entities",
        *(sa.Column(name, sa.Text, nullable=False) for name in ("tenant_id", "connector", "stream")),
        sa.Column("entity", sa.Text),
        sa.Column("confidence", sa.Float, nullable=False),
        sa.Column("candidates", JSONB, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("decided_by", sa.Text),
        sa.Column("reason", sa.Text),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("decided_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("tenant_id", "connector", "stream", name="pk_stream_entities"),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.tenant_id"], name="fk_stream_entities_tenants", ondelete="CASCADE"
        ),
    )
    for statement in protect_table("stream_entities"):
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("stream_entities")
