"""Tenants are kept apart by the database itself: no relation breaks the rule, no identifier gets across."""

from __future__ import annotations

import uuid
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st
from pgvector.sqlalchemy import VECTOR
from psycopg.types.json import Jsonb
from sqlalchemy import (
    Boolean,
    DateTime,
    Float,
    Integer,
    LargeBinary,
    Numeric,
    Table,
    delete,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID
from sqlalchemy.exc import ProgrammingError

from core.errors import ConfigError
from resources.database import Database
from resources.rls import GLOBALLY_READABLE, find_offences
from resources.tables import metadata
from tests.store.conftest import Superuser

TABLES = [table for table in metadata.sorted_tables if "tenant_id" in table.c]
HOSTILE = ["*", "", "victim'--", "Victim", "victim ", "victim\n", "vıctim", "'", "%", "victi_"]
CHANGES = ["UPDATE audit_log SET actor = 'x'", "DELETE FROM audit_log", "TRUNCATE audit_log"]
UNCHANGEABLE = ("audit_log", "mapping_sets", "field_mappings")
VICTIM, ATTACKER = "victim", "attacker"

OFFENDERS = {
    "an open table": ("CREATE TABLE bad (tenant_id text)", "not enabled"),
    "a table not forced": (
        "CREATE TABLE bad (tenant_id text); ALTER TABLE bad ENABLE ROW LEVEL SECURITY",
        "not forced",
    ),
    "a lax policy": (
        "CREATE TABLE bad (tenant_id text); ALTER TABLE bad ENABLE ROW LEVEL SECURITY; "
        "ALTER TABLE bad FORCE ROW LEVEL SECURITY; CREATE POLICY p ON bad TO aos_app USING (true)",
        "looks neither at app.tenant",
    ),
    "a table without tenant": (
        "CREATE TABLE bad (x int); GRANT SELECT ON bad TO aos_app",
        "without tenant_id",
    ),
    "a granted column": ("CREATE TABLE bad (x int); GRANT SELECT (x) ON bad TO PUBLIC", "to everybody"),
    "a writable table": ("GRANT INSERT ON loads TO aos_writer", "open to the writer"),
    "a readable partition": ("GRANT SELECT ON canonical_streams_p03 TO aos_writer", "with a grant"),
    "a partition without its check": (
        "ALTER TABLE canonical_streams DROP CONSTRAINT one_tenant",
        "without the check",
    ),
    "a granted partition": ("GRANT SELECT ON canonical_streams_p03 TO aos_app", "partition with a grant"),
    "a plain view": ("CREATE VIEW bad AS SELECT * FROM tenants", "security_invoker"),
    "a materialised view": ("CREATE MATERIALIZED VIEW bad AS SELECT * FROM tenants", "cannot hold"),
    "an owner's function": (
        "CREATE FUNCTION bad() RETURNS bigint LANGUAGE sql SECURITY DEFINER "
        "AS 'SELECT count(*) FROM tenants'",
        "owner's rights",
    ),
}


def test_no_relation_breaks_the_rule(database: Database) -> None:
    with database.owner() as conn:
        assert find_offences(conn) == []


@pytest.mark.parametrize("name", OFFENDERS)
def test_an_offender_would_be_found(database: Database, name: str) -> None:
    ddl, problem = OFFENDERS[name]
    with database.owner() as conn:
        conn.exec_driver_sql(ddl)
        assert problem in " ".join(offence.problem for offence in find_offences(conn))
        conn.rollback()


# --- two tenants, every table ------------------------------------------------------------------


def _value(column: Any, salt: str) -> Any:
    kind = column.type
    if isinstance(kind, UUID):
        return str(uuid.uuid5(uuid.NAMESPACE_OID, salt))
    for types, value in (
        ((Integer,), 1),
        ((Float, Numeric), 0.5),
        ((Boolean,), True),
        ((DateTime,), "2024-01-01T00:00:00Z"),
        ((JSONB,), Jsonb({})),
        ((VECTOR,), [0.5] * 384),
        ((LargeBinary,), b"x"),
    ):
        if isinstance(kind, types):
            return value
    return salt


@pytest.fixture(scope="module")
def crowded(database: Database, superuser: Superuser) -> Database:
    """A row of the victim, of the attacker and a global one in every table, foreign keys not asked."""
    with superuser() as conn:
        conn.execute("SET session_replication_role = replica")
        for table in TABLES:
            for tenant_id in (VICTIM, ATTACKER, "*"):
                row = {
                    c.name: _value(c, f"{table.name} {tenant_id}")
                    for c in table.columns
                    if c.name != "tenant_id"
                }
                row["tenant_id"] = tenant_id
                names = ", ".join(f'"{name}"' for name in row)
                marks = ", ".join(["%s"] * len(row))
                statement = f"INSERT INTO {table.name} ({names}) VALUES ({marks})"
                conn.execute(statement.encode(), list(row.values()))
    return database


@pytest.mark.parametrize("table", TABLES, ids=lambda table: str(table.name))
def test_a_tenant_reads_its_own_rows_only(crowded: Database, table: Table) -> None:
    with crowded.tenant(ATTACKER) as conn:
        seen = set(conn.execute(select(table.c.tenant_id)).scalars())
        mine = select(text("count(*)")).select_from(table).where(table.c.tenant_id == ATTACKER)
        own = conn.execute(mine).scalar()
    shared = {"*"} if table.name in GLOBALLY_READABLE else set()
    assert seen == {ATTACKER} | shared
    assert own == 1


@pytest.mark.parametrize("table", TABLES, ids=lambda table: str(table.name))
@pytest.mark.parametrize("target", [VICTIM, "*"])
def test_a_tenant_writes_its_own_rows_only(crowded: Database, table: Table, target: str) -> None:
    row = {c.name: _value(c, "planted") for c in table.columns} | {"tenant_id": target}
    values = {k: {} if isinstance(v, Jsonb) else v for k, v in row.items()}
    with pytest.raises(ProgrammingError, match="row-level security"), crowded.tenant(ATTACKER) as conn:
        conn.execute(insert(table).values(**values))
    if table.name in UNCHANGEABLE:
        return
    with crowded.tenant(ATTACKER) as conn:
        assert conn.execute(delete(table).where(table.c.tenant_id == target)).rowcount == 0
        assert (
            conn.execute(update(table).where(table.c.tenant_id == target).values(tenant_id=ATTACKER)).rowcount
            == 0
        )
    with pytest.raises(ProgrammingError, match="row-level security"), crowded.tenant(ATTACKER) as conn:
        conn.execute(update(table).where(table.c.tenant_id == ATTACKER).values(tenant_id=target))


@pytest.mark.parametrize("table", TABLES, ids=lambda table: str(table.name))
def test_the_operator_reads_all_and_writes_global_rows(crowded: Database, table: Table) -> None:
    with crowded.operator() as conn:
        assert {VICTIM, ATTACKER, "*"} <= set(conn.execute(select(table.c.tenant_id)).scalars())
        if table.name not in UNCHANGEABLE:
            assert conn.execute(delete(table).where(table.c.tenant_id == VICTIM)).rowcount == 0


@pytest.mark.parametrize("table", TABLES, ids=lambda table: str(table.name))
def test_the_owner_sees_no_tenants_rows(crowded: Database, table: Table) -> None:
    with crowded.owner() as conn:
        seen = set(conn.execute(select(table.c.tenant_id)).scalars())
    assert seen == ({"*"} if table.name in GLOBALLY_READABLE else set())


@effort(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.text(max_size=20) | st.sampled_from(["*", "", "victim'--", "Victim", "victim ", "vıctim", "'"])
)
def test_no_identifier_but_its_own_opens_a_tenant(crowded: Database, name: str) -> None:
    try:
        with crowded.tenant(name) as conn:
            seen = set(conn.execute(text("SELECT tenant_id FROM tenants")).scalars())
    except ConfigError:
        return
    assert seen <= {name}


@pytest.mark.parametrize("setting", ["", "*", "victim2", None])
def test_no_tenant_no_rows(crowded: Database, setting: str | None) -> None:
    with crowded.owner() as conn:
        conn.execute(text("SET LOCAL ROLE aos_app"))
        if setting is None:
            conn.execute(text("RESET app.tenant"))
        else:
            conn.execute(text("SELECT set_config('app.tenant', :tenant, true)"), {"tenant": setting})
        assert conn.execute(text("SELECT count(*) FROM canonical_streams")).scalar() == 0
        assert conn.execute(text("SELECT count(*) FROM credentials")).scalar() == 0


@pytest.mark.parametrize("relation", ["canonical_streams_p00", "canonical_streams_p15", "alembic_version"])
def test_a_partition_cannot_be_reached_directly(crowded: Database, relation: str) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"), crowded.tenant(ATTACKER) as conn:
        conn.execute(text(f"SELECT * FROM {relation}"))


def test_the_lineage_view_shows_one_tenant(crowded: Database) -> None:
    with crowded.tenant(ATTACKER) as conn:
        seen = conn.execute(text("SELECT DISTINCT tenant_id FROM canonical_event_lineage")).scalars().all()
    assert seen == [ATTACKER]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("scope", ["tenant", "operator", "owner", "superuser"])
def test_the_audit_log_is_append_only(
    crowded: Database, superuser: Superuser, change: str, scope: str
) -> None:
    if scope == "superuser":
        with superuser() as raw, pytest.raises(psycopg.Error, match="append-only"):
            raw.execute(change.encode())
        return
    opened = crowded.tenant(ATTACKER) if scope == "tenant" else getattr(crowded, scope)()
    if scope == "owner" and not change.startswith("TRUNCATE"):
        with opened as conn:
            assert conn.execute(text(change)).rowcount == 0
        return
    with pytest.raises(ProgrammingError, match=r"append-only|permission denied"), opened as conn:
        conn.execute(text(change))
