"""What a language model costs: prompts are the engine's own, tokens are counted, the price is stated."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.llm_cost import (
    LIMIT_USD,
    Asked,
    ask_sample,
    confirm_entities,
    count_tokens,
    measure_asked,
    price_settings,
    write_answer,
)
from bench.onboard_data import read_vendors
from core.llm.answer import read_answer
from core.llm.prompt import build_prompt
from core.llm.question import Candidate, FieldQuestion, StreamQuestion
from core.ontology import load_ontology
from resources.settings import load_settings

QUESTION = StreamQuestion(
    "acme",
    "people",
    "contact",
    tuple(FieldQuestion(name, ("email", "phone"), "string") for name in ("mail_1", "mail_2")),
    (Candidate("email", "string", "Where to write"), Candidate("phone", "string")),
)


def test_the_answer_that_is_counted_is_one_the_engine_accepts() -> None:
    prompt = build_prompt(QUESTION)
    said = read_answer(write_answer(prompt), prompt)
    assert [one.target for one in said] == ["email", "email"]


def test_more_fields_cost_more_tokens() -> None:
    one = StreamQuestion("acme", "people", "contact", QUESTION.fields[:1], QUESTION.canonical)
    sent, written = count_tokens([one])
    more_sent, more_written = count_tokens([QUESTION])
    assert 200 < sent < more_sent
    assert 20 < written < more_written
    assert count_tokens([one, QUESTION]) == (sent + more_sent, written + more_written)


def test_the_projection_is_calls_times_tokens_at_the_stated_price() -> None:
    asked = Asked(10, 50, 500, 200, calls=20, unsure=100, prompt_tokens=20_000, answer_tokens=4_000)
    found = {one.name: one for one in measure_asked("plain", asked, price_settings(load_settings()))}
    assert found["llm_plain_unsure"].value == 0.2
    assert found["llm_plain_calls"].value == 2.0
    assert found["llm_plain_cost_1000"].value == pytest.approx((2e6 * 0.15 + 4e5 * 0.6) / 1e6)
    assert "$0.15 in, $0.6 out" in found["llm_plain_cost_1000"].note


def test_a_stream_declares_what_it_was_taken_for(shared_data: Path) -> None:
    vendor = read_vendors(shared_data / "openapi_fields.csv.gz", load_ontology(), 1)[0]
    names = list(vendor.spec.streams)
    confirmed = confirm_entities(vendor, {(vendor.spec.connector, name): "contact" for name in names})
    for name in names:
        assert confirmed.spec.streams[name].entity == vendor.spec.streams[name].entity or "contact"
    assert confirmed.schemas == vendor.schemas


def test_a_few_connectors_are_really_asked_about(shared_data: Path) -> None:
    found = ask_sample(3)
    if found is None:
        pytest.skip("the embedding model is not installed")
    assert found["plain"].fields == found["confirmed"].fields
    asked = found["confirmed"]
    assert found["plain"].calls <= asked.calls <= asked.streams
    assert 0 < asked.unsure <= asked.fields - asked.applied
    settings = price_settings(load_settings())
    cost = next(one for one in measure_asked("x", asked, settings) if one.name == "llm_x_cost_1000")
    assert 0 < cost.value < LIMIT_USD
