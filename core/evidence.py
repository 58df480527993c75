"""What a stream's loads have shown so far, and what one more load changes about its schema.

Small loads must not invent drift: a field that is merely missing from a load is removed only once its
absence has become improbable, nullability only widens, and a type joins the known ones unless it has
clearly replaced them. A load that shows the whole source (a snapshot, or a table that declares its
columns) is taken at its word.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from core.names import Path, format_path
from core.observe import ANY, MAX_KEYS, Observation, Seen
from core.schema import FieldSchema, TableSchema

MAX_PATHS = 2_000
"""Fields of a table schema; where there would be more, the deepest levels are left out."""
MAX_PATH = 2_200
"""Bytes of a field's path, which no index takes much longer; what lies below counts as its parent's value."""
MIN_ABSENT = 5
"""Records in a row that must lack a field before it can count as removed."""
MIN_VALUES = 5
"""Values of a new type, none of the old one among them, that make it a replacement."""
CHANCE = 0.001
"""A field is removed when its absence has at most this probability by chance."""
MEMORY = 10_000
"""Records that presence is remembered over; older ones fade."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One field: records ``parents`` up to its last sight, ``present`` in them, ``absent`` ones since then.

    ``mapped``: its keys are data; what lies below them is one child, ``*``.
    """

    parents: int
    present: int
    absent: int
    nullable: bool
    types: tuple[str, ...]
    children: dict[str, Evidence] = field(default_factory=dict)
    mapped: bool = False

    @property
    def removed(self) -> bool:
        """Whether chance no longer explains the absence; the share is estimated on the low side."""
        if self.absent < MIN_ABSENT:
            return False
        present_ratio = self.present / (self.parents + 1)
        return bool((1 - present_ratio) ** self.absent < CHANCE)

    def to_json(self) -> list[Any]:
        """The form kept in a stream's state; ``from_json`` reads it back."""
        below = {key: child.to_json() for key, child in self.children.items()}
        row = [self.parents, self.present, self.absent, self.nullable, list(self.types)]
        return [*row, below, self.mapped] if below or self.mapped else row

    @classmethod
    def from_json(cls, row: list[Any]) -> Evidence:
        """Read what ``to_json`` wrote."""
        parents, present, absent, nullable, types = row[:5]
        children, mapped = row[5:] or ({}, False)
        below = {key: cls.from_json(child) for key, child in children.items()}
        return cls(parents, present, absent, nullable, tuple(types), below, mapped)


Columns = dict[str, Evidence]


def merge_observation(known: Columns, load: Observation, *, whole: bool) -> Columns:
    """The evidence after ``load``. ``whole``: the load shows everything the source has.

    Merging the same load again changes no schema, except that fields the load lacks may by then count
    as removed.
    """
    if not load.columns:
        return known
    merged = _merge_fields(known, load.columns, load.records, whole=whole, declared=whole)
    return _cut_depth(merged)


def _merge_fields(
    known: Columns, load: dict[str, Seen], parents: int, *, whole: bool, declared: bool = False
) -> Columns:
    merged: Columns = {}
    for key, old in known.items():
        if key in load:
            merged[key] = _merge_field(old, load[key], whole=whole)
        elif key == ANY or not (parents or declared):
            merged[key] = old
        elif not whole:
            missed = replace(old, absent=old.absent + parents, nullable=True)
            if not missed.removed:
                merged[key] = missed
    for key, seen in load.items():
        if key not in known:
            merged[key] = _first(seen)
    return merged


def _first(seen: Seen) -> Evidence:
    return Evidence(
        seen.parents,
        seen.present,
        0,
        seen.nulls > 0 or seen.present < seen.parents,
        _fold(seen.types, guessed=seen.guessed),
        {key: _first(child) for key, child in seen.children.items()},
        seen.mapped,
    )


def _merge_field(old: Evidence, seen: Seen, *, whole: bool) -> Evidence:
    if old.mapped or seen.mapped:
        old = _merge_keys(old)
        seen.merge_keys()
    parents, present = old.parents + old.absent + seen.parents, old.present + seen.present
    if parents > MEMORY:
        parents, present = MEMORY, round(present * MEMORY / parents)
    missing = seen.nulls > 0 or seen.present < seen.parents
    merged = Evidence(
        parents,
        present,
        0,
        old.nullable or missing,
        _merge_types(old.types, seen, whole=whole),
        _merge_fields(old.children, seen.children, seen.objects, whole=whole),
        old.mapped,
    )
    if len(merged.children) > MAX_KEYS + 1:
        merged = _merge_keys(merged)
    return replace(merged, children=_fitting(merged))


