"""Tables as text, in the database's own spelling; what is new by cursor; errors without the URL."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pytest
import sqlalchemy as sa

from core.errors import ConfigError, CredentialError, MeshError, SourceUnavailable
from resources.connectors.base import AOS_TYPE, SourceContext, check_source, open_reader
from resources.database import Database
from resources.embedded import SUPERUSER
from tests.connectors.conftest import make_spec

UUID = "00000000-0000-0000-0000-00000000000a"


def make_context(url: str, table: str = "things", **stream: Any) -> SourceContext:
    things = {"primary_key": ["id"], "table": {"name": table}, **stream}
    limits = {"page_deadline_s": 5}
    spec = make_spec("sql", {"things": things}, auth={"type": "database_url"}, limits=limits)
    return SourceContext(tenant_id="acme", spec=spec, credentials={"url": url})


def read_table(context: SourceContext, state: dict[str, Any] | None = None) -> pa.Table:
    reader = open_reader(context)
    read = reader.read("things", {} if state is None else state)
    pages = [cast(pa.Table, page.records) for page in read]
    reader.close()
    return pa.concat_tables(pages) if pages else pa.table({})


def read_rows(context: SourceContext, state: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    return list(read_table(context, state).to_pylist())


def logical_types(table: pa.Table) -> dict[str, str]:
    return {one.name: (one.metadata or {})[AOS_TYPE].decode() for one in table.schema}


class Source:
    """A database of our own on the embedded server, to be read as any vendor's."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg"))

    def run(self, *statements: str) -> None:
        with self.engine.begin() as conn:
            for statement in statements:
                conn.exec_driver_sql(statement)


@pytest.fixture
def source(database: Database) -> Iterator[Source]:
    name = f"source_{uuid.uuid4().hex[:8]}"
    url = sa.make_url(database.dagster_url).set(drivername="postgresql", username=SUPERUSER)
    url = url.difference_update_query(["options"])
    admin = sa.create_engine(
        url.set(drivername="postgresql+psycopg", database="postgres"), isolation_level="AUTOCOMMIT"
    )
    with admin.connect() as conn:
        conn.exec_driver_sql(f'CREATE DATABASE "{name}"')
    made = Source(url.set(database=name).render_as_string(hide_password=False))
    yield made
    made.engine.dispose()
    with admin.connect() as conn:
        conn.exec_driver_sql(f'DROP DATABASE "{name}" WITH (FORCE)')
    admin.dispose()


def test_postgres_types_become_text(source: Source) -> None:
    columns = {
        "id": ("bigint primary key", "9223372036854775807", "9223372036854775807", "integer"),
        "flag": ("boolean", "true", "true", "boolean"),
        "small": ("smallint", "-3", "-3", "integer"),
        "price": ("numeric(12,2)", "1.10", "1.10", "number"),
        "huge": ("numeric", "1" + "0" * 60 + ".5", "1" + "0" * 60 + ".5", "number"),
        "nan": ("numeric", "'NaN'", "NaN", "number"),
        "ratio": ("double precision", "0.1::float8 + 0.2::float8", "0.30000000000000004", "number"),
        "cash": ("money", "12.34", "12.34", "number"),
        "name": ("varchar(20)", "'Zoë'", "Zoë", "string"),
        "day": ("date", "'2024-02-29'", "2024-02-29", "date"),
        "never": ("date", "'infinity'", "infinity", "date"),
        "far": ("timestamp", "'12024-01-01'", "12024-01-01T00:00:00", "timestamp"),
        "local": ("timestamp", "'2024-01-01 10:00:00.123456'", "2024-01-01T10:00:00.123456", "timestamp"),
        "at": ("timestamptz", "'2024-01-01 10:00:00+02'", "2024-01-01T08:00:00+00:00", "timestamp"),
        "clock": ("time", "'10:00'", "10:00:00", "time"),
        "span": ("interval", "'1 day 2 hours'", "P1DT2H", "string"),
        "key": ("uuid", f"'{UUID}'", UUID, "string"),
        "doc": ("json", """'{"b":1,"a":[1.10]}'""", '{"b":1,"a":[1.10]}', "object"),
        "docb": ("jsonb", """'{"b":1}'""", '{"b": 1}', "object"),
        "tags": ("text[]", "'{a,\"b,c\",NULL}'", '["a","b,c",null]', "array"),
        "bytes": ("bytea", r"'\xDEADBEEF'", "deadbeef", "binary"),
        "mood": ("mood", "'sad'", "sad", "string"),
        "address": ("inet", "'10.0.0.1/8'", "10.0.0.1/8", "string"),
        "period": ("int4range", "'[1,5)'", "[1,5)", "string"),
        "odd Näme.\"": ("positive", "3", "3", "integer"),
        "empty": ("text", "NULL", None, "string"),
    }  # fmt: skip
    quoted = {name: '"' + name.replace('"', '""') + '"' for name in columns}
    source.run(
        "CREATE TYPE mood AS ENUM ('sad', 'ok')",
        "CREATE DOMAIN positive AS int CHECK (VALUE > 0)",
        "CREATE TABLE things (" + ", ".join(f"{quoted[n]} {c[0]}" for n, c in columns.items()) + ")",
        "INSERT INTO things VALUES (" + ", ".join(c[1] for c in columns.values()) + ")",
    )
    table = read_table(make_context(source.url))
    assert table.to_pylist() == [{name: c[2] for name, c in columns.items()}]
    assert logical_types(table) == {name: c[3] for name, c in columns.items()}
    assert {one.name for one in table.schema if not one.nullable} == {"id"}


