"""One source field that nobody has mapped yet, and how its name reads."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from core.mapper.lexicon import Lexicon
from core.ontology import Entity

if TYPE_CHECKING:
    from core.mapper.profile import Profile

Words = tuple[str, ...]
_GENERIC = frozenset({("id",), ("name",), ("number",), ("code",), ("key",)})
"""What is left of many names, whatever they are of."""


@dataclass(frozen=True)
class Question:
    """A source field. ``entity`` is the canonical entity of its stream; ``type`` a logical source type."""

    system: str
    stream: str
    field: str
    entity: str
    type: str = ""
    description: str = ""
    profile: Profile | None = dataclasses.field(default=None, compare=False)


@dataclass(frozen=True)
class Reading:
    """A question's name as words: all of its path, its last part, both without the entity's own words.

    ``stripped``: whose words those were: ``own`` (system, stream, entity), ``alike`` (an alias of the
    entity or what it is part of, which may name another thing), or none.
    """

    full: Words
    last: Words
    bare: Words
    bare_last: Words
    stripped: str
    custom: bool
    indexed: bool
    depth: int

    @property
    def keys(self) -> tuple[Words, Words, Words, Words]:
        """The four ways the name may equal a form."""
        return (self.last, self.full, self.bare_last, self.bare)

    @property
    def text(self) -> str:
        """What is embedded."""
        return " ".join(self.bare)

    @property
    def decided_as(self) -> str:
        """What decisions about the name are kept by: ``customer_id`` is not the ``id`` that is left of it."""
        return " ".join(self.full if self.bare in _GENERIC else self.bare)


@lru_cache(maxsize=20_000)
def read_question(question: Question, entity: Entity, lexicon: Lexicon) -> Reading:
    """The words of a question, as the lexicon cuts them."""
    full, last, indexed, depth = _read_path(question.field, lexicon)
    own = _name_words(lexicon, question.system, question.stream, question.entity)
    alike = _name_words(lexicon, *entity.aliases)
    bare, bare_last = _strip(full, own | alike), _strip(last, own | alike)
    by_own = (_strip(full, own), _strip(last, own)) == (bare, bare_last)
    by_own = by_own and not (bare_last == ("id",) and _is_of_a_part(last[:-1], question, lexicon))
    return Reading(
        full=full,
        last=last,
        bare=bare,
        bare_last=bare_last,
        stripped="" if (bare, bare_last) == (full, last) else "own" if by_own else "alike",
        custom=question.field.lower().endswith(("__c", "_c")),
        indexed=indexed,
        depth=depth,
    )


@lru_cache(maxsize=20_000)
def _read_path(field: str, lexicon: Lexicon) -> tuple[Words, Words, bool, int]:
    """Words of the whole path and of its last part, whether it goes into a list, its depth."""
    raw = [part for part in re.split(r"[./\[\]]+", field) if part]
    indexed = any(part.isdigit() or part == "*" for part in raw[1:])
    parts = [part for part in raw if not _is_noise(part, lexicon)] or raw or [field]
    last = lexicon.words(_undress(parts[-1], lexicon)) or lexicon.words(parts[-1]) or ("?",)
    full = tuple(word for part in parts for word in lexicon.words(_undress(part, lexicon))) or last
    return full, last, indexed, len(parts)


def _is_of_a_part(words: Words, question: Question, lexicon: Lexicon) -> bool:
    """Whether ``words`` name only what the record belongs to: ``order`` in a stream of order lines."""
    heads = {lexicon.words(name)[-1:] for name in (question.stream, question.entity)}
    heads |= {(word,) for word in lexicon.words(question.system)}
    return bool(words) and not any((word,) in heads for word in words)


def _is_noise(part: str, lexicon: Lexicon) -> bool:
    return part.isdigit() or part == "*" or part.lower() in lexicon.data.noise


def _undress(part: str, lexicon: Lexicon) -> str:
    """The part without what vendors put around names."""
    changed = True
    while changed:
        changed = False
        for prefix in lexicon.data.prefixes:
            if part.lower().startswith(prefix) and part[len(prefix) :].lower() not in ("", "id"):
                part, changed = part[len(prefix) :], True
    for suffix in lexicon.data.suffixes:
        if part.lower().endswith(suffix) and len(part) > len(suffix):
            return part[: -len(suffix)]
    return part


def read_own_words(question: Question, entity: Entity, lexicon: Lexicon) -> frozenset[str]:
    """Words of system, stream and entity, whatever the entity is called."""
    own = _name_words(lexicon, question.system, question.stream, question.entity)
    return own | _name_words(lexicon, *entity.aliases)


@lru_cache(maxsize=4_096)
def _name_words(lexicon: Lexicon, *names: str) -> frozenset[str]:
    return frozenset(word for name in names for word in lexicon.words(name))


def _strip(words: Words, own: frozenset[str]) -> Words:
    start = 0
    while start < len(words) - 1 and words[start] in own:
        start += 1
    return words[start:]
