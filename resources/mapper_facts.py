"""What is known beside the name, as numbers: type, value profile, description, decisions; fields × FACTS.

What the columns mean is ``core/mapper/fitting.py`` and ``core/mapper/voting.py``, their weights are the
model's. A question about which nothing is known has no facts, and costs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from core.mapper.evidence import FACTS, TOLD, VOTED
from core.mapper.fitting import Fit, Trait, judge_fit, judge_type, read_trait
from core.mapper.model import Logistic
from core.mapper.question import Question, Reading
from core.mapper.voting import (
    MOST,
    Votes,
    are_refusals,
    are_split,
    count_voices,
    judge_voices,
    say_voices,
)
from core.ontology import Entity
from resources.mapper_features import BASE, Matrix
from resources.mapper_scoring import Bench, Measured

MAX_TOLD = 200
"""Characters of a description that are read: its first sentence, cut there."""
COSINE_OF_STRANGERS = 0.3
"""The cosine that a description and a field have that are not about the same."""
AGREED = 0.75
"""Trust in a column from which it is said: 30 values are enough."""
_AT = {name: index for index, name in enumerate(FACTS)}
_VOTED = [_AT[name] for name in VOTED]
_AGREE = [_AT[name] for name in ("type_agrees", "values_agree")]
_OTHERS = [at for name, at in _AT.items() if name not in VOTED]


@dataclass
class Facts:
    """Of one question; ``values`` is None where nothing is known. ``voices``: decisions by target.

    ``split``: the name was decided in two ways; ``refused``: as one without counterpart.
    """

    values: Matrix | None = None
    voices: Mapping[str | None, float] | None = None
    split: bool = False
    refused: bool = False

    def add_to(self, logits: Matrix, weights: Logistic) -> Matrix:
        """Stage one's logits with what is known beside the name."""
        fit = self.weigh_fit(weights)
        if self.values is None or fit is None:
            return logits
        votes = np.clip(self.values[:, _VOTED] @ _read_weights(weights)[_VOTED], -MOST, MOST)
        found: Matrix = logits + fit + votes
        return found

    def weigh_fit(self, weights: Logistic) -> Matrix | None:
        """What type, values and description add to each field's logit."""
        if self.values is None:
            return None
        found: Matrix = self.values[:, _OTHERS] @ _read_weights(weights)[_OTHERS]
        return found

    def agree(self, top: int) -> bool:
        """Whether the source's type, or nearly all of enough values, are of the field's type."""
        return self.values is not None and bool(self.values[top, _AGREE].max() >= AGREED)

    def contributions(self, top: int, weights: Logistic) -> dict[str, float]:
        """What each column adds to the logit of one field."""
        if self.values is None:
            return {}
        told = self.values[top] * _read_weights(weights)
        told[_VOTED] *= min(1.0, MOST / max(1e-9, abs(float(told[_VOTED].sum()))))
        return {name: round(float(told[at]), 4) for name, at in _AT.items() if told[at]}


@lru_cache(maxsize=64)
def _read_weights(weights: Logistic) -> Matrix:
    found = np.zeros(len(FACTS))
    for name, weight in zip(weights.names, weights.weights, strict=True):
        found[_AT[name]] = weight
    return found


