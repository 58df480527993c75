"""One stream that is broken, odd or changing while it is answered: it waits, the others go on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import text

from cli.review_stream import StreamReview
from core.config_reader import read_config
from core.names import format_path
from core.ontology import Ontology
from resources import mapper, mapper_batch, mapper_settle
from resources.database import Database
from resources.embeddings import Embedder
from resources.mapper import WORDS_ALONE, MapperReport, map_tenant
from resources.settings import Settings
from resources.stream_entities import decide_entity, list_entities
from tests.attack.conftest import CONNECTOR, Engine

KEY = (CONNECTOR, "contacts")
OWN = ("vendor", "contacts")
"""A stream whose config changes."""


def _map(engine: Engine, entity: str, **options: Any) -> MapperReport:
    """Map a connector whose config says ``entity: …`` of its one stream, or nothing."""
    told = f"    entity: {entity}\n" if entity else ""
    config = (
        f"connector: vendor\ntitle: Vendor\nkind: rest\nbase_url: https://vendor.example\nstreams:\n"
        f"  contacts:\n    endpoint: {{path: /contacts}}\n    primary_key: [id]\n{told}"
    )
    return map_tenant(
        engine.database,
        engine.settings,
        engine.ontology,
        [read_config(config, "vendor.yaml")],
        engine.tenant,
        **{"load": lambda: engine.embedder, **options},
    )


def test_a_load_that_cannot_be_read_holds_back_its_own_stream_only(engine: Engine, tmp_path: Path) -> None:
    engine.drop(tmp_path, "id,email,zodiac_blob\n1,a@b.example,x\n2,c@d.example,y\n")
    engine.land(["email"])
    (file,) = Path(engine.settings.lake, engine.tenant, "drop", "people").glob("*.parquet")
    whole = file.read_bytes()
    file.write_bytes(whole[:-40])
    report = engine.run()
    assert any("drop/people" in one and "cannot be read" in one for one in report.warnings)
    assert set(engine.applied()) == {(*KEY, "email")}
    assert {one.connector for one in engine.proposals()} == {CONNECTOR}
    file.write_bytes(whole)
    assert engine.run().warnings == []
    assert ("drop", "people", "email") in engine.applied()


def test_a_stream_of_an_entity_that_there_is_not_waits_and_is_said(engine: Engine) -> None:
    engine.land(["email"], connector="vendor")
    report = _map(engine, "gizmo")
    assert "no canonical entity 'gizmo'" in report.warnings[0]
    assert (report.asked, engine.proposals()) == (0, [])


def test_a_key_without_name_is_asked_like_any(engine: Engine) -> None:
    engine.land(["email", format_path(("n", ""))])
    assert engine.run().warnings == []
    assert set(engine.applied()) == {(*KEY, "email")}
    assert {one.field for one in engine.proposals("pending")} == {'n.""'}


def test_words_alone_are_asked_once_and_said_each_time(engine: Engine) -> None:
    asked: list[int] = []

    def ask(_: str, question: Any) -> list[Any]:
        asked.append(len(question.fields))
        return []

    engine.land(["email", "zodiac_blob"])
    for _ in range(3):
        report = engine.run(ask, load=lambda: None)
        assert WORDS_ALONE in report.warnings
    assert len(asked) == 1, "nobody pays twice for the same question"
    assert engine.run().applied == 1


def test_an_entity_that_is_chosen_while_its_fields_are_answered(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle = mapper_settle.settle_streams

    def choose_first(database: Database, *given: Any) -> Any:
        decide_entity(database, engine.ontology, engine.tenant, OWN, "lead", "eve", "asked the vendor")
        return settle(database, *given)

    engine.land(["email", "zodiac_blob"], connector="vendor")
    with monkeypatch.context() as patched:
        patched.setattr(mapper, "settle_streams", choose_first)
        _map(engine, "")
    assert engine.proposals() == []
    _map(engine, "")
    assert {one.entity for one in engine.proposals()} == {"lead"}
    assert (*OWN, "email") in engine.applied()


def test_a_set_of_another_entity_that_is_published_meanwhile(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fields of both entities are called alike: they must not get into its set."""
    settle = mapper_settle.settle_streams

    def publish_first(database: Database, settings: Settings, ontology: Ontology, *given: Any) -> Any:
        from core.mapping import FieldMapping
        from resources.registry import publish_set

        made = [FieldMapping("id", ("id",), "direct")]
        publish_set(database, engine.tenant, *KEY, ontology.entity("lead"), made, "eve", "x")
        return settle(database, settings, ontology, *given)

    engine.land(["email", "zodiac_blob"])
    with monkeypatch.context() as patched:
        patched.setattr(mapper, "settle_streams", publish_first)
        assert engine.run().applied == 0
    assert engine.proposals() == []
    engine.run()
    assert {one.entity for one in engine.proposals()} == {"lead"}


def test_a_guess_goes_away_with_its_question(engine: Engine) -> None:
    engine.land(["email", "zodiac_blob"], connector="vendor")
    _map(engine, "")
    assert [one.key for one in list_entities(engine.database, engine.tenant)] == [OWN]
    _map(engine, "contact")
    assert list_entities(engine.database, engine.tenant) == []


def test_what_was_stored_before_a_model_broke_is_counted(
    start: Callable[[], Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = start()
    monkeypatch.setattr(mapper_batch, "FIELDS", 2)

    def encode(texts: list[str]) -> Any:
        if any("zodiac" in one for one in texts):
            raise RuntimeError("gone")
        return engine.embedder.embed(texts)

    engine.land(["email"], stream="accounts", connector="rolodex")
    engine.land(["legacy_zodiac", "job_title"], stream="contacts", connector="rolodex-2")
    report = engine.run(load=lambda: Embedder(encode))
    assert WORDS_ALONE in report.warnings
    applied = engine.proposals("applied")
    assert report.applied == len(applied) == 1
    assert len(report.sets) == 1
    assert report.asked == 3


def test_a_kept_vector_that_is_none_is_computed_anew(engine: Engine) -> None:
    engine.land(["zodiac_blob", "mystery_plan"])
    kept = {"zodiac blob": np.zeros(10, "<f4").tobytes(), "mystery plan": b"abc"}
    query = "INSERT INTO embedding_cache (tenant_id, model, words, embedding) VALUES (:t, :m, :w, :v)"
    with engine.database.tenant(engine.tenant) as conn:
        for words, vector in kept.items():
            facts = {"t": engine.tenant, "m": "all-MiniLM-L6-v2", "w": words, "v": vector}
            conn.execute(text(query), facts)
    report = engine.run(load=lambda: engine.embedder.forget())
    assert (report.asked, report.warnings) == (2, [])


def test_names_that_could_be_joined_wait_until_a_person_says(engine: Engine) -> None:
    engine.land(["first_name", "last_name"])
    for _ in range(2):
        engine.run()
        assert [one.field for one in engine.proposals("pending")] == ["name=first_name+last_name"]


def test_no_bound_takes_what_a_person_has_to_look_at(engine: Engine) -> None:
    engine.land(["city", "address_city"], stream="accounts")
    engine.run()
    (city,) = engine.proposals("pending")
    assert city.doubt == "address_city has the better claim to address_city"
    review = StreamReview(city.key, [city], {city.field: city}, None)
    taken, left = review.accept_above(city.confidence)
    assert (taken, list(left)) == ([], ["city"])
