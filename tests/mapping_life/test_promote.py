"""From one tenant to all: by a second person, without values, conflicts escalated, everything audited."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from core.errors import FixInput, MappingRefused, UnknownName
from core.mapper.lexicon import build_lexicon
from core.mapper.question import Question, read_question
from core.mapping import FieldMapping
from core.names import GLOBAL_TENANT
from core.ontology import load_ontology
from resources.audit import read_audit
from resources.promotions import strip_values
from resources.proposals import (
    STEWARD,
    remember_decision,
    remember_words,
    save_proposals,
)
from resources.registry import active_set, publish_set
from resources.retrieval import read_votes
from tests.mapping_life.conftest import KEY, Steward
from tests.mapping_life.test_review import propose

ROWS: list[dict[str, Any]] = [
    {"id": str(n), "name": f"N{n}", "web": f"https://n{n}.x", "stage": "Customer"} for n in range(3)
]
VALUES = {"values": {"Customer": "customer"}}


@pytest.fixture
def place(steward: Steward) -> Iterator[tuple[str, str, str]]:
    """Ada has approved two fields of the tenant; afterwards nothing global is left."""
    steward.stage.land(ROWS)
    steward.stage.advance()
    made = [
        propose("web", "website", 0.95),
        replace(propose("stage", "lifecycle_stage", 0.84), transform="enum_map", args=VALUES),
        propose("size", "employee_count", 0.7),
    ]
    with steward.mesh.db.tenant(steward.tenant) as conn:
        save_proposals(conn, steward.tenant, made)
    steward.json("approve", steward.tenant, *KEY, "web", "stage")
    yield steward.tenant, *KEY
    with steward.mesh.db.owner() as conn:
        conn.execute(text("SET LOCAL ROLE aos_operator"))
        for table in ("mapping_embeddings", "mapping_decisions", "active_mapping_sets"):
            conn.execute(text(f"DELETE FROM {table} WHERE tenant_id = '*'"))


def test_a_second_person_promotes_names_and_structure(steward: Steward, place: tuple[str, str, str]) -> None:
    shown = steward.run("promote", *place, "--user", "bob", "--reason", "x", keys="n\n")
    assert "Nothing was promoted" in shown.output
    assert active_set(steward.mesh.db, GLOBAL_TENANT, *KEY) is None
    done = steward.json("promote", *place, "--user", "bob", "--reason", "common", "--yes")
    assert done["promoted"] is True
    assert {one["field"]: one["stays"] is None for one in done["fields"]} == {"web": True, "stage": False}
    held = active_set(steward.mesh.db, GLOBAL_TENANT, *KEY)
    assert held is not None
    # the key comes along, as no set stands without; what else the tenant has does not
    assert {one.target: (one.transform, one.origin) for one in held.mappings} == {
        "id": ("direct", "promoted"),
        "website": ("direct", "promoted"),
    }
    actions = {one.action: one for one in read_audit(steward.mesh.db, GLOBAL_TENANT, limit=20)}
    assert {"decision.promoted", "mapping_set.promoted", "mapping_set.published"} <= set(actions)
    made = actions["mapping_set.promoted"]
    assert (made.actor, made.after["reason"]) == ("bob", "common")
    assert "Customer" not in str([one.after for one in read_audit(steward.mesh.db, GLOBAL_TENANT, limit=20)])
    with steward.mesh.db.owner() as conn:
        rows = conn.execute(text("SELECT args, transform FROM mapping_decisions WHERE tenant_id = '*'")).all()
    assert [dict(row.args) for row in rows] == [{}, {}]


def test_who_decided_cannot_promote(steward: Steward, place: tuple[str, str, str]) -> None:
    refused = steward.refused("promote", *place, "web", "--user", "ada", "--reason", "me", "--yes")
    assert isinstance(refused, MappingRefused)
    assert "second person" in str(refused)
    assert active_set(steward.mesh.db, GLOBAL_TENANT, *KEY) is None


def test_bad_requests(steward: Steward, place: tuple[str, str, str]) -> None:
    undecided = steward.refused("promote", *place, "size", "--user", "bob", "--reason", "x", "--yes")
    assert isinstance(undecided, UnknownName)
    assert isinstance(steward.refused("promote", *place, "--user", "bob", "--yes"), FixInput)
    assert isinstance(steward.refused("promote", "*", *KEY, "--reason", "x", "--yes"), FixInput)
    plan = steward.json("promote", *place, "web", "--user", "bob")
    assert (plan["promoted"], [one["target"] for one in plan["changes"]]) == (False, ["id", "website"])


CONFLICTS = [
    ((FieldMapping("id", ("id",)), FieldMapping("website", ("site",))), "website: filled from site"),
    ((FieldMapping("id", ("id",)), FieldMapping("domain", ("web",))), "web: the global set has it in domain"),
]


@pytest.mark.parametrize(("mappings", "told"), CONFLICTS, ids=["one target", "one source"])
def test_conflicts_are_escalated_not_overwritten(
    steward: Steward, place: tuple[str, str, str], mappings: tuple[FieldMapping, ...], told: str
) -> None:
    account = load_ontology().entity("account")
    publish_set(steward.mesh.db, GLOBAL_TENANT, *KEY, account, mappings, "carol")
    words = ("promote", *place, "web", "--user", "bob", "--reason", "x", "--yes")
    refused = steward.refused(*words)
    assert told in str(refused)
    assert "conflict" in steward.run(*words).output
    steward.json(*words, "--overrule")
    held = active_set(steward.mesh.db, GLOBAL_TENANT, *KEY)
    assert held is not None
    assert {one.target: one.sources for one in held.mappings} == {"id": ("id",), "website": ("web",)}


MEANWHILE: list[tuple[str, ...]] = [
    ("approve", "web", "--target", "phone", "--overrule"),  # decided otherwise
    ("approve", "web", "--overrule", "--user", "bob"),  # decided by who is about to promote
    ("edit", "website", "--remove"),  # not in use any more
]


@pytest.mark.parametrize("words", MEANWHILE, ids=" ".join)
def test_a_decision_changed_at_the_prompt_is_not_promoted(
    steward: Steward, place: tuple[str, str, str], words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def confirm(_: str) -> bool:  # ada thinks again while bob looks at the difference
        steward.json(words[0], *place, *words[1:])
        return True

    monkeypatch.setattr("typer.confirm", confirm)
    refused = steward.refused("promote", *place, "web", "--user", "bob", "--reason", "x")
    assert isinstance(refused, MappingRefused)
    assert active_set(steward.mesh.db, GLOBAL_TENANT, *KEY) is None
    with steward.mesh.db.owner() as conn:
        assert conn.execute(text("SELECT 1 FROM mapping_decisions WHERE tenant_id = '*'")).all() == []


def test_another_target_promoted_before_is_a_conflict(steward: Steward, place: tuple[str, str, str]) -> None:
    steward.json("promote", *place, "web", "--user", "bob", "--reason", "x", "--yes")
    steward.json("approve", *place, "web", "--target", "phone", "--overrule")
    refused = steward.refused("promote", *place, "web", "--user", "bob", "--reason", "x", "--yes")
    assert "website was promoted by bob" in str(refused)


def test_what_was_edited_since_is_not_what_was_decided(steward: Steward, place: tuple[str, str, str]) -> None:
    steward.json("edit", *place, "website", "--from", "site", "--user", "carol")
    shown = steward.json("promote", *place, "web", "--user", "carol", "--reason", "x")
    assert (shown["fields"][0]["mapping"], shown["changes"]) == (None, [])
    assert "otherwise by now" in shown["fields"][0]["stays"]


def test_what_was_refused_in_the_end_speaks_for_nobody(steward: Steward, place: tuple[str, str, str]) -> None:
    steward.json("edit", *place, "website", "--remove")
    steward.json("reject", *place, "web")
    assert "web," not in steward.run("decisions", place[0]).stdout
    asked = read_question(
        one := Question("crm", "others", "web", "account"),
        steward.mesh.ontology.entity("account"),
        build_lexicon(steward.mesh.ontology),
    )
    with steward.mesh.db.tenant(place[0]) as conn:
        assert read_votes(conn, place[0], [(one, asked)], None) == {}
    refused = steward.refused("promote", *place, "web", "--user", "bob", "--reason", "x", "--yes")
    assert isinstance(refused, UnknownName)


def test_a_flood_has_one_voice_and_the_engine_none(steward: Steward, place: tuple[str, str, str]) -> None:
    ontology, tenant = steward.mesh.ontology, place[0]
    with steward.mesh.db.tenant(tenant) as conn:
        for n in range(30):
            one = propose(f"Blob{n}Sort", "description", 0.7)
            if n % 2:
                remember_decision(conn, tenant, one, "self", "robot", "applied by itself")
                continue
            remember_decision(conn, tenant, one, STEWARD, "eve", "flood")
            remember_words(conn, ontology, tenant, one)
    asked = [Question("crm", "others", f"Blob{n}Sort", "account") for n in range(30)]
    lexicon = build_lexicon(ontology)
    read = [(one, read_question(one, ontology.entity("account"), lexicon)) for one in asked]
    with steward.mesh.db.tenant(tenant) as conn:
        votes = read_votes(conn, tenant, read, None)
    assert {one.voter for found in votes.values() for one in found} == {"eve/shop"}
    assert len(votes) == 15


PLAIN = [
    (FieldMapping("day", ("d",), "parse_date", {"format": "%d/%m/%Y"}), True),
    (FieldMapping("at", ("d",), "parse_datetime", {"format": "epoch_ms"}), True),
    (FieldMapping("at", ("d",), "parse_datetime", {"timezone": "Europe/Berlin"}), True),
    (FieldMapping("at", ("d",), "parse_datetime", {"format": "%Y Ada Lovelace"}), False),
    (FieldMapping("name", ("a", "b"), "concat", {"separator": " "}), True),
    (FieldMapping("name", ("a", "b"), "concat", {"separator": " Ada "}), False),
    (FieldMapping("total", ("t",), "minor_units", {"currency_from": "currency"}), True),
    (FieldMapping("stage", ("s",), "enum_map", {"values": {"a": "b"}}), False),
    (FieldMapping("kind", (), "constant", {"value": "Ada"}), False),
]


@pytest.mark.parametrize(("mapping", "kept"), PLAIN)
def test_only_structure_travels(mapping: FieldMapping, kept: bool) -> None:
    assert (strip_values(mapping) is not None) is kept