class FactBench:
    """Measures facts; keeps what is worth computing once per entity and type."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self._traits: dict[str, dict[str, Trait]] = {}
        self._types: dict[tuple[str, str, tuple[str, ...]], Matrix | None] = {}

    def measure(self, measured: Sequence[Measured], votes: Votes | None = None) -> list[Facts]:
        """Facts per question, in order; without descriptions, which ``add_told`` reads."""
        return [self._measure(one, votes or {}) for one in measured]

    def judge(self, question: Question, reading: Reading, field: str) -> Fit:
        """What type and values say about one field, in words."""
        trait = self._read_traits(question.entity)[field]
        return judge_fit(question.type, question.profile, reading.full, trait)

    def explain(self, one: Measured, facts: Facts, top: int) -> tuple[tuple[str, ...], str | None]:
        """Sentences about the best field, and why a person has to look at it, if so."""
        fit = self.judge(one.question, one.reading, one.fields[top])
        told = say_voices(facts.voices, one.fields[top]) if facts.voices else None
        reasons = (*fit.reasons, told) if told else fit.reasons
        doubt = "the same name was decided in two ways" if facts.split else fit.doubt
        doubt = "people said of this name that it has no counterpart" if facts.refused else doubt
        return tuple(one for one in reasons if one != doubt), doubt

    def add_told(self, measured: Sequence[Measured], facts: Sequence[Facts]) -> None:
        """Fill in, in place, what the descriptions of the source's fields say; needs embeddings."""
        embedder = self.bench.embedder
        told = [at for at, one in enumerate(measured) if one.question.description.strip()]
        if embedder is None or not told:
            return
        texts = [read_told(measured[at].question.description) for at in told]
        vectors = embedder.embed(texts)
        for at, text, vector in zip(told, texts, vectors, strict=True):
            one = measured[at]
            entity = self.bench.ontology.entity(one.question.entity)
            columns = self._measure_told(entity, one.fields, text, vector)
            values = _start(facts[at], len(one.fields))
            for name, column in zip(TOLD, columns, strict=True):
                values[:, _AT[name]] = column

    def _measure(self, one: Measured, votes: Votes) -> Facts:
        question, facts = one.question, Facts()
        by_type = self._judge_type(question, one.fields) if question.type else None
        if by_type is not None:
            facts.values = by_type.copy()
        if question.profile is not None:
            self._add_values(one, facts)
        heard = votes.get((question.entity, one.reading.decided_as), ()) if votes else ()
        if heard:
            facts.voices, facts.split = count_voices(heard), are_split(heard)
            facts.refused = are_refusals(heard)
            columns = [judge_voices(facts.voices, name) for name in one.fields]
            _start(facts, len(one.fields))[:, _VOTED] = columns
        return facts

    def _judge_type(self, question: Question, fields: tuple[str, ...]) -> Matrix | None:
        key = (question.entity, question.type, fields)
        if key not in self._types:
            traits = self._read_traits(question.entity)
            values = np.zeros((len(fields), len(FACTS)))
            for row, name in enumerate(fields):
                for column, amount in judge_type(question.type, traits[name]):
                    values[row, _AT[column]] = amount
            self._types[key] = values if values.any() else None
        return self._types[key]

    def _add_values(self, one: Measured, facts: Facts) -> None:
        traits = self._read_traits(one.question.entity)
        values = _start(facts, len(one.fields))
        seen: dict[Trait, Fit] = {}
        for row, name in enumerate(one.fields):
            trait = traits[name]
            if trait not in seen:
                seen[trait] = judge_fit("", one.question.profile, one.reading.full, trait)
            for column, amount in seen[trait].columns:
                values[row, _AT[column]] = amount

    def _measure_told(
        self, entity: Entity, fields: Sequence[str], text: str, vector: Matrix
    ) -> tuple[Matrix, Matrix, Matrix]:
        lexicon, embedder = self.bench.lexicon, self.bench.embedder
        assert embedder is not None
        words = {name: lexicon.words(name) for name in fields}
        known = [f"{' '.join(words[name])}: {entity.fields[name].description}" for name in fields]
        near = np.round(embedder.embed(known) @ vector, 4)
        ordered = np.sort(near)
        second = ordered[-2] if len(ordered) > 1 else 0.0
        lead = near - np.where(near >= ordered[-1], second, ordered[-1])
        said = {lexicon.concept(word) for word in lexicon.words(text)}
        explains = []
        for name in fields:
            concepts = {lexicon.concept(word) for word in words[name]}
            whole = sum(lexicon.weight(word) + BASE for word in sorted(concepts))
            shared = sum(lexicon.weight(word) + BASE for word in sorted(concepts & said))
            explains.append(shared / max(BASE, whole))
        return near - COSINE_OF_STRANGERS, lead, np.array(explains)

    def _read_traits(self, entity: str) -> dict[str, Trait]:
        if entity not in self._traits:
            fields = self.bench.ontology.entity(entity).fields.values()
            self._traits[entity] = {field.name: read_trait(field) for field in fields}
        return self._traits[entity]


def _start(facts: Facts, fields: int) -> Matrix:
    """The values of a question, zeros at first."""
    if facts.values is None:
        facts.values = np.zeros((fields, len(FACTS)))
    return facts.values


def read_told(description: str) -> str:
    """The first sentence of a description, plain."""
    plain = re.sub(r"(<[^<>]*>|[`*_#\s])+", " ", description[: 4 * MAX_TOLD]).strip()
    return re.split(r"(?<=[.!?])\s", plain, maxsplit=1)[0][:MAX_TOLD]
