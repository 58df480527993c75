"""A vendor's records of one kind, and how they change: touch, add, delete, each with the vendor's stamp."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

Record = dict[str, Any]
NOW = object()


@dataclass
class Row:
    """A record as the vendor serves it, with the times the vendor filters by (seconds since 1970)."""

    key: str
    data: Record
    created: float
    updated: float
    deleted: bool = False


@dataclass
class Table:
    """Records by key, in order of arrival.

    ``new_id`` makes the key of the n-th record. ``spell`` writes a time; it goes to the paths of
    ``created_at`` and ``updated_at`` (in ``spells`` by path where it differs). ``change`` is the text or
    number a touch alters. ``mark`` is set when a record is deleted and stays in the table (``NOW`` stands for
    the time); without it a deleted record goes to ``gone``. ``unique`` is altered in added records.
    """

    name: str
    new_id: Callable[[int], Any]
    spell: Callable[[float], Any]
    change: str
    id_path: str = "id"
    created_at: tuple[str, ...] = ("created_at",)
    updated_at: tuple[str, ...] = ("updated_at",)
    mark: tuple[str, Any] | None = None
    unique: tuple[str, ...] = ()
    spells: dict[str, Callable[[float], Any]] = field(default_factory=dict)
    rows: dict[str, Row] = field(default_factory=dict)
    gone: dict[str, Row] = field(default_factory=dict)
    version: int = 0
    _sorted: dict[str, tuple[int, list[Row]]] = field(default_factory=dict)
    _made: int = 0

    def put(self, data: Record, created: float, updated: float | None = None) -> Record:
        """Take a seeded record."""
        key = str(read(data, self.id_path))
        self.rows[key] = Row(key, data, created, created if updated is None else updated)
        self._made += 1
        return data

    def ordered(self, by: str) -> list[Row]:
        """Rows by ``updated`` (oldest first), ``created`` (newest first), ``key`` or ``arrival``."""
        known = self._sorted.get(by)
        if known is None or known[0] != self.version:
            rows: Iterable[Row] = self.rows.values()
            if by == "updated":
                rows = sorted(rows, key=lambda row: (row.updated, len(row.key), row.key))
            elif by == "created":
                rows = sorted(rows, key=lambda row: (-row.created, row.key))
            elif by == "key":
                rows = sorted(rows, key=lambda row: (len(row.key), row.key))
            known = (self.version, list(rows))
            self._sorted[by] = known
        return known[1]

    def touch(self, count: int, now: float) -> list[str]:
        """Change the first ``count`` living records; returns their keys."""
        chosen = [row for row in self.rows.values() if not row.deleted][:count]
        for row in chosen:
            value = read(row.data, self.change)
            write(row.data, self.change, _altered(value, self.version + 1))
            self._stamp(row, now)
        self.version += 1
        return [row.key for row in chosen]

    def add(self, count: int, now: float) -> list[str]:
        """Add ``count`` records made after the first living ones; returns their keys."""
        patterns = [row for row in self.rows.values() if not row.deleted]
        keys: list[str] = []
        for number in range(count if patterns else 0):
            data = copy.deepcopy(patterns[number % len(patterns)].data)
            write(data, self.id_path, self.new_id(self._made))
            for path in self.created_at:
                write(data, path, self.spells.get(path, self.spell)(now))
            for path in self.unique:
                if read(data, path) is not None:
                    write(data, path, f"{self._made}.{read(data, path)}")
            key = str(read(data, self.id_path))
            self.rows[key] = row = Row(key, data, now, now)
            write(data, self.change, _altered(read(data, self.change), self._made))
            self._stamp(row, now)
            self._made += 1
            keys.append(key)
        self.version += 1
        return keys

    def delete(self, count: int, now: float) -> list[str]:
        """Delete the last ``count`` living records; returns their keys."""
        chosen = [row for row in self.rows.values() if not row.deleted][-count:] if count > 0 else []
        for row in chosen:
            row.deleted = True
            self._stamp(row, now)
            if self.mark is not None:
                path, value = self.mark
                write(row.data, path, self.spell(now) if value is NOW else value)
            else:
                self.gone[row.key] = self.rows.pop(row.key)
        self.version += 1
        return [row.key for row in chosen]

    def _stamp(self, row: Row, now: float) -> None:
        row.updated = now
        for path in self.updated_at:
            write(row.data, path, self.spells.get(path, self.spell)(now))


def read(data: Any, path: str) -> Any:
    """The value at a dotted path; None where it leads nowhere."""
    for part in path.split("."):
        if isinstance(data, list):
            data = data[int(part)] if part.isdigit() and int(part) < len(data) else None
        else:
            data = data.get(part) if isinstance(data, dict) else None
    return data


def write(data: Any, path: str, value: Any) -> None:
    """Set the value at a dotted path, making objects on the way."""
    *way, last = path.split(".")
    for part in way:
        data = data[int(part)] if isinstance(data, list) else data.setdefault(part, {})
    data[int(last) if isinstance(data, list) else last] = value


def _altered(value: Any, number: int) -> Any:
    if isinstance(value, bool) or value is None:
        return f"changed {number}"
    if isinstance(value, (int, float)):
        return value + 1
    return f"{str(value).split(' · ')[0]} · {number}"
