"""Queries: what reads the tenant's views runs, everything else is refused and nothing leaks."""

from __future__ import annotations

import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from core.errors import QueryError
from core.ontology import Ontology
from resources.database import Database
from resources.query import QueryResult, run_query
from resources.settings import Settings
from resources.tenants import add_tenant, list_tenants
from resources.view_files import find_registry
from resources.warehouse import advance_views
from tests.warehouse.conftest import Event, append_events

Ask = Callable[..., QueryResult]
TENANT, OTHER = "query-one", "query-two"


@pytest.fixture(scope="module")
def ask(database: Database, settings: Settings, ontology: Ontology) -> Ask:
    """Ask a tenant with two accounts and a deal; another tenant has views as well."""
    for tenant in (TENANT, OTHER):
        if tenant not in {t.tenant_id for t in list_tenants(database)}:
            add_tenant(database, tenant, "", "tester")
        events = [Event("1", {"name": f"Acme of {tenant}"}), Event("2", {"name": "Globex"})]
        append_events(database, tenant, [*events, Event("3", {"amount": 12.5}, "opportunity")])
        advance_views(database, settings, ontology, tenant)
    return lambda sql, **limits: run_query(settings, TENANT, sql, **limits)


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT name FROM account ORDER BY 1", [(f"Acme of {TENANT}",), ("Globex",)]),
        ("SELECT count(*) FROM views.account;", [(2,)]),
        ("WITH a AS (SELECT 1 AS x) SELECT x FROM a -- tail", [(1,)]),
        ("FROM opportunity SELECT amount", [(Decimal("12.500000000000"),)]),
        ("VALUES (1), (2)", [(1,), (2,)]),
        ("SELECT * FROM views.order", []),
        ("SELECT count(*) FROM user", [(0,)]),
        ("SELECT date_trunc('month', TIMESTAMPTZ '2024-02-03')::VARCHAR", [("2024-02-01 00:00:00+00",)]),
    ],
)
def test_what_reads_runs(ask: Ask, sql: str, rows: list[object]) -> None:
    assert ask(sql).rows == rows


@pytest.mark.parametrize(
    "sql", ["DESCRIBE account", "SUMMARIZE account", "SHOW TABLES", "EXPLAIN FROM account"]
)
def test_what_describes_runs(ask: Ask, sql: str) -> None:
    assert ask(sql).rows


def test_a_result_tells_columns_and_types(ask: Ask) -> None:
    result = ask("SELECT name, _seq > 0 AS new, _updated_at FROM account LIMIT 1")
    assert result.columns == ["name", "new", "_updated_at"]
    assert result.types == ["VARCHAR", "BOOLEAN", "TIMESTAMP WITH TIME ZONE"]
    assert not result.truncated


def test_more_rows_than_asked_for_are_cut_off(ask: Ask) -> None:
    result = ask("FROM range(1000000000)", max_rows=3)
    assert (len(result.rows), result.truncated) == (3, True)


