"""Kind ``sql``: tables and views of Postgres, MySQL and SQLite, read in chunks as Arrow text columns.

dlt's sql_database does the reading, through its ``TableLoader``. Its ``sql_table`` resource is not used:
it resolves dlt configuration per table, keeps its own cursor state, and decodes values in the driver.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import sqlalchemy as sa
from dlt.sources.sql_database.arrow_helpers import row_tuples_to_arrow
from dlt.sources.sql_database.helpers import TableLoader
from sqlalchemy.exc import ArgumentError, NoSuchTableError

from core.connector import CursorFormat, Incremental
from core.errors import ConfigError, CredentialError
from core.incremental import ContentWindow, CursorWindow
from core.names import join_name, parse_path
from resources.connectors.arrow_text import text_field
from resources.connectors.base import Page, SourceContext
from resources.connectors.sql_errors import missing, named_errors
from resources.connectors.sql_text import DIALECTS, compare_from, name_type, spell_column
from resources.connectors.table_window import take_new
from resources.connectors.wording import Scrubber

CHUNK_ROWS = 50_000
CHUNK_BYTES = 32 * 1024 * 1024
_FIRST_ROWS = 1_000
_CONNECT_S = 10
_DRIVERS = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
}


def open_reader(context: SourceContext) -> SqlReader:
    """A reader over one engine; connects at the first read."""
    return SqlReader(context)


def check_source(context: SourceContext) -> None:
    """Log in and ask for nothing."""
    reader = SqlReader(context)
    try:
        reader.probe()
    finally:
        reader.close()


class SqlReader:
    """Reads tables and views of one database, read-only."""

    def __init__(self, context: SourceContext) -> None:
        self._context = context
        self._scrubber = Scrubber()
        with self._named(context.where):
            self._engine = self._build_engine(context.credentials["url"].strip())
        self._dialect = self._engine.dialect.name

    def read(self, stream: str, state: dict[str, Any]) -> Iterator[Page]:
        """See ``base.Reader``. State: ``{"cursor": window, "without_cursor": contents}``, by cursor only."""
        spec = self._context.stream(stream)
        where = join_name(self._context.where, stream)
        name = spec.table.name if spec.table else ""
        with self._named(where):
            table = self._reflect(name, where)
            if spec.incremental is None:
                for rows in self._rows(table, None):
                    yield Page(rows)
            else:
                yield from self._new(table, spec.incremental, state, where)

    def probe(self) -> None:
        """Log in."""
        with self._named(self._context.where), self._engine.connect() as conn:
            conn.execute(sa.select(1))

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def _named(self, where: str) -> AbstractContextManager[None]:
        remedy = f"aos connection rotate {self._context.tenant_id} {self._context.spec.connector}"
        return named_errors(where, self._scrubber, remedy)

    def _new(
        self, table: sa.Table, incremental: Incremental, state: dict[str, Any], where: str
    ) -> Iterator[Page]:
        parts = parse_path(incremental.cursor)
        if len(parts) != 1 or str(parts[0]) not in table.c:
            raise missing("cursor column", incremental.cursor, table.c.keys(), where)
        column = table.c[str(parts[0])]
        logical = name_type(column.type)
        format_ = _choose_format(logical, incremental.format)
        window = CursorWindow(format_, state.setdefault("cursor", {}))
        others = ContentWindow(state.setdefault("without_cursor", {}))
        for rows in self._rows(table, self._filter(column, logical, window)):
            new = take_new(rows, column.name, format_, window, others)
            if new.num_rows:
                yield Page(new)
        window.save()
        others.save()

    def _filter(self, column: sa.Column[Any], logical: str, window: CursorWindow) -> Any:
        last = window.last
        if last is None:
            return None
        condition = compare_from(column, self._dialect, last, logical, as_text=window.format == "text")
        # A row without a cursor value would never be seen again otherwise.
        return None if condition is None else sa.or_(condition, column.is_(None))

    def _rows(self, table: sa.Table, condition: Any) -> Iterator[pa.Table]:
        query = sa.select(*(spell_column(column, self._dialect) for column in table.columns))
        if condition is not None:
            query = query.where(condition)
        columns = {c.name: {"name": c.name, "data_type": "text", "nullable": True} for c in table.columns}
        loader = _ChunkLoader(
            self._engine,
            "pyarrow",
            table,
            columns,
            chunk_size=CHUNK_ROWS,
            query_adapter_callback=lambda _query, _table: query,
        )
        yield from loader.load_rows()

    def _reflect(self, name: str, where: str) -> sa.Table:
        parts = [str(part) for part in parse_path(name)]
        if len(parts) > 2:
            raise ConfigError("a table is named schema.name or name", found=repr(name), where=where)
        schema = parts[0] if len(parts) == 2 else None
        with warnings.catch_warnings():
            # Types SQLAlchemy does not know are read as text like all others.
            warnings.filterwarnings("ignore", category=sa.exc.SAWarning)
            try:
                return sa.Table(
                    parts[-1], sa.MetaData(), schema=schema, autoload_with=self._engine, resolve_fks=False
                )
            except NoSuchTableError:
                raise self._missing_table(parts[-1], schema, where) from None

    def _missing_table(self, name: str, schema: str | None, where: str) -> ConfigError:
        inspector = sa.inspect(self._engine)
        if schema is not None and schema not in inspector.get_schema_names():
            return missing("schema", schema, inspector.get_schema_names(), where)
        known = [*inspector.get_table_names(schema), *inspector.get_view_names(schema)]
        return missing("table", f"{schema}.{name}" if schema else name, known, where)

    def _build_engine(self, given: str) -> sa.Engine:
        try:
            url = sa.make_url(given)
        except (ArgumentError, ValueError):
            raise self._unusable("no database URL") from None
        url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
        if url.get_backend_name() not in DIALECTS:
            raise self._unusable(f"dialect {url.get_backend_name()!r}")
        self._scrubber.add(given, url.render_as_string(hide_password=False), url.password or "")
        deadline_s = self._context.spec.limits.page_deadline_s
        connect: dict[str, Any] = {"connect_timeout": _CONNECT_S}
        if url.get_backend_name() == "sqlite":
            url, connect = self._read_only_file(url), {"timeout": _CONNECT_S}
        elif url.get_backend_name() != "postgresql":
            connect["read_timeout"] = max(1, int(deadline_s))
        engine = sa.create_engine(
            url, connect_args=connect, pool_size=8, max_overflow=8, hide_parameters=True
        )
        sa.event.listen(engine, "connect", lambda connection, _: _prepare(connection, engine, deadline_s))
        return engine

    def _read_only_file(self, url: sa.URL) -> sa.URL:
        """SQLite makes a missing file; as a read-only URI it does not."""
        if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
            return url
        path = Path(url.database).absolute()
        if not path.is_file():
            raise ConfigError("the SQLite file is not there", where=self._context.where)
        return url.set(database=f"file:{quote(str(path))}", query={"mode": "ro", "uri": "true"})

    def _unusable(self, found: str) -> CredentialError:
        return CredentialError(
            "the database URL cannot be used",
            expected="postgresql://, mysql:// or sqlite:///",
            found=found,
            where=self._context.where,
            remedy=f"aos connection rotate {self._context.tenant_id} {self._context.spec.connector}",
        )


class _ChunkLoader(TableLoader):  # type: ignore[misc]
    """dlt's loader with chunks bounded in bytes as well: rows of a wide table are fewer."""

    def _load_rows(self, query: Any, _backend_kwargs: Any) -> Iterator[pa.Table]:
        fields = [
            text_field(c.name, name_type(c.type), nullable=c.nullable is not False)
            for c in self.table.columns
        ]
        with self.engine.connect() as conn:
            options = {"stream_results": True, "max_row_buffer": _FIRST_ROWS}
            result = conn.execution_options(**options).execute(query)
            size = _FIRST_ROWS
            # An empty table still has columns: its first page says so.
            rows = result.fetchmany(size)
            while True:
                found = row_tuples_to_arrow([tuple(row) for row in rows], columns=self.columns, tz="UTC")
                yield pa.Table.from_arrays(found.columns, schema=pa.schema(fields))
                size = _next_size(found.nbytes, len(rows), self.chunk_size)
                rows = result.fetchmany(size)
                if not rows:
                    break


