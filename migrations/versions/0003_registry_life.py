"""The registry's life: replays that are due, canaries, migrations from YAML files."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB, UUID

from resources.rls import protect_table

revision = "0003"
down_revision = "0002"

TABLES = ("replay_requests", "mapping_canaries", "yaml_migrations")


def upgrade() -> None:
    op.create_table(
        "replay_requests",
        *_names("tenant_id", "connector", "stream"),
        sa.Column("request_id", UUID(as_uuid=False), nullable=False),
        *_names("requested_by", "reason"),
        _now("requested_at"),
        *_keys("replay_requests", "connector", "stream"),
    )
    op.create_table(
        "mapping_canaries",
        *_names("tenant_id", "connector", "stream"),
        sa.Column("base_id", UUID(as_uuid=False), nullable=False),
        sa.Column("set_id", UUID(as_uuid=False), nullable=False),
        sa.Column("ratio", sa.Float, nullable=False),
        *_names("purpose", "started_by", "reason"),
        _now("started_at"),
        _now("changed_at"),
        *_keys("mapping_canaries", "connector", "stream"),
    )
    op.create_table(
        "yaml_migrations",
        *_names("tenant_id", "folder", "phase"),
        sa.Column("ratio", sa.Float, nullable=False),
        sa.Column("files", JSONB, nullable=False),
        sa.Column("archive", sa.Text),
        *_names("started_by"),
        _now("started_at"),
        _now("changed_at"),
        *_keys("yaml_migrations"),
    )
    for table in TABLES:
        for statement in protect_table(table):
            op.execute(statement)


def _names(*names: str) -> list[sa.Column]:
    return [sa.Column(name, sa.Text, nullable=False) for name in names]


def _now(name: str) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now())


def _keys(table: str, *columns: str) -> list[sa.Constraint]:
    return [
        sa.PrimaryKeyConstraint("tenant_id", *columns, name=f"pk_{table}"),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.tenant_id"], name=f"fk_{table}_tenants", ondelete="CASCADE"
        ),
    ]


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)
