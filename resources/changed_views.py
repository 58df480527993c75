"""Which views changed since when, of all tenants: what the data-quality checks still have to look at."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import select

from resources.database import Database
from resources.tables import tenants, view_watermarks


def list_changed_views(db: Database, since: Mapping[str, datetime]) -> dict[str, list[str]]:
    """Tenant → entities whose view was published after ``since`` of the tenant (absent: ever)."""
    table = view_watermarks.c
    query = (
        select(table.tenant_id, table.entity, table.published_at)
        .join(tenants, tenants.c.tenant_id == table.tenant_id)
        .where(tenants.c.status == "ACTIVE")
        .order_by(table.tenant_id, table.entity)
    )
    changed: dict[str, list[str]] = {}
    with db.operator() as conn:
        for tenant_id, entity, published_at in conn.execute(query):
            if tenant_id not in since or published_at > since[tenant_id]:
                changed.setdefault(tenant_id, []).append(entity)
    return changed


def count_view_rows(db: Database, tenant_id: str) -> dict[str, int]:
    """Entity → rows of a tenant's published views."""
    table = view_watermarks.c
    query = select(table.entity, table.rows).where(table.tenant_id == tenant_id)
    with db.tenant(tenant_id) as conn:
        return {row.entity: row.rows for row in conn.execute(query)}
