"""The language model's turn: one question a stream about its unsure fields; its answers are evidence.

What may be asked is ``core/llm/question.py``; what an answer may change is ``core/llm/weigh.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

from sqlalchemy import Connection

from core.llm.question import Candidate, FieldQuestion, LlmAnswer, Neighbour, StreamQuestion
from core.llm.weigh import weigh_answer
from core.mapper.answer import Answer
from core.mapper.answer import Candidate as Ranked
from core.mapper.lexicon import build_lexicon
from core.mapper.question import read_question
from core.ontology import Ontology
from resources.embeddings import Embedder
from resources.retrieval import find_decided

AskModel = Callable[[str, StreamQuestion], list[LlmAnswer]]
Recall = Callable[[Sequence[Answer]], Mapping[str, Sequence[Neighbour]]]
FIELDS = 40
"""Unsure fields of one question."""
CHOICES = 8
"""Candidates a field brings along."""
SIMILAR = 3
"""Decided names a field brings along."""
ALIKE = 0.6
"""Cosine from which a decided name is worth telling."""


def weigh_unsure(
    ontology: Ontology,
    tenant_id: str,
    answers: Sequence[Answer],
    ask: AskModel,
    auto: float,
    recall: Recall | None = None,
) -> list[Answer]:
    """The answers after the model was asked about those that are not sure; order kept.

    ``recall``: how similar fields were decided, told to the model beside the question. Raises Unheard
    when ``ask`` does.
    """
    asked = pick_unsure(answers, auto)
    if not asked:
        return list(answers)
    similar = recall(asked) if recall is not None else {}
    said = {one.field: one for one in ask(tenant_id, build_stream_question(ontology, asked, similar))}
    return [
        _weigh(one, said[one.question.field], auto) if one in asked and one.question.field in said else one
        for one in answers
    ]


def pick_unsure(answers: Sequence[Answer], auto: float) -> list[Answer]:
    """What the model is asked about of a stream, the likeliest first."""
    unsure = [one for one in answers if one.confidence < auto and one.candidates and one.entity is None]
    return sorted(unsure, key=lambda one: -one.confidence)[:FIELDS]


def open_recall(
    open_scope: Callable[[], AbstractContextManager[Connection]],
    ontology: Ontology,
    tenant_id: str,
    embedder: Embedder,
) -> Recall:
    """What retrieval finds within the tenant's sight: decided names near to the asked ones, nearest first."""
    lexicon = build_lexicon(ontology)

    def recall(asked: Sequence[Answer]) -> dict[str, list[Neighbour]]:
        entity = ontology.entity(asked[0].question.entity)
        names = [read_question(one.question, entity, lexicon).text for one in asked]
        vectors = embedder.embed(names)
        with open_scope() as conn:
            near = find_decided(conn, tenant_id, entity.name, vectors)
        return {
            one.question.field: [
                Neighbour(found.words, found.target)
                for found in held
                if found.target is not None and found.likeness >= ALIKE
            ]
            for one, held in zip(asked, near, strict=True)
        }

    return recall


def build_stream_question(
    ontology: Ontology, asked: Sequence[Answer], similar: Mapping[str, Sequence[Neighbour]] | None = None
) -> StreamQuestion:
    """The question of one stream; all answers are of the same stream and entity.

    Of ``similar`` decisions those are told that chose a candidate of the field.
    """
    first = asked[0].question
    entity = ontology.entity(first.entity)
    fields = tuple(
        FieldQuestion(
            one.question.field,
            tuple(candidate.field for candidate in one.candidates[:CHOICES]),
            type=_one_type(one.question.type),
            description=one.question.description,
            profile=one.question.profile,
            neighbours=_pick_similar(one, (similar or {}).get(one.question.field, ())),
        )
        for one in asked
    )
    names = dict.fromkeys(name for field in fields for name in field.candidates)
    canonical = tuple(
        Candidate(name, entity.fields[name].type, entity.fields[name].description) for name in names
    )
    return StreamQuestion(first.system, first.stream, first.entity, fields, canonical)


def _pick_similar(answer: Answer, similar: Sequence[Neighbour]) -> tuple[Neighbour, ...]:
    choices = {candidate.field for candidate in answer.candidates[:CHOICES]}
    return tuple(one for one in dict.fromkeys(similar) if one.target in choices)[:SIMILAR]


def _one_type(text: str) -> str:
    return "" if "|" in text else text


def _weigh(answer: Answer, said: LlmAnswer, auto: float) -> Answer:
    # the best's confidence is calibrated; runners-up share what is left, "no counterpart" has the rest
    total = sum(one.confidence for one in answer.candidates)
    scale = min(1.0, 1.0 / total) if total else 1.0
    scores: dict[str | None, float] = {one.field: one.confidence * scale for one in answer.candidates}
    scores[None] = max(0.0, 1.0 - sum(scores.values()))
    weighed = weigh_answer(scores, said, auto)
    ranked = sorted(
        (Ranked(name, round(value, 4)) for name, value in weighed.items() if name is not None),
        key=lambda one: -one.confidence,
    )
    told = f"the language model chose {said.target or 'no counterpart'} ({said.why})"
    same = answer.best is not None and ranked[0].field == answer.best.field
    return replace(
        answer,
        candidates=tuple(ranked),
        method="llm",
        evidence=answer.evidence if same else {},  # it was about the best of before
        doubt=answer.doubt if same else None,
        remarks=(*answer.remarks, told),
    )
