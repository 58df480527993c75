"""Postgres: the one source of truth. Opening it, transactions in a tenant's scope.

Which tables there are is ``tables/``; how rows are guarded is ``rls.py``; locks are ``locks.py``; the
server that runs when no other is given is ``embedded.py``.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg
from sqlalchemy import URL, Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, ProgrammingError

from core.errors import ConfigError, StorageUnavailable
from core.names import check_identifier
from resources.embedded import DATABASE, OWNER, SAMPLE, EmbeddedServer
from resources.locks import HeldLock, hold_lock
from resources.migrate import is_current, migrate
from resources.rls import APP_ROLE, OPERATOR_ROLE, ROLES
from resources.settings import Settings

DAGSTER_SCHEMA = "dagster"
OLDEST_POSTGRES = (17,)
_SCOPE = text("SELECT set_config('app.tenant', :tenant, true), set_config('role', :role, true)")
_UNREACHABLE = ("08", "53", "57P", "58")
"""SQLSTATE classes of a server that cannot work now: connection, resources, shut down, system."""


class Database:
    """A handle on the database; safe to share between threads, reopened by itself after a fork."""

    def __init__(self, settings: Settings, url: URL, server: EmbeddedServer | None) -> None:
        self._settings = settings
        self._url = url
        self._server = server
        self._engine = _build_engine(url)
        self._finalize = weakref.finalize(self, _close, self._engine, server)
        _forget_after_fork(self._engine)

    @classmethod
    def open(cls, settings: Settings) -> Database:
        """Connect, starting the embedded server unless a URL is set, and migrate if behind.

        Raises StorageUnavailable when no server answers, ConfigError for a URL that is none.
        """
        server = None
        if settings.database_url is None:
            server = EmbeddedServer(settings.home / "postgres")
            server.start()
            url = URL.create(
                "postgresql+psycopg", OWNER, database=DATABASE, query={"host": str(server.socket_dir)}
            )
        else:
            url = _read_url(settings.database_url.get_secret_value())
        database = cls(settings, url, server)
        try:
            database._migrate()
        except BaseException:
            database.close()
            raise
        return database

    def _migrate(self) -> None:
        with self.owner() as conn:
            self._check_version(conn)
            if is_current(conn):
                return
        try:
            with self.owner() as conn:
                migrate(conn)
        except ProgrammingError as error:
            if getattr(error.orig, "sqlstate", None) != "42501":
                raise
            raise StorageUnavailable(
                "the database user may not set up the mesh's tables",
                found=str(error.orig).splitlines()[0],
                where=_describe(self._url),
                remedy=f"Let an administrator run: {_preparation(self._url)}",
            ) from error

    def _check_version(self, conn: Connection) -> None:
        found = conn.dialect.server_version_info or (0,)
        if found < OLDEST_POSTGRES:
            raise StorageUnavailable(
                "this Postgres is too old: its partitions do not share an identity column",
                expected=f"version {OLDEST_POSTGRES[0]} or newer",
                found=".".join(map(str, found)),
                where=_describe(self._url),
            )

    def close(self) -> None:
        """Close the pool and let go of the embedded server, as the end of the process does. Repeatable."""
        self._finalize()

    @contextmanager
    def tenant(self, tenant_id: str) -> Iterator[Connection]:
        """One transaction that sees and writes this tenant's rows only; commits when the block ends well.

        COPY into a table is refused under row-level security: use ``resources.copying.copy_into``.
        """
        check_identifier(tenant_id, "tenant")
        with self._transaction() as conn:
            enter_tenant(conn, tenant_id)
            yield conn

    @contextmanager
    def operator(self) -> Iterator[Connection]:
        """One transaction that reads every tenant's rows and writes global rows (``*``)."""
        with self._transaction() as conn:
            enter_operator(conn)
            yield conn

    @contextmanager
    def owner(self) -> Iterator[Connection]:
        """One transaction of the tables' owner, for migrations; sees no tenant's rows."""
        with self._transaction() as conn:
            yield conn

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as conn:
                yield conn
        except (DBAPIError, psycopg.Error) as error:
            if _is_outage(error):
                raise self._unavailable(error) from error
            raise

    def _unavailable(self, error: Exception) -> StorageUnavailable:
        said = str(getattr(error, "orig", error)).strip().splitlines()
        return StorageUnavailable(
            "Postgres does not answer or cannot work",
            where=_describe(self._url),
            found=said[0] if said else type(error).__name__,
            remedy="Check the server that AOS_DATABASE_URL names, and try again"
            if self._server is None
            else "Try again: the embedded server is started anew by the next command",
        )

    @contextmanager
    def lock(self, tenant_id: str, name: str, wait_s: float | None = None) -> Iterator[HeldLock]:
        """Hold (tenant, name) across all processes, on a connection of its own; dies with the process.

        Waits up to ``wait_s`` (default: the setting), then raises LockBusy naming the holder.
        """
        wait = self._settings.lock_wait_s if wait_s is None else wait_s
        try:
            conn = psycopg.connect(**_psycopg_arguments(self._url), autocommit=True)
        except psycopg.OperationalError as error:
            raise self._unavailable(error) from error
        with closing(conn), hold_lock(conn, tenant_id, name, wait) as held:
            yield held

    @property
    def dagster_url(self) -> str:
        """URL of Dagster's own tables: same server and database, schema ``dagster``; has the password."""
        options = [str(self._url.query.get("options", "")), f"-csearch_path={DAGSTER_SCHEMA}"]
        url = self._url.set(drivername="postgresql+psycopg2").update_query_dict(
            {"options": " ".join(part for part in options if part)}
        )
        return url.render_as_string(hide_password=False)

    def sample_url(self) -> str:
        """URL of a database for demos: beside the mesh's own on the embedded server, else the given one."""
        if self._server is None:
            return self._url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._server.provide_sample()
        return self._url.set(drivername="postgresql", username=SAMPLE, database=SAMPLE).render_as_string(
            hide_password=False
        )

    def __repr__(self) -> str:
        return f"Database({_describe(self._url)})"


