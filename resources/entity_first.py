"""Entity first: which canonical entity a stream is, for streams that do not say.

Judged by the stream's name (known spellings of entities) and by how many of its fields are spellings that
an entity knows, those that few entities know counting more. All streams of a batch are judged at once;
a stream's fields are then asked under its likeliest entity only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from core.mapper.answer import Answer, Candidate
from core.mapper.lexicon import Lexicon
from core.mapper.question import Question, Words
from core.ontology import Entity
from resources.mapper_answers import Answerer
from resources.mapper_scoring import Bench

StreamKey = tuple[str, str]
SHORTLIST = 6
NAME_WEIGHT = 6.0
FIELDS_WEIGHT = 1.5
"""Logits of a perfect name, and of a known field that only one in e entities knows; set by hand, mildly.
The sum over fields is divided by the root of their number: they are not independent witnesses."""


@dataclass(frozen=True)
class EntityGuess:
    """An entity with its probability among the entities there are."""

    entity: str
    confidence: float


def name_entities(answerer: Answerer, questions: Sequence[Question]) -> list[Answer]:
    """Answers to all questions; those without an entity are asked under the stream's likeliest one.

    The answer keeps its question as asked. Its confidence is multiplied by the entity's.
    """
    streams: dict[StreamKey, list[Question]] = defaultdict(list)
    for one in questions:
        if not one.entity:
            streams[one.system, one.stream].append(one)
    ranked = EntityFinder(answerer.bench).guess(list(streams.values()))
    guesses = {key: held[0] for key, held in zip(streams, ranked, strict=True)}
    return doubt_guesses(answerer.answer(take_for(questions, guesses)), questions, guesses)


def take_for(questions: Sequence[Question], guesses: Mapping[StreamKey, EntityGuess]) -> list[Question]:
    """The questions, each with an entity."""
    return [one if one.entity else replace(one, entity=guesses[_key(one)].entity) for one in questions]


def doubt_guesses(
    answers: Sequence[Answer], questions: Sequence[Question], guesses: Mapping[StreamKey, EntityGuess]
) -> list[Answer]:
    """The answers as asked, less sure where the entity is a guess."""
    return [
        answer if one.entity else _doubt(answer, one, guesses[_key(one)].confidence)
        for answer, one in zip(answers, questions, strict=True)
    ]


def guess_entity(answerer: Answerer, stream: Sequence[Question]) -> list[EntityGuess]:
    """The likeliest entities of one stream, best first; at most ``SHORTLIST``."""
    return EntityFinder(answerer.bench).guess([stream])[0]


class EntityFinder:
    """What is worth computing once to find the entities of many streams."""

    def __init__(self, bench: Bench) -> None:
        self._lexicon = bench.lexicon
        self._entities = list(bench.ontology.entities.values())
        self._known = _index_spellings(bench, self._entities)
        self._called = _index_names(self._entities, bench.lexicon)

    def guess(self, streams: Sequence[Sequence[Question]]) -> list[list[EntityGuess]]:
        """The likeliest entities of each stream, best first; at most ``SHORTLIST`` each."""
        if not streams:
            return []
        count = len(self._entities)
        named = [_match_names(one[0].stream, self._called, count, self._lexicon) for one in streams]
        told = [_weigh_fields(one, self._known, count, self._lexicon) for one in streams]
        logits = NAME_WEIGHT * np.stack(named) + FIELDS_WEIGHT * np.stack(told)
        shares = np.exp(logits - logits.max(1, keepdims=True))
        shares /= shares.sum(1, keepdims=True)
        order = np.argsort(-shares, axis=1, kind="stable")[:, :SHORTLIST]
        return [
            [EntityGuess(self._entities[at].name, round(float(row[at]), 4)) for at in first]
            for row, first in zip(shares, order, strict=True)
        ]


def _key(one: Question) -> StreamKey:
    return (one.system, one.stream)


_Spellings = dict[Words, NDArray[np.float64]]
_Names = dict[str, list[tuple[int, frozenset[str], float]]]


def _index_spellings(bench: Bench, entities: Sequence[Entity]) -> _Spellings:
    """Per spelling what it says for each entity: nothing where none or all know it."""
    owners: dict[Words, list[int]] = defaultdict(list)
    for at, entity in enumerate(entities):
        for words in bench.known_forms(entity.name):
            owners[words].append(at)
    found: _Spellings = {}
    for words, held in owners.items():
        found[words] = np.zeros(len(entities))
        found[words][held] = np.log(len(entities) / len(held))
    return found


def _weigh_fields(
    stream: Sequence[Question], known: _Spellings, count: int, lexicon: Lexicon
) -> NDArray[np.float64]:
    found = np.zeros(count)
    for one in stream:
        last, full = lexicon.words(one.field.rsplit(".", 1)[-1]), lexicon.words(one.field)
        told = [known[words] for words in {last, full} if words in known]
        if told:
            found += told[0] if len(told) == 1 else np.maximum(*told)
    weighed: NDArray[np.float64] = found / np.sqrt(len(stream))
    return weighed


def _index_names(entities: Sequence[Entity], lexicon: Lexicon) -> _Names:
    """By each word: the names and aliases of entities it stands in, with what a match is worth."""
    found: _Names = defaultdict(list)
    for at, entity in enumerate(entities):
        for name, worth in [(entity.name, 1.0), *((alias, 0.95) for alias in entity.aliases)]:
            words = frozenset(lexicon.words(name))
            for word in words:
                found[word].append((at, words, worth))
    return found


def _match_names(stream: str, called: _Names, count: int, lexicon: Lexicon) -> NDArray[np.float64]:
    """Per entity 1 where the stream is called like it, less where words are left over, 0 for nothing."""
    asked = frozenset(lexicon.words(stream))
    found = np.zeros(count)
    for at, words, worth in {entry for word in asked for entry in called.get(word, ())}:
        found[at] = max(found[at], worth * 2 * len(asked & words) / (len(asked) + len(words)))
    return found


def _doubt(answer: Answer, question: Question, ratio: float) -> Answer:
    told = f"the stream is taken for {answer.question.entity} with confidence {ratio:.2f}"
    candidates = tuple(Candidate(one.field, round(one.confidence * ratio, 4)) for one in answer.candidates)
    return replace(
        answer,
        question=question,
        candidates=candidates,
        remarks=(*answer.remarks, told),
        entity=answer.question.entity,
    )
