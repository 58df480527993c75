"""Entity first: which canonical entity a stream is, for streams that do not say.

Judged by the stream's name (known spellings of entities) and by how well its fields find counterparts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from core.mapper.answer import Answer
from core.mapper.lexicon import Lexicon
from core.mapper.question import Question
from core.ontology import Entity
from resources.mapper_answers import Answerer

SHORTLIST = 6
NAME_WEIGHT = 4.0
FIELDS_WEIGHT = 6.0
"""Logits of a perfect name and of fields that all find a counterpart; set by hand, mildly."""


@dataclass(frozen=True)
class EntityGuess:
    """An entity with its probability among the entities there are."""

    entity: str
    confidence: float


def name_entities(answerer: Answerer, questions: Sequence[Question]) -> list[Answer]:
    """Answers to all questions; those without an entity are asked under the stream's likeliest one.

    The answer keeps its question as asked. Its confidence is multiplied by the entity's.
    """
    streams: dict[tuple[str, str], list[Question]] = defaultdict(list)
    for one in questions:
        if not one.entity:
            streams[one.system, one.stream].append(one)
    guesses = {key: guess_entity(answerer, held) for key, held in streams.items()}
    asked: list[Question] = []
    sure: list[float] = []
    for one in questions:
        guess = guesses[one.system, one.stream][0] if not one.entity else EntityGuess(one.entity, 1.0)
        asked.append(replace(one, entity=guess.entity))
        sure.append(guess.confidence if not one.entity else 1.0)
    answers = answerer.answer(asked)
    return [
        answer if one.entity else _doubt(answer, one, ratio)
        for answer, one, ratio in zip(answers, questions, sure, strict=True)
    ]


def guess_entity(answerer: Answerer, stream: Sequence[Question]) -> list[EntityGuess]:
    """The likeliest entities of one stream, best first; at most ``SHORTLIST``."""
    bench = answerer.bench
    entities = list(bench.ontology.entities.values())
    named = np.array([match_name(stream[0].stream, one, bench.lexicon) for one in entities])
    known = np.array([_count_known(stream, one, answerer) for one in entities])
    first = np.argsort(-(NAME_WEIGHT * named + FIELDS_WEIGHT * known), kind="stable")[:SHORTLIST]
    asked = [replace(one, entity=entities[at].name) for at in first for one in stream]
    answers = answerer.answer(asked)
    size = len(stream)
    held = [
        sum(answer.confidence for answer in answers[at * size : (at + 1) * size]) / size
        for at in range(len(first))
    ]
    logits = NAME_WEIGHT * named[first] + FIELDS_WEIGHT * np.array(held)
    shares = np.exp(logits - logits.max())
    shares /= shares.sum()
    order = np.argsort(-shares, kind="stable")
    return [EntityGuess(entities[first[at]].name, round(float(shares[at]), 4)) for at in order]


def match_name(stream: str, entity: Entity, lexicon: Lexicon) -> float:
    """1 where the stream is called like the entity, less where words are left over, 0 for nothing."""
    asked = set(lexicon.words(stream))
    best = 0.0
    for name, worth in [(entity.name, 1.0), *((alias, 0.95) for alias in entity.aliases)]:
        words = set(lexicon.words(name))
        shared = len(asked & words)
        if shared:
            best = max(best, worth * 2 * shared / (len(asked) + len(words)))
    return best


def _count_known(stream: Sequence[Question], entity: Entity, answerer: Answerer) -> float:
    """Share of the stream's fields whose last part is a spelling the entity knows."""
    lexicon = answerer.bench.lexicon
    known = answerer.bench.known_forms(entity.name)
    names = [lexicon.words(one.field.rsplit(".", 1)[-1]) for one in stream]
    return sum(name in known for name in names) / max(1, len(names))


def _doubt(answer: Answer, question: Question, ratio: float) -> Answer:
    told = f"the stream is taken for {answer.question.entity} with confidence {ratio:.2f}"
    candidates = tuple(replace(one, confidence=round(one.confidence * ratio, 4)) for one in answer.candidates)
    return replace(
        answer,
        question=question,
        candidates=candidates,
        remarks=(*answer.remarks, told),
        entity=answer.question.entity,
    )
