"""Many rows in one statement, under row-level security: a JSON document that Postgres takes apart.

COPY is refused on tables with row-level security and needs a detour (``copying.py``); for some thousands
of rows with nested values this is as fast, and it knows ``ON CONFLICT``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Table, TextClause, text
from sqlalchemy.dialects import postgresql

ROWS = 5_000
"""Rows of one statement; bounds its memory."""


def insert_rows(
    conn: Connection, table: Table, rows: Sequence[Mapping[str, Any]], conflict: str = "DO NOTHING"
) -> None:
    """Insert rows of JSON values, all with the same columns; ``conflict``: what follows ``ON CONFLICT``."""
    for start in range(0, len(rows), ROWS):
        part = rows[start : start + ROWS]
        document = json.dumps(part, ensure_ascii=False)
        conn.execute(_write_insert(table, tuple(part[0]), conflict), {"rows": document})


def replace_on(table: Table, keep: Sequence[str] = (), where: str = "") -> str:
    """The conflict clause that gives a row its new values, all but its key's and ``keep``'s."""
    keys = [column.name for column in table.primary_key.columns]
    fresh = [column.name for column in table.columns if column.name not in (*keys, *keep)]
    told = ", ".join(f"{name} = excluded.{name}" for name in fresh)
    return f"({', '.join(keys)}) DO UPDATE SET {told}" + (f" WHERE {where}" if where else "")


@lru_cache(maxsize=64)
def _write_insert(table: Table, columns: tuple[str, ...], conflict: str) -> TextClause:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    names = ", ".join(columns)
    types = ", ".join(f"{name} {table.c[name].type.compile(dialect)}" for name in columns)
    return text(
        f"INSERT INTO {table.name} ({names}) SELECT {names} "
        f"FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS given ({types}) ON CONFLICT {conflict}"
    )
