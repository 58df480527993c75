"""Opening the database, scoped transactions, locks."""

from __future__ import annotations

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import ProgrammingError

from core.errors import ConfigError
from resources.database import Database
from resources.rls import find_offences
from resources.tables import tenants


def test_a_tenant_transaction_sees_only_its_rows(database: Database, tenant: str) -> None:
    with database.tenant(tenant) as conn:
        assert conn.execute(select(tenants.c.tenant_id)).scalars().all() == [tenant]
    with database.tenant("somebody-else") as conn:
        assert conn.execute(select(tenants.c.tenant_id)).scalars().all() == []
        with pytest.raises(ProgrammingError, match="row-level security"):
            conn.execute(insert(tenants).values(tenant_id="third"))


def test_nothing_leaks_through_the_pool(database: Database, tenant: str) -> None:
    with database.tenant(tenant) as conn:
        conn.execute(text("SELECT 1"))
    with database.owner() as conn:
        row = conn.execute(text("SELECT current_user, current_setting('app.tenant', true)")).one()
        assert row[0] == "aos_owner"
        assert not row[1]


@pytest.mark.parametrize("name", ["*", "", "a'b", "A", "x" * 64, "a b"])
def test_a_hostile_tenant_id_is_refused(database: Database, name: str) -> None:
    with pytest.raises(ConfigError), database.tenant(name):
        pass


def test_no_relation_breaks_the_rule(database: Database) -> None:
    with database.owner() as conn:
        assert find_offences(conn) == []
