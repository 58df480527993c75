"""What a tenant's decisions do for the next connector: the simulation behind ``resources/retraining.py``.

A model of nine vendors; a tenant that decides what this model is not sure of at four others; and one more
vendor, on which the trained model is compared with the one before. Needs the evaluation data.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bench.mapping_quality import find_truth
from bench.measure import Measure
from core.mapper.decision import AUTO, settle_confidence
from core.mapper.evidence import EXACT, STAGE_TWO
from core.mapper.model import Logistic, MapperModel, load_model
from core.mapper.question import Question
from resources.mapper_scoring import compute_logits, squash
from resources.retraining import MODES, Lesson, fit_model
from resources.retraining_figures import Measurement, judge_candidate
from resources.tenant_decisions import Decided

Held = Any
"""One vendor as answered by a stage one that has not seen it (``hold_out``)."""
SPLITS, TENANTS, CONNECTORS = 12, 6, 4
SPELLED = [STAGE_TWO.index(name) for name in EXACT[:-1]]


def measure_training() -> Iterator[Measure]:
    """Share accepted; of these log loss, precision and recall on the next vendor, before and after."""
    from core.ontology import load_ontology
    from resources.embeddings import load_embedder
    from resources.question_files import read_labels
    from resources.training import hold_out, measure_dataset

    truth, embedder = find_truth(), load_embedder()
    if truth is None or embedder is None:
        yield Measure("mapping_training", 0.0, "figures", note="no evaluation data or no embedding model")
        return
    held = hold_out(measure_dataset(read_labels(*truth), load_ontology(), embedder), embedded=True)
    for strict in (False, True):
        for aliases in ("full", "strict"):
            name = f"training_{'stricter' if strict else 'alike'}_{aliases}"
            yield from _report(name, list(_simulate(held, aliases, strict=strict)))


def _simulate(
    held: Mapping[str, Mapping[str, Held]], aliases: str, *, strict: bool
) -> Iterator[tuple[bool, Measurement, Measurement]]:
    """Of each tenant: whether training was accepted, and both models on the vendor left over."""
    from resources.training import fit_trust_of

    for seed in range(SPLITS):
        vendors = sorted(held)
        random.Random(seed).shuffle(vendors)
        known = {vendor: held[vendor] for vendor in vendors[TENANTS:]}
        base = _with_trust(fit_trust_of(known, embedded=True))
        for left in vendors[:TENANTS]:
            others = [one for one in vendors[:TENANTS] if one != left][:CONNECTORS]
            parts = {one: held[one][aliases] for one in (*others, left)}
            lesson = _teach(base, {one: parts[one] for one in others}, strict=strict)
            if len(lesson.decided) < 50:
                continue
            before, after = _try_out(base, lesson)
            model = fit_model(base, lesson, set(others))
            right = _judge(parts[left], strict=strict)
            yield (
                judge_candidate(before, after) is None,
                _measure(base, parts[left].rows, right, left),
                _measure(model, parts[left].rows, right, left),
            )


def _with_trust(trust: Logistic) -> MapperModel:
    shipped = load_model()
    return replace(
        shipped,
        embedded=replace(shipped.embedded, trust=trust),
        lexical=replace(shipped.lexical, trust=trust),
    )


def _judge(part: Held, *, strict: bool) -> Any:
    """What is right; to a stricter tenant only what is spelled exactly."""
    return part.right & (part.rows[:, SPELLED].max(1) > 0) if strict else part.right


def _teach(base: MapperModel, parts: Mapping[str, Held], *, strict: bool) -> Lesson:
    """The tenant decides what would not apply by itself."""
    asked: list[tuple[bool, Decided, Question, Any]] = []
    for vendor, part in parts.items():
        sure = _confidences(base, part.rows) >= AUTO
        for at, one in enumerate(part.measured):
            top = one.fields[part.orders[at][0]]
            said = top if _judge(part, strict=strict)[at] else None
            question = one.question
            told = Decided(vendor, question.stream, question.field, question.entity, said, None, "tenant")
            asked.append((bool(sure[at]), told, question, (part.rows[at], top)))
    asked.sort(key=lambda one: one[0])
    decided = [told for sure, told, _, _ in asked if not sure]
    rows, tops = np.array([row for *_, (row, _) in asked]), [top for *_, (_, top) in asked]
    questions = [question for _, _, question, _ in asked]
    return Lesson(decided, np.ones(len(decided)), questions, dict.fromkeys(MODES, (rows, tops)))


def _try_out(base: MapperModel, lesson: Lesson) -> tuple[Measurement, Measurement]:
    """As ``measure_held_out`` does, on rows that are there already."""
    rows, tops = lesson.evidence["embedded"]
    vendors = np.array([one.connector for one in lesson.decided])
    right = np.array([one.right == top for one, top in zip(lesson.decided, tops, strict=False)], float)
    found: list[list[float]] = [[0.0] * len(right), [0.0] * len(right)]
    for vendor in lesson.connectors:
        trained = fit_model(base, lesson, set(lesson.connectors) - {vendor})
        members = np.flatnonzero(vendors == vendor)
        for model, said in ((base, found[0]), (trained, found[1])):
            for at, value in zip(members, _confidences(model, rows[members]), strict=True):
                said[at] = float(value)
    weights = np.ones(len(right))
    before, after = (Measurement(vendors.tolist(), np.array(said), right, weights) for said in found)
    return before, after


def _confidences(model: MapperModel, rows: Any) -> Any:
    said = squash(compute_logits(rows, model.embedded.trust, STAGE_TWO))
    return np.array([settle_confidence(float(one), model.caution, needs_person=False) for one in said])


def _measure(model: MapperModel, rows: Any, right: Any, vendor: str) -> Measurement:
    count = len(rows)
    return Measurement([vendor] * count, _confidences(model, rows), right.astype(float), np.ones(count))


def _report(name: str, tried: Sequence[tuple[bool, Measurement, Measurement]]) -> Iterator[Measure]:
    accepted = [(before, after) for good, before, after in tried if good]
    yield Measure(
        f"{name}_accepted", len(accepted) / max(1, len(tried)), "ratio", note=f"{len(tried)} tenants"
    )
    if not accepted:
        return
    change = np.mean([after.losses.mean() - before.losses.mean() for before, after in accepted])
    yield Measure(f"{name}_log_loss", round(float(change), 4), "nats", note="on the next vendor")
    for when, pick in (("before", 0), ("after", 1)):
        said = np.concatenate([pair[pick].confidences for pair in accepted])
        right = np.concatenate([pair[pick].right for pair in accepted])
        auto = said >= AUTO
        yield Measure(f"{name}_precision_{when}", float(right[auto].mean()), "ratio")
        yield Measure(f"{name}_recall_{when}", float((auto * right).sum() / right.sum()), "ratio")
