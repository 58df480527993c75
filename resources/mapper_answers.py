"""Answers questions with the trained model: ranked canonical fields with calibrated confidence.

No database, no tenant: what a tenant has decided is added by ``resources/mapper.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from core.mapper.answer import MAX_RANKS, Answer, Candidate, Method
from core.mapper.decision import NO_COUNTERPART, settle_confidence
from core.mapper.evidence import FEATURES
from core.mapper.model import Logistic, MapperModel, Stages
from core.mapper.question import Question
from core.mapper.voting import Votes
from core.ontology import Ontology
from resources.embeddings import Embedder
from resources.mapper_doubts import find_doubts
from resources.mapper_facts import FactBench, Facts
from resources.mapper_features import Matrix
from resources.mapper_scoring import (
    Bench,
    Measured,
    build_trust_rows,
    compute_each_logits,
    explain_tops,
    find_settled,
    squash,
    trust_each,
)

_OPPOSITE = FEATURES.index("opposite")
_NAMED = [FEATURES.index(name) for name in ("exact_last", "exact_full", "exact_bare_last", "exact_bare")]


class Answerer:
    """Answers many questions at once; safe to keep, it learns nothing from what it is asked."""

    def __init__(self, ontology: Ontology, model: MapperModel, embedder: Embedder | None) -> None:
        self.model = model
        self.bench = Bench(ontology, embedder)
        self.facts = FactBench(self.bench)

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
        known = self.facts.measure(measured, votes)
        words, weights = self.model.lexical, self.model.facts
        probabilities = score_fields(measured, known, words, weights)
        fits = [one.weigh_fit(weights) for one in known]
        rows, orders = build_trust_rows(measured, probabilities, fits)
        settled = [not self.embedded] * len(measured)
        if self.embedded:
            settled = settle_by_words(measured, rows, words.trust)
            left = [at for at, done in enumerate(settled) if not done]
            asked, facts = [measured[at] for at in left], [known[at] for at in left]
            self.bench.add_meaning(asked)
            facts = self._hear_near(asked, facts, votes or {})
            for at, fact in zip(left, facts, strict=True):
                known[at] = fact
            self.facts.add_told(asked, facts)
            for at, one in zip(left, score_fields(asked, facts, self.model.embedded, weights), strict=True):
                probabilities[at], fits[at] = one, known[at].weigh_fit(weights)
            rows, orders = build_trust_rows(measured, probabilities, fits)
        return build_answers(
            measured,
            probabilities,
            rows,
            orders,
            self.stages,
            self.model.caution,
            embedded=self.embedded,
            words=words,
            settled=settled,
            judge=Judge(self.facts, known, weights),
        )

    def _hear_near(self, asked: Sequence[Measured], facts: list[Facts], votes: Votes) -> list[Facts]:
        """The facts with the votes of names that are nearly the same, now that there are embeddings."""
        names = {(one.question.entity, one.reading.decided_as) for one in asked}
        near = self.bench.near(names) if self.bench.near is not None else {}
        if not near:
            return facts
        heard = {key: [*votes.get(key, ()), *found] for key, found in near.items()}
        return self.facts.measure(asked, {**votes, **heard})


def settle_by_words(measured: Sequence[Measured], rows: Matrix, trust: Logistic) -> list[bool]:
    """Which questions words alone settle; what has a description is read for its meaning."""
    settled = find_settled(rows, trust)
    return [
        done and not one.question.description.strip() for one, done in zip(measured, settled, strict=True)
    ]


@dataclass(frozen=True)
class Judge:
    """What is known beside the names, per question, and what it is worth."""

    bench: FactBench
    known: Sequence[Facts]
    weights: Logistic


def score_fields(
    measured: Sequence[Measured], known: Sequence[Facts], stages: Stages, weights: Logistic
) -> list[Matrix]:
    """Stage one's probability of every field of every question."""
    logits = compute_each_logits(measured, stages.pick)
    return [squash(facts.add_to(one, weights)) for one, facts in zip(logits, known, strict=True)]


def build_answers(
    measured: Sequence[Measured],
    probabilities: Sequence[Matrix],
    rows: Matrix,
    orders: Sequence[Sequence[int]],
    stages: Stages,
    caution: float,
    *,
    embedded: bool,
    words: Stages | None = None,
    settled: Sequence[bool] = (),
    judge: Judge,
) -> list[Answer]:
    """Stage two's confidence for the best field, the runners-up at most as sure as that.

    ``settled``: questions that ``words``, the lexical stages, decided (``core/mapper/cascade.py``).
    """
    words, settled = words or stages, settled or [False] * len(measured)
    sure = trust_each(rows, stages, words, settled)
    used = [words if done else stages for done in settled]
    tops = [order[0] for order in orders]
    evidence = explain_tops(measured, tops, used)
    doubts = find_doubts(judge.bench, measured, judge.known, tops, sure)
    found: list[Answer] = []
    for at, (one, held, order) in enumerate(zip(measured, probabilities, orders, strict=True)):
        top, facts = tops[at], judge.known[at]
        reasons, doubt = doubts[at]
        first = settle_confidence(float(sure[at]), caution, needs_person=bool(doubt) or not embedded)
        first = min(first, NO_COUNTERPART) if facts.refused else first
        ranks = order[:MAX_RANKS]
        falling = accumulate([first, *held[list(ranks[1:])].tolist()], min)
        found.append(
            Answer(
                one.question,
                tuple(
                    Candidate(one.fields[at], round(sure, 4)) for at, sure in zip(ranks, falling, strict=True)
                ),
                _find_method(one, top, embedded=embedded and not settled[at]),
                evidence[at] | facts.contributions(top, judge.weights),
                (*reasons, doubt) if doubt else reasons,
                opposite_of=one.fields[top] if one.values[top, _OPPOSITE] else None,
                doubt=doubt,
            )
        )
    return found


def _find_method(one: Measured, top: int, *, embedded: bool) -> Method:
    exact = float(one.values[top, _NAMED].max())
    if exact >= 1:
        return "exact"
    if exact > 0:
        return "alias"
    return "retrieval" if embedded else "lexical"
