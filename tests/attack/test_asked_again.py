"""A field that the model was not heard on is asked again once it may be, never one that it was heard on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text, update

from resources.database import Database
from resources.flags import LLM, set_flag
from resources.llm import LlmProposer
from resources.llm_ledger import MAX_IN_VAIN, Outcome, read_calls
from resources.mapper import MapperReport
from resources.tables import llm_breakers, llm_calls
from tests.attack.conftest import Engine
from tests.llm.conftest import Build
from tests.llm.server import Json, Reply, ScriptedModel, behave, fail, read_data, say

UNSURE = ["mystery_no_7", "zodiac_blob"]
Out = Callable[[Engine, Build, ScriptedModel], Any]


def _run(engine: Engine, proposer: LlmProposer | None, **options: Any) -> MapperReport:
    if proposer is None:
        return engine.run(None, **options)
    return engine.run(proposer.propose, read_turn=proposer.read_turn, **options)


def _refuse_to_load() -> None:
    raise AssertionError("fields were answered again for nothing")


def _asked(model: ScriptedModel) -> list[tuple[str, list[str]]]:
    """Streams with the fields that the model was asked about."""
    told = [read_data(request) for request in model.requests]
    return [(one["stream"], sorted(field["name"] for field in one["fields"])) for one in told]


def _heard(engine: Engine) -> list[str]:
    """Fields whose proposal tells what the model said."""
    found = engine.proposals("pending")
    return sorted(one.field for one in found if "language model" in " ".join(one.remarks))


@contextmanager
def _switched_off(engine: Engine, build: Build, model: ScriptedModel) -> Iterator[LlmProposer]:
    set_flag(engine.database, LLM, False, actor="tester", tenant_id=engine.tenant)
    yield build()
    set_flag(engine.database, LLM, True, actor="tester", tenant_id=engine.tenant)


@contextmanager
def _breaker_open(engine: Engine, build: Build, model: ScriptedModel) -> Iterator[LlmProposer]:
    proposer = build()
    for _ in range(proposer.breaker.limit):
        proposer.breaker.note_outage()
    yield proposer
    proposer.breaker.reset("tester")


def _no_budget(engine: Engine, build: Build, model: ScriptedModel) -> Any:
    return nullcontext(build(llm_monthly_budget_usd=0.000001))


def _no_model(engine: Engine, build: Build, model: ScriptedModel) -> Any:
    return nullcontext(None)


def _replying(reply: Reply, timeout_s: float = 5.0) -> Out:
    def out(engine: Engine, build: Build, model: ScriptedModel) -> Any:
        model.script(lambda _: reply)
        return nullcontext(build(llm_timeout_s=timeout_s))

    return out


CLOSED: dict[str, Out] = {
    "switched off": _switched_off,
    "breaker open": _breaker_open,
    "no budget": _no_budget,
    "no model": _no_model,
}
BROKEN: dict[str, Out] = {
    "429": _replying(fail(429, **{"Retry-After": "0"})),
    "500": _replying(fail(500)),
    "401": _replying(fail(401)),
    "400": _replying(fail(400)),
    "slow": _replying(Reply(b"{}", wait_s=2.0), 0.5),
    "cut": _replying(Reply(b"{}" * 100, cut=40), 0.3),
}


@pytest.mark.parametrize("name", [*CLOSED, *BROKEN])
def test_it_is_asked_once_more_when_the_model_is_there(
    engine: Engine, build: Build, model: ScriptedModel, name: str
) -> None:
    engine.land([*UNSURE, "email"])
    with (CLOSED | BROKEN)[name](engine, build, model) as proposer:
        assert _run(engine, proposer).applied == 1
        if name in CLOSED:
            for _ in range(2):
                assert _run(engine, proposer, load=_refuse_to_load).asked == 0
    assert not _heard(engine)
    model.script(behave)
    proposer = build()
    assert _run(engine, proposer).asked == len(UNSURE)
    assert _asked(model) == [("contacts", UNSURE)]
    assert _heard(engine) == UNSURE
    for _ in range(2):
        assert _run(engine, proposer, load=_refuse_to_load).asked == 0
    assert len(model.requests) == 1


@pytest.mark.parametrize("content", ["no", json.dumps({"answers": []})])
def test_who_was_answered_badly_or_not_at_all_is_not_asked_again(
    engine: Engine, build: Build, model: ScriptedModel, content: str
) -> None:
    model.script(lambda _: say(content), lambda _: say(content), lambda _: fail(401))
    engine.land(UNSURE)
    _run(engine, build())
    paid = len(model.requests)
    model.script(behave)
    assert _run(engine, build(), load=_refuse_to_load).asked == 0
    assert paid in (1, 2)
    assert model.requests == []


def test_a_bad_answer_before_an_outage_was_paid_for(
    engine: Engine, build: Build, model: ScriptedModel
) -> None:
    model.script(lambda _: say("no"), lambda _: fail(401))
    engine.land(UNSURE)
    _run(engine, build())
    assert _run(engine, build(), load=_refuse_to_load).asked == 0


def test_only_the_stream_that_was_not_heard_is_asked_again(
    engine: Engine, build: Build, model: ScriptedModel
) -> None:
    def choose(request: Json) -> Reply:
        return behave(request) if read_data(request)["stream"] == "contacts" else fail(401)

    model.script(choose)
    engine.land(UNSURE)
    engine.land(UNSURE, stream="accounts")
    _run(engine, build())
    assert sorted(stream for stream, _ in _asked(model)) == ["accounts", "contacts"]
    model.script(behave)
    engine.land([*UNSURE, "blob_9"])
    _run(engine, build())
    assert sorted(_asked(model)) == [("accounts", UNSURE), ("contacts", ["blob_9"])]


def test_what_may_be_charged_is_asked_no_more_than_twice_a_day(
    engine: Engine, build: Build, model: ScriptedModel
) -> None:
    engine.land(UNSURE)
    model.script(lambda _: Reply(b"{}", wait_s=1.0))
    proposer = build(llm_timeout_s=0.4)
    for _ in range(MAX_IN_VAIN):
        _run(engine, proposer)
    for _ in range(3):
        assert _run(engine, proposer, load=_refuse_to_load).asked == 0
    calls = read_calls(engine.database, engine.tenant)
    assert [call.outcome for call in calls] == [Outcome.TIMED_OUT] * MAX_IN_VAIN
    with engine.database.tenant(engine.tenant) as conn:
        conn.execute(update(llm_calls).values(at=llm_calls.c.at - timedelta(days=1)))
    model.script(behave)
    assert _run(engine, build()).asked == len(UNSURE)


def test_after_an_outage_one_stream_finds_out(engine: Engine, build: Build, model: ScriptedModel) -> None:
    streams = ("contacts", "accounts", "opportunitys")
    for stream in streams:
        engine.land(UNSURE, stream=stream)
    _run(engine, None)
    proposer = build()
    proposer = replace(proposer, breaker=replace(proposer.breaker, limit=1))
    proposer.breaker.note_outage()
    _end_minute(engine.database, proposer)
    model.script(lambda _: fail(401))
    assert _run(engine, proposer).asked == len(UNSURE)
    assert len(model.requests) == 1
    assert _run(engine, proposer, load=_refuse_to_load).asked == 0
    _end_minute(engine.database, proposer)
    model.script(behave)
    assert _run(engine, proposer).asked == len(UNSURE)
    assert _run(engine, proposer).asked == 2 * len(UNSURE)
    assert sorted(stream for stream, _ in _asked(model)) == sorted(streams)


def _end_minute(database: Database, proposer: LlmProposer) -> None:
    with database.operator() as conn:
        past = update(llm_breakers).filter_by(model=proposer.breaker.model)
        conn.execute(past.values(open_until=text("now() - interval '1 second'")))


def test_what_the_budget_has_no_room_for_waits_for_room(
    engine: Engine, build: Build, model: ScriptedModel
) -> None:
    """Some money is left, less than the question's bound."""
    engine.land(UNSURE)
    poor, enough = build(llm_monthly_budget_usd=0.001), build(llm_monthly_budget_usd=0.02)
    _run(engine, poor)
    assert _run(engine, poor, load=_refuse_to_load).asked == 0
    assert model.requests == []
    assert _run(engine, enough).asked == len(UNSURE)
    assert len(model.requests) == 1


def test_words_alone_do_not_replace_what_waits(engine: Engine, build: Build, model: ScriptedModel) -> None:
    engine.land(UNSURE)
    _run(engine, None)
    before = [replace(one, proposed_at=None) for one in engine.proposals()]
    assert _run(engine, build(), load=lambda: None).asked == 0
    assert [replace(one, proposed_at=None) for one in engine.proposals()] == before
    assert model.requests == []


def test_proposed_by_words_and_unheard_it_is_asked_by_words_once(
    engine: Engine, build: Build, model: ScriptedModel
) -> None:
    engine.land(UNSURE)
    _run(engine, None, load=lambda: None)
    assert _run(engine, build(), load=lambda: None).asked == len(UNSURE)
    assert _run(engine, build(), load=lambda: None).asked == 0
    assert len(model.requests) == 1
