"""Scores questions in batches: evidence → stage one → the stream's rivals → stage two → answers.

The model is data (``core/mapper/model.py``); how evidence is measured is ``mapper_features.py``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from core.mapper.cascade import is_settled
from core.mapper.evidence import FEATURES, STAGE_TWO, TRUST_HEAD, is_lexical
from core.mapper.forms import EntityForms, build_forms
from core.mapper.lexicon import Lexicon, build_lexicon
from core.mapper.model import Logistic, Stages
from core.mapper.question import Question, Reading, Words, read_question
from core.mapper.voting import Votes
from core.ontology import Ontology
from core.ontology.model import TEXT_TYPES
from resources.embeddings import Embedder
from resources.mapper_features import EntityScorer, Matrix, Spread, count_spellings

BATCH = 1_000
"""Questions of one entity that are measured at once; bounds the memory."""
RIVALRY = 1.0
"""How much of another field's better claim counts against a field; chosen by cross-validation."""
Without = Collection[tuple[str, Words]]


@dataclass
class Measured:
    """One question's evidence: rows are the entity's fields, columns ``FEATURES``; which hold text."""

    question: Question
    reading: Reading
    fields: tuple[str, ...]
    textual: tuple[bool, ...]
    values: Matrix


class Bench:
    """Measures questions; keeps what is worth computing once per entity."""

    def __init__(self, ontology: Ontology, embedder: Embedder | None) -> None:
        self.ontology = ontology
        self.embedder = embedder
        self.lexicon: Lexicon = build_lexicon(ontology)
        self.recall: Callable[[Sequence[str], Sequence[str]], None] | None = None
        """Called with the ontology's texts and the names that are about to be embedded."""
        self.near: Callable[[Iterable[tuple[str, str]]], Votes] | None = None
        """How names near to (entity, words) were decided; asked for names that are embedded."""
        self._forms: dict[tuple[str, frozenset[tuple[str, Words]]], EntityForms] = {}
        self._spreads: dict[frozenset[tuple[str, Words]], Spread] = {}
        self._scorers: dict[tuple[str, frozenset[tuple[str, Words]]], EntityScorer] = {}

    def measure(
        self,
        questions: Sequence[Question],
        without: Callable[[Question], Without] = lambda _: (),
        *,
        meaning: bool = True,
    ) -> list[Measured]:
        """Evidence per question, in order. Equal names of one entity are measured once.

        ``meaning``: with embeddings, where there are any; else ``add_meaning`` fills them in later.
        """
        readings = [read_question(one, self.ontology.entity(one.entity), self.lexicon) for one in questions]
        groups: dict[tuple[str, frozenset[tuple[str, Words]]], dict[Reading, list[int]]] = defaultdict(dict)
        for at, (question, reading) in enumerate(zip(questions, readings, strict=True)):
            group = groups[question.entity, frozenset(without(question))]
            group.setdefault(reading, []).append(at)
        meaning = meaning and self.embedder is not None
        if meaning:
            self._embed_all([self._scorer(*group) for group in groups], readings)
        found: list[Measured | None] = [None] * len(questions)
        for (entity, left_out), members in groups.items():
            scorer = self._scorer(entity, left_out)
            names = tuple(field.name for field in scorer.forms.fields)
            textual = tuple(field.type in TEXT_TYPES for field in scorer.forms.fields)
            distinct = list(members)
            for start in range(0, len(distinct), BATCH):
                batch = distinct[start : start + BATCH]
                values = scorer.measure(batch, self._similarities(scorer, batch) if meaning else None)
                for reading, row in zip(batch, values, strict=True):
                    for at in members[reading]:
                        found[at] = Measured(questions[at], reading, names, textual, row)
        return [one for one in found if one is not None]

    def add_meaning(self, measured: Sequence[Measured]) -> None:
        """Fill in the columns of meaning, in place, of what was measured by words (with all aliases)."""
        if self.embedder is None or not measured:
            return
        groups: dict[str, dict[int, Measured]] = defaultdict(dict)
        for one in measured:
            groups[one.question.entity].setdefault(id(one.values), one)
        scorers = {entity: self._scorer(entity, frozenset()) for entity in groups}
        self._embed_all(list(scorers.values()), [one.reading for one in measured])
        for entity, members in groups.items():
            once = list(members.values())
            readings = [one.reading for one in once]
            columns = scorers[entity].measure_meaning(self._similarities(scorers[entity], readings))
            for one, *values in zip(once, *columns.values(), strict=True):
                for name, value in zip(columns, values, strict=True):
                    one.values[:, FEATURES.index(name)] = value

    def known_forms(self, entity: str) -> Collection[Words]:
        """Every spelling of the entity's fields, as words."""
        return self._form(entity, frozenset()).by_words

    def _form(self, entity: str, without: frozenset[tuple[str, Words]]) -> EntityForms:
        key = (entity, without)
        if key not in self._forms:
            self._forms[key] = build_forms(self.ontology.entity(entity), self.lexicon, without)
        return self._forms[key]

    def _scorer(self, entity: str, without: frozenset[tuple[str, Words]]) -> EntityScorer:
        key = (entity, without)
        if key not in self._scorers:
            self._scorers[key] = EntityScorer(
                self._form(entity, without),
                self.lexicon,
                self._spread(without),
            )
        return self._scorers[key]

    def _spread(self, without: frozenset[tuple[str, Words]]) -> Spread:
        if without not in self._spreads:
            self._spreads[without] = count_spellings(
                self._form(entity, without) for entity in self.ontology.entities
            )
        return self._spreads[without]

    def _similarities(self, scorer: EntityScorer, readings: Sequence[Reading]) -> dict[str, Matrix]:
        if self.embedder is None:
            return {}
        asked = self.embedder.embed([reading.text for reading in readings])
        told, named = self._texts(scorer.forms)
        return {
            "cos_text": asked @ self.embedder.embed(told).T,
            "cos_name": asked @ self.embedder.embed(named).T,
        }

    def _texts(self, forms: EntityForms) -> tuple[list[str], list[str]]:
        """What is embedded of an entity: each field's name, with and without its description."""
        named = [" ".join(self.lexicon.words(field.name)) for field in forms.fields]
        told = [f"{name}: {field.description}" for name, field in zip(named, forms.fields, strict=True)]
        return told, named

    def _embed_all(self, scorers: Sequence[EntityScorer], readings: Sequence[Reading]) -> None:
        """Embed everything in one go: many small calls are slow."""
        if self.embedder is None:
            return
        names = [reading.text for reading in readings]
        own = [text for scorer in scorers for part in self._texts(scorer.forms) for text in part]
        if self.recall is not None:
            self.recall(own, names)
        self.embedder.embed([*own, *names])


