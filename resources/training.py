"""Trains the mapping model on decided mappings and measures it on vendors it has not seen.

Needs scikit-learn; what it makes is data (``core/mapper/model.json``) that needs it no more. Every
figure comes from whole-vendor cross-validation of the engine as it runs: weights of both stages, of what
is known beside the names, and the bound of caution are all chosen without the vendor that is answered.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from core.mapper.answer import Answer
from core.mapper.evidence import FACTS, STAGE_TWO
from core.mapper.evidence import VOTED as VOTES
from core.mapper.model import Logistic, MapperModel, Stages
from core.mapper.question import Question
from core.mapper.score import Row, build_reliability, score_answers
from core.ontology import Ontology
from resources.embeddings import Embedder
from resources.mapper_answers import Judge, build_answers, settle_by_words
from resources.mapper_doubts import find_doubts
from resources.mapper_features import Matrix
from resources.mapper_scoring import (
    build_trust_rows,
    compute_logits,
    lexical_columns,
    squash,
    trust_each,
)
from resources.training_caution import GRID, Seen, choose_caution
from resources.training_fit import fit_beside, fit_logistic
from resources.training_folds import (
    KNOWN,
    NAMES,
    VOTED,
    Dataset,
    Folds,
    Held,
    Labels,
    fit_pick,
    hold_out,
    measure_dataset,
    pick_columns,
    weigh_facts,
)

TRUST_C = 0.1
PRIOR = {
    "type_contradicts": -3.0,
    "type_doubtful": -1.0,
    "type_agrees": 0.25,
    "values_contradict": -3.0,
    "values_agree": 0.25,
    "values_elsewhere": -3.0,
    "key_repeats": -1.5,
    "told_near": 1.0,
    "told_lead": 1.0,
    "told_explains": 0.25,
    "votes_for": 1.5,
    "votes_against": -1.5,
}
"""What facts weigh, in logits, before any data; what contradicts costs much, what agrees gains little."""
SPREAD = {**dict.fromkeys(PRIOR, 1.0), **dict.fromkeys(VOTES, 0.5), "told_lead": 3.0}
"""How far from that data may take them. A lead in cosine is small, so its weight may be large."""
OPEN = 0.5
"""Votes are weighed where names leave a question open: no field is more probable than that."""
TRUST_PRIOR, TRUST_SPREAD = 0.5, 0.5
"""The same for stage two's weight of the facts."""


def fit_facts(held: Folds, labels: Labels, without: Collection[str] = ()) -> Logistic:
    """Weights of what is known beside the names, from vendors whose names stage one had not seen."""
    beside = tuple(name for name in FACTS if name not in VOTES)
    weights = _fit_some(held, labels, without, KNOWN, beside)
    weights |= _fit_some(held, labels, without, VOTED, VOTES)
    return Logistic(FACTS, tuple(weights[name] for name in FACTS), 0.0)


def _fit_some(
    held: Folds, labels: Labels, without: Collection[str], parts: Collection[str], names: tuple[str, ...]
) -> dict[str, float]:
    logits, rows, right = [], [], []
    for vendor, by_part in held.items():
        for part in parts:
            if vendor in without or part not in by_part:
                continue
            one = by_part[part]
            for asked, facts, said in zip(one.measured, one.part.facts, one.logits, strict=True):
                if facts.values is not None and (names != VOTES or squash(said).max() < OPEN):
                    logits.append(said)
                    rows.append(pick_columns(facts.values, names, FACTS))
                    right += [field in labels[asked.question] for field in asked.fields]
    prior = [PRIOR[name] for name in names]
    if not rows:
        return dict(zip(names, prior, strict=True))
    spread = [SPREAD[name] for name in names]
    found = fit_beside(np.concatenate(logits), np.concatenate(rows), right, prior, spread)
    return dict(zip(names, found, strict=True))


def fit_trust_of(held: Folds, without: Collection[str] = (), *, embedded: bool) -> Logistic:
    """Stage two by names alone, from what stage one said about vendors it had not seen."""
    parts = [by_part[name] for vendor, by_part in held.items() if vendor not in without for name in NAMES]
    names = tuple(name for name in lexical_columns(STAGE_TWO, embedded=embedded) if name != "facts")
    rows = pick_columns(np.concatenate([one.rows for one in parts]), names, STAGE_TWO)
    return fit_logistic(rows, np.concatenate([one.right for one in parts]), names, TRUST_C)


