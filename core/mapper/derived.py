"""Mappings that follow from the stream, not from one field's name: names of people, and the key.

Names that the stream has in other parts than the canonical model are joined, or cut in two: only proposed,
since how a name is put together is a person's to confirm. A derived proposal stands under a name of its
own, ``name=first_name+last_name``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.mapper.decision import BELOW_AUTO, REVIEW
from core.mapper.look import Look
from core.mapper.proposal import find_source
from core.mapper.question import Reading
from core.mapping import Transform
from core.ontology import Entity

KEY = "id"
"""The canonical field of every entity that the stream's primary key fills."""
_OF_KEY = 0.97
FIRST, LAST = "first_name", "last_name"
_FIRST = {("first", "name"), ("given", "name"), ("fore", "name"), ("forename",), ("firstname",), ("first",)}
_LAST = {("last", "name"), ("family", "name"), ("surname",), ("lastname",), ("last",), ("sur", "name")}
_FULL = {("name",), ("full", "name"), ("display", "name")}
_WHOLE = ("name", "display_name")
"""Canonical fields that hold a person's whole name, the usual one first."""
_UNSURE = 0.5
"""How sure a part is whose own answer says nothing."""


@dataclass(frozen=True)
class Part:
    """One source field of a stream as it was answered: best target, if any, and how sure that is."""

    field: str
    reading: Reading
    target: str | None
    confidence: float


@dataclass(frozen=True)
class Derived:
    """A mapping of other than one field to one target, and why a person has to look at it."""

    target: str
    parts: tuple[str, ...]
    transform: Transform
    args: Mapping[str, Any]
    confidence: float
    doubt: str
    method: str = "names"

    @property
    def field(self) -> str:
        """The name it stands under: the key's own, where it is one field."""
        if self.method == "key" and len(self.parts) == 1:
            return self.parts[0]
        return f"{self.target}={'+'.join(self.parts)}"


def derive_key(entity: Entity, primary_key: Sequence[str], filled: Collection[str]) -> Derived | None:
    """What the stream's primary key fills; None where something does, or the entity wants another key."""
    if not primary_key or KEY in filled or KEY not in entity.required:
        return None
    if len(primary_key) == 1:
        told = "the stream's primary key"
        return Derived(KEY, tuple(primary_key), "direct", {}, _OF_KEY, told, "key")
    told = f"the primary key has {len(primary_key)} parts; this joins them"
    return Derived(KEY, tuple(primary_key), "concat", {"separator": "|"}, BELOW_AUTO, told, "key")


def derive_names(
    entity: Entity, parts: Sequence[Part], filled: Collection[str], looks: Mapping[str, Look]
) -> list[Derived]:
    """What the stream's names of people can be made into, where the canonical field has no better source.

    ``filled``: targets the set that holds fills. ``looks``: of whole names, by field.
    """
    first, last = _find_part(parts, _FIRST), _find_part(parts, _LAST)
    claimed = {one.target for one in parts if one.confidence >= REVIEW} | set(filled)
    if first is not None and last is not None:
        return list(_join(entity, first, last, claimed))
    if first is not None or last is not None or {FIRST, LAST} & claimed:
        return []
    return list(_cut(entity, parts, looks))


def find_whole_names(entity: Entity, parts: Sequence[Part]) -> list[str]:
    """Fields that hold whole names of people and could be cut in two."""
    if not {FIRST, LAST} <= entity.fields.keys() or "company_name" in entity.fields:
        return []  # where a company may stand, two words are no first and last name
    return [one.field for one in parts if one.reading.bare in _FULL]


def _find_part(parts: Sequence[Part], spellings: Collection[tuple[str, ...]]) -> Part | None:
    """The one field of that name; None where there are several."""
    found = [one for one in parts if one.reading.bare in spellings]
    return found[0] if len(found) == 1 else None


def _join(entity: Entity, first: Part, last: Part, claimed: Collection[str | None]) -> Iterator[Derived]:
    target = next((name for name in _WHOLE if name in entity.fields), None)
    if target is None or target in claimed:
        return
    known = [one.confidence if one.target in (FIRST, LAST) else _UNSURE for one in (first, last)]
    sure = min(*known, BELOW_AUTO)
    told = "no field holds the whole name; this joins its two parts"
    yield Derived(target, (first.field, last.field), "concat", {"separator": " "}, sure, told)


def _cut(entity: Entity, parts: Sequence[Part], looks: Mapping[str, Look]) -> Iterator[Derived]:
    for field in find_whole_names(entity, parts):
        look = looks.get(field)
        if look is None or max(look.two_words, look.comma) < 0.5:
            continue
        comma = look.comma > look.two_words
        share = look.comma if comma else look.two_words
        told = f"{share:.0%} of the names are {'last, first' if comma else 'two words'}; the others suffer"
        for target, index in ((FIRST, 1 if comma else 0), (LAST, 0 if comma else -1)):
            args = {"separator": "," if comma else " ", "index": index}
            yield Derived(target, (find_source(field),), "split", args, round(share * BELOW_AUTO, 4), told)
        return
