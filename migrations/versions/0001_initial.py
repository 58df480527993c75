"""The first tables, their roles and row-level security."""

from __future__ import annotations

from alembic import op

from migrations.initial_tables import TABLES, create_tables
from resources.rls import (
    APP_ROLE,
    OPERATOR_ROLE,
    PARTITIONS,
    WRITER_ROLE,
    protect_partition,
    protect_table,
)

revision = "0001"
down_revision = None

LINEAGE_VIEW = """
    CREATE VIEW canonical_event_lineage WITH (security_invoker = true) AS
    SELECT tenant_id, event_id, seq, entity, record_id, op, connector, stream, load_id, set_id,
           content_hash, emitted_at
    FROM canonical_streams
"""
REFUSE_CHANGE = """
    CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'audit_log is append-only: % refused', TG_OP USING ERRCODE = 'insufficient_privilege';
    END $$
"""


def upgrade() -> None:
    create_roles()
    op.execute("CREATE SCHEMA IF NOT EXISTS dagster")
    create_tables()
    for table in TABLES:
        run(protect_table(table))
    for number in range(PARTITIONS):
        name = f"canonical_streams_p{number:02d}"
        op.execute(
            f"CREATE TABLE {name} PARTITION OF canonical_streams "
            f"FOR VALUES WITH (MODULUS {PARTITIONS}, REMAINDER {number})"
        )
        run(protect_partition(name))
    op.execute(LINEAGE_VIEW)
    op.execute(f"GRANT SELECT ON canonical_event_lineage TO {APP_ROLE}, {OPERATOR_ROLE}")
    protect_audit()


def create_roles() -> None:
    for role in (APP_ROLE, OPERATOR_ROLE, WRITER_ROLE):
        op.execute(
            f"""
            DO $$ BEGIN
                IF to_regrole('{role}') IS NULL THEN CREATE ROLE {role} NOLOGIN; END IF;
                IF NOT pg_has_role(current_user, '{role}', 'USAGE') THEN GRANT {role} TO CURRENT_USER; END IF;
            END $$
            """
        )
        op.execute(f"GRANT USAGE ON SCHEMA public TO {role}")


def protect_audit() -> None:
    op.execute(REFUSE_CHANGE)
    op.execute(
        "CREATE TRIGGER audit_log_rows BEFORE UPDATE OR DELETE ON audit_log "
        "FOR EACH ROW EXECUTE FUNCTION refuse_audit_change()"
    )
    op.execute(
        "CREATE TRIGGER audit_log_truncate BEFORE TRUNCATE ON audit_log "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change()"
    )


def run(statements: object) -> None:
    for statement in statements:  # type: ignore[attr-defined]
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP VIEW canonical_event_lineage")
    for table in reversed(TABLES):
        op.drop_table(table)
    op.execute("DROP FUNCTION refuse_audit_change()")
