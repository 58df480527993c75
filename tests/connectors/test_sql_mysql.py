"""MySQL's and MariaDB's spelling, as statements: there is no server of theirs to test against here."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from resources.connectors.sql_text import compare_from, name_type, spell_column

CASES: list[tuple[Any, str, str]] = [
    (mysql.BIGINT(unsigned=True), "integer", "CAST(t.c AS CHAR)"),
    (mysql.DECIMAL(10, 2), "number", "CAST(t.c AS CHAR)"),
    (mysql.DOUBLE(), "number", "CAST(t.c AS CHAR)"),
    (mysql.YEAR(), "integer", "CAST(t.c AS CHAR)"),
    (mysql.BIT(8), "integer", "CAST(t.c + 0 AS CHAR)"),
    (mysql.DATE(), "date", "CAST(t.c AS CHAR)"),
    (mysql.TIME(fsp=3), "time", "CAST(t.c AS CHAR)"),
    (mysql.DATETIME(fsp=6), "timestamp", "date_format(t.c, '%%Y-%%m-%%dT%%H:%%i:%%s.%%f')"),
    (mysql.TIMESTAMP(), "timestamp", "date_format(t.c, '%%Y-%%m-%%dT%%H:%%i:%%s+00:00')"),
    (mysql.JSON(), "object", "CAST(t.c AS CHAR)"),
    (mysql.ENUM("a", "b"), "string", "CAST(t.c AS CHAR)"),
    (mysql.VARBINARY(10), "binary", "lower(hex(t.c))"),
    (mysql.BLOB(), "binary", "lower(hex(t.c))"),
    (sa.types.NullType(), "string", "lower(hex(t.c))"),
]


def compiled(clause: Any) -> str:
    options = {"literal_binds": True}
    return str(clause.compile(dialect=mysql.dialect(), compile_kwargs=options))  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("dialect", ["mysql", "mariadb"])
@pytest.mark.parametrize(("kind", "logical", "expected"), CASES)
def test_columns(kind: Any, logical: str, expected: str, dialect: str) -> None:
    column = sa.Table("t", sa.MetaData(), sa.Column("c", kind)).c.c
    assert name_type(kind) == logical
    assert compiled(sa.select(spell_column(column, dialect))) == f"SELECT {expected} AS c \nFROM t"


@pytest.mark.parametrize(
    ("kind", "last", "expected"),
    [
        (mysql.BIGINT(), "5", "t.c >= CAST('5' AS DECIMAL(65, 30))"),
        (mysql.DATETIME(), "2024-01-01T00:00:00", "t.c >= '2024-01-01T00:00:00'"),
        (mysql.TIMESTAMP(), "2024-01-01T00:00:00+00:00", "t.c >= '2024-01-01T00:00:00'"),
        (mysql.VARCHAR(9), "b", "CAST(t.c AS BINARY) >= CAST('b' AS BINARY)"),
    ],
)
def test_filters(kind: Any, last: str, expected: str) -> None:
    column = sa.Table("t", sa.MetaData(), sa.Column("c", kind)).c.c
    assert compiled(compare_from(column, "mysql", last, name_type(kind), as_text=True)) == expected


def test_text_that_is_no_text_cursor_is_not_compared_by_the_database() -> None:
    column = sa.Table("t", sa.MetaData(), sa.Column("c", sa.Text())).c.c
    assert compare_from(column, "mysql", "2024-01-01", "string", as_text=False) is None