def enter_tenant(conn: Connection, tenant_id: str) -> None:
    """Move the running transaction into a tenant's scope; by itself only for work atomic across tenants."""
    conn.execute(_SCOPE, {"tenant": tenant_id, "role": APP_ROLE})


def enter_operator(conn: Connection) -> None:
    """Move the running transaction into the operator's scope."""
    conn.execute(_SCOPE, {"tenant": "", "role": OPERATOR_ROLE})


def _build_engine(url: URL) -> Engine:
    return create_engine(
        url,
        pool_size=4,
        max_overflow=28,
        pool_pre_ping=True,
        hide_parameters=True,  # an error must not quote rows or credentials
        connect_args=_connect_arguments(url),
    )


def _close(engine: Engine, server: EmbeddedServer | None) -> None:
    engine.dispose()
    if server is not None:
        server.release()


def _forget_after_fork(engine: Engine) -> None:
    """A child must not speak on its parent's connections."""
    reference = weakref.ref(engine)

    def forget() -> None:
        if (found := reference()) is not None:
            found.dispose(close=False)

    os.register_at_fork(after_in_child=forget)


def _connect_arguments(url: URL) -> dict[str, Any]:
    given = {"application_name": f"aos pid {os.getpid()}", "connect_timeout": 10, "keepalives_idle": 30}
    return {name: value for name, value in given.items() if name not in url.query}


def _psycopg_arguments(url: URL) -> dict[str, Any]:
    parts = url.translate_connect_args(username="user", database="dbname")
    return {**parts, **url.query, **_connect_arguments(url)}


def _read_url(given: str) -> URL:
    try:
        url = make_url(given)
    except (ArgumentError, ValueError):
        url = None
    if url is None or url.drivername not in ("postgres", "postgresql", "postgresql+psycopg"):
        raise ConfigError(
            "is not the URL of a Postgres database",
            expected="postgresql://user:password@host:5432/database",
            where="AOS_DATABASE_URL",
        )
    return url.set(drivername="postgresql+psycopg")


def _preparation(url: URL) -> str:
    """What only an administrator may do in a database, as SQL."""
    roles = "; ".join(f"CREATE ROLE {role}" for role in ROLES)
    return f"CREATE EXTENSION IF NOT EXISTS vector; {roles}; GRANT {', '.join(ROLES)} TO {url.username}"


def _describe(url: URL) -> str:
    place = url.query.get("host") or f"{url.host or 'localhost'}:{url.port or 5432}"
    return f"{place}/{url.database}"


def _is_outage(error: DBAPIError | psycopg.Error) -> bool:
    cause = error.orig if isinstance(error, DBAPIError) else error
    state = getattr(cause, "sqlstate", None)
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    return state.startswith(_UNREACHABLE) if state else isinstance(cause, psycopg.OperationalError)