def add_facts_to(
    trust: Logistic, held: Folds, weights: Logistic, labels: Labels, without: Collection[str] = ()
) -> Logistic:
    """Stage two with its weight of the facts; where nothing is known it says what it said."""
    parts = [
        weigh_facts(by_part[name], weights, labels)
        for vendor, by_part in held.items()
        if vendor not in without
        for name in KNOWN
        if name in by_part
    ]
    found: tuple[float, ...] = (TRUST_PRIOR,)
    if parts:
        rows = np.concatenate([one.rows for one in parts])
        right = np.concatenate([one.right for one in parts])
        facts = rows[:, [STAGE_TWO.index("facts")]]
        told = facts[:, 0] != 0
        logits = compute_logits(rows, trust, STAGE_TWO)
        found = fit_beside(logits[told], facts[told], right[told], [TRUST_PRIOR], [TRUST_SPREAD])
    return Logistic((*trust.names, "facts"), (*trust.weights, *found), trust.bias)


@dataclass(frozen=True)
class Fitted:
    """Everything but stage one, as chosen without some vendors."""

    trust: Logistic
    words: Logistic
    facts: Logistic
    caution: float


class Folded:
    """Folds of one mode, and what was fitted to them; each fit is made once."""

    def __init__(self, held: Folds, labels: Labels, *, embedded: bool) -> None:
        self.held, self.labels, self.embedded = held, labels, embedded
        self.by_words: Folds = {
            vendor: {name: one.words or one for name, one in by_part.items()}
            for vendor, by_part in held.items()
        }
        self._plain: dict[frozenset[str], tuple[Logistic, Logistic]] = {}

    def fit(self, without: Collection[str] = (), facts: Logistic | None = None) -> Fitted:
        """Fit to all vendors but some. ``facts``: their weights, where they are known already."""
        facts = facts or fit_facts(self.held, self.labels, without)
        trust, words = self._fit_plain(without)
        trust = add_facts_to(trust, self.held, facts, self.labels, without)
        if self.embedded:
            words = add_facts_to(words, self.by_words, facts, self.labels, without)
        return Fitted(trust, words if self.embedded else trust, facts, self._choose(without))

    def _fit_plain(self, without: Collection[str]) -> tuple[Logistic, Logistic]:
        key = frozenset(without)
        if key not in self._plain:
            trust = fit_trust_of(self.held, key, embedded=self.embedded)
            words = fit_trust_of(self.by_words, key, embedded=False) if self.embedded else trust
            self._plain[key] = (trust, words)
        return self._plain[key]

    def _choose(self, without: Collection[str]) -> float:
        """The caution, from each remaining vendor as answered without it."""
        if not self.embedded:
            return GRID[0]  # without embeddings nothing applies by itself
        seen: list[Seen] = []
        strict: list[Seen] = []
        for vendor, by_part in self.held.items():
            if vendor not in without:
                trust, words = self._fit_plain([*without, vendor])
                parts = {name: self._see(by_part[name], trust, words) for name in NAMES}
                seen.append(_join(list(parts.values())))
                strict.append(parts["strict"])
        return choose_caution(seen, strict)

    def _see(self, one: Held, trust: Logistic, words: Logistic) -> Seen:
        settled, _, rows, orders = settle(one, words)
        sure = trust_each(rows, Stages(trust, trust), Stages(words, words), settled)
        tops = [order[0] for order in orders]
        doubts = find_doubts(one.part.bench, one.measured, one.part.facts, tops, sure)
        right = [
            asked.fields[order[0]] in self.labels[asked.question]
            for asked, order in zip(one.measured, orders, strict=True)
        ]
        mapped = [bool(self.labels[asked.question]) for asked in one.measured]
        alone = np.array([doubt is None for _, doubt in doubts], bool)
        return Seen(np.where(alone, sure, 0.0), np.array(right, bool), np.array(mapped, bool))


def _join(parts: list[Seen]) -> Seen:
    return Seen(
        np.concatenate([one.sure for one in parts]),
        np.concatenate([one.right for one in parts]),
        np.concatenate([one.mapped for one in parts]),
    )


def settle(
    one: Held, words: Logistic, facts: Logistic | None = None
) -> tuple[list[bool], list[Matrix], Matrix, list[list[int]]]:
    """As ``Answerer`` does: what words settle stays, for the rest meaning decides."""
    if one.words is None:
        return [False] * len(one.measured), one.probabilities, one.rows, one.orders
    settled = settle_by_words(one.measured, one.words.rows, words)
    pairs = zip(one.words.probabilities, one.probabilities, settled, strict=True)
    probabilities = [by_words if done else held for by_words, held, done in pairs]
    fits = [known.weigh_fit(facts) for known in one.part.facts] if facts else ()
    return settled, probabilities, *build_trust_rows(one.measured, probabilities, fits)