def compute_logits(values: Matrix, stage: Logistic, columns: Sequence[str]) -> Matrix:
    """Logits of rows whose last axis is ``columns``."""
    logits: Matrix = values.astype(np.float64) @ _spread_weights(stage, tuple(columns)) + stage.bias
    return logits


def compute_each_logits(measured: Sequence[Measured], stage: Logistic) -> list[Matrix]:
    """Stage one's logits of each question's fields; questions of one entity are computed together."""
    found: list[Matrix] = [np.zeros(0)] * len(measured)
    for members in group_by_entity(measured):
        stacked = np.stack([measured[at].values for at in members])
        for at, logits in zip(members, compute_logits(stacked, stage, FEATURES), strict=True):
            found[at] = logits
    return found


@lru_cache(maxsize=64)
def _spread_weights(stage: Logistic, columns: tuple[str, ...]) -> Matrix:
    """A weight a column, 0 for those the stage does not know."""
    weights = dict(zip(stage.names, stage.weights, strict=True))
    return np.array([weights.get(name, 0.0) for name in columns])


def explain_tops(
    measured: Sequence[Measured], tops: Sequence[int], stages: Sequence[Stages]
) -> list[dict[str, float]]:
    """What each column adds to the logit of each question's best field, under its own stages."""
    if not measured:
        return []
    values = np.stack([one.values[top] for one, top in zip(measured, tops, strict=True)]).astype(np.float64)
    weights = np.stack([_spread_weights(one.pick, FEATURES) for one in stages])
    told = np.round(values * weights, 4)
    return [{FEATURES[at]: row[at] for at, amount in enumerate(row) if amount} for row in told.tolist()]


def group_by_entity(measured: Sequence[Measured]) -> list[list[int]]:
    """Positions of questions whose fields are the same."""
    groups: dict[str, list[int]] = defaultdict(list)
    for at, one in enumerate(measured):
        groups[one.question.entity].append(at)
    return list(groups.values())


