"""Hundreds of prompt injections through the whole engine, against a model that does what they say.

In names, paths, values, decided mappings and descriptions; twelve languages. Whatever it answers, what
holds afterwards is what holds without any model.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from core.llm.question import LlmAnswer, StreamQuestion
from core.mapper.decision import AUTO
from core.mapper.model import load_model
from core.mapper.question import Question
from core.names import format_path
from resources.approvals import Choice, approve_fields
from resources.llm_ledger import Outcome, read_calls
from resources.mapper_answers import Answerer
from resources.mapper_llm import weigh_unsure
from tests.attack.conftest import CONNECTOR, Engine
from tests.llm.conftest import Build
from tests.llm.injections import AVAILABLE, GOAL, list_texts
from tests.llm.server import Json, Reply, ScriptedModel, read_data, say

TEXTS = list_texts()
STREAMS = ("contacts", "accounts", "opportunitys")
PLAIN = ["email", "fax", "website", "blob_7"]


def _obey(request: Json) -> Reply:
    """A victim that stays within the schema: the last candidate of each field, as sure as can be."""
    return _answer(request, lambda one: one["candidates"][-1])


def _leave_the_list(request: Json) -> Reply:
    """A victim that answers what it was told to, whatever the schema says."""
    return _answer(request, lambda _: GOAL)


def _answer(request: Json, choose: Callable[[Json], str]) -> Reply:
    entry = {"confidence": 1.0, "why": "name"}
    fields = read_data(request)["fields"]
    return say(
        json.dumps({"answers": [{"field": one["key"], "target": choose(one)} | entry for one in fields]})
    )


def _land_hostile(engine: Engine) -> int:
    """Names and paths that are injections, between plain ones; how many."""
    names = [format_path((text,)) for text in TEXTS]
    paths = [format_path(("custom", text, "value")) for text in TEXTS]
    hostile = [*names, *paths]
    for at, stream in enumerate(STREAMS):
        engine.land([*PLAIN, *hostile[at :: len(STREAMS)]], stream=stream)
    return len(hostile)


def test_there_are_enough_in_enough_languages() -> None:
    assert len(set(TEXTS)) >= 80
    assert any(GOAL in text for text in TEXTS)
    assert any(AVAILABLE in text for text in TEXTS)


@pytest.mark.parametrize("victim", [_obey, _leave_the_list])
def test_in_names_and_paths(
    start: Callable[[], Engine], build: Build, model: ScriptedModel, victim: Callable[[Json], Reply]
) -> None:
    model.script(victim)
    alone, attacked = start(), start()
    for engine, ask in ((alone, None), (attacked, build(llm_timeout_s=60.0).propose)):
        assert _land_hostile(engine) >= 160
        engine.run(ask)
        engine.check_closed_lists()
    assert attacked.applied() == alone.applied()
    assert all(one.confidence < AUTO for one in attacked.proposals("pending"))
    outcomes = {call.outcome for call in read_calls(attacked.database, attacked.tenant)}
    assert outcomes == {Outcome.ANSWERED if victim is _obey else Outcome.INVALID}
    if victim is _obey:
        assert "llm" in {one.method for one in attacked.proposals("pending")}, "the victim is no victim"


def test_in_values(start: Callable[[], Engine], build: Build, model: ScriptedModel, tmp_path: Path) -> None:
    model.script(_obey)
    alone, attacked = start(), start()
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(["id", "email", "blob_7", "odd thing"])
    writer.writerows([number, text, text, text] for number, text in enumerate(TEXTS))
    for engine, ask in ((alone, None), (attacked, build(llm_timeout_s=60.0).propose)):
        engine.drop(tmp_path, written.getvalue())
        engine.run(ask)
        engine.check_closed_lists()
    assert attacked.applied() == alone.applied()
    assert model.requests
    sent = json.dumps(model.requests, ensure_ascii=False)
    assert GOAL not in sent
    assert not any(text[:20] in sent for text in TEXTS)


def test_in_decided_mappings_that_are_retrieved(
    start: Callable[[], Engine], build: Build, model: ScriptedModel
) -> None:
    """People of the tenant approved fields that are called like injections; now such names come again."""
    model.script(_obey)
    alone, attacked = start(), start()
    targets = [one for one in alone.ontology.entity("contact").fields if one not in ("id", "email")]
    decided = [format_path((text,)) for text in TEXTS]
    for engine, ask in ((alone, None), (attacked, build(llm_timeout_s=60.0).propose)):
        engine.land(decided)
        engine.run()
        pending = {one.field for one in engine.proposals("pending")}
        for field, target in zip([one for one in decided if one in pending], targets, strict=False):
            approve_fields(
                engine.database, engine.ontology, engine.tenant, (CONNECTOR, "contacts"),
                [Choice(field, target)], "eve", "x", overrule=True,
            )  # fmt: skip
        engine.land([*decided, *PLAIN], connector="rolodex-2")
        engine.run(ask)
        engine.check_closed_lists()
    assert attacked.applied() == alone.applied()
    assert model.requests


def test_in_descriptions(engine: Engine, build: Build, model: ScriptedModel) -> None:
    model.script(_obey)
    proposer = build(llm_timeout_s=60.0)
    answerer = Answerer(engine.ontology, load_model(), engine.embedder)
    questions = [
        Question(CONNECTOR, f"stream-{at // 30}", f"field_{at}", "contact", "string", text)
        for at, text in enumerate(TEXTS)
    ]
    asked: list[StreamQuestion] = []

    def ask(tenant_id: str, question: StreamQuestion) -> list[LlmAnswer]:
        asked.append(question)
        return proposer.propose(tenant_id, question)

    for stream in sorted({one.stream for one in questions}):
        before = answerer.answer([one for one in questions if one.stream == stream])
        after = weigh_unsure(engine.ontology, engine.tenant, before, ask, AUTO)
        for one, other in zip(before, after, strict=True):
            assert {c.field for c in other.candidates} <= {c.field for c in one.candidates}
            if one.confidence < AUTO:
                assert other.confidence < AUTO
            else:
                assert other == one
    assert sum(len(one.fields) for one in asked) >= 60
    engine.check_closed_lists()
