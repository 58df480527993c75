"""Tenants: who they are, that they exist, and removing everything one of them owns."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Table, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from core.errors import ConfigError, UnknownName
from core.names import check_identifier
from resources.audit import record
from resources.database import Database
from resources.settings import Settings
from resources.tables import connections, metadata, tenants

ACTIVE = "ACTIVE"
REMOVING = "REMOVING"
KEPT_TABLES = ("audit_log",)
"""What outlives a tenant: the trail of what was done, the removal included."""


@dataclass(frozen=True)
class Tenant:
    """A company whose data is kept apart. ``status`` is ACTIVE or REMOVING."""

    tenant_id: str
    title: str
    status: str
    created_at: datetime


def add_tenant(database: Database, tenant_id: str, title: str, actor: str) -> Tenant:
    """Add a tenant; ConfigError when the name cannot be one or is taken."""
    check_identifier(tenant_id, "tenant")
    try:
        with database.tenant(tenant_id) as conn:
            row = conn.execute(
                insert(tenants).values(tenant_id=tenant_id, title=title).returning(*tenants.c)
            ).one()
            record(conn, actor, "tenant.added", tenant_id, None, {"title": title}, tenant_id)
    except IntegrityError:
        raise ConfigError(f"tenant {tenant_id!r} is there already", remedy="Choose another name") from None
    return Tenant(**row._mapping)


def list_tenants(database: Database) -> list[Tenant]:
    """All tenants by name, those being removed included."""
    with database.operator() as conn:
        rows = conn.execute(select(tenants).order_by(tenants.c.tenant_id)).mappings().all()
    return [Tenant(**row) for row in rows]


def require_tenant(database: Database, tenant_id: str, *, removing: bool = False) -> Tenant:
    """The tenant, or UnknownName. One whose removal has begun counts as unknown unless ``removing``."""
    tenant = _find(database, tenant_id)
    if tenant is None:
        raise UnknownName(f"no tenant {tenant_id!r}", remedy=f"Add it: aos tenant add {tenant_id}")
    if tenant.status == REMOVING and not removing:
        raise UnknownName(
            f"tenant {tenant_id!r} is being removed", remedy=f"Finish it: aos tenant remove {tenant_id}"
        )
    return tenant


def _find(database: Database, tenant_id: str) -> Tenant | None:
    with database.tenant(tenant_id) as conn:
        row = conn.execute(select(tenants).where(tenants.c.tenant_id == tenant_id)).mappings().first()
    return None if row is None else Tenant(**row)


def remove_tenant(database: Database, settings: Settings, tenant_id: str, actor: str) -> None:
    """Delete everything of a tenant: files of lake and warehouse, then rows; the audit trail stays.

    Waits for work in progress (LockBusy when it lasts). May be repeated after a crash at any point:
    the tenant stays REMOVING until the last row is gone.
    """
    require_tenant(database, tenant_id, removing=True)
    _mark_removing(database, tenant_id, actor)
    with ExitStack() as locks:
        for name in _locks_of(database, tenant_id):
            locks.enter_context(database.lock(tenant_id, name))
        _delete_files(settings, tenant_id)
        _delete_rows(database, tenant_id, actor)


def _mark_removing(database: Database, tenant_id: str, actor: str) -> None:
    change = update(tenants).where(tenants.c.tenant_id == tenant_id, tenants.c.status == ACTIVE)
    with database.tenant(tenant_id) as conn:
        if conn.execute(change.values(status=REMOVING)).rowcount:
            before, after = {"status": ACTIVE}, {"status": REMOVING}
            record(conn, actor, "tenant.removal_started", tenant_id, before, after, tenant_id)


def _locks_of(database: Database, tenant_id: str) -> list[str]:
    with database.tenant(tenant_id) as conn:
        connectors = conn.execute(select(connections.c.connector)).scalars().all()
    return ["sync", *sorted(connectors), "mappings", "canonical", "views", "lineage"]


def _delete_files(settings: Settings, tenant_id: str) -> None:
    from resources.lake import Lake  # its storage libraries are heavy

    Lake(settings).delete_tenant(tenant_id)
    for folder in tenant_folders(settings, tenant_id):
        if folder.exists():
            shutil.rmtree(folder)


def tenant_folders(settings: Settings, tenant_id: str) -> tuple[Path, ...]:
    """The tenant's local folders besides the lake's: its views, and what a killed load left."""
    check_identifier(tenant_id, "tenant")
    return settings.warehouse_dir / tenant_id, *sorted((settings.home / "work").glob(f"{tenant_id}.*"))


def owned_tables() -> list[Table]:
    """Every table that holds rows of a tenant and is emptied with it, children first."""
    return [
        table
        for table in reversed(metadata.sorted_tables)
        if "tenant_id" in table.c and table.name not in KEPT_TABLES
    ]


def _delete_rows(database: Database, tenant_id: str, actor: str) -> None:
    with database.tenant(tenant_id) as conn:
        counts = {
            table.name: conn.execute(delete(table).where(table.c.tenant_id == tenant_id)).rowcount
            for table in owned_tables()
        }
        gone = {name: count for name, count in counts.items() if count}
        record(conn, actor, "tenant.removed", tenant_id, {"rows": gone}, None, tenant_id)
