"""What a load's values look like: types, nulls and presence of every field, nested ones included.

``Seen`` is one load's observation, a tree: a field, the keys below it, ``*`` for the elements of an array
or for the keys of an object that is used as a map. What it means for the stream's schema is decided in
``core/evidence.py``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import chain
from types import NoneType
from typing import Any

MAX_DEPTH = 8
"""Levels that become paths of their own; what lies deeper only counts as object or array."""
MAX_KEYS = 200
"""An object with more distinct keys than this holds data in its keys: they are observed as ``*``."""
MAX_KEY = 200
"""Characters; an object with a longer key holds data in its keys as well."""
ANY = "*"

TYPE_NAMES: dict[type, str] = {
    bool: "boolean",
    int: "integer",
    float: "number",
    Decimal: "number",
    str: "string",
    dict: "object",
    list: "array",
}


@dataclass(slots=True)
class Seen:
    """One field: ``parents`` that could carry it, ``present`` that did, ``nulls`` and ``objects`` of these.

    ``mapped``: its keys are data and were merged into ``*``. ``guessed``: the source has text only, and
    the types say what it looked like.
    """

    parents: int = 0
    present: int = 0
    nulls: int = 0
    objects: int = 0
    types: set[str] = field(default_factory=set)
    children: dict[str, Seen] = field(default_factory=dict)
    mapped: bool = False
    guessed: bool = False

    def absorb(self, other: Seen) -> None:
        """Add what another page saw of the same field; the order of pages does not matter."""
        self.parents += other.parents
        self.present += other.present
        self.nulls += other.nulls
        self.types |= other.types
        self.mapped |= other.mapped
        self.guessed |= other.guessed
        for key, child in other.children.items():
            self.children.setdefault(key, Seen()).absorb(child)
        self.objects += other.objects
        self._settle()

    def _settle(self) -> None:
        """Keep a map merged, and see that a key absent from some objects counts these as parents."""
        if self.mapped or len(self.children) - (ANY in self.children) > MAX_KEYS:
            self.merge_keys()
        for key, child in self.children.items():
            if key != ANY:
                child.parents = self.objects

    def merge_keys(self) -> None:
        """Treat the keys as data from now on: what is below them is observed together, as ``*``."""
        self.mapped = True
        for key in [key for key in self.children if key != ANY]:
            together = self.children.setdefault(ANY, Seen())
            together.absorb(self.children.pop(key))
            together.parents = together.present


@dataclass(slots=True)
class Observation:
    """One load of a stream: how many records were observed, and what was seen in each column."""

    records: int = 0
    columns: dict[str, Seen] = field(default_factory=dict)

    def absorb(self, other: Observation) -> None:
        """Add another page; columns it lacks were absent from all its records."""
        self.records += other.records
        for name, seen in other.columns.items():
            self.columns.setdefault(name, Seen()).absorb(seen)
        for seen in self.columns.values():
            seen.parents = self.records


def observe_column(values: list[Any], kinds: Counter[type], records: int, absent: int = 0) -> Seen:
    """See a column of ``records`` records; ``absent`` of the None in ``values`` are missing keys.

    ``kinds`` counts the Python types of ``values``. Raises KeyError for a type JSON does not have.
    """
    seen = Seen(parents=records, present=records - absent, nulls=kinds[NoneType] - absent)
    seen.types = {TYPE_NAMES[kind] for kind in kinds if kind is not NoneType}
    if dict in kinds or list in kinds:
        _see_below(seen, values, kinds, depth=1)
    return seen


def _see_values(values: list[Any], depth: int) -> Seen:
    kinds = Counter(map(type, values))
    seen = Seen(parents=len(values), present=len(values), nulls=kinds[NoneType])
    seen.types = {TYPE_NAMES[kind] for kind in kinds if kind is not NoneType}
    if depth < MAX_DEPTH and (dict in kinds or list in kinds):
        _see_below(seen, values, kinds, depth)
    return seen


def _see_below(seen: Seen, values: list[Any], kinds: Counter[type], depth: int) -> None:
    if list in kinds:
        elements = list(chain.from_iterable(_only(list, values, kinds)))
        if elements:
            seen.children[ANY] = _see_values(elements, depth + 1)
    if dict in kinds:
        _see_keys(seen, _only(dict, values, kinds), depth)


def _see_keys(seen: Seen, objects: list[dict[str, Any]], depth: int) -> None:
    seen.objects = len(objects)
    keys = Counter(chain.from_iterable(objects))
    if len(keys) > MAX_KEYS or max(map(len, keys), default=0) > MAX_KEY:
        seen.mapped = True
        every = _see_values(list(chain.from_iterable(o.values() for o in objects)), depth + 1)
        seen.children.setdefault(ANY, Seen()).absorb(every)
        return
    for key, count in keys.items():
        if count == len(objects):
            child = _see_values([o[key] for o in objects], depth + 1)
        else:
            child = _see_values([o[key] for o in objects if key in o], depth + 1)
        child.parents = len(objects)
        if key in seen.children:  # a key named like ANY
            seen.children[key].absorb(child)
        else:
            seen.children[key] = child


def _only(kind: type, values: list[Any], kinds: Counter[type]) -> list[Any]:
    return values if len(kinds) == 1 else [value for value in values if type(value) is kind]


def observe_records(records: Iterable[dict[str, Any]]) -> Observation:
    """See whole records at once. Columns keep the records' own names."""
    rows = list(records)
    observation = Observation(records=len(rows))
    for name, count in Counter(chain.from_iterable(rows)).items():
        values = [row.get(name) for row in rows]
        kinds = Counter(map(type, values))
        observation.columns[name] = observe_column(values, kinds, len(rows), len(rows) - count)
    return observation
