"""Values of a source's categories and the canonical values they mean, by words and synonyms only.

The words are ``categories.yaml``. What is not recognised is counted, never kept: whatever reaches an argument
of a transform is a spelling of a word this file knows, so it cannot be somebody's data.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import yaml

from core.mapper.lexicon import HERE, to_singular
from core.ontology import CanonicalField

_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+|[^\W\d_]+")
_NOT = ("not", "non", "un", "in", "no")


@dataclass(frozen=True)
class Matched:
    """``values``: source text → canonical value; ``unknown``: how many texts nobody knows."""

    values: Mapping[str, Any]
    unknown: int

    @property
    def total(self) -> int:
        """Different texts."""
        return len(self.values) + self.unknown


@dataclass(frozen=True)
class _Words:
    groups: tuple[frozenset[str], ...]
    yes: frozenset[str]
    no: frozenset[str]


def match_categories(texts: Iterable[str], target: CanonicalField, own: Sequence[str] = ()) -> Matched:
    """Which canonical value each text means. ``own``: words of field and stream, which texts may repeat."""
    forms: dict[str, set[str]] = {}
    for value in target.enum:
        for form in _forms(value):
            forms.setdefault(form, set()).add(value)
    near: dict[str, set[str]] = {}
    for group in _load().groups:
        inside = {value for form in group for value in forms.get(form, ())}
        for form in group:
            near.setdefault(form, set()).update(inside)
    found: dict[str, Any] = {}
    unknown = 0
    for text in texts:
        meant = _find(text, forms, near, own)
        if meant is None:
            unknown += 1
        else:
            found[text] = meant
    return Matched(found, unknown)


def match_truth(texts: Iterable[str], target: str, source: Sequence[str], *, negated: bool) -> Matched:
    """Which texts mean true of the canonical field. ``source``: words of the source's name.

    ``negated``: the source names the opposite. A text that repeats a name is a yes to that name.
    """
    wanted = {to_singular(word) for word in target.split("_")} - {"is", "has", "can"}
    named = set(source) - {"is", "has", "can"}
    found: dict[str, Any] = {}
    unknown = 0
    for text in texts:
        truth = _repeat(text, wanted)
        if truth is None:
            said = _repeat(text, named)
            said = _say_yes(text) if said is None else said
            truth = None if said is None else said != negated
        if truth is None:
            unknown += 1
        else:
            found[text] = truth
    return Matched(found, unknown)


def _find(
    text: str, forms: Mapping[str, set[str]], near: Mapping[str, set[str]], own: Sequence[str]
) -> str | None:
    for words in _readings(text, own):
        for known in (forms, near):
            hits = {value for form in _spell(words) for value in known.get(form, ())}
            if hits:
                return hits.pop() if len(hits) == 1 else None
    return None


def _readings(text: str, own: Sequence[str]) -> list[tuple[str, ...]]:
    """The words of a text; again without those in front that only repeat the field's own name."""
    words = _cut(text)
    start = 0
    while start < len(words) - 1 and to_singular(words[start]) in own:
        start += 1
    return [words, words[start:]] if start else [words]


def _cut(text: str) -> tuple[str, ...]:
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return tuple(word.lower() for word in _WORD.findall(plain))


def _forms(text: str) -> set[str]:
    return _spell(_cut(text))


def _spell(words: Sequence[str]) -> set[str]:
    """Joined, glued, and with the last word in the singular."""
    if not words:
        return set()
    single = (*words[:-1], to_singular(words[-1]))
    return {"_".join(words), "".join(words), "_".join(single), "".join(single)}


def _repeat(text: str, name: set[str]) -> bool | None:
    """Whether a text says yes or no by repeating a word of a name: ``paid``, ``unpaid``, ``not paid``."""
    words = _cut(text)
    if not words or not name:
        return None
    glued = "".join(words)
    if glued in name:
        return True
    if any(glued == f"{no}{word}" for no in _NOT for word in name):
        return False
    return None


def _say_yes(text: str) -> bool | None:
    folded = "".join(_cut(text))
    return True if folded in _load().yes else False if folded in _load().no else None


@lru_cache(maxsize=1)
def _load() -> _Words:
    loaded: Any = yaml.load((HERE / "categories.yaml").read_text(encoding="utf-8"), yaml.BaseLoader)
    groups = tuple(
        frozenset(form for word in line.split() for form in _forms(word)) for line in loaded["synonyms"]
    )
    return _Words(groups, frozenset(loaded["yes"].split()), frozenset(loaded["no"].split()))
