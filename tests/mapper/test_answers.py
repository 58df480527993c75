"""What the shipped model says, with and without embeddings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.errors import ConfigError
from core.mapper.answer import describe_evidence
from core.mapper.decision import AUTO, BELOW_AUTO, settle_confidence
from core.mapper.model import load_model, read_model, write_model
from core.mapper.profile import Profile
from core.ontology import Ontology
from resources.embeddings import DIMENSION, Embedder, ModelUnusable
from resources.entity_first import guess_entity, name_entities
from resources.mapper_answers import Answerer
from tests.mapper.conftest import ask

SURE = [
    ("contact", "first_name", "first_name"),
    ("contact", "properties.email", "email"),
    ("account", "billing_address.city", "billing_city"),
    ("opportunity", "closeDate", "close_date"),
    ("invoice", "currency_code", "currency"),
]


@pytest.mark.parametrize(("entity", "field", "right"), SURE)
def test_plain_names_are_sure(answerer: Answerer, entity: str, field: str, right: str) -> None:
    (answer,) = answerer.answer(ask(entity, field))
    assert answer.best is not None
    assert answer.best.field == right
    assert answer.confidence >= 0.6


NOTHING = ["hs_analytics_average_page_views", "zodiac_sign_of_cat", "x9_blob_q", "💥", ""]


@pytest.mark.parametrize("field", NOTHING)
def test_a_field_without_counterpart_is_not_sure(answerer: Answerer, field: str) -> None:
    (answer,) = answerer.answer(ask("contact", field))
    assert answer.confidence < 0.6


def test_confidences_fall_and_ranks_are_ten_at_most(answerer: Answerer) -> None:
    for answer in answerer.answer(ask("contact", "email", "mobile", "nonsense", "owner", "created")):
        values = [one.confidence for one in answer.candidates]
        assert values == sorted(values, reverse=True)
        assert len(values) <= 10
        assert all(0 <= value <= 1 for value in values)


def test_without_embeddings_nothing_applies_by_itself(lexical: Answerer) -> None:
    answers = lexical.answer(ask("contact", "first_name", "email", "phone"))
    assert max(answer.confidence for answer in answers) <= BELOW_AUTO
    assert [answer.best.field for answer in answers if answer.best] == ["first_name", "email", "phone"]


def test_two_fields_of_a_stream_do_not_both_win(answerer: Answerer) -> None:
    alone = answerer.answer(ask("invoice", "customer.id"))[0]
    beside = answerer.answer(ask("invoice", "id", "customer.id"))[1]
    assert alone.best is not None
    assert beside.best is not None
    assert beside.best.field == "customer_id"


def test_a_name_that_leaves_the_context_open_waits_for_a_person(answerer: Answerer) -> None:
    for answer in answerer.answer(ask("customer", "city", "zip")):
        assert answer.confidence <= BELOW_AUTO
        assert any("context" in remark for remark in answer.remarks)


def test_type_and_values_that_contradict_lower_confidence(answerer: Answerer) -> None:
    (plain,) = answerer.answer(ask("contact", "email"))
    looks = Profile(email=0.0, count=1_000)
    (odd,) = answerer.answer(ask("contact", "email", type="string", profile=looks))
    assert odd.confidence < plain.confidence
    assert any("look like" in remark for remark in odd.remarks) or odd.best != plain.best


def test_the_evidence_can_be_told(answerer: Answerer) -> None:
    (answer,) = answerer.answer(ask("contact", "work_email"))
    told = describe_evidence(answer.evidence)
    assert told
    assert all(isinstance(words, str) and amount for words, amount in told)


def test_the_entity_comes_first(answerer: Answerer) -> None:
    fields = ("first_name", "last_name", "email", "phone", "company", "title")
    stream = ask("", *fields, stream="people")
    best, *_ = guess_entity(answerer, stream)
    assert best.entity in ("contact", "lead", "user", "employee")
    for question, answer in zip(stream, name_entities(answerer, stream), strict=True):
        assert answer.question == question
        assert answer.confidence <= best.confidence


def test_a_stream_of_nothing_known_has_no_sure_entity(answerer: Answerer) -> None:
    best, *_ = guess_entity(answerer, ask("", "qx", "zz1", "blorp", stream="frobnications"))
    assert best.confidence < 0.6


def test_confidence_never_falls_as_probability_rises() -> None:
    steps = [settle_confidence(p / 1000, 0.92, needs_person=False) for p in range(1001)]
    assert steps == sorted(steps)
    assert settle_confidence(0.919, 0.92, needs_person=False) < AUTO
    assert settle_confidence(1.0, 0.92, needs_person=True) == BELOW_AUTO


def test_the_model_reads_back_and_refuses_changes(ontology: Ontology) -> None:
    model = load_model()
    assert read_model(write_model(model), "x").fingerprint == model.fingerprint
    changed = write_model(model).replace('"bias": -', '"bias": -1', 1)
    with pytest.raises(ConfigError, match="fingerprint"):
        read_model(changed, "x")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_model("{", "x")
    lexical = replace(model, lexical=model.embedded)
    with pytest.raises(ConfigError, match="needs embeddings"):
        read_model(write_model(lexical), "x")


BROKEN = [
    ("wrong size", lambda texts: np.zeros((len(texts), DIMENSION + 1))),
    ("not numbers", lambda texts: np.full((len(texts), DIMENSION), np.nan)),
    ("too few", lambda texts: np.zeros((0, DIMENSION))),
]


@pytest.mark.parametrize(("_", "encode"), BROKEN, ids=[name for name, _ in BROKEN])
def test_a_broken_model_is_noticed(_: str, encode: object) -> None:
    with pytest.raises(ModelUnusable):
        Embedder(encode).embed(["name"])  # type: ignore[arg-type]
