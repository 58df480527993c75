"""Run-time flags: switches that hold at once in every process, for one tenant or for all.

Off for all beats on for one: a global "off" is an emergency stop.
"""

from __future__ import annotations

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects.postgresql import insert

from core.errors import UnknownName
from core.names import GLOBAL_TENANT
from resources.audit import record
from resources.database import Database
from resources.tables import flags
from resources.tenants import require_tenant

LLM = "llm"
FLAGS = {LLM: True}
"""The closed list of flags, and what holds while nobody has set them."""


def set_flag(
    database: Database, name: str, is_on: bool, *, actor: str, tenant_id: str = GLOBAL_TENANT
) -> None:
    """Switch a flag for one tenant, or for all (``*``); audited. UnknownName for another flag or tenant."""
    _check_name(name)
    if tenant_id == GLOBAL_TENANT:
        with database.operator() as conn:
            _write(conn, tenant_id, name, is_on, actor)
        return
    require_tenant(database, tenant_id)
    with database.tenant(tenant_id) as conn:
        _write(conn, tenant_id, name, is_on, actor)


def read_flag(database: Database, name: str, tenant_id: str) -> bool:
    """Whether the flag is on for the tenant: on unless the tenant's own or the global one is off."""
    _check_name(name)
    owners = (tenant_id, GLOBAL_TENANT)
    query = select(flags.c.is_on).where(flags.c.name == name, flags.c.tenant_id.in_(owners))
    with database.tenant(tenant_id) as conn:
        found = conn.execute(query).scalars().all()
    return all(found) if found else FLAGS[name]


def list_settings(database: Database, name: str) -> dict[str, bool]:
    """What was set, by tenant (``*``: for all); who is absent has nothing of its own."""
    _check_name(name)
    with database.operator() as conn:
        rows = conn.execute(select(flags.c.tenant_id, flags.c.is_on).where(flags.c.name == name))
        return {row.tenant_id: row.is_on for row in rows}


def _check_name(name: str) -> None:
    if name not in FLAGS:
        raise UnknownName(f"no flag {name!r}", expected=", ".join(FLAGS))


def _write(conn: Connection, tenant_id: str, name: str, is_on: bool, actor: str) -> None:
    key = {"tenant_id": tenant_id, "name": name}
    before = conn.execute(select(flags.c.is_on).filter_by(**key)).scalar()
    values = {"is_on": is_on, "set_by": actor}
    conn.execute(
        insert(flags)
        .values(**key, **values)
        .on_conflict_do_update(index_elements=["tenant_id", "name"], set_=values | {"set_at": func.now()})
    )
    record(conn, actor, "flag.set", name, {"is_on": before}, {"is_on": is_on}, tenant_id)
