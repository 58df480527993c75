"""Decided questions as training sees them, and each vendor as a model sees it that was not trained on it.

Aliases are knowledge too: besides all aliases ("full"), each vendor is also read without those aliases
that, among the training vendors, only it uses ("strict", a lower bound). Both come once with names alone
and once with what is known beside them ("…_known"). "blind" parts know no alias of the vendor's names,
but hear how other vendors were decided.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from core.errors import ConfigError
from core.mapper.evidence import FEATURES
from core.mapper.model import Logistic
from core.mapper.question import Question, Words
from core.ontology import Ontology
from resources.embeddings import Embedder
from resources.mapper_facts import FactBench, Facts
from resources.mapper_features import Matrix
from resources.mapper_scoring import (
    Bench,
    Measured,
    build_trust_rows,
    compute_logits,
    lexical_columns,
    squash,
)
from resources.training_fit import fit_logistic
from resources.training_votes import DRAWS, Electorate

NAMES = ("full", "strict")
KNOWN = ("full_known", "strict_known")
VOTED = tuple(f"blind_{draw}" for draw in range(DRAWS))
PICK_C = 0.03
LEAST_VENDORS = 3
"""A vendor is answered with a caution chosen from others, each of them by a model of the rest."""
Labels = Mapping[Question, frozenset[str]]
"""What is right per question; empty when it has no counterpart."""
Aliases = dict[str, set[tuple[str, Words]]]
"""Per vendor (entity, words) of names."""


@dataclass(frozen=True)
class Part:
    """Questions read in one way, and what is known about each beside its name."""

    measured: list[Measured]
    facts: list[Facts]
    bench: FactBench

    def of(self, vendor: str) -> Part:
        """One vendor's."""
        pairs = [
            pair for pair in zip(self.measured, self.facts, strict=True) if pair[0].question.system == vendor
        ]
        return Part([one for one, _ in pairs], [facts for _, facts in pairs], self.bench)


@dataclass(frozen=True)
class Dataset:
    """Decided questions by part; ``labels`` also by the questions with type and description."""

    labels: Labels
    parts: Mapping[str, Part]

    @property
    def full(self) -> list[Measured]:
        """The questions, with all aliases and by their names alone."""
        return self.parts["full"].measured

    @property
    def vendors(self) -> list[str]:
        """Systems, sorted."""
        return sorted({one.question.system for one in self.full})


def measure_dataset(
    labels: Labels,
    ontology: Ontology,
    embedder: Embedder | None,
    known: Mapping[Question, Question] | None = None,
) -> Dataset:
    """Evidence of all questions, in all parts. ``known``: questions with type, description, profile.

    ConfigError for labels that nothing can be learned from.
    """
    _check_labels(labels, ontology)
    bench = FactBench(Bench(ontology, embedder))
    questions, known = list(labels), known or {}
    full = bench.bench.measure(questions)
    used, own = find_used(full, labels), find_own_aliases(full, labels)
    strict = bench.bench.measure(questions, lambda question: own[question.system])
    blind = bench.bench.measure(questions, lambda question: used[question.system])
    parts = {
        name: Part(one, [Facts() for _ in one], bench)
        for name, one in zip(NAMES, (full, strict), strict=True)
    }
    if known:
        parts |= {
            name: _add_known(bench, one, known) for name, one in zip(KNOWN, (full, strict), strict=True)
        }
    parts |= _add_votes(bench, Electorate(full, labels, embedder), blind)
    told = {more: labels[one] for one, more in known.items()}
    return Dataset({**told, **labels}, parts)


def _check_labels(labels: Labels, ontology: Ontology) -> None:
    for one, right in labels.items():
        unknown = sorted(right - ontology.entity(one.entity).fields.keys())
        if unknown:
            raise ConfigError(
                f"{one.entity} has no field {unknown[0]!r}", where=f"{one.system} {one.stream} {one.field}"
            )
    vendors = {one.system for one in labels}
    if len(vendors) < LEAST_VENDORS:
        raise ConfigError(
            "too few systems: each has to be answered by a model of the others",
            expected=f"decided fields of {LEAST_VENDORS} at least",
            found=", ".join(sorted(vendors)) or "none",
        )


def _add_known(bench: FactBench, measured: list[Measured], known: Mapping[Question, Question]) -> Part:
    more = [replace(one, question=known.get(one.question, one.question)) for one in measured]
    facts = bench.measure(more)
    bench.add_told(more, facts)
    return Part(more, facts, bench)


