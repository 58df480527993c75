"""A tenant's own confidence model: learned from its people, measured, refused when no better."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import select, update

from core.errors import ConfigError, MappingRefused, UnknownName
from core.mapper.model import Logistic, load_model
from core.mapper.question import Reading
from core.names import GLOBAL_TENANT
from core.ontology import Ontology
from resources.audit import read_audit
from resources.database import Database
from resources.embeddings import Embedder
from resources.logistic_update import update_logistic
from resources.mapper import map_tenant
from resources.mapper_scoring import squash
from resources.proposals import list_proposals, read_proposal
from resources.registry import publish_baselines
from resources.retraining import train_tenant
from resources.retraining_figures import Measurement, judge_candidate
from resources.settings import Settings
from resources.tables import mapper_models
from resources.tenant_decisions import Decided, as_truth, read_decided, weigh_decided
from resources.tenant_models import (
    ENOUGH,
    TenantModel,
    activate_model,
    choose_model,
    list_models,
    retire_model,
    suggest_training,
)
from tests.mapper.tenants import (
    build_specs,
    decide_strictly,
    group_fields,
    land_fields,
    promote_name,
    say_decided,
)


@pytest.fixture
def strict(database: Database, tenant: str, ontology: Ontology) -> str:
    """A tenant stricter than the shipped model, with 144 decisions about three connectors."""
    decided = decide_strictly(ontology)
    land_fields(database, tenant, group_fields(decided))
    say_decided(database, tenant, decided)
    return tenant


def _train(database: Database, ontology: Ontology, tenant: str, embedder: Embedder | None) -> TenantModel:
    return train_tenant(database, ontology, build_specs(), tenant, embedder, "eve", "learn")


def test_decisions_make_a_better_model_and_it_is_used_once_activated(
    database: Database, settings: Settings, ontology: Ontology, embedder: Embedder, strict: str
) -> None:
    asked = {("north", "leads"): (), ("west", "contacts"): ("legacy_job_title", "shadow_department")}
    land_fields(database, strict, {("west", "contacts"): asked["west", "contacts"]})
    publish_baselines(database, build_specs(), ontology, "tester")

    def propose() -> dict[str, float]:
        map_tenant(database, settings, ontology, build_specs(), strict, load=lambda: embedder)
        return {one.field: one.confidence for one in list_proposals(database, strict, status="pending")}

    before = propose()
    made = _train(database, ontology, strict, embedder)
    assert (made.version, made.status) == (1, "candidate")
    assert made.figures["after"]["log_loss"] < made.figures["before"]["log_loss"]
    assert made.reliability["after"]
    assert propose() == before, "a candidate answers nothing"
    activate_model(database, strict, 1, "eve", "we are strict")
    chosen = choose_model(database, strict)
    assert chosen.label.endswith("+1")
    after = propose()
    assert all(after[field] < before[field] for field in asked["west", "contacts"])
    assert read_proposal(database, strict, ("west", "contacts"), "legacy_job_title").basis.startswith(
        chosen.label
    )
    assert retire_model(database, strict, "eve", "enough") == 1
    assert propose() == before
    actions = [one.action for one in read_audit(database, strict, 50)]
    for action in ("mapper_model.trained", "mapper_model.activated", "mapper_model.retired"):
        assert action in actions


def test_a_second_activation_retires_the_first(
    database: Database, ontology: Ontology, embedder: Embedder, strict: str
) -> None:
    for _ in range(2):
        _train(database, ontology, strict, embedder)
    activate_model(database, strict, 1, "eve", "a")
    activate_model(database, strict, 2, "eve", "b")
    activate_model(database, strict, 2, "eve", "again changes nothing")
    assert [(one.version, one.status) for one in list_models(database, strict)] == [
        (2, "active"),
        (1, "retired"),
    ]
    with pytest.raises(UnknownName):
        activate_model(database, strict, 9, "eve", "c")


def test_too_few_decisions_or_of_one_connector_are_refused(
    database: Database, ontology: Ontology, embedder: Embedder, tenant: str
) -> None:
    with pytest.raises(MappingRefused, match="too few"):
        _train(database, ontology, tenant, embedder)
    decided = decide_strictly(ontology, odd=20)
    say_decided(database, tenant, [one for one in decided if one.connector == "north"])
    with pytest.raises(MappingRefused, match="one connector"):
        _train(database, ontology, tenant, embedder)
    assert list_models(database, tenant) == []
    with pytest.raises(UnknownName):
        retire_model(database, tenant, "eve", "x")


def test_without_embeddings_nothing_is_trained(database: Database, ontology: Ontology, strict: str) -> None:
    with pytest.raises(ConfigError, match="embedding model"):
        _train(database, ontology, strict, None)


def test_a_flood_by_one_person_is_too_few(
    database: Database, ontology: Ontology, embedder: Embedder, tenant: str
) -> None:
    flood = [
        Decided(connector, "contacts", f"sort_key_{number}", "contact", None, None, "mallory")
        for number in range(300)
        for connector in ("north", "south")
    ]
    say_decided(database, tenant, flood)
    with pytest.raises(MappingRefused, match="600 that count for 2"):
        _train(database, ontology, tenant, embedder)


def test_what_the_engine_applied_is_no_truth(
    database: Database, ontology: Ontology, embedder: Embedder, tenant: str
) -> None:
    say_decided(database, tenant, decide_strictly(ontology), origin="self")
    assert read_decided(database, ontology, tenant) == []
    assert suggest_training(database, tenant) is None


def test_a_model_that_is_no_better_is_refused_and_cannot_be_activated(
    database: Database, ontology: Ontology, embedder: Embedder, tenant: str
) -> None:
    said = [
        replace(one, right=one.field.split("_", 1)[1])
        if one.connector == "south" and one.right is None
        else one
        for one in decide_strictly(ontology)
    ]
    say_decided(database, tenant, said)
    made = _train(database, ontology, tenant, embedder)
    assert made.status == "refused", "what one connector teaches is wrong for the other"
    assert "log loss" in made.reason
    with pytest.raises(MappingRefused, match="training refused it"):
        activate_model(database, tenant, made.version, "eve", "force")
    assert suggest_training(database, tenant) is None, "what was refused is not suggested again"


def test_enough_new_decisions_are_told_in_one_line_and_train_nothing(
    database: Database, ontology: Ontology, embedder: Embedder, strict: str
) -> None:
    told = suggest_training(database, strict)
    assert told is not None
    assert told.endswith(f"aos mapping train {strict}")
    assert "\n" not in told
    assert list_models(database, strict) == []
    _train(database, ontology, strict, embedder)
    assert suggest_training(database, strict) is None
    more = [
        Decided("north", "contacts", f"other_{number}", "contact", None, None, "eve")
        for number in range(ENOUGH)
    ]
    say_decided(database, strict, more)
    assert str(suggest_training(database, strict)).startswith(f"{ENOUGH} decisions")


def test_another_shipped_model_or_damaged_coefficients_are_told_and_not_used(
    database: Database, ontology: Ontology, embedder: Embedder, strict: str
) -> None:
    _train(database, ontology, strict, embedder)
    activate_model(database, strict, 1, "eve", "x")
    shipped = load_model()
    damaged: list[object] = [{}, {"embedded": {"weights": {}, "bias": 0}}, {"embedded": []}]
    cases: list[tuple[dict[str, object], str]] = [
        *(({"coefficients": one}, "cannot be read") for one in damaged),
        ({"base": "0" * 64}, "another shipped model"),
    ]
    for values, said in cases:
        with database.tenant(strict) as conn:
            conn.execute(update(mapper_models).values(**values))
        chosen = choose_model(database, strict)
        assert chosen.model is shipped
        assert said in str(chosen.warning)
        assert f"aos mapping train {strict}" in str(chosen.warning)
    with pytest.raises(MappingRefused, match="another shipped model"):
        activate_model(database, strict, 1, "eve", "x")


def test_no_other_tenant_sees_or_uses_it(
    database: Database, ontology: Ontology, embedder: Embedder, strict: str
) -> None:
    _train(database, ontology, strict, embedder)
    activate_model(database, strict, 1, "eve", "x")
    stranger = f"{strict}-2"
    with database.tenant(stranger) as conn:
        assert conn.execute(select(mapper_models)).all() == []
    assert choose_model(database, stranger).model is load_model()
    assert read_decided(database, ontology, stranger) == []


@pytest.fixture
def _no_promoted(database: Database) -> Iterator[None]:
    yield
    from sqlalchemy import text

    with database.operator() as conn:
        conn.execute(text("DELETE FROM mapping_embeddings WHERE tenant_id = '*'"))
        conn.execute(text("DELETE FROM mapping_decisions WHERE tenant_id = '*'"))


@pytest.mark.usefixtures("_no_promoted")
def test_promoted_decisions_become_rows_of_truth(database: Database, ontology: Ontology, strict: str) -> None:
    first = next(one for one in read_decided(database, ontology, strict) if one.right)
    promote_name(database, ontology, strict, (first.connector, first.stream), first.field, "zoe")
    rows = as_truth(read_decided(database, ontology, GLOBAL_TENANT))
    assert rows == [(first.connector, first.stream, first.field, first.entity, first.right)]


# --- the arithmetic ---------------------------------------------------------------------------


def _reading(text: str) -> Reading:
    words = tuple(text.split())
    return Reading(words, words, words, words, "", custom=False, indexed=False, depth=1)


def test_near_duplicates_share_the_weight_of_one() -> None:
    names = ["sort key 1", "sort key 2", "blob", "email", "mail"]
    rights = [None, None, None, "email", "email"]
    decided = [
        Decided("c", "s", name, "contact", right, None, "eve")
        for name, right in zip(names, rights, strict=True)
    ]
    readings = [_reading(name) for name in names]
    assert weigh_decided(decided, readings, None) == [0.5, 0.5, 1.0, 0.5, 0.5]
    by_two = [replace(one, by=f"p{at}") for at, one in enumerate(decided)]
    assert weigh_decided(by_two, readings, None) == [1.0] * 5
    vectors = np.eye(5, 384, dtype=np.float32)
    vectors[2] = vectors[0]
    assert weigh_decided(decided, readings, vectors)[:3] == [pytest.approx(1 / 3)] * 3


def test_a_rejection_says_what_is_wrong_not_what_is_right() -> None:
    rejected = Decided("c", "s", "f", "contact", None, "email", "eve")
    assert (rejected.judge("email"), rejected.judge("phone")) == (False, None)
    none = replace(rejected, wrong=None)
    assert (none.judge("email"), none.judge("phone")) == (False, False)


def test_the_update_stays_with_the_prior_and_moves_with_many() -> None:
    base = Logistic(("a", "b"), (1.0, -1.0), 0.5)
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(2_000, 2))
    right = (rng.random(2_000) < squash(rows @ np.array([3.0, 1.0]))).astype(float)
    assert update_logistic(base, rows[:0], right[:0], right[:0]) is base
    few = update_logistic(base, rows[:5], right[:5], np.ones(5))
    assert np.abs(np.subtract(few.weights, base.weights)).max() < 0.1
    many = update_logistic(base, rows, right, np.ones(2_000))
    assert many.weights[0] > 1.5
    assert many.weights[1] > 0
    weightless = update_logistic(base, rows, right, np.zeros(2_000))
    assert weightless is base
    constant = update_logistic(base, np.ones((500, 2)), np.ones(500), np.ones(500))
    assert np.isfinite([*constant.weights, constant.bias]).all()


def _measured(confidences: list[float], right: list[int], connectors: str = "aaaaabbbbb") -> Measurement:
    return Measurement(list(connectors), np.array(confidences), np.array(right, float), np.ones(len(right)))


RIGHT = [1, 1, 0, 0, 0, 1, 1, 0, 0, 0]
MILD = [0.6, 0.6, 0.4, 0.4, 0.4] * 2
JUDGED = [
    ([0.8, 0.8, 0.2, 0.2, 0.2] * 2, ""),
    (MILD, "not better"),
    ([0.95, 0.95, 0.05, 0.05, 0.05, 0.59, 0.59, 0.41, 0.41, 0.41], "for 1 of 2 connectors"),
    ([0.99, 0.99, 0.01, 0.01, 0.01, 0.01, 0.6, 0.4, 0.4, 0.4], "not better"),
    ([0.8, 0.8, 0.2, 0.2, 0.2, 0.5, 0.5, 0.5, 0.5, 0.5], "no more than chance"),
    ([0.99, 0.99, 0.01, 0.01, 0.01, 0.99, 0.99, 0.01, 0.01, 0.86], "apply by itself is right"),
]


@pytest.mark.parametrize(("after", "said"), JUDGED)
def test_a_candidate_is_judged_on_what_was_held_out(after: list[float], said: str) -> None:
    found = judge_candidate(_measured(MILD, RIGHT), _measured(after, RIGHT))
    assert said in (found or "")
    assert (found is None) is (not said)
