"""Trains the mapping model on decided mappings and measures it on vendors it has not seen.

Needs scikit-learn; what it makes is data (``core/mapper/model.json``) that needs it no more. Every
figure comes from whole-vendor cross-validation. Aliases are knowledge too: besides all aliases
("full"), each vendor is also answered without those aliases that, among the training vendors, only it
uses ("strict", a lower bound), and the model trains on both, so that it learns how much to trust what
is no exact match.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from core.mapper.answer import Answer
from core.mapper.evidence import FEATURES, STAGE_TWO
from core.mapper.model import Logistic, MapperModel, Stages
from core.mapper.question import Question, Words
from core.mapper.score import Row, build_reliability, score_answers
from core.ontology import Ontology
from resources.embeddings import Embedder
from resources.mapper_answers import build_answers
from resources.mapper_features import Matrix
from resources.mapper_scoring import (
    Bench,
    Measured,
    build_trust_rows,
    compute_logits,
    find_settled,
    lexical_columns,
    squash,
)

CAUTION = 0.92
"""The probability that counts as sure; chosen by cross-validation for precision before recall."""
PICK_C = 0.03
TRUST_C = 0.1
Labels = Mapping[Question, frozenset[str]]
"""What is right per question; empty when it has no counterpart."""


@dataclass(frozen=True)
class Dataset:
    """Decided questions, with all aliases and without each vendor's own."""

    labels: Labels
    full: list[Measured]
    strict: list[Measured]

    @property
    def vendors(self) -> list[str]:
        """Systems, sorted."""
        return sorted({one.question.system for one in self.full})


def measure_dataset(labels: Labels, ontology: Ontology, embedder: Embedder | None) -> Dataset:
    """Evidence of all questions, twice: with all aliases, and without each vendor's own."""
    bench = Bench(ontology, embedder)
    questions = list(labels)
    full = bench.measure(questions)
    own = find_own_aliases(full, labels)
    strict = bench.measure(questions, lambda question: own[question.system])
    return Dataset(labels, full, strict)


def find_own_aliases(measured: Sequence[Measured], labels: Labels) -> dict[str, set[tuple[str, Words]]]:
    """Per vendor the (entity, words) that only its mapped fields are called."""
    used: dict[str, set[tuple[str, Words]]] = defaultdict(set)
    for one in measured:
        if labels[one.question]:
            used[one.question.system].update((one.question.entity, words) for words in one.reading.keys)
    vendors = {one.question.system for one in measured}
    return {
        vendor: used[vendor] - set().union(*(names for other, names in used.items() if other != vendor))
        for vendor in vendors
    }