def forbidden(folder: Path) -> list[str]:
    other = folder / OTHER / f"registry_{OTHER}.duckdb"
    return [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_blob('/etc/passwd')",
        "SELECT * FROM read_json('/etc/passwd')",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM sniff_csv('/etc/passwd')",
        "FROM '/etc/passwd'",
        "FROM 'x.parquet'",
        f"FROM read_duckdb('{other}')",
        f"FROM '{other}'",
        f"ATTACH '{other}' AS other",
        f"ATTACH '{other}' AS other (READ_ONLY)",
        "SELECT * FROM read_parquet('https://example.com/x.parquet')",
        "SELECT * FROM read_csv('s3://bucket/x.csv')",
        "COPY account TO 'out.csv'",
        "COPY (SELECT 1) TO '/dev/stdout'",
        "EXPLAIN ANALYZE COPY account TO 'out.csv'",
        "EXPORT DATABASE 'out'",
        "IMPORT DATABASE 'out'",
        "SET enable_external_access = true",
        "RESET lock_configuration",
        "PRAGMA database_list",
        "PRAGMA enable_profiling",
        "CALL pragma_version()",
        "CALL enable_logging()",
        "SELECT * FROM enable_logging()",
        "INSTALL httpfs",
        "LOAD httpfs",
        "LOAD '/tmp/x.so'",
        "CREATE TABLE x (a INT)",
        "CREATE TEMP TABLE x AS SELECT 1",
        "CREATE SECRET s (TYPE s3)",
        "INSERT INTO account (name) VALUES ('x')",
        "UPDATE account SET name = 'x'",
        "DELETE FROM account",
        "DROP TABLE account",
        "ALTER TABLE account ADD COLUMN x INT",
        "COMMENT ON TABLE account IS 'x'",
        "BEGIN",
        "CHECKPOINT",
        "VACUUM",
        "USE memory",
        "PREPARE p AS SELECT 1",
        "SET VARIABLE x = 1",
        "SELECT getenv('HOME')",
        "SELECT * FROM duckdb_settings()",
        "SELECT * FROM duckdb_secrets()",
        "FROM duckdb_databases()",
        'FROM "DUCKDB_DATABASES"()',
        "FROM pg_catalog.pg_settings",
        "SELECT current_setting('home_directory')",
        "FROM query('FROM duckdb_' || 'databases()')",
        "FROM \"query\" ('SELECT 1')",
        "FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))",
        "SELECT * FROM arrow_scan(1, 2, 3)",
        "SELECT 1; SELECT 2",
        "SELECT 1; DROP TABLE account",
        "PIVOT account ON name",
        "",
        ";",
        "-- nothing",
    ]


def test_what_does_more_than_read_is_refused(ask: Ask, settings: Settings) -> None:
    for sql in forbidden(settings.warehouse_dir):
        with pytest.raises(QueryError) as caught:  # noqa: PT012
            ask(sql)
            pytest.fail(f"ran: {sql}")
        said = str(caught.value)
        assert "root:" not in said
        assert TENANT not in said
    folder = find_registry(settings, TENANT).parent
    assert [path.name for path in folder.iterdir()] == [f"registry_{TENANT}.duckdb"]


def test_python_values_of_the_caller_cannot_be_read(ask: Ask) -> None:
    import pyarrow

    secret = pyarrow.table({"x": [1]})
    with pytest.raises(QueryError, match="secret does not exist"):
        ask("SELECT * FROM secret")
    assert secret.num_rows == 1


@pytest.mark.parametrize(
    "sql",
    [
        "WITH RECURSIVE t (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM t) SELECT count(*) FROM t",
        "SELECT count(*) FROM range(100000000) a, range(100000000) b WHERE a.range % 7 = b.range % 11",
        "SELECT levenshtein(repeat('a', 1000000), repeat('b', 1000000))",  # heeds no interrupt
    ],
)
def test_an_endless_query_ends_in_time(ask: Ask, sql: str) -> None:
    started = time.monotonic()
    with pytest.raises(QueryError, match=r"longer than 0\.5 s"):
        ask(sql, timeout_s=0.5)
    assert time.monotonic() - started < 15


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT list_sum(range(1000000000))",
        "SELECT string_agg(repeat('x', 1000000)) FROM range(10000)",
        "SELECT repeat('a', 100000000)",
        "SELECT repeat(repeat('a', 100000000), 100)",
    ],
)
def test_a_memory_bomb_is_refused(ask: Ask, sql: str) -> None:
    with pytest.raises(
        QueryError, match=r"needs more than it may have|longer than|maximum supported string size"
    ):
        ask(sql, timeout_s=10)


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT * FROM acount", "acount does not exist. Did you mean 'account'"),
        ("SELECT * FROM views.acount", "Did you mean 'account'"),
        ("SELECT * FROM nothing_like_it", "SHOW TABLES"),
        ("SELECT a.emial FROM account a", "Did you mean 'email'"),
        ("SELECT nam FROM account", "Did you mean 'name'"),
        ("SELECT * FROM order", "write views.order"),
        ("SELEC 1", 'syntax error at or near "SELEC"'),
        ("SELECT name::INT FROM account", "Could not convert"),
    ],
)
def test_wrong_sql_is_explained(ask: Ask, sql: str, said: str) -> None:
    with pytest.raises(QueryError) as caught:
        ask(sql)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_views_the_remedy_is_named(settings: Settings) -> None:
    with pytest.raises(QueryError, match="aos sync never-synced"):
        run_query(settings, "never-synced", "SELECT 1")