def answer_held(held: Folds, labels: Labels, *, embedded: bool) -> dict[str, list[Row]]:
    """Answers to every vendor by models that have not seen it, by part ("full", "strict", "…_known").

    ``labels``: the data set's.
    """
    return answer_folded(Folded(held, labels, embedded=embedded))


def answer_folded(folded: Folded) -> dict[str, list[Row]]:
    """As ``answer_held``."""
    found: dict[str, list[Row]] = {}
    for vendor, by_part in folded.held.items():
        fitted = folded.fit([vendor])
        for name in (*NAMES, *KNOWN):
            if name in by_part:
                answers = _answer(by_part[name], fitted, folded)
                rows = [(answer, folded.labels[answer.question]) for answer in answers]
                found.setdefault(name, []).extend(rows)
    return found


def _answer(one: Held, fitted: Fitted, folded: Folded) -> list[Answer]:
    one = weigh_facts(one, fitted.facts, folded.labels)
    settled, probabilities, rows, orders = settle(one, fitted.words, fitted.facts)
    return build_answers(
        one.measured,
        probabilities,
        rows,
        orders,
        Stages(fitted.trust, fitted.trust),
        fitted.caution,
        embedded=folded.embedded,
        words=Stages(fitted.words, fitted.words),
        settled=settled,
        judge=Judge(one.part.bench, one.part.facts, fitted.facts),
    )


def train_model(
    labels: Labels,
    ontology: Ontology,
    embedder: Embedder,
    known: Mapping[Question, Question] | None = None,
) -> MapperModel:
    """The model trained on all of ``labels``, with its figures from whole-vendor cross-validation.

    ``known``: questions with type, description and profile (``resources/training_facts.py``); without,
    what those weigh is the prior. ConfigError for labels that nothing can be learned from.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):  # several threads add up in another order: another last digit
        return _train(labels, ontology, embedder, known)


def _train(
    labels: Labels, ontology: Ontology, embedder: Embedder, known: Mapping[Question, Question] | None
) -> MapperModel:
    dataset = measure_dataset(labels, ontology, embedder, known)
    stages: dict[str, Stages] = {}
    figures: dict[str, Any] = {}
    reliability: dict[str, Any] = {}
    facts, caution = None, GRID[-1]
    for mode, embedded in (("embedded", True), ("lexical", False)):
        folded = Folded(hold_out(dataset, embedded=embedded), dataset.labels, embedded=embedded)
        fitted = folded.fit(facts=facts)
        stages[mode] = Stages(fit_pick(dataset, embedded=embedded), fitted.trust)
        if embedded:
            facts, caution = fitted.facts, fitted.caution
        for name, rows in answer_folded(folded).items():
            figures[f"{mode}_{name}"] = _round(asdict(score_answers(rows)))
            reliability[f"{mode}_{name}"] = build_reliability(rows)
    assert facts is not None
    training = describe_labels(labels, known)
    return MapperModel(
        version=training["fingerprint"][:12],
        ontology=ontology.fingerprint,
        training=training,
        figures=figures,
        reliability=reliability,
        embedded=stages["embedded"],
        lexical=stages["lexical"],
        facts=facts,
        caution=caution,
    )


def describe_labels(labels: Labels, known: Mapping[Question, Question] | None = None) -> dict[str, Any]:
    """What a model was trained on: counts, systems, and a SHA-256 (hex) over questions and answers."""
    told = known or {}
    facts = sorted(
        [one.system, one.stream, one.field, one.entity, sorted(right), *_describe(told.get(one))]
        for one, right in labels.items()
    )
    text = json.dumps(facts, ensure_ascii=False)
    return {
        "questions": len(labels),
        "without_counterpart": sum(not right for right in labels.values()),
        "with_type": sum(bool(one.type) for one in told.values()),
        "with_description": sum(bool(one.description) for one in told.values()),
        "with_profile": sum(one.profile is not None for one in told.values()),
        "systems": sorted({one.system for one in labels}),
        "validation": "whole vendors held out",
        "fingerprint": hashlib.sha256(text.encode()).hexdigest(),
    }


def _describe(one: Question | None) -> list[Any]:
    if one is None:
        return []
    return [one.type, one.description, sorted(one.profile.to_json().items()) if one.profile else []]


def _round(figures: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in figures.items()}


__all__ = [
    "Dataset",
    "Labels",
    "answer_held",
    "describe_labels",
    "hold_out",
    "measure_dataset",
    "train_model",
]
