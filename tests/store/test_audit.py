"""The audit log: appended with the change, chained, readable by its tenant only."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st

from core.names import GLOBAL_TENANT
from resources.audit import FIRST_HASH, HIDDEN, read_audit, record, verify_audit
from resources.database import Database
from tests.store.conftest import Superuser

json_data = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def write(database: Database, tenant_id: str, action: str, after: object = None) -> None:
    with database.tenant(tenant_id) as conn:
        record(conn, "ann", action, "hubspot", None, after, tenant_id)


def test_entries_form_a_chain(database: Database, tenant: str) -> None:
    for action in ("connection.added", "connection.paused", "connection.removed"):
        write(database, tenant, action, {"status": "PAUSED", "at": datetime(2024, 1, 1, tzinfo=UTC)})
    newest, middle, first = read_audit(database, tenant, 10)
    assert (newest.action, first.previous_hash) == ("connection.removed", FIRST_HASH)
    assert (newest.previous_hash, middle.previous_hash) == (middle.hash, first.hash)
    assert newest.actor == "ann"
    assert newest.after == {"status": "PAUSED", "at": "2024-01-01 00:00:00+00:00"}
    assert verify_audit(database, tenant) == []
    assert len(read_audit(database, tenant, 2)) == 2


def test_the_entry_goes_with_its_change(database: Database, tenant: str) -> None:
    def fail() -> None:
        with database.tenant(tenant) as conn:
            record(conn, "ann", "x.done", "x", None, None, tenant)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert read_audit(database, tenant) == []


def test_a_tenants_chain_is_its_own(database: Database, tenant: str) -> None:
    write(database, tenant, "x.done")
    with database.operator() as conn:
        record(conn, "ann", "mesh.changed", "mesh", None, None, GLOBAL_TENANT)
    assert [entry.tenant_id for entry in read_audit(database, tenant)] == [tenant]
    assert {entry.tenant_id for entry in read_audit(database, GLOBAL_TENANT)} == {GLOBAL_TENANT}
    assert verify_audit(database, GLOBAL_TENANT) == []


def test_many_writers_make_one_chain(database: Database, tenant: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: write(database, tenant, f"x.done_{number}"), range(40)))
    assert len(read_audit(database, tenant, 100)) == 40
    assert verify_audit(database, tenant) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("UPDATE audit_log SET actor = 'bob' WHERE seq = %s", "altered"),
        ("UPDATE audit_log SET after = '{\"x\": 2}' WHERE seq = %s", "altered"),
        ("DELETE FROM audit_log WHERE seq = %s", "removed"),
    ],
)
def test_tampering_behind_the_databases_back_is_found(
    database: Database, tenant: str, superuser: Superuser, change: str, problem: str
) -> None:
    for _ in range(3):
        write(database, tenant, "x.done", {"x": 1})
    victim = read_audit(database, tenant)[1].seq
    with superuser() as conn:
        conn.execute("SET session_replication_role = replica")  # silences the triggers
        conn.execute(change.encode(), [victim])
    assert problem in verify_audit(database, tenant)[0].problem


def test_secrets_are_hidden(database: Database, tenant: str) -> None:
    after = {
        "options": {"client_secret": "s3cr3t", "Password": "s3cr3t"},
        "refresh_token": "s3cr3t",
        "a": [1],
    }
    write(database, tenant, "x.done", after)
    entry = read_audit(database, tenant)[0]
    assert "s3cr3t" not in str(entry)
    assert entry.after["refresh_token"] == HIDDEN
    assert entry.after["a"] == [1]


@effort(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(after=json_data)
def test_any_data_is_kept_and_verified(database: Database, tenant: str, after: object) -> None:
    write(database, tenant, "x.done", after)
    assert verify_audit(database, tenant) == []


def test_floats_survive_as_text(database: Database, tenant: str) -> None:
    write(database, tenant, "x.done", [1e22, math.nan, 0.1])
    assert read_audit(database, tenant)[0].after == ["1e+22", "nan", "0.1"]
