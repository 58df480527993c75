"""What people decided is told to the language model with the next question: the tenant's own only."""

from __future__ import annotations

from collections.abc import Callable

from core.llm.question import LlmAnswer, StreamQuestion
from resources.approvals import Choice, approve_fields
from tests.attack.conftest import CONNECTOR, Engine


def listen_to(engine: Engine) -> dict[str, list[tuple[str, str]]]:
    """Run the engine with a model that says nothing; the similar decisions each field came with."""
    heard: dict[str, list[tuple[str, str]]] = {}

    def ask(tenant: str, asked: StreamQuestion) -> list[LlmAnswer]:
        assert tenant == engine.tenant
        for one in asked.fields:
            heard[one.field] = [(near.field, near.target) for near in one.neighbours]
            assert {target for _, target in heard[one.field]} <= set(one.candidates)
        return []

    engine.run(ask)
    return heard


def test_a_decision_comes_along_with_the_next_question(start: Callable[[], Engine]) -> None:
    engine, stranger = start(), start()
    engine.land(["zodiac_greeting"])
    assert listen_to(engine) == {"zodiac_greeting": []}
    (one,) = engine.proposals("pending")
    told = (one.connector, one.stream)
    choice = [Choice("zodiac_greeting", "salutation")]
    approve_fields(engine.database, engine.ontology, engine.tenant, told, choice, "eve", "asked the vendor")
    for each in (engine, stranger):
        each.land(["zodiac_greetings"], connector=f"{CONNECTOR}-2")
    assert listen_to(engine)["zodiac_greetings"] == [("zodiac greeting", "salutation")]
    assert listen_to(stranger)["zodiac_greetings"] == []
