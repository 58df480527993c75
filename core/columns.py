"""Which column of the lake each source field gets: the source's own name, except where two would clash.

Names beginning with ``_dlt_`` or ``_aos_`` belong to the loader, and SQL engines take ``A`` and ``a`` for
the same column. Names given once stay given: the lake is never rewritten.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

MAX_COLUMNS = 2_000
"""Columns a stream may ever have."""
MAX_NAME = 500
"""Characters of a column name."""
RESERVED = ("_dlt_", "_aos_")
ROW = "_aos_row"
"""Helper column: arrival order of a row in its load, from 0."""
DELETED = "_aos_deleted"
"""Helper column: true for a row that only says that its record was deleted."""


class ColumnNames:
    """The names given in one stream, in order of first appearance."""

    def __init__(self, given: Mapping[str, str] | None = None) -> None:
        """``given``: source field → column, from earlier loads."""
        self._given = dict(given or {})
        self._taken = {column.lower() for column in self._given.values()}

    @property
    def given(self) -> dict[str, str]:
        """Source field → column, in order of first appearance."""
        return dict(self._given)

    @property
    def columns(self) -> list[str]:
        """All columns the stream ever had."""
        return list(self._given.values())

    @property
    def renamed(self) -> dict[str, str]:
        """Source field → column, where these differ."""
        return {name: column for name, column in self._given.items() if name != column}

    def has_room(self, names: Iterable[str]) -> bool:
        """Whether all of ``names`` still fit under ``MAX_COLUMNS``."""
        return len(self._given) + sum(name not in self._given for name in names) <= MAX_COLUMNS

    def give(self, name: str) -> str:
        """The column of source field ``name``; a new one the first time."""
        if name not in self._given:
            column = self._free(name)
            self._given[name] = column
            self._taken.add(column.lower())
        return self._given[name]

    def _free(self, name: str) -> str:
        wanted = f"x{name}" if not name or name.lower().startswith(RESERVED) else name
        column, number = wanted, 2
        while column.lower() in self._taken:
            column, number = f"{wanted}__{number}", number + 1
        return column
