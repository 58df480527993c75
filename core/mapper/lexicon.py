"""Words of field names: how a name is cut, what its parts stand for, and how much each tells.

The curated part is ``words.yaml``; ``word_weights.json`` says how rare each word is among vendors' fields.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from core.ontology import Ontology

HERE = Path(__file__).parent
MAX_NAME = 300
"""Characters of a name that are read; longer ones are generated, and say nothing more."""

_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+|[^\W\d_]+")
_ACCENT = re.compile("[\u0300-\u036f]")
_GERMAN = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss"})
_CAPITALS = {letter: text.upper() for letter, text in _GERMAN.items()}
_JOINTS = frozenset({"id", "is", "to", "by", "at", "of", "on", "no", "po"})


@dataclass(frozen=True)
class WordData:
    """``words.yaml`` and ``word_weights.json``, as read. Weights lie in 0 (everywhere) to 1 (unseen)."""

    abbreviations: Mapping[str, tuple[str, ...]]
    concepts: Mapping[str, str]
    noise: frozenset[str]
    prefixes: tuple[str, ...]
    suffixes: tuple[str, ...]
    heads: Mapping[str, str]
    contexts: Mapping[str, str]
    weights: Mapping[str, float]


@lru_cache(maxsize=1)
def load_word_data() -> WordData:
    """The shipped word data, read once a process."""
    loaded: Any = yaml.load((HERE / "words.yaml").read_text(encoding="utf-8"), _LOADER)
    weights = json.loads((HERE / "word_weights.json").read_text(encoding="utf-8"))
    concepts: dict[str, str] = {}
    for line in loaded["concepts"]:
        first, *_ = line.split()
        for word in line.split():
            concepts.setdefault(word, first)
    return WordData(
        abbreviations={key: tuple(value.split()) for key, value in loaded["abbreviations"].items()},
        concepts=concepts,
        noise=frozenset(loaded["noise"]),
        prefixes=tuple(loaded["prefixes"]),
        suffixes=tuple(loaded["suffixes"]),
        heads=_invert(loaded["heads"]),
        contexts=_invert(loaded["contexts"]),
        weights=weights,
    )


# Every scalar stays text: `no` and `on` are words here.
_LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


def _invert(classes: Mapping[str, str]) -> dict[str, str]:
    return {word: name for name, line in classes.items() for word in line.split()}


class Lexicon:
    """Cuts names into words; ``dictionary`` are the words that glued names are cut at."""

    def __init__(self, data: WordData, dictionary: Iterable[str]) -> None:
        self.data = data
        self._dictionary = frozenset(dictionary)
        self._cut: dict[str, tuple[str, ...]] = {}
        self._seen: dict[str, tuple[str, ...]] = {}

    def words(self, name: str) -> tuple[str, ...]:
        """Words of one name in lower case, singular, abbreviations written out."""
        known = self._seen.get(name)
        if known is None:
            found = _WORD.findall(fold_letters(name[:MAX_NAME]).replace("'s", ""))
            known = tuple(word for part in found for word in self._read(part.lower()))
            self._seen[name] = known
        return known

    def weight(self, word: str) -> float:
        """How much a word tells: 0 stands everywhere, 1 nowhere else."""
        return self.data.weights.get(word, 1.0)

    def concept(self, word: str) -> str:
        """The concept a word stands for; itself when it has no synonyms."""
        return self.data.concepts.get(word, word)

    def _read(self, token: str) -> tuple[str, ...]:
        known = self._cut.get(token)
        if known is None:
            known = self._cut[token] = tuple(self._expand(token))
        return known

    def _expand(self, token: str) -> Iterator[str]:
        parts = (token,) if token.isdigit() else self._split(token)
        for part in parts:
            if part in self.data.abbreviations:
                yield from (to_singular(word) for word in self.data.abbreviations[part])
            else:
                yield to_singular(part)

    def _split(self, token: str) -> tuple[str, ...]:
        """``lastmodifieddate`` as its words, when it is none itself and all of it can be read."""
        if len(token) < 6 or token in self.data.abbreviations or to_singular(token) in self._dictionary:
            return (token,)
        best: list[tuple[str, ...] | None] = [()] + [None] * len(token)
        for end in range(2, len(token) + 1):
            for start in range(max(0, end - 14), end - 1):
                head, piece = best[start], token[start:end]
                if head is not None and self._is_piece(piece) and _is_shorter(head, best[end]):
                    best[end] = (*head, piece)
        return best[-1] or (token,)

    def _is_piece(self, piece: str) -> bool:
        if len(piece) < 3:
            return piece in _JOINTS
        return piece in self._dictionary or to_singular(piece) in self._dictionary


def _is_shorter(head: tuple[str, ...], other: tuple[str, ...] | None) -> bool:
    return other is None or len(head) + 1 < len(other)


def fold_letters(name: str) -> str:
    """Letters as aliases spell them: no accents, German ones written out, full-width ones plain."""
    if name.isascii():
        return name
    composed = unicodedata.normalize("NFKC", name)
    written = composed.translate(_CAPITALS if composed.isupper() else _GERMAN)
    plain = unicodedata.normalize("NFKD", written)
    return unicodedata.normalize("NFC", _ACCENT.sub("", plain))


def to_singular(word: str) -> str:
    """A rough singular, the same for every form of a word."""
    if len(word) > 3 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith("sses"):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


@lru_cache(maxsize=4)
def build_lexicon(ontology: Ontology) -> Lexicon:
    """The lexicon whose dictionary are the ontology's own words."""
    data = load_word_data()
    counted: Counter[str] = Counter()
    certain: set[str] = set()
    for entity in ontology.entities.values():
        certain.update(to_singular(part) for part in entity.name.split("_"))
        for field in entity.fields.values():
            certain.update(to_singular(part) for part in field.name.split("_"))
            for alias in field.aliases:
                parts = alias.split("_")
                counted.update({to_singular(part) for part in parts if len(parts) > 1})
    frequent = {word for word, times in counted.items() if times >= 4}
    expansions = {word for words in data.abbreviations.values() for word in words}
    dictionary = certain | frequent | expansions | set(data.concepts)
    return Lexicon(data, (word for word in dictionary if len(word) >= 3 and word.isalpha()))
