"""Answers questions with the trained model: ranked canonical fields with calibrated confidence.

No database, no tenant: what a tenant has decided is added by ``resources/mapper.py``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.mapper.answer import MAX_RANKS, Answer, Candidate, Method
from core.mapper.decision import settle_confidence
from core.mapper.evidence import FEATURES
from core.mapper.fitting import Fit, judge_fit
from core.mapper.model import MapperModel, Stages
from core.mapper.question import Question
from core.mapper.voting import Votes, are_split, judge_votes
from core.ontology import Ontology
from resources.embeddings import Embedder
from resources.mapper_features import TIME_ENDS, Matrix
from resources.mapper_scoring import (
    Bench,
    Measured,
    build_trust_rows,
    compute_logits,
    find_settled,
    squash,
    trust_each,
)

_TWIN = FEATURES.index("context_twin")
_CLOCKLESS = FEATURES.index("time_only_name")
_NAMED = [FEATURES.index(name) for name in ("exact_last", "exact_full", "exact_bare_last", "exact_bare")]


class Answerer:
    """Answers many questions at once; safe to keep, it learns nothing from what it is asked."""

    def __init__(self, ontology: Ontology, model: MapperModel, embedder: Embedder | None) -> None:
        self.model = model
        self.bench = Bench(ontology, embedder)

    @property
    def embedded(self) -> bool:
        """Whether embeddings are there; without, nothing is sure enough to apply by itself."""
        return self.bench.embedder is not None

    @property
    def stages(self) -> Stages:
        """The coefficients of this mode."""
        return self.model.stages(embedded=self.embedded)

    def answer(self, questions: Sequence[Question], votes: Votes | None = None) -> list[Answer]:
        """One answer a question, in order. Questions of one (system, stream, entity) are its stream.

        ``votes``: how fields of the same (entity, words), or near ones, were decided.
        """
        if not questions:
            return []
        measured = self.bench.measure(questions, meaning=False)
        fits = [self._judge(one, votes or {}) for one in measured]
        words = self.model.lexical
        probabilities = _score(measured, fits, words)
        rows, orders = build_trust_rows(measured, probabilities)
        settled = [not self.embedded] * len(measured)
        if self.embedded:
            settled = find_settled(rows, words.trust)
            left = [at for at, done in enumerate(settled) if not done]
            self.bench.add_meaning([measured[at] for at in left])
            found = _score([measured[at] for at in left], [fits[at] for at in left], self.model.embedded)
            for at, one in zip(left, found, strict=True):
                probabilities[at] = one
            rows, orders = build_trust_rows(measured, probabilities)
        return build_answers(
            measured,
            probabilities,
            rows,
            orders,
            self.stages,
            self.model.caution,
            embedded=self.embedded,
            fits=fits,
            votes=votes,
            words=words,
            settled=settled,
        )

    def _judge(self, one: Measured, votes: Votes) -> list[Fit]:
        entity = self.bench.ontology.entity(one.question.entity)
        fits = [judge_fit(one.question, field) for field in entity.fields.values()]
        heard = votes.get((one.question.entity, one.reading.text), ())
        if not heard:
            return fits
        voted = [judge_votes(heard, name) for name in entity.fields]
        return [
            Fit(fit.weight + vote.weight, (*fit.reasons, *vote.reasons))
            for fit, vote in zip(fits, voted, strict=True)
        ]


def _score(measured: Sequence[Measured], fits: Sequence[Sequence[Fit]], stages: Stages) -> list[Matrix]:
    return [
        squash(compute_logits(one.values, stages.pick, FEATURES) + [fit.weight for fit in judged])
        for one, judged in zip(measured, fits, strict=True)
    ]


def build_answers(
    measured: Sequence[Measured],
    probabilities: Sequence[Matrix],
    rows: Matrix,
    orders: Sequence[Sequence[int]],
    stages: Stages,
    caution: float,
    *,
    embedded: bool,
    fits: Sequence[Sequence[Fit]] = (),
    votes: Votes | None = None,
    words: Stages | None = None,
    settled: Sequence[bool] = (),
) -> list[Answer]:
    """Stage two's confidence for the best field, the runners-up at most as sure as that.

    ``settled``: questions that ``words``, the lexical stages, decided (``core/mapper/cascade.py``).
    """
    words, settled = words or stages, settled or [False] * len(measured)
    sure = trust_each(rows, stages, words, settled)
    votes = votes or {}
    found: list[Answer] = []
    for at, (one, held, order) in enumerate(zip(measured, probabilities, orders, strict=True)):
        doubt = find_doubt(one, order[0])
        if are_split(votes.get((one.question.entity, one.reading.text), ())):
            doubt = "the same name was decided in two ways"
        decided_by = words if settled[at] else stages
        first = settle_confidence(float(sure[at]), caution, needs_person=bool(doubt) or not embedded)
        others = [(index, min(first, float(held[index]))) for index in order[1:MAX_RANKS]]
        ranked = [(order[0], first), *others]
        remarks = fits[at][order[0]].reasons if fits else ()
        remarks = (*remarks, doubt) if doubt else remarks
        found.append(
            Answer(
                one.question,
                tuple(Candidate(one.fields[index], round(value, 4)) for index, value in _fall(ranked)),
                _find_method(one, order[0], embedded=embedded and not settled[at]),
                _explain(one, order[0], decided_by, fits[at][order[0]].weight if fits else 0.0),
                remarks,
            )
        )
    return found


def find_doubt(one: Measured, top: int) -> str | None:
    """Why a person has to look at the best field, however probable it is."""
    names, values = one.reading, one.values[top]
    field = one.fields[top]
    if values[_TWIN]:
        return "another field differs in its context only, and the name does not say which"
    if field == "id" and names.stripped == "alike":
        return "the key may be that of another thing than the record"
    if values[_CLOCKLESS] and names.last[-1] in TIME_ENDS and not one.textual[top]:
        return "the name says a point in time, the field is none"
    return None


def _fall(ranked: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """The same order with confidences that never rise."""
    values = np.minimum.accumulate([value for _, value in ranked])
    return [(index, float(value)) for (index, _), value in zip(ranked, values, strict=True)]


def _find_method(one: Measured, top: int, *, embedded: bool) -> Method:
    exact = float(one.values[top, _NAMED].max())
    if exact >= 1:
        return "exact"
    if exact > 0:
        return "alias"
    return "retrieval" if embedded else "lexical"


def _explain(one: Measured, top: int, stages: Stages, fit: float) -> dict[str, float]:
    values = dict(zip(FEATURES, map(float, one.values[top]), strict=True))
    told = {name: round(amount, 4) for name, amount in stages.pick.contributions(values).items() if amount}
    return {**told, **({"fit": fit} if fit else {})}
