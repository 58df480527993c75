"""The proposer against a model that is good, broken, slow or gone, through litellm's real path."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import update

from core.errors import ConfigError
from resources.breaker import BreakerState
from resources.database import Database
from resources.flags import LLM, set_flag
from resources.llm import MAX_OUTAGES, open_proposer
from resources.llm_budget import read_commitment
from resources.llm_ledger import Outcome, read_calls
from resources.settings import Settings, load_settings
from resources.tables import llm_breakers
from tests.llm.conftest import KEY, Build, make_field, make_stream
from tests.llm.server import Behaviour, Json, Reply, ScriptedModel, answer_first, behave, fail, say


def _twisted(**overrides: object) -> Behaviour:
    return lambda request: say(json.dumps(answer_first(request, **overrides)))


def _with_text(change: str) -> Behaviour:
    """The good answer inside some other text."""
    return lambda request: say(change.replace("ANSWER", json.dumps(answer_first(request))))


def _twice(request: Json) -> Reply:
    answers = answer_first(request)["answers"]
    return say(json.dumps({"answers": answers * 2}))


def _extra_key(request: Json) -> Reply:
    return say(json.dumps(answer_first(request) | {"note": "x"}))


BAD_ANSWERS: dict[str, tuple[Behaviour, Outcome]] = {
    "prose": (lambda _: say("I believe it is the name."), Outcome.INVALID),
    "empty": (lambda _: say(""), Outcome.INVALID),
    "no text": (lambda _: say(None), Outcome.INVALID),
    "half": (lambda _: say('{"answers": [{"field": "f1", "tar'), Outcome.INVALID),
    "cut short": (lambda _: say('{"answers": [', finish_reason="length"), Outcome.TRUNCATED),
    "list": (lambda _: say("[]"), Outcome.INVALID),
    "answers no list": (lambda _: say('{"answers": {}}'), Outcome.INVALID),
    "extra key outside": (_extra_key, Outcome.INVALID),
    "extra key inside": (_twisted(note="x"), Outcome.INVALID),
    "unknown target": (_twisted(target="password"), Outcome.INVALID),
    "target of another field": (_twisted(target="annual_revenue"), Outcome.INVALID),
    "unknown field": (_twisted(field="f99"), Outcome.INVALID),
    "field by name": (_twisted(field="acct_nm"), Outcome.INVALID),
    "a transform, which nobody asked for": (_twisted(transform="constant"), Outcome.INVALID),
    "free reason": (_twisted(why="the steward should approve this"), Outcome.INVALID),
    "confidence 7": (_twisted(confidence=7), Outcome.INVALID),
    "confidence below 0": (_twisted(confidence=-0.1), Outcome.INVALID),
    "confidence NaN": (_twisted(confidence=float("nan")), Outcome.INVALID),
    "confidence infinite": (
        lambda r: say(json.dumps(answer_first(r)).replace("0.9", "1e999")),
        Outcome.INVALID,
    ),
    "confidence true": (_twisted(confidence=True), Outcome.INVALID),
    "confidence text": (_twisted(confidence="0.9"), Outcome.INVALID),
    "target a list": (_twisted(target=["name"]), Outcome.INVALID),
    "why an object": (_twisted(why={}), Outcome.INVALID),
    "field null": (_twisted(field=None), Outcome.INVALID),
    "answered twice": (_twice, Outcome.INVALID),
    "key twice": (lambda _: say('{"answers": [], "answers": []}'), Outcome.INVALID),
    "fence and prose": (_with_text("Sure!\n```json\nANSWER\n```"), Outcome.INVALID),
    "two fences": (_with_text("```json\nANSWER\n```\n```json\nANSWER\n```"), Outcome.INVALID),
    "nested 100,000 deep": (lambda _: say("[" * 60_000), Outcome.INVALID),
    "digits without end": (lambda _: say('{"answers": ' + "9" * 60_000 + "}"), Outcome.INVALID),
    "100 kB": (lambda _: say(json.dumps({"answers": [], "x": "y" * 100_000})), Outcome.INVALID),
    "1 MB": (lambda _: say("x" * 1_000_000), Outcome.INVALID),
    "refusal": (lambda _: say(None, refusal="I can't help with that."), Outcome.REFUSED),
    "filtered": (lambda _: say(None, finish_reason="content_filter"), Outcome.REFUSED),
    "no choices": (
        lambda _: Reply(b'{"id":"x","object":"chat.completion","choices":[]}'),
        Outcome.INVALID,
    ),
}


@pytest.mark.parametrize("name", BAD_ANSWERS)
def test_a_bad_answer_is_asked_once_more_then_left_to_review(
    database: Database, tenant: str, build: Build, model: ScriptedModel, name: str
) -> None:
    behaviour, outcome = BAD_ANSWERS[name]
    model.script(behaviour)
    reply = build(llm_timeout_s=5.0).ask(tenant, make_stream())
    assert (reply.answers, reply.outcome) == ((), outcome)
    assert len(model.requests) == 2
    assert {call.outcome for call in read_calls(database, tenant)} == {outcome}
    assert read_commitment(database, tenant) == sum(c.cost_usd for c in read_calls(database, tenant))


@pytest.mark.parametrize("name", ["prose", "refusal", "cut short", "1 MB", "confidence NaN"])
def test_the_second_try_may_be_good(tenant: str, build: Build, model: ScriptedModel, name: str) -> None:
    model.script(BAD_ANSWERS[name][0], behave)
    assert [one.target for one in build().propose(tenant, make_stream())] == ["name"]


@pytest.mark.parametrize("text", ["```json\nANSWER\n```", "```\nANSWER\n```", " \n ANSWER \n"])
def test_one_fence_around_the_whole_answer_is_taken_off(
    tenant: str, build: Build, model: ScriptedModel, text: str
) -> None:
    model.script(_with_text(text))
    assert [one.target for one in build().propose(tenant, make_stream())] == ["name"]
    assert len(model.requests) == 1


GARBAGE = [b"", b"<html>sorry</html>", b"null", b"[]", b'"x"', b"{}", b'{"choices": 5}', b"\xff\xfe\x00"]


@pytest.mark.parametrize("body", GARBAGE)
def test_a_server_that_talks_garbage_is_an_outage_or_a_bad_answer(
    database: Database, tenant: str, build: Build, model: ScriptedModel, body: bytes
) -> None:
    model.script(lambda _: Reply(body))
    reply = build(llm_timeout_s=5.0).ask(tenant, make_stream())
    assert reply.answers == ()
    assert reply.outcome in (Outcome.INVALID, Outcome.UNAVAILABLE)
    calls = read_calls(database, tenant)
    assert Outcome.STARTED not in {call.outcome for call in calls}
    assert all(call.cost_usd > Decimal("0.001") for call in calls), "what was answered may be charged"


def test_a_connection_that_breaks_in_an_answer_counts_at_the_bound(
    database: Database, tenant: str, build: Build, model: ScriptedModel
) -> None:
    model.script(lambda request: Reply(behave(request).body, cut=40), behave)
    assert build().ask(tenant, make_stream()).outcome is Outcome.ANSWERED
    answered, broken = read_calls(database, tenant)
    assert (broken.outcome, answered.cost_usd) == (Outcome.UNAVAILABLE, Decimal("0.0014"))
    assert broken.cost_usd > answered.cost_usd


@pytest.mark.parametrize("vendor", ["openai", "anthropic", "gemini", "groq"])
def test_no_vendors_answer_is_read_beyond_the_cap(
    database: Database, tenant: str, build: Build, model: ScriptedModel, vendor: str
) -> None:
    model.script(lambda _: Reply(b"x" * 1_000_000))
    proposer = build(llm_model=f"{vendor}/scripted-{tenant}", llm_timeout_s=10.0)
    assert proposer.ask(tenant, make_stream()).outcome is Outcome.INVALID
    assert {call.error_class for call in read_calls(database, tenant)} == {"OverlongResponse"}


@pytest.mark.parametrize(
    ("behaviours", "requests", "outcome"),
    [
        ([fail(429, **{"Retry-After": "0"})], MAX_OUTAGES, Outcome.RATE_LIMITED),
        ([fail(429, **{"Retry-After": "86400"})], 1, Outcome.RATE_LIMITED),
        ([fail(500)], MAX_OUTAGES, Outcome.UNAVAILABLE),
        ([fail(503)], MAX_OUTAGES, Outcome.UNAVAILABLE),
        ([fail(401)], 1, Outcome.UNAUTHORISED),
        ([fail(404)], 1, Outcome.UNAUTHORISED),
        ([fail(400)], 1, Outcome.REJECTED),
    ],
)
def test_errors_of_the_api_cost_nothing_and_are_retried_within_bounds(
    database: Database,
    tenant: str,
    build: Build,
    model: ScriptedModel,
    behaviours: list[Reply],
    requests: int,
    outcome: Outcome,
) -> None:
    model.script(lambda _: behaviours[0])
    started = time.monotonic()
    reply = build(llm_timeout_s=5.0).ask(tenant, make_stream())
    assert (reply.outcome, len(model.requests)) == (outcome, requests)
    assert time.monotonic() - started < 5
    assert read_commitment(database, tenant) == 0


def test_after_429_and_500_the_answer_still_comes(tenant: str, build: Build, model: ScriptedModel) -> None:
    model.script(lambda _: fail(429, **{"Retry-After": "0"}), lambda _: fail(500), behave)
    assert len(build().propose(tenant, make_stream())) == 1


@pytest.mark.parametrize("reply", [Reply(b"{}", wait_s=3.0), Reply(b" " * 500, drip_s=0.05)])
def test_slow_and_dripping_servers_end_at_the_deadline_and_count_at_the_bound(
    database: Database, tenant: str, build: Build, model: ScriptedModel, reply: Reply
) -> None:
    proposer = build()
    proposer.ask(tenant, make_stream())  # litellm is loaded and connected: what follows is the deadline
    model.script(lambda _: reply)
    started = time.monotonic()
    found = build(llm_timeout_s=0.8).ask(tenant, make_stream())
    assert found.outcome in (Outcome.TIMED_OUT, Outcome.INVALID)
    assert time.monotonic() - started < 2.5
    assert read_calls(database, tenant)[0].cost_usd > Decimal("0.001")


def test_a_server_that_is_down_is_left_alone_for_a_while(
    database: Database, tenant: str, build: Build, model: ScriptedModel
) -> None:
    down = build(llm_api_base="http://127.0.0.1:9/v1", llm_timeout_s=5.0)
    assert down.ask(tenant, make_stream()).outcome is Outcome.UNAVAILABLE
    assert down.ask(tenant, make_stream()).outcome is Outcome.BREAKER_OPEN
    assert build().ask(tenant, make_stream()).outcome is Outcome.BREAKER_OPEN, "every proposer shares it"
    assert model.requests == []
    assert read_commitment(database, tenant) == 0


@pytest.mark.parametrize("status", [400, 422])
def test_a_refused_request_does_not_use_up_the_try_of_all(
    database: Database, tenant: str, build: Build, model: ScriptedModel, status: int
) -> None:
    proposer = build()
    proposer = replace(proposer, breaker=replace(proposer.breaker, limit=1))
    proposer.breaker.note_outage()
    assert proposer.ask(tenant, make_stream()).outcome is Outcome.BREAKER_OPEN
    with database.operator() as conn:  # the minute is over
        past = llm_breakers.c.open_until - timedelta(minutes=1)
        conn.execute(update(llm_breakers).filter_by(model=proposer.breaker.model).values(open_until=past))
    model.script(lambda _: fail(status), behave)
    assert proposer.ask(tenant, make_stream()).outcome is Outcome.REJECTED
    assert proposer.ask(tenant, make_stream()).outcome is Outcome.ANSWERED, "the server is there"
    assert proposer.breaker.look() == BreakerState()


def test_bad_answers_do_not_open_the_breaker(tenant: str, build: Build, model: ScriptedModel) -> None:
    model.script(lambda _: say("no"))
    for _ in range(6):
        build().ask(tenant, make_stream())
    model.script(behave)
    assert build().ask(tenant, make_stream()).outcome is Outcome.ANSWERED


def test_the_flag_switches_off_at_once_for_one_and_for_all(
    database: Database, tenant: str, build: Build, model: ScriptedModel
) -> None:
    proposer = build()
    set_flag(database, LLM, False, actor="tester", tenant_id=tenant)
    assert proposer.ask(tenant, make_stream()).outcome is Outcome.SWITCHED_OFF
    set_flag(database, LLM, True, actor="tester", tenant_id=tenant)
    assert proposer.ask(tenant, make_stream()).outcome is Outcome.ANSWERED
    set_flag(database, LLM, False, actor="tester")
    try:
        assert proposer.ask(tenant, make_stream()).outcome is Outcome.SWITCHED_OFF
    finally:
        set_flag(database, LLM, True, actor="tester")
    assert len(model.requests) == 1


def test_a_good_answer_is_evidence_and_costs_what_it_cost(
    database: Database, tenant: str, build: Build, model: ScriptedModel
) -> None:
    stream = make_stream(make_field("acct_nm"), make_field("yr_rev", candidates=("annual_revenue",)))
    answers = build().propose(tenant, stream)
    assert [(a.field, a.target, a.why) for a in answers] == [
        ("acct_nm", "name", "name"),
        ("yr_rev", "annual_revenue", "name"),
    ]
    (call,) = read_calls(database, tenant)
    assert (call.outcome, call.prompt_tokens, call.completion_tokens) == (Outcome.ANSWERED, 1000, 100)
    assert call.cost_usd == Decimal("0.0014") == read_commitment(database, tenant)
    assert (call.connector, call.stream, call.purpose) == ("acme", "accounts", "mapping.propose")
    assert model.keys[-1] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    "usage",
    [None, {}, {"prompt_tokens": 10**15, "completion_tokens": 1, "total_tokens": 1}, {"prompt_tokens": -5}],
)
def test_usage_nobody_can_believe_counts_at_the_bound(
    database: Database, tenant: str, build: Build, model: ScriptedModel, usage: Json | None
) -> None:
    model.script(lambda request: say(json.dumps(answer_first(request)), usage=usage))
    assert build().ask(tenant, make_stream()).outcome is Outcome.ANSWERED
    assert Decimal("0.001") < read_commitment(database, tenant) < Decimal("0.02")


def test_without_a_model_or_a_key_there_is_no_proposer(database: Database, llm_settings: Settings) -> None:
    for name in ("llm_model", "llm_api_key"):
        assert open_proposer(database, llm_settings.model_copy(update={name: None})) is None


def test_a_model_without_a_price_is_refused() -> None:
    with pytest.raises(ConfigError, match="price"):
        load_settings(llm_model="openai/x", llm_api_key="k")


def test_nothing_asked_costs_nothing(tenant: str, build: Build, model: ScriptedModel) -> None:
    stream = make_stream()
    empty = type(stream)(stream.connector, stream.stream, stream.entity, (), stream.canonical)
    assert build().ask(tenant, empty).outcome is Outcome.NOTHING_ASKED
    assert model.requests == []
