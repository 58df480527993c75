"""Scoped transactions and locks: nothing leaks through the pool, a lock dies with its process."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import insert, select, text

from core.errors import LockBusy, StorageUnavailable
from resources.database import Database
from resources.locks import lock_key
from resources.settings import Settings, load_settings
from resources.tables import tenants
from tests.store.conftest import Script, Superuser

HOLD = """
import sys
from resources.database import Database
from resources.settings import load_settings
database = Database.open(load_settings(home=sys.argv[1]))
with database.lock("acme", sys.argv[2]):
    print("held", flush=True)
    sys.stdin.readline()
"""
SCOPE = text("SELECT current_user, current_setting('app.tenant', true)")


def test_a_transaction_is_scoped_and_the_next_one_is_not(database: Database, tenant: str) -> None:
    with database.tenant(tenant) as conn:
        assert tuple(conn.execute(SCOPE).one()) == ("aos_app", tenant)
    with database.operator() as conn:
        assert tuple(conn.execute(SCOPE).one()) == ("aos_operator", "")
    with database.owner() as conn:
        assert tuple(conn.execute(SCOPE).one()) in (("aos_owner", ""), ("aos_owner", None))


def test_nothing_leaks_through_the_pool(database: Database) -> None:
    """Threads that take turns on few connections, some failing: each sees its own scope."""

    def work(number: int) -> None:
        name = f"pool-{number % 7}"
        try:
            with database.tenant(name) as conn:
                assert tuple(conn.execute(SCOPE).one()) == ("aos_app", name)
                if number % 3 == 0:
                    raise InterruptedError
        except InterruptedError:
            pass
        with database.owner() as conn:
            user, setting = conn.execute(SCOPE).one()
            assert (user, setting or "") == ("aos_owner", "")

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(300)))


def test_an_error_undoes_the_transaction(database: Database) -> None:
    def fail() -> None:
        with database.tenant("undone") as conn:
            conn.execute(insert(tenants).values(tenant_id="undone"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with database.tenant("undone") as conn:
        assert conn.execute(select(tenants)).all() == []


def test_errors_do_not_quote_values(database: Database) -> None:
    with pytest.raises(Exception, match="violates") as caught, database.tenant("quiet") as conn:
        conn.execute(insert(tenants).values(tenant_id="quiet", title=None, status="very private"))
    assert "very private" not in str(caught.value).split("DETAIL")[0]


def test_a_forked_child_has_connections_of_its_own(database: Database, tenant: str) -> None:
    with database.tenant(tenant) as conn:
        mine = conn.execute(text("SELECT pg_backend_pid()")).scalar()
    receive, send = os.pipe()
    child = os.fork()
    if child == 0:
        with database.tenant(tenant) as conn:
            os.write(send, str(conn.execute(text("SELECT pg_backend_pid()")).scalar()).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert int(os.read(receive, 20)) != mine
    with database.tenant(tenant) as conn:
        assert conn.execute(text("SELECT 1")).scalar() == 1


# --- locks -------------------------------------------------------------------------------------


def test_a_lock_excludes_and_says_who_holds_it(database: Database) -> None:
    with database.lock("acme", "hubspot"):
        started = time.monotonic()
        with pytest.raises(LockBusy) as caught, database.lock("acme", "hubspot", wait_s=0.3):
            pass
        assert 0.25 < time.monotonic() - started < 3
        assert f"aos pid {os.getpid()}" in str(caught.value)
        assert "acme/hubspot" in str(caught.value)
        with pytest.raises(LockBusy), database.lock("acme", "hubspot", wait_s=0):
            pass
        with database.lock("acme", "stripe", wait_s=0), database.lock("globex", "hubspot", wait_s=0):
            pass
    with database.lock("acme", "hubspot", wait_s=0):
        pass


def test_who_waits_gets_the_lock_when_it_is_free(database: Database) -> None:
    taken = threading.Event()

    def hold() -> None:
        with database.lock("acme", "queue"):
            taken.set()
            time.sleep(0.3)

    holder = threading.Thread(target=hold)
    holder.start()
    taken.wait()
    with database.lock("acme", "queue", wait_s=10):
        pass
    holder.join()


def test_a_lock_dies_with_its_process(database: Database, settings: Settings, script: Script) -> None:
    process = script(HOLD, str(settings.home), "mortal")
    assert process.stdout is not None
    process.stdout.readline()
    with pytest.raises(LockBusy, match=f"pid {process.pid}"), database.lock("acme", "mortal", wait_s=0):
        pass
    process.kill()
    with database.lock("acme", "mortal", wait_s=10):
        pass


def test_a_lost_lock_is_noticed(database: Database, superuser: Superuser) -> None:
    with database.lock("acme", "lost") as held:
        held.verify()
        with superuser() as conn:
            conn.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' "
                "AND ((classid::bigint << 32) | objid::bigint) = %s",
                [lock_key("acme", "lost")],
            )
        time.sleep(0.1)
        with pytest.raises(StorageUnavailable, match="acme/lost"):
            held.verify()


def test_lock_keys_do_not_run_together() -> None:
    assert lock_key("a", "bc") != lock_key("ab", "c")
    assert -(2**63) <= lock_key("a", "b") < 2**63


# --- any other server --------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_a_given_server_works_alike(empty_database: Settings, scheme: str) -> None:
    assert empty_database.database_url is not None
    url = empty_database.database_url.get_secret_value().replace("postgresql:", f"{scheme}:", 1)
    database = Database.open(load_settings(home=empty_database.home, database_url=url))
    with database.tenant("acme") as conn:
        conn.execute(insert(tenants).values(tenant_id="acme"))
    with database.owner() as conn:
        assert conn.execute(select(tenants)).all() == []
    with database.operator() as conn:
        assert conn.execute(select(tenants.c.tenant_id)).scalars().all() == ["acme"]
    assert database.dagster_url.startswith("postgresql+psycopg2://")
    with database.lock("acme", "x", wait_s=0):
        pass
    database.close()


def test_the_password_is_not_shown(settings: Settings) -> None:
    url = "postgresql://user:hunter2@127.0.0.1:1/none"
    with pytest.raises(StorageUnavailable) as caught:
        Database.open(load_settings(home=settings.home, database_url=url))
    assert "hunter2" not in repr(caught.value)
