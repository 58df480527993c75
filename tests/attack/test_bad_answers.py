"""Whatever the language model does, a sync goes on: what is sure applies, the rest waits for a person."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from core.mapper.decision import AUTO
from resources.llm_budget import read_commitment
from resources.llm_ledger import Outcome, read_calls
from resources.mapper import MapperReport
from tests.attack.conftest import Engine
from tests.llm.conftest import Build
from tests.llm.server import Behaviour, Reply, ScriptedModel, answer_first, behave, fail, say
from tests.llm.test_llm import BAD_ANSWERS, GARBAGE

SURE, UNSURE = ("email", "job_title"), ("mystery_no_7", "zodiac_blob")
OUTAGES: dict[str, tuple[Behaviour, Outcome]] = {
    "429": (lambda _: fail(429, **{"Retry-After": "0"}), Outcome.RATE_LIMITED),
    "429 for a day": (lambda _: fail(429, **{"Retry-After": "86400"}), Outcome.RATE_LIMITED),
    "500": (lambda _: fail(500), Outcome.UNAVAILABLE),
    "401": (lambda _: fail(401), Outcome.UNAUTHORISED),
    "400": (lambda _: fail(400), Outcome.REJECTED),
    "slow": (lambda _: Reply(b"{}", wait_s=3.0), Outcome.TIMED_OUT),
}


def _check_all_waits(engine: Engine, report: MapperReport) -> None:
    """As without a model: the sure ones hold, the unsure ones are proposals that nobody touched."""
    assert report.applied == len(SURE)
    assert {field for _, _, field in engine.applied()} == set(SURE)
    pending = engine.proposals("pending")
    assert {one.field for one in pending} == set(UNSURE)
    assert all(one.confidence < AUTO and one.method != "llm" for one in pending)
    engine.check_closed_lists()


@pytest.mark.parametrize("name", [*BAD_ANSWERS, *OUTAGES])
def test_a_bad_answer_or_none_leaves_everything_to_review(
    engine: Engine, build: Build, model: ScriptedModel, name: str
) -> None:
    behaviour, outcome = (BAD_ANSWERS | OUTAGES)[name]
    model.script(behaviour)
    engine.land([*SURE, *UNSURE])
    proposer = build(llm_timeout_s=0.8 if name == "slow" else 5.0)
    _check_all_waits(engine, engine.run(proposer.propose))
    calls = read_calls(engine.database, engine.tenant)
    assert {call.outcome for call in calls} == {outcome}
    assert read_commitment(engine.database, engine.tenant) == sum(call.cost_usd for call in calls)


@pytest.mark.parametrize("body", GARBAGE)
def test_garbage_leaves_everything_to_review(
    engine: Engine, build: Build, model: ScriptedModel, body: bytes
) -> None:
    model.script(lambda _: Reply(body))
    engine.land([*SURE, *UNSURE])
    _check_all_waits(engine, engine.run(build(llm_timeout_s=5.0).propose))
    found = {call.outcome for call in read_calls(engine.database, engine.tenant)}
    assert found <= {Outcome.INVALID, Outcome.UNAVAILABLE}
    assert found


def test_a_server_that_is_down_leaves_everything_to_review(engine: Engine, build: Build) -> None:
    engine.land([*SURE, *UNSURE])
    down = build(llm_api_base="http://127.0.0.1:9/v1", llm_timeout_s=5.0)
    _check_all_waits(engine, engine.run(down.propose))
    engine.land(["other_odd_thing"], stream="accounts")
    engine.run(down.propose)
    assert {call.outcome for call in read_calls(engine.database, engine.tenant)} == {
        Outcome.UNAVAILABLE,
        Outcome.BREAKER_OPEN,
    }


def test_a_budget_that_is_used_up_leaves_everything_to_review(
    engine: Engine, build: Build, model: ScriptedModel
) -> None:
    engine.land([*SURE, *UNSURE])
    _check_all_waits(engine, engine.run(build(llm_monthly_budget_usd=0.000001).propose))
    assert model.requests == []
    assert read_calls(engine.database, engine.tenant) == []


@pytest.mark.parametrize("text", ["ANSWER", "```json\nANSWER\n```"])
def test_a_good_answer_is_seen_in_the_proposal_and_applies_nothing(
    engine: Engine, build: Build, model: ScriptedModel, text: str
) -> None:
    model.script(lambda request: say(text.replace("ANSWER", json.dumps(answer_first(request, confidence=1)))))
    engine.land([*SURE, *UNSURE])
    report = engine.run(build().propose)
    assert report.applied == len(SURE)
    pending = engine.proposals("pending")
    assert "llm" in {one.method for one in pending}
    assert all(one.confidence < AUTO for one in pending)
    assert [call.outcome for call in read_calls(engine.database, engine.tenant)] == [Outcome.ANSWERED]


def test_syncs_of_a_tenant_racing_at_the_edge_of_its_budget_stay_within(
    engine: Engine, build: Build, model: ScriptedModel
) -> None:
    model.script(behave)
    budget = 0.02
    proposer = build(llm_monthly_budget_usd=budget, llm_timeout_s=60.0)
    streams = ("contacts", "accounts", "opportunitys")
    for stream in streams:
        engine.land([*UNSURE, "blob_9"], stream=stream)
        engine.land([*UNSURE, "blob_9"], stream=stream, connector="rolodex-2")
    with ThreadPoolExecutor(4) as pool:
        for one in [pool.submit(engine.run, proposer.propose) for _ in range(4)]:
            one.result()
    spent = sum((call.cost_usd for call in read_calls(engine.database, engine.tenant)), Decimal(0))
    assert Decimal(0) < spent == read_commitment(engine.database, engine.tenant) <= Decimal(str(budget))
    assert len(engine.proposals("pending")) == 18
    engine.check_closed_lists()