def test_incremental_by_timestamp(source: Source) -> None:
    source.run(
        "CREATE TABLE things (id int primary key, at timestamptz)",
        "INSERT INTO things SELECT n, '2024-01-01Z'::timestamptz + n * interval '1 hour'"
        " FROM generate_series(1, 3000) n",
        "INSERT INTO things VALUES (9001, NULL), (9002, 'infinity')",
    )
    context = make_context(source.url, incremental={"cursor": "at"})
    state: dict[str, Any] = {}
    assert len(read_rows(context, state)) == 3002
    assert state["cursor"]["last"] == "2024-05-05T00:00:00+00:00"
    before = json.dumps(state)
    assert read_rows(context, state) == []
    assert json.dumps(state) == before
    source.run(
        "INSERT INTO things VALUES (9003, '2024-05-05Z'), (9004, '2025-01-01Z'), (9005, NULL)",
        "UPDATE things SET at = '2024-05-05Z' WHERE id = 3000",
    )
    assert sorted(row["id"] for row in read_rows(context, state)) == ["9003", "9004", "9005"]
    assert read_rows(context, state) == []


@pytest.mark.parametrize(
    ("kind", "old", "new", "format_"),
    [
        ("bigint", ["9", "10"], ["11"], "iso8601"),
        ("numeric", ["1.5", "10"], ["10.01"], "number"),
        ("date", ["'2024-01-01'", "'2024-01-02'"], ["'2024-01-03'"], "iso8601"),
        ("timestamp", ["'2024-01-01'", "'2024-01-02 03:04:05.6'"], ["'2024-01-02 03:04:05.67'"], "iso8601"),
        ("text", ["'B'", "'a'"], ["'ä'", "'b'"], "text"),
        ("text", ["'2024-01-01T00:00:00+02:00'"], ["'2024-01-01 00:00:00Z'"], "iso8601"),
    ],
)
def test_incremental_by_any_type(
    kind: str, old: list[str], new: list[str], format_: str, source: Source
) -> None:
    source.run(f"CREATE TABLE things (id serial primary key, c {kind})")
    source.run(*(f"INSERT INTO things (c) VALUES ({value})" for value in old))
    context = make_context(source.url, incremental={"cursor": "c", "format": format_})
    state: dict[str, Any] = {}
    assert len(read_rows(context, state)) == len(old)
    assert read_rows(context, state) == []
    source.run(*(f"INSERT INTO things (c) VALUES ({value})" for value in new))
    assert len(read_rows(context, state)) == len(new)
    assert read_rows(context, state) == []


def test_views_schemas_and_names(source: Source) -> None:
    source.run(
        "CREATE SCHEMA sales",
        'CREATE TABLE sales."Order Details" (id int primary key)',
        'INSERT INTO sales."Order Details" VALUES (1)',
        'CREATE VIEW things AS SELECT id FROM sales."Order Details"',
    )
    assert read_rows(make_context(source.url, "sales.Order Details")) == [{"id": "1"}]
    assert read_rows(make_context(source.url, "public.things")) == [{"id": "1"}]
    with pytest.raises(ConfigError, match=r"no table 'sales.order_detail'; found near names: Order Details"):
        read_rows(make_context(source.url, "sales.order_detail"))
    with pytest.raises(ConfigError, match=r"no schema 'sale'; found near names: sales"):
        read_rows(make_context(source.url, "sale.orders"))
    with pytest.raises(ConfigError, match=r"no cursor column 'idd'; found near names: id"):
        read_rows(make_context(source.url, incremental={"cursor": "idd"}))


def test_an_empty_table_has_columns(source: Source) -> None:
    source.run("CREATE TABLE things (id int primary key, price numeric)")
    table = read_table(make_context(source.url))
    assert table.num_rows == 0
    assert logical_types(table) == {"id": "integer", "price": "number"}


