"""Tenants: adding, finding, and removing everything one of them owns."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pgvector.sqlalchemy import Vector
from psycopg.types.json import Jsonb
from sqlalchemy import BigInteger, Boolean, DateTime, Float, Integer, LargeBinary, Numeric, inspect, select
from sqlalchemy.dialects.postgresql import JSONB, UUID

from core.errors import ConfigError, LockBusy, UnknownName
from resources import tenants as module
from resources.audit import read_audit, verify_audit
from resources.database import Database
from resources.settings import Settings
from resources.tables import metadata
from resources.tenants import (
    KEPT_TABLES,
    add_tenant,
    list_tenants,
    owned_tables,
    remove_tenant,
    require_tenant,
)
from tests.store.conftest import Superuser


def test_add_list_require(database: Database) -> None:
    name = f"new-{uuid.uuid4().hex[:8]}"
    added = add_tenant(database, name, "New", "ann")
    assert (added.title, added.status) == ("New", "ACTIVE")
    assert added in list_tenants(database)
    assert require_tenant(database, name) == added
    assert read_audit(database, name)[0].action == "tenant.added"
    with pytest.raises(ConfigError, match="there already"):
        add_tenant(database, name, "", "ann")


@pytest.mark.parametrize("name", ["", "*", "Acme", "a/b", "../x", "a b", "ä", "-a", "x" * 64, "a\n"])
def test_a_name_that_cannot_be_one(database: Database, name: str) -> None:
    with pytest.raises(ConfigError, match="unusable name"):
        add_tenant(database, name, "", "ann")


def test_an_unknown_tenant(database: Database, settings: Settings) -> None:
    with pytest.raises(UnknownName, match="aos tenant add nobody"):
        require_tenant(database, "nobody")
    with pytest.raises(UnknownName):
        remove_tenant(database, settings, "nobody", "ann")


# --- removal -----------------------------------------------------------------------------------


def _value(column: Any, salt: str) -> Any:
    kinds: list[tuple[Any, Any]] = [
        (UUID, str(uuid.uuid5(uuid.NAMESPACE_OID, salt))),
        ((Integer, BigInteger), 1),
        ((Float, Numeric), 0.5),
        (Boolean, True),
        (DateTime, "2024-01-01T00:00:00Z"),
        (JSONB, Jsonb({})),
        (LargeBinary, b"x"),
        (Vector, str([0.5] * (getattr(column.type, "dim", None) or 1))),
    ]
    return next((value for kind, value in kinds if isinstance(column.type, kind)), salt)


def fill(superuser: Superuser, tenant_id: str) -> None:
    """A row in every table of the database that has a tenant, whatever the metadata says."""
    with superuser() as conn:
        conn.execute("SET session_replication_role = replica")
        for table in metadata.sorted_tables:
            if "tenant_id" not in table.c or table.name in ("tenants", "audit_log"):
                continue
            row = {c.name: _value(c, f"{table.name} {tenant_id}") for c in table.c} | {"tenant_id": tenant_id}
            marks = ", ".join(["%s"] * len(row))
            names = ", ".join(f'"{name}"' for name in row)
            conn.execute(f"INSERT INTO {table.name} ({names}) VALUES ({marks})".encode(), list(row.values()))


def files_of(settings: Settings, tenant_id: str) -> Iterator[Path]:
    yield Path(settings.lake) / tenant_id / "hubspot" / "companies" / "1.parquet"
    yield settings.warehouse_dir / tenant_id / "registry.duckdb"
    yield settings.home / "work" / f"{tenant_id}.hubspot" / "tmp1" / "spool" / "rows"


def rows_of(superuser: Superuser, tenant_id: str) -> set[str]:
    """Names of all tables of the database, asked from its catalog, that hold a row of the tenant."""
    query = (
        "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid "
        "WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attname = 'tenant_id' "
        "AND c.relnamespace = 'public'::regnamespace"
    )
    with superuser() as conn:
        names = [str(row[0]) for row in conn.execute(query.encode())]
        found = {
            name: conn.execute(f"SELECT 1 FROM {name} WHERE tenant_id = %s LIMIT 1".encode(), [tenant_id])
            for name in names
        }
        return {name for name, cursor in found.items() if cursor.fetchone()}


@pytest.fixture
def pair(database: Database, settings: Settings, superuser: Superuser) -> tuple[str, str]:
    """Two tenants with a row in every table and files everywhere; one name begins like the other."""
    gone = f"gone-{uuid.uuid4().hex[:8]}"
    for name in (gone, f"{gone}-not"):
        add_tenant(database, name, "", "ann")
        fill(superuser, name)
        for path in files_of(settings, name):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("x")
    return gone, f"{gone}-not"


def test_nothing_stays_but_the_trail(
    database: Database, settings: Settings, superuser: Superuser, pair: tuple[str, str]
) -> None:
    gone, stays = pair
    everything = {table.name for table in metadata.sorted_tables}
    assert rows_of(superuser, gone) == rows_of(superuser, stays) == everything
    remove_tenant(database, settings, gone, "ann")
    assert rows_of(superuser, gone) == set(KEPT_TABLES)
    assert not any(path.exists() for path in files_of(settings, gone))
    assert rows_of(superuser, stays) == everything
    assert all(path.exists() for path in files_of(settings, stays))
    newest, started = read_audit(database, gone)[:2]
    assert (newest.action, started.action) == ("tenant.removed", "tenant.removal_started")
    assert newest.before["rows"]["canonical_streams"] == 1
    assert verify_audit(database, gone) == []
    with pytest.raises(UnknownName):
        require_tenant(database, gone)


@pytest.mark.parametrize("step", ["_delete_files", "_delete_rows"])
def test_a_removal_that_was_killed_is_finished_by_the_next(
    database: Database,
    settings: Settings,
    superuser: Superuser,
    pair: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
    step: str,
) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, step, die)
        with pytest.raises(KeyboardInterrupt):
            remove_tenant(database, settings, pair[0], "ann")
    with pytest.raises(UnknownName, match="is being removed"):
        require_tenant(database, pair[0])
    assert require_tenant(database, pair[0], removing=True).status == "REMOVING"
    remove_tenant(database, settings, pair[0], "ann")
    assert rows_of(superuser, pair[0]) == set(KEPT_TABLES)


def test_work_in_progress_is_waited_for(
    database: Database, settings: Settings, superuser: Superuser, pair: tuple[str, str]
) -> None:
    with database.tenant(pair[0]) as conn:
        connector = conn.execute(select(metadata.tables["connections"].c.connector)).scalar_one()
    hurried = settings.model_copy(update={"lock_wait_s": 0.2})
    impatient = Database.open(hurried)
    with database.lock(pair[0], connector), pytest.raises(LockBusy):
        remove_tenant(impatient, hurried, pair[0], "ann")
    assert "canonical_streams" in rows_of(superuser, pair[0])
    remove_tenant(impatient, hurried, pair[0], "ann")
    impatient.close()


def test_a_new_table_cannot_be_forgotten(database: Database) -> None:
    """Every table of the database with a tenant is emptied by the removal or kept on purpose."""
    with database.owner() as conn:
        inspector = inspect(conn)
        owned = {
            name
            for name in inspector.get_table_names()
            if not name.startswith("canonical_streams_p")
            and "tenant_id" in {column["name"] for column in inspector.get_columns(name)}
        }
    assert owned == {table.name for table in owned_tables()} | set(KEPT_TABLES)
