"""Columns as the database itself spells them: one SQL expression a column, by dialect.

The database writes its values as text, so no driver can fail on one it cannot hold (an infinite date, a
number of 60 digits, a type it has never heard of), and numerics keep their scale.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.types import TypeEngine

DIALECTS = ("postgresql", "mysql", "mariadb", "sqlite")
Column = sa.Column[Any]
Expression = sa.ColumnElement[Any]

_NAMES: tuple[tuple[type[Any] | tuple[type[Any], ...], str], ...] = (
    (sa.Boolean, "boolean"),
    ((postgresql.MONEY, sa.Numeric, sa.Float), "number"),
    ((sa.Integer, mysql.YEAR, mysql.BIT), "integer"),
    (sa.DateTime, "timestamp"),
    (sa.Date, "date"),
    (sa.Time, "time"),
    ((sa.LargeBinary, sa.types._Binary, postgresql.BYTEA), "binary"),
    (sa.ARRAY, "array"),
    (sa.JSON, "object"),
)


def name_type(kind: TypeEngine[Any]) -> str:
    """The logical type of a column type, one of ``core.schema.TYPES``."""
    if isinstance(kind, postgresql.DOMAIN):
        return name_type(kind.data_type)
    return next((name for types, name in _NAMES if isinstance(kind, types)), "string")


def spell_column(column: Column, dialect: str) -> Expression:
    """``column`` as text under its own name: booleans true/false, timestamps ISO, binary hex, nested JSON."""
    write = {"postgresql": _postgres, "sqlite": _sqlite}.get(dialect, _mysql)
    return write(column).label(column.name)


def compare_from(
    column: Column, dialect: str, last: str, logical: str, *, as_text: bool
) -> Expression | None:
    """``column >= last`` as the reader compares, or None when the database would compare otherwise.

    It may let more through, never less. ``as_text``: the cursor's format is text, by code points.
    """
    if logical == "string":
        return _compare_text(column, dialect, last) if as_text else None
    value = sa.literal(last, sa.Text())
    if dialect == "sqlite":
        return _compare_sqlite(column, value, logical)
    if dialect == "postgresql":
        return column >= sa.cast(value, column.type)
    if logical in ("timestamp", "date", "time"):
        # The session's zone is UTC; MariaDB and older MySQL read no offset.
        return column >= sa.literal(last.removesuffix("+00:00"), sa.Text())
    return column >= sa.cast(value, sa.DECIMAL(65, 30))


def _compare_text(column: Column, dialect: str, last: str) -> Expression:
    value = sa.literal(last, sa.Text())
    if dialect == "postgresql":
        return sa.cast(column, sa.Text()).collate("C") >= value
    if dialect == "sqlite":
        return column.collate("BINARY") >= value
    return sa.cast(column, sa.LargeBinary()) >= sa.cast(value, sa.LargeBinary())


def _compare_sqlite(column: Column, value: Expression, logical: str) -> Expression:
    raw = sa.type_coerce(column, sa.types.NullType())
    if logical in ("integer", "number"):
        return raw >= sa.cast(value, sa.Numeric())
    # SQLite has no time type: what it cannot read as a time is let through, and days are not exact.
    day = sa.func.julianday(raw)
    return sa.or_(day >= sa.func.julianday(value) - 0.001, day.is_(None))


def _postgres(column: Column) -> Expression:
    kind: TypeEngine[Any] = column.type
    while isinstance(kind, postgresql.DOMAIN):
        kind = kind.data_type
    text = sa.cast(column, sa.Text())
    if isinstance(kind, sa.DateTime):
        spelled: Expression = sa.func.replace(text, " ", "T")
        # The session's zone is UTC, so every offset is +00; a date has no plus sign.
        return sa.func.replace(spelled, "+00", "+00:00") if kind.timezone else spelled
    if isinstance(kind, (sa.LargeBinary, postgresql.BYTEA)):
        return sa.func.encode(column, "hex")
    if isinstance(kind, sa.ARRAY):
        return sa.cast(sa.func.to_json(column), sa.Text())
    if isinstance(kind, postgresql.MONEY):
        return sa.cast(sa.cast(column, sa.Numeric()), sa.Text())
    return text


def _mysql(column: Column) -> Expression:
    kind = column.type
    if isinstance(kind, sa.DateTime):
        fraction = ".%f" if getattr(kind, "fsp", None) else ""
        zone = "+00:00" if isinstance(kind, sa.TIMESTAMP) else ""
        return sa.func.date_format(column, f"%Y-%m-%dT%H:%i:%s{fraction}{zone}")
    if isinstance(kind, (sa.LargeBinary, sa.types._Binary)):
        return sa.func.lower(sa.func.hex(column))
    if isinstance(kind, mysql.BIT):
        return sa.cast(sa.type_coerce(column, sa.Integer()) + 0, sa.CHAR())
    if isinstance(kind, sa.types.NullType):  # geometry and the like
        return sa.func.lower(sa.func.hex(column))
    return sa.cast(column, sa.CHAR())


def _sqlite(column: Column) -> Expression:
    # A column's declared type says little about its values here: ask each value.
    raw = sa.type_coerce(column, sa.types.NullType())
    digits = [sa.func.printf(f"%!.{count}g", raw) for count in (15, 16)]
    shortest = sa.case(
        *((sa.cast(text, sa.REAL()) == raw, text) for text in digits), else_=sa.func.printf("%!.17g", raw)
    )
    whens: list[tuple[Any, Any]] = [
        (sa.func.typeof(raw) == "blob", sa.func.lower(sa.func.hex(raw))),
        (raw == sa.literal_column("9e999"), "Infinity"),
        (raw == sa.literal_column("-9e999"), "-Infinity"),
        (sa.func.typeof(raw) == "real", shortest),
    ]
    if isinstance(column.type, sa.Boolean):
        whens = [(raw == 1, "true"), (raw == 0, "false"), *whens]
    return sa.case(*whens, else_=sa.cast(raw, sa.Text()))