def fit_logistic(rows: Matrix, right: Any, names: Sequence[str], strength: float) -> Logistic:
    """A regularised logistic regression; the weights returned fit values that are not standardised."""
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    mean, spread = rows.mean(0), rows.std(0)
    spread = np.where(spread < 1e-9, 1.0, spread)
    learner = LogisticRegression(C=strength, max_iter=2000, tol=1e-6)
    # small matrices: more threads only wait for each other, and one is reproducible
    with threadpool_limits(limits=1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        standard = (rows - mean) / spread
        learner.fit(standard, right)
        found = np.append(learner.coef_[0], learner.intercept_[0])
        found = _polish(found, standard, np.asarray(right, np.float64), strength)
    weights = found[:-1] / spread
    bias = float(found[-1] - (weights * mean).sum())
    return Logistic(tuple(names), tuple(round(float(one), 9) for one in weights), round(bias, 9))


def _polish(found: Matrix, rows: Matrix, right: Matrix, strength: float) -> Matrix:
    """Newton steps from near the optimum to the optimum itself; where lbfgs stops depends on rounding."""
    given = np.column_stack([rows, np.ones(len(rows))])
    penalty = np.append(np.ones(rows.shape[1]), 0.0)
    for _ in range(25):
        said = squash(given @ found)
        slope = penalty * found + strength * (given.T @ (said - right))
        curve = np.diag(penalty) + strength * (given.T * (said * (1 - said))) @ given
        step = np.linalg.solve(curve, slope)
        found = found - step
        if np.abs(step).max() < 1e-11:
            break
    return found


def _columns(values: Matrix, names: Sequence[str], columns: Sequence[str]) -> Matrix:
    picked: Matrix = values[..., [columns.index(name) for name in names]].astype(np.float64)
    return picked


def fit_pick(measured: Sequence[Measured], labels: Labels, *, embedded: bool) -> Logistic:
    """Stage one, from all pairs of the given questions."""
    names = lexical_columns(FEATURES, embedded=embedded)
    rows = np.concatenate([_columns(one.values, names, FEATURES) for one in measured])
    right = np.concatenate([[field in labels[one.question] for field in one.fields] for one in measured])
    return fit_logistic(rows, right, names, PICK_C)


def score_pick(measured: Sequence[Measured], stage: Logistic) -> list[Matrix]:
    """Probabilities per question and field."""
    return [squash(compute_logits(one.values, stage, FEATURES)) for one in measured]


def fit_trust(rows: Matrix, right: Any, *, embedded: bool) -> Logistic:
    """Stage two, from rows of questions whose stage one was trained without their vendor."""
    names = lexical_columns(STAGE_TWO, embedded=embedded)
    return fit_logistic(_columns(rows, names, STAGE_TWO), right, names, TRUST_C)


@dataclass(frozen=True)
class Held:
    """One vendor as answered by a model that has not seen it: in one mode, with full or strict aliases."""

    measured: list[Measured]
    probabilities: list[Matrix]
    rows: Matrix
    orders: list[list[int]]
    right: Any
    words: Held | None = None
    """The same by the lexical model, whose turn comes first where there are embeddings."""


def hold_out(dataset: Dataset, *, embedded: bool) -> dict[str, dict[str, Held]]:
    """Stage one of every vendor, trained on the others: {vendor: {"full": …, "strict": …}}."""
    found: dict[str, dict[str, Held]] = {}
    for vendor in dataset.vendors:
        others = [one for one in (*dataset.full, *dataset.strict) if one.question.system != vendor]
        words = fit_pick(others, dataset.labels, embedded=False)
        stage = fit_pick(others, dataset.labels, embedded=True) if embedded else None
        found[vendor] = {}
        for name, all_ in (("full", dataset.full), ("strict", dataset.strict)):
            own = [one for one in all_ if one.question.system == vendor]
            by_words = _hold(own, words, dataset.labels)
            found[vendor][name] = _hold(own, stage, dataset.labels, by_words) if stage else by_words
    return found


def _hold(measured: list[Measured], stage: Logistic, labels: Labels, words: Held | None = None) -> Held:
    probabilities = score_pick(measured, stage)
    rows, orders = build_trust_rows(measured, probabilities)
    right = [
        one.fields[order[0]] in labels[one.question] for one, order in zip(measured, orders, strict=True)
    ]
    return Held(measured, probabilities, rows, orders, np.array(right, bool), words)


def fit_trust_of(held: Mapping[str, Mapping[str, Held]], without: str = "", *, embedded: bool) -> Logistic:
    """Stage two from what stage one said about vendors it had not seen; one vendor may be left out."""
    parts = [one for vendor, both in held.items() if vendor != without for one in both.values()]
    rows = np.concatenate([one.rows for one in parts])
    return fit_trust(rows, np.concatenate([one.right for one in parts]), embedded=embedded)


def answer_held(
    held: Mapping[str, Mapping[str, Held]], labels: Labels, *, embedded: bool
) -> dict[str, list[Row]]:
    """Answers to every vendor by models that have not seen it: {"full": rows, "strict": rows}."""
    found: dict[str, list[Row]] = {"full": [], "strict": []}
    by_words = {
        vendor: {name: one.words for name, one in both.items() if one.words} for vendor, both in held.items()
    }
    for vendor, both in held.items():
        trust = fit_trust_of(held, vendor, embedded=embedded)
        words = fit_trust_of(by_words, vendor, embedded=False) if embedded else trust
        for name, one in both.items():
            answers = _answer_one(one, trust, words, embedded=embedded)
            found[name] += [(answer, labels[answer.question]) for answer in answers]
    return found


def _answer_one(one: Held, trust: Logistic, words: Logistic, *, embedded: bool) -> list[Answer]:
    """As ``Answerer`` does: what words settle stays, for the rest meaning decides."""
    probabilities, rows, orders = one.probabilities, one.rows, one.orders
    settled = find_settled(one.words.rows, words) if one.words else []
    if one.words:
        pairs = zip(one.words.probabilities, one.probabilities, settled, strict=True)
        probabilities = [by_words if done else held for by_words, held, done in pairs]
        rows, orders = build_trust_rows(one.measured, probabilities)
    return build_answers(
        one.measured,
        probabilities,
        rows,
        orders,
        Stages(trust, trust),
        CAUTION,
        embedded=embedded,
        words=Stages(words, words),
        settled=settled,
    )


def train_model(labels: Labels, ontology: Ontology, embedder: Embedder) -> MapperModel:
    """The model trained on all of ``labels``, with its figures from whole-vendor cross-validation."""
    dataset = measure_dataset(labels, ontology, embedder)
    stages: dict[str, Stages] = {}
    figures: dict[str, Any] = {}
    reliability: dict[str, Any] = {}
    for mode, embedded in (("embedded", True), ("lexical", False)):
        held = hold_out(dataset, embedded=embedded)
        everything = [*dataset.full, *dataset.strict]
        stages[mode] = Stages(
            fit_pick(everything, labels, embedded=embedded), fit_trust_of(held, embedded=embedded)
        )
        for name, rows in answer_held(held, labels, embedded=embedded).items():
            figures[f"{mode}_{name}"] = _round(asdict(score_answers(rows)))
            reliability[f"{mode}_{name}"] = build_reliability(rows)
    training = describe_labels(labels)
    return MapperModel(
        version=training["fingerprint"][:12],
        ontology=ontology.fingerprint,
        training=training,
        figures=figures,
        reliability=reliability,
        embedded=stages["embedded"],
        lexical=stages["lexical"],
        caution=CAUTION,
    )


def describe_labels(labels: Labels) -> dict[str, Any]:
    """What a model was trained on: counts, systems, and a SHA-256 (hex) over questions and answers."""
    facts = sorted(
        [one.system, one.stream, one.field, one.entity, sorted(right)] for one, right in labels.items()
    )
    text = json.dumps(facts, ensure_ascii=False)
    return {
        "questions": len(labels),
        "without_counterpart": sum(not right for right in labels.values()),
        "systems": sorted({one.system for one in labels}),
        "validation": "whole vendors held out",
        "fingerprint": hashlib.sha256(text.encode()).hexdigest(),
    }


def _round(figures: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in figures.items()}