def test_wide_rows_come_in_small_chunks(source: Source) -> None:
    source.run(
        "CREATE TABLE things (id int, body text)",
        "INSERT INTO things SELECT n, repeat('x', 20000) FROM generate_series(1, 6000) n",
    )
    reader = open_reader(make_context(source.url))
    pages = [page.records for page in reader.read("things", {})]
    assert sum(page.num_rows for page in pages if isinstance(page, pa.Table)) == 6000
    assert max(page.nbytes for page in pages if isinstance(page, pa.Table)) < 48 * 1024 * 1024


def test_a_slow_query_is_stopped(source: Source) -> None:
    source.run("CREATE VIEW things AS SELECT 1 AS id, pg_sleep(30)::text AS slept")
    context = make_context(source.url)
    quick = context.spec.model_copy(
        update={"limits": context.spec.limits.model_copy(update={"page_deadline_s": 0.5})}
    )
    with pytest.raises(SourceUnavailable, match="took too long"):
        read_rows(SourceContext("acme", quick, credentials=context.credentials))


def test_nothing_can_be_written(source: Source) -> None:
    source.run(
        "CREATE TABLE log (n int)",
        "CREATE FUNCTION note() RETURNS int LANGUAGE sql AS 'INSERT INTO log VALUES (1) RETURNING n'",
        "CREATE VIEW things AS SELECT note() AS id",
    )
    with pytest.raises(MeshError, match="read-only transaction"):
        read_rows(make_context(source.url))


def test_errors_say_what_to_do_and_no_password(source: Source) -> None:
    url = sa.make_url(source.url)
    wrong = url.set(username="nobody", password="hunter2-secret")
    refused = url.set(host="127.0.0.1", port=9, password="hunter2-secret", query={})
    other = url.set(database="no_such_db", password="hunter2-secret")
    for bad, kind in ((wrong, CredentialError), (refused, SourceUnavailable), (other, CredentialError)):
        given = bad.render_as_string(hide_password=False)
        for ask in (check_source, read_rows):
            with pytest.raises(kind) as caught:
                ask(make_context(given))  # type: ignore[operator]
            assert "hunter2" not in str(caught.value)
            assert given not in str(caught.value)
    check_source(make_context(source.url))


@pytest.mark.parametrize(
    "url", ["", "not a url", "oracle://x/y", "https://example.com", "postgresql+nodriver://x/y"]
)
def test_unusable_urls(url: str) -> None:
    with pytest.raises(CredentialError) as caught:
        check_source(make_context(url or " "))
    assert "example.com" not in str(caught.value)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    path = tmp_path / "old crm.db"
    with sqlite3.connect(path) as conn:
        conn.executescript("""
            CREATE TABLE things (
                id INTEGER PRIMARY KEY, flag BOOLEAN, price REAL, at DATETIME, any BLOB, day DATE
            );
            INSERT INTO things VALUES
                (1, 1, 0.1, '2024-01-01 10:00:00', x'DEAD', '2024-01-01'),
                (2, 0, 1e20, '2024-01-01T12:00:00+03:00', 'text', 'soon'),
                (3, NULL, 'n/a', 1704103200, 5, NULL);
        """)
    return f"sqlite:///{path}"


def test_sqlite(sqlite_url: str) -> None:
    table = read_table(make_context(sqlite_url))
    rows = table.to_pylist()
    assert [row["flag"] for row in rows] == ["true", "false", None]
    assert [row["price"] for row in rows] == ["0.1", "1.0e+20", "n/a"]
    assert [row["any"] for row in rows] == ["dead", "text", "5"]
    assert [row["at"] for row in rows] == ["2024-01-01 10:00:00", "2024-01-01T12:00:00+03:00", "1704103200"]
    assert logical_types(table)["at"] == "timestamp"


def test_sqlite_incremental(sqlite_url: str) -> None:
    context = make_context(sqlite_url, incremental={"cursor": "at"})
    state: dict[str, Any] = {}
    assert len(read_rows(context, state)) == 3
    assert state["cursor"]["last"] == "2024-01-01 10:00:00"
    assert read_rows(context, state) == []
    with sqlite3.connect(sqlite_url.removeprefix("sqlite:///")) as conn:
        conn.execute("INSERT INTO things (id, at) VALUES (4, '2024-01-01T13:30:00+03:00')")
    assert [row["id"] for row in read_rows(context, state)] == ["4"]


def test_a_missing_sqlite_file_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not there"):
        check_source(make_context(f"sqlite:///{tmp_path}/none.db"))
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"<html>" * 1000)
    with pytest.raises(ConfigError, match="file is not a database"):
        read_rows(make_context(f"sqlite:///{tmp_path}/x.db"))
