"""Mapping sets never change: UPDATE is refused, DELETE only while their tenant is removed."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

TABLES = ("mapping_sets", "field_mappings")
# A tenant's row may be gone before its sets are: then, too, it is being removed.
REFUSE_CHANGE = """
    CREATE FUNCTION refuse_set_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'DELETE' THEN
            IF OLD.tenant_id <> '*' AND NOT EXISTS (
                SELECT FROM tenants t WHERE t.tenant_id = OLD.tenant_id AND t.status <> 'REMOVING'
            ) THEN
                RETURN OLD;
            END IF;
        END IF;
        RAISE EXCEPTION '% never changes: % refused; publish a new set', TG_TABLE_NAME, TG_OP
            USING ERRCODE = 'insufficient_privilege';
    END $$
"""


def upgrade() -> None:
    op.execute(REFUSE_CHANGE)
    for table in TABLES:
        op.execute(
            f"CREATE TRIGGER {table}_rows BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_set_change()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_set_change()"
        )


def downgrade() -> None:
    for table in TABLES:
        op.execute(f"DROP TRIGGER {table}_rows ON {table}")
        op.execute(f"DROP TRIGGER {table}_truncate ON {table}")
    op.execute("DROP FUNCTION refuse_set_change()")