def _next_size(read_bytes: int, rows: int, most: int) -> int:
    fitting = CHUNK_BYTES * max(rows, 1) // max(read_bytes, 1)
    return max(1, min(fitting, most))


def _prepare(connection: Any, engine: sa.Engine, deadline_s: float) -> None:
    """Read-only, one zone, ISO spelling, and a limit to each statement where the dialect has one."""
    if engine.dialect.name == "sqlite":
        connection.execute("PRAGMA query_only = ON")
        return
    wanted = ["SET SESSION TRANSACTION READ ONLY", "SET time_zone = '+00:00'"]
    if engine.dialect.name == "postgresql":
        wanted = [
            "SET default_transaction_read_only = on",
            f"SET statement_timeout = {max(1, int(deadline_s * 1000))}",
            "SET TimeZone = 'UTC'",
            "SET DateStyle = 'ISO, YMD'",
            "SET IntervalStyle = 'iso_8601'",
            "SET extra_float_digits = 1",
        ]
    with connection.cursor() as cursor:
        for statement in wanted:
            cursor.execute(statement)
    connection.commit()


def _choose_format(logical: str, given: CursorFormat) -> CursorFormat:
    """The column's type knows better than the config's default how its values compare."""
    if logical in ("integer", "number"):
        return "number"
    return "iso8601" if logical in ("timestamp", "date") else given
