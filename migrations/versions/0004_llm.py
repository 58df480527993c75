"""Calls of language models with their budgets, breakers for models that are down, and run-time flags."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from resources.rls import protect_table

revision = "0004"
down_revision = "0003"

TABLES = ("llm_calls", "llm_budgets", "llm_breakers", "flags")


def upgrade() -> None:
    _create_calls()
    _create_budgets()
    _create_breakers()
    _create_flags()
    for table in TABLES:
        for statement in protect_table(table):
            op.execute(statement)


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)


def _create_calls() -> None:
    op.create_table(
        "llm_calls",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("call_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("month", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("connector", sa.Text(), nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("prompt_tokens", sa.BigInteger(), nullable=True),
        sa.Column("completion_tokens", sa.BigInteger(), nullable=True),
        sa.Column("cost_usd", sa.Numeric(18, 9), nullable=False),
        sa.Column("latency_s", sa.Float(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("error_class", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.tenant_id"], name="fk_llm_calls_tenants", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "call_id", name="pk_llm_calls"),
    )
    op.create_index("ix_llm_calls_at", "llm_calls", ["tenant_id", "at"], unique=False)


def _create_budgets() -> None:
    op.create_table(
        "llm_budgets",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("month", sa.Text(), nullable=False),
        sa.Column("committed_usd", sa.Numeric(18, 9), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.tenant_id"], name="fk_llm_budgets_tenants", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "month", name="pk_llm_budgets"),
    )


def _create_breakers() -> None:
    op.create_table(
        "llm_breakers",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("open_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "model", name="pk_llm_breakers"),
    )


def _create_flags() -> None:
    op.create_table(
        "flags",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("is_on", sa.Boolean(), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "name", name="pk_flags"),
    )
