"""COPY inside a tenant's transaction: events and other rows, never another tenant's."""

from __future__ import annotations

import uuid

import psycopg
import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import ProgrammingError

from resources.copying import copy_into
from resources.database import Database
from resources.tables import canonical_streams, lineage_nodes

EVENT = {
    "event_id": "",
    "entity": "account",
    "connector": "hubspot",
    "stream": "companies",
    "record_id": "1",
    "op": "upsert",
    "data": '{"name": "Ä\\"\\t\\n"}',
    "content_hash": "h",
    "set_id": str(uuid.UUID(int=0)),
    "load_id": "1",
}


def copy_events(database: Database, scope: str, tenant_id: str, count: int) -> None:
    with (
        database.tenant(scope) as conn,
        copy_into(conn, scope, canonical_streams, ["tenant_id", *EVENT]) as copy,
    ):
        for _ in range(count):
            copy.write_row([tenant_id, *(EVENT | {"event_id": str(uuid.uuid4())}).values()])


def test_events_are_copied_into_the_tenants_partition(database: Database) -> None:
    for number in range(20):
        copy_events(database, f"copier-{number}", f"copier-{number}", 3)
    with database.tenant("copier-7") as conn:
        rows = conn.execute(select(canonical_streams).order_by(canonical_streams.c.seq)).all()
        assert [row.data for row in rows] == [{"name": 'Ä"\t\n'}] * 3
        assert rows[0].seq < rows[1].seq < rows[2].seq
        assert conn.execute(text("SELECT current_user")).scalar() == "aos_app"
    with database.operator() as conn:
        seen = select(canonical_streams.c.seq).where(canonical_streams.c.tenant_id.startswith("copier-"))
        numbers = conn.execute(seen).scalars().all()
    assert len(set(numbers)) == len(numbers) == 60


def test_the_transaction_goes_on_after_the_copy(database: Database, tenant: str) -> None:
    with database.tenant(tenant) as conn:
        with copy_into(conn, tenant, canonical_streams, ["tenant_id", *EVENT]) as copy:
            copy.write_row([tenant, *(EVENT | {"event_id": str(uuid.uuid4())}).values()])
        assert conn.execute(text("SELECT count(*) FROM canonical_streams")).scalar() == 1
        assert conn.execute(text("SELECT current_user")).scalar() == "aos_app"


def test_csv(database: Database, tenant: str) -> None:
    columns = ["tenant_id", "node_id", "kind", "name"]
    with (
        database.tenant(tenant) as conn,
        copy_into(conn, tenant, lineage_nodes, columns, "FORMAT csv") as copy,
    ):
        copy.write(f'{tenant},a,field,"x, y"\n{tenant},b,field,z\n'.encode())
    with database.tenant(tenant) as conn:
        assert set(conn.execute(select(lineage_nodes.c.name)).scalars()) == {"x, y", "z"}


def same_partition(database: Database, tenant_id: str) -> str:
    """Another tenant's id that hashes to the same partition."""
    query = text(
        "SELECT 'n' || g FROM generate_series(1, 1000) g, generate_series(0, 15) r WHERE "
        "satisfies_hash_partition('canonical_streams'::regclass, 16, r, 'n' || g) AND "
        "satisfies_hash_partition('canonical_streams'::regclass, 16, r, CAST(:tenant AS text)) LIMIT 1"
    )
    with database.owner() as conn:
        return str(conn.execute(query, {"tenant": tenant_id}).scalar_one())


def test_no_event_for_another_tenant(database: Database, tenant: str) -> None:
    """In the same partition only the check can tell tenants apart."""
    victim = same_partition(database, tenant)
    with pytest.raises(psycopg.errors.CheckViolation, match="one_tenant"):
        copy_events(database, tenant, victim, 1)
    with database.operator() as conn:
        theirs = select(canonical_streams).where(canonical_streams.c.tenant_id == victim)
        assert conn.execute(theirs).all() == []


def test_no_row_of_another_tenant_by_the_detour(database: Database, tenant: str) -> None:
    columns = ["tenant_id", "node_id", "kind", "name"]
    with (
        pytest.raises(ProgrammingError, match="row-level security"),
        database.tenant(tenant) as conn,
        copy_into(conn, tenant, lineage_nodes, columns) as copy,
    ):
        copy.write_row(("victim", "n", "k", "x"))


def test_the_writer_can_do_nothing_else(database: Database, tenant: str) -> None:
    for statement in (
        "SELECT * FROM canonical_streams_p00",
        "DELETE FROM canonical_streams_p00",
        "INSERT INTO tenants VALUES ('x')",
        "SELECT * FROM canonical_streams",
    ):
        with pytest.raises(ProgrammingError, match="permission denied"), database.tenant(tenant) as conn:
            conn.execute(text("SET LOCAL ROLE aos_writer; " + statement))