def _merge_keys(one: Evidence) -> Evidence:
    """The same field with its keys taken as data."""
    if one.mapped or not one.children:
        return replace(one, mapped=True)
    return replace(one, mapped=True, children={ANY: _combine(list(one.children.values()))})


def _combine(fields: list[Evidence]) -> Evidence:
    keys = dict.fromkeys(key for one in fields for key in one.children)
    below = {key: _combine([one.children[key] for one in fields if key in one.children]) for key in keys}
    present = min(sum(one.present for one in fields), MEMORY)
    combined = Evidence(
        present,
        present,
        0,
        any(one.nullable and one.present == one.parents + one.absent for one in fields),  # not the absent
        _fold({kind for one in fields for kind in one.types}),
        below,
    )
    return _merge_keys(combined) if len(below) > MAX_KEYS + 1 else combined


def _fitting(one: Evidence) -> Columns:
    """The children that the field's types still allow."""
    is_object, is_array = "object" in one.types, "array" in one.types
    return {
        key: child
        for key, child in one.children.items()
        if (is_object and key != ANY) or (key == ANY and (is_array or (is_object and one.mapped)))
    }


def _merge_types(old: tuple[str, ...], seen: Seen, *, whole: bool) -> tuple[str, ...]:
    new = _fold(seen.types)
    union = _fold({*old, *new}, guessed=seen.guessed)
    if union == old or seen.guessed:
        return union
    vanished = not set(old) & set(new)
    enough = whole or seen.present - seen.nulls >= MIN_VALUES
    return new if vanished and enough else union


def _fold(types: set[str], *, guessed: bool = False) -> tuple[str, ...]:
    """Sorted, without what another type says already: integers are numbers, null is no value at all.

    Text that looks like several things is text.
    """
    kept = types - {"null"}
    if "number" in kept:
        kept = kept - {"integer"}
    if guessed and len(kept) > 1:
        kept = {"string"}
    return tuple(sorted(kept)) or ("null",)


def _cut_depth(columns: Columns) -> Columns:
    """At most MAX_PATHS fields: leave out the deepest levels, never a column."""
    per_level = Counter(_list_depths(columns, 1))
    deepest = max(per_level, default=1)
    while deepest > 1 and sum(n for depth, n in per_level.items() if depth <= deepest) > MAX_PATHS:
        deepest -= 1
    return columns if deepest == max(per_level, default=1) else _cut_below(columns, deepest)


def _list_depths(columns: Columns, depth: int) -> Iterator[int]:
    for one in columns.values():
        yield depth
        yield from _list_depths(one.children, depth + 1)


def _cut_below(columns: Columns, levels: int) -> Columns:
    if levels == 1:
        return {key: replace(one, children={}) for key, one in columns.items()}
    return {key: replace(one, children=_cut_below(one.children, levels - 1)) for key, one in columns.items()}


def build_schema(columns: Columns) -> TableSchema:
    """The table schema that the evidence stands for."""
    return TableSchema(tuple(sorted(_list_fields(columns, ()))))


def _list_fields(columns: Columns, above: Path) -> Iterator[FieldSchema]:
    for key, one in columns.items():
        path = (*above, key)
        seen = one.parents + one.absent
        presence_ratio = round(one.present / seen, 4) if seen else 1.0
        text = format_path(path).replace("\0", "\\u0000")  # no store takes NUL
        if len(text.encode("utf-8", "surrogatepass")) > MAX_PATH:
            continue
        yield FieldSchema(text, one.types, one.nullable, presence_ratio)
        yield from _list_fields(one.children, path)


def columns_to_json(columns: Columns) -> dict[str, Any]:
    """The evidence of a stream as JSON data."""
    return {name: one.to_json() for name, one in columns.items()}


def columns_from_json(data: dict[str, Any]) -> Columns:
    """Read what ``columns_to_json`` wrote."""
    return {name: Evidence.from_json(one) for name, one in data.items()}
