"""Confidence models a tenant trained on its own decisions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from resources.rls import protect_table

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "mapper_models",
        sa.Column("tenant_id", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("status", "base", "trained_on")),
        sa.Column("decisions", sa.Integer, nullable=False),
        sa.Column("weight", sa.Float, nullable=False),
        *(sa.Column(name, JSONB, nullable=False) for name in ("figures", "reliability", "coefficients")),
        sa.Column("trained_by", sa.Text, nullable=False),
        sa.Column("trained_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("changed_by", sa.Text),
        sa.Column("changed_at", sa.DateTime(timezone=True)),
        sa.Column("reason", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "version", name="pk_mapper_models"),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.tenant_id"], name="fk_mapper_models_tenants", ondelete="CASCADE"
        ),
    )
    active = sa.text("status = 'active'")
    op.create_index(
        "uq_mapper_models_active", "mapper_models", ["tenant_id"], unique=True, postgresql_where=active
    )
    for statement in protect_table("mapper_models"):
        op.execute(statement)


def downgrade() -> None:
    op.drop_table("mapper_models")