def _add_votes(bench: FactBench, electorate: Electorate, blind: list[Measured]) -> dict[str, Part]:
    found: dict[str, Part] = {name: Part([], [], bench) for name in VOTED}
    for vendor in electorate.vendors:
        asked = [one for one in blind if one.question.system == vendor]
        for name, decided in zip(VOTED, electorate.draw(vendor), strict=True):
            found[name].measured.extend(asked)
            found[name].facts.extend(bench.measure(asked, electorate.vote(asked, decided)))
    return found


def find_used(measured: Sequence[Measured], labels: Labels) -> Aliases:
    """Per vendor what its mapped fields are called."""
    used: Aliases = defaultdict(set)
    for one in measured:
        if labels[one.question]:
            used[one.question.system].update((one.question.entity, words) for words in one.reading.keys)
    return used


def find_own_aliases(measured: Sequence[Measured], labels: Labels) -> Aliases:
    """Per vendor what only its mapped fields are called."""
    used = find_used(measured, labels)
    vendors = {one.question.system for one in measured}
    return {
        vendor: used[vendor] - set().union(*(names for other, names in used.items() if other != vendor))
        for vendor in vendors
    }


def pick_columns(values: Matrix, names: Sequence[str], columns: Sequence[str]) -> Matrix:
    """Some of the columns, as double precision."""
    picked: Matrix = values[..., [columns.index(name) for name in names]].astype(np.float64)
    return picked


def fit_pick(dataset: Dataset, without: Collection[str] = (), *, embedded: bool) -> Logistic:
    """Stage one, from all pairs of the questions by their names alone; some vendors may be left out."""
    measured = [
        one for name in NAMES for one in dataset.parts[name].measured if one.question.system not in without
    ]
    names = lexical_columns(FEATURES, embedded=embedded)
    rows = np.concatenate([pick_columns(one.values, names, FEATURES) for one in measured])
    labels = dataset.labels
    right = np.concatenate([[field in labels[one.question] for field in one.fields] for one in measured])
    return fit_logistic(rows, right, names, PICK_C)


@dataclass(frozen=True)
class Held:
    """One vendor's part as answered by a stage one that has not seen it, in one mode.

    ``logits`` are those of names; ``probabilities`` and ``rows`` know the facts as well, once weighed.
    ``words``: the same by the lexical model, whose turn comes first where there are embeddings.
    """

    part: Part
    logits: list[Matrix]
    probabilities: list[Matrix]
    rows: Matrix
    orders: list[list[int]]
    right: Any
    words: Held | None = None

    @property
    def measured(self) -> list[Measured]:
        """The questions."""
        return self.part.measured


Folds = Mapping[str, Mapping[str, Held]]
"""By vendor and part."""


def hold_out(dataset: Dataset, *, embedded: bool) -> dict[str, dict[str, Held]]:
    """Stage one of every vendor, trained on the others."""
    found: dict[str, dict[str, Held]] = {}
    for vendor in dataset.vendors:
        words = fit_pick(dataset, [vendor], embedded=False)
        stage = fit_pick(dataset, [vendor], embedded=True) if embedded else None
        found[vendor] = {}
        for name, part in dataset.parts.items():
            own = part.of(vendor)
            by_words = _hold(own, words, dataset.labels)
            found[vendor][name] = _hold(own, stage, dataset.labels, by_words) if stage else by_words
    return found


def _hold(part: Part, stage: Logistic, labels: Labels, words: Held | None = None) -> Held:
    logits = [compute_logits(one.values, stage, FEATURES) for one in part.measured]
    return _judge(part, logits, labels, None, words)


def weigh_facts(held: Held, weights: Logistic, labels: Labels) -> Held:
    """The same with what is known beside the names; nothing changes where nothing is."""
    if all(one.values is None for one in held.part.facts):
        return held
    words = weigh_facts(held.words, weights, labels) if held.words else None
    return _judge(held.part, held.logits, labels, weights, words)


def _judge(
    part: Part, logits: list[Matrix], labels: Labels, weights: Logistic | None, words: Held | None
) -> Held:
    fits: list[Matrix | None] = [None] * len(logits)
    known = logits
    if weights is not None:
        fits = [one.weigh_fit(weights) for one in part.facts]
        known = [one.add_to(held, weights) for one, held in zip(part.facts, logits, strict=True)]
    probabilities = [squash(one) for one in known]
    rows, orders = build_trust_rows(part.measured, probabilities, fits)
    right = [
        one.fields[order[0]] in labels[one.question] for one, order in zip(part.measured, orders, strict=True)
    ]
    return Held(part, logits, probabilities, rows, orders, np.array(right, bool), words)
