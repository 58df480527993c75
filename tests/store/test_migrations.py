"""Migrations reach exactly the declared tables, up and down, on any Postgres."""

from __future__ import annotations

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from core.errors import ConfigError, StorageUnavailable
from resources.database import Database
from resources.migrate import SCRIPTS, current_revision, is_current, migrate, newest_revision
from resources.rls import find_offences
from resources.settings import Settings, load_settings
from resources.tables import metadata
from tests.store.conftest import Script, Superuser


def _is_declared(name: str | None, kind: str, parents: dict[str, str | None]) -> bool:
    table = name if kind == "table" else parents.get("table_name")
    return not str(table).startswith(("canonical_streams_p", "alembic_version"))


def _differences(database: Database) -> list[object]:
    with database.owner() as conn:
        options = {"include_name": _is_declared, "compare_type": True, "compare_server_default": True}
        return list(compare_metadata(MigrationContext.configure(conn, opts=options), metadata))


def test_migrations_reach_the_declared_tables(database: Database) -> None:
    assert _differences(database) == []


def test_a_missing_column_would_be_found(database: Database, superuser: Superuser) -> None:
    with superuser() as conn:
        conn.execute("ALTER TABLE loads ADD COLUMN surprise text")
        try:
            assert "surprise" in str(_differences(database))
        finally:
            conn.execute("ALTER TABLE loads DROP COLUMN surprise")


def test_down_and_up_twice(empty_database: Settings) -> None:
    database = Database.open(empty_database)
    for _ in range(2):
        with database.owner() as conn:
            migrate(conn, "base")
        with database.owner() as conn:
            left = set(inspect(conn).get_table_names()) | set(inspect(conn).get_view_names())
            assert left == {"alembic_version"}
            assert current_revision(conn) is None
        with database.owner() as conn:
            migrate(conn)
            assert is_current(conn)
        assert _differences(database) == []
        with database.owner() as conn:
            assert find_offences(conn) == []
    database.close()


def test_the_newest_revision_is_alembics_head() -> None:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    assert ScriptDirectory.from_config(config).get_current_head() == newest_revision()


def test_canonical_streams_has_sixteen_hash_partitions(database: Database) -> None:
    query = text(
        "SELECT pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
        "WHERE i.inhparent = 'canonical_streams'::regclass"
    )
    with database.owner() as conn:
        bounds = set(conn.execute(query).scalars())
    assert bounds == {f"FOR VALUES WITH (modulus 16, remainder {number})" for number in range(16)}


def test_processes_that_migrate_at_once(empty_database: Settings, script: Script) -> None:
    code = (
        "import sys; from resources.database import Database; from resources.settings import load_settings; "
        "Database.open(load_settings(database_url=sys.argv[1])).close()"
    )
    assert empty_database.database_url is not None
    url = empty_database.database_url.get_secret_value()
    processes = [script(code, url) for _ in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]


def test_a_database_of_a_newer_version_is_refused(empty_database: Settings) -> None:
    database = Database.open(empty_database)
    with database.owner() as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()
    with pytest.raises(StorageUnavailable, match="newer version"):
        Database.open(empty_database)


def test_a_user_who_may_not_create_roles_is_told_what_is_needed(
    empty_database: Settings, superuser: Superuser
) -> None:
    assert empty_database.database_url is not None
    name = empty_database.database_url.get_secret_value().split("//")[1].split("@")[0]
    with superuser() as conn:
        conn.execute(f"REVOKE aos_app, aos_operator, aos_writer FROM {name}")
    with pytest.raises(StorageUnavailable, match=f"GRANT aos_app, aos_operator, aos_writer TO {name}"):
        Database.open(empty_database)


@pytest.mark.parametrize(
    "url", ["mysql://u:hunter2@h/d", "hunter2", "postgresql+asyncpg://u:hunter2@h/d", "://"]
)
def test_another_url_is_refused_without_quoting_it(settings: Settings, url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Database.open(load_settings(home=settings.home, database_url=url))
    assert "hunter2" not in str(caught.value)
    assert "AOS_DATABASE_URL" in str(caught.value)


def test_an_unreachable_server_is_one_clear_error(settings: Settings) -> None:
    url = "postgres://user:hunter2@127.0.0.1:1/none"
    with pytest.raises(StorageUnavailable, match="AOS_DATABASE_URL") as caught:
        Database.open(load_settings(home=settings.home, database_url=url))
    assert "hunter2" not in str(caught.value)
