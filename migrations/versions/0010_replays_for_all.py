"""A replay may be due for every tenant (``*``): a global set changed."""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"
_NAME = "fk_replay_requests_tenants"


def upgrade() -> None:
    op.drop_constraint(_NAME, "replay_requests", type_="foreignkey")


def downgrade() -> None:
    op.execute("DELETE FROM replay_requests WHERE tenant_id = '*'")
    op.create_foreign_key(
        _NAME, "replay_requests", "tenants", ["tenant_id"], ["tenant_id"], ondelete="CASCADE"
    )
