"""Bulk writing: COPY inside a tenant's transaction.

Postgres refuses COPY into a table with row-level security. Events go straight into the tenant's
partition as the role ``aos_writer``, which may insert there and do nothing else; the table's check that
a row's tenant is the transaction's keeps other tenants' rows out. Other tables take a detour through a
temporary table and are written under row-level security.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg
from sqlalchemy import Connection, Table, text

from core.names import quote_identifier
from resources.rls import APP_ROLE, PARTITIONS, WRITER_ROLE
from resources.tables import canonical_streams

_PARTITION = text(
    "SELECT remainder FROM generate_series(0, :modulus - 1) AS remainder WHERE "
    "satisfies_hash_partition('canonical_streams'::regclass, :modulus, remainder, CAST(:tenant AS text))"
)
_ROLE = text("SELECT set_config('role', :role, true)")


@contextmanager
def copy_into(
    conn: Connection, tenant_id: str, table: Table, columns: Sequence[str], options: str = ""
) -> Iterator[psycopg.Copy]:
    """Write rows into ``table`` by COPY; ``conn`` is in the scope of ``tenant_id``.

    Yields psycopg's Copy: ``write_row(values)``, or ``write(bytes)`` in the format that ``options``
    (``FORMAT csv``, ``FORMAT binary``) names. A row of another tenant fails the transaction.
    """
    if table is canonical_streams:
        remainder = conn.execute(_PARTITION, {"modulus": PARTITIONS, "tenant": tenant_id}).scalar_one()
        conn.execute(_ROLE, {"role": WRITER_ROLE})
        with _copy(conn, f"canonical_streams_p{remainder:02d}", columns, options) as copy:
            yield copy
        conn.execute(_ROLE, {"role": APP_ROLE})
        return
    staging, names = f"copy_{table.name}", _list(columns)
    conn.exec_driver_sql(f"CREATE TEMP TABLE {staging} AS SELECT {names} FROM {table.name} WITH NO DATA")
    with _copy(conn, staging, columns, options) as copy:
        yield copy
    conn.exec_driver_sql(f"INSERT INTO {table.name} ({names}) SELECT {names} FROM {staging}")
    conn.exec_driver_sql(f"DROP TABLE {staging}")


@contextmanager
def _copy(conn: Connection, target: str, columns: Sequence[str], options: str) -> Iterator[psycopg.Copy]:
    raw = conn.connection.driver_connection
    assert isinstance(raw, psycopg.Connection)
    how = f" WITH ({options})" if options else ""
    statement = f"COPY {target} ({_list(columns)}) FROM STDIN{how}"
    with raw.cursor() as cursor, cursor.copy(statement.encode()) as copy:
        yield copy


def _list(columns: Sequence[str]) -> str:
    return ", ".join(quote_identifier(name) for name in columns)