def squash(logits: Matrix) -> Matrix:
    """Probabilities of logits."""
    probabilities: Matrix = 1 / (1 + np.exp(-np.clip(logits, -50, 50)))
    return probabilities


def find_settled(rows: Matrix, trust: Logistic) -> list[bool]:
    """Which questions words alone settle, from their rows of stage two and the lexical model."""
    return [is_settled(float(one)) for one in squash(compute_logits(rows, trust, STAGE_TWO))]


def trust_each(rows: Matrix, stages: Stages, words: Stages, settled: Sequence[bool]) -> Matrix:
    """Stage two's probability: the lexical model's where words settled the question."""
    found = squash(compute_logits(rows, stages.trust, STAGE_TWO))
    by_words = squash(compute_logits(rows, words.trust, STAGE_TWO))
    return np.where(np.array(settled, bool), by_words, found) if any(settled) else found


def find_rivals(measured: Sequence[Measured], probabilities: Sequence[Matrix]) -> list[Matrix]:
    """Per question and field: the highest probability any other field of the stream gives that field."""
    streams: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for at, one in enumerate(measured):
        streams[one.question.system, one.question.stream, one.question.entity].append(at)
    found: list[Matrix] = [np.zeros(0)] * len(measured)
    for members in streams.values():
        held = np.stack([probabilities[at] for at in members])
        ordered = np.sort(held, axis=0)
        top = ordered[-1]
        second = ordered[-2] if len(members) > 1 else np.zeros_like(top)
        alone = (held == top).sum(0) == 1
        rivals = np.where((held == top) & alone, second, top) if len(members) > 1 else np.zeros_like(held)
        for row, at in enumerate(members):
            found[at] = rivals[row]
    return found


def rank_fields(probabilities: Matrix, rivals: Matrix) -> Matrix:
    """Logits to rank by: a field loses where another one of the stream has the better claim to it."""
    claims, others = to_logits(probabilities), to_logits(rivals)
    ranked: Matrix = claims - RIVALRY * np.maximum(0, others - claims)
    return ranked


_CARRIED = [FEATURES.index(name) for name in STAGE_TWO[len(TRUST_HEAD) :]]


def build_trust_rows(
    measured: Sequence[Measured], probabilities: Sequence[Matrix], fits: Sequence[Matrix | None] = ()
) -> tuple[Matrix, list[list[int]]]:
    """Rows of stage two about the best field, and the fields' indices per question, best first.

    ``fits``: per question what type, values and description add to each field's logit, if anything.
    """
    rivals = find_rivals(measured, probabilities)
    rows = np.zeros((len(measured), len(STAGE_TWO)))
    orders: list[list[int]] = [[]] * len(measured)
    for members in group_by_entity(measured):
        held = np.stack([probabilities[at] for at in members])
        rival = np.stack([rivals[at] for at in members])
        ranked = rank_fields(held, rival)
        order = np.argsort(-ranked, axis=1, kind="stable")
        each, top = np.arange(len(members)), order[:, 0]
        first = to_logits(held)[each, top]
        second = ranked[each, order[:, 1]] if order.shape[1] > 1 else to_logits(np.zeros(len(members)))
        ahead, best = rival[each, top], held[each, top]
        fit = [_take(fits[at], field) if fits else 0.0 for at, field in zip(members, top, strict=True)]
        head = (first, second, first - second, held.sum(1), ahead, ahead > best, fit)
        carried = [measured[at].values[field, _CARRIED] for at, field in zip(members, top, strict=True)]
        rows[members] = np.column_stack([*head, carried])
        for at, ranks in zip(members, order.tolist(), strict=True):
            orders[at] = ranks
    return rows, orders


def _take(values: Matrix | None, at: int) -> float:
    return 0.0 if values is None else float(values[at])


def to_logits(probabilities: Matrix) -> Matrix:
    """Logits, kept within ±9.2 so that certainty stays comparable."""
    logits: Matrix = np.log((probabilities + 1e-4) / (1 - probabilities + 1e-4))
    return logits


def lexical_columns(columns: Sequence[str], *, embedded: bool) -> tuple[str, ...]:
    """The columns a mode may use."""
    return tuple(name for name in columns if embedded or is_lexical(name))
