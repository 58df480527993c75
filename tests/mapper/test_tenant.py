"""The engine of a tenant on a real database: what is applied, what waits, what people decide."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import text

from core.config_reader import read_config
from core.connector import ConnectorSpec
from core.errors import MappingRefused, UnknownName
from core.mapper.decision import decide
from core.mapper.lexicon import build_lexicon
from core.mapper.proposal import APPLIED_REASON
from core.mapper.question import Question, Reading, read_question
from core.mapper.voting import Vote, are_refusals, are_split, count_voices, judge_voices
from core.mapping import MappingSet
from core.ontology import Ontology
from core.schema import FieldSchema, TableSchema
from resources.approvals import Choice, approve_fields
from resources.connections import add_connection, remove_connection
from resources.database import Database
from resources.decision_words import embed_decisions
from resources.embeddings import Embedder
from resources.mapper import MapperReport, map_tenant
from resources.mapper_answers import Answerer
from resources.proposals import (
    list_proposals,
    read_proposal,
    reject_proposal,
)
from resources.registry import active_set, publish_baselines
from resources.retrieval import read_votes
from resources.schema_versions import record_schema
from resources.secrets import SecretStore
from resources.settings import Settings
from tests.mapper.tenants import promote_name

CONFIG = """
connector: {name}
title: Vendor
kind: rest
base_url: https://vendor.example
streams:
  people:
    endpoint: {{path: /people}}
    primary_key: [id]
    entity: contact
    mappings: {{id: id}}
"""
Run = Callable[..., MapperReport]
KEY = ("rolodex", "people")


def load_spec(name: str = "rolodex") -> ConnectorSpec:
    return read_config(CONFIG.format(name=name), f"{name}.yaml")


@pytest.fixture
def land(database: Database, tenant: str) -> Callable[..., None]:
    """Give the tenant's stream a schema with these fields."""

    def do(*fields: str, types: tuple[str, ...] = ("string",), load: str = "1") -> None:
        schema = TableSchema(tuple(FieldSchema(one, types, True) for one in ("id", *fields)))
        with database.tenant(tenant) as conn:
            record_schema(conn, tenant, *KEY, schema, load)

    return do


@pytest.fixture
def run(database: Database, settings: Settings, ontology: Ontology, embedder: Embedder, tenant: str) -> Run:
    """Map the tenant."""
    publish_baselines(database, [load_spec()], ontology, "tester")

    def do(**options: object) -> MapperReport:
        given = {"load": lambda: embedder, **options}
        return map_tenant(database, settings, ontology, [load_spec()], tenant, **given)  # type: ignore[arg-type]

    return do


def test_what_is_sure_is_applied_and_the_rest_waits(
    run: Run, land: Callable[..., None], database: Database, tenant: str
) -> None:
    land("first_name", "last_name", "email", "zodiac_blob", "mystery_no_7")
    report = run()
    assert report.applied >= 3
    held = active_set(database, tenant, *KEY)
    assert held is not None
    assert held.tenant_id == tenant
    assert {"id", "first_name", "last_name", "email"} <= {one.target for one in held.mappings}
    applied = list_proposals(database, tenant, status="applied")
    assert {one.reason for one in applied} == {APPLIED_REASON}
    assert {one.set_id for one in applied} == {held.set_id}
    pending = list_proposals(database, tenant, status="pending")
    derived = "name=first_name+last_name"
    assert {one.field for one in pending} == {"zodiac_blob", "mystery_no_7", derived}
    assert all(one.candidates and (one.evidence or one.parts) for one in pending)


def test_nothing_unmapped_costs_nothing(
    run: Run, land: Callable[..., None], database: Database, tenant: str
) -> None:
    land("first_name", "zodiac_blob")
    run()

    def refuse() -> None:
        raise AssertionError("the model was loaded")

    again = run(load=refuse)
    assert (again.asked, again.sets) == (0, [])


def test_without_a_model_everything_waits_and_is_said(
    run: Run, land: Callable[..., None], database: Database, tenant: str, embedder: Embedder
) -> None:
    land("first_name", "email")
    report = run(load=lambda: None)
    assert report.applied == 0
    assert report.warnings
    assert len(list_proposals(database, tenant, status="pending")) == 2
    assert run().applied == 2


def test_a_person_approves_changes_rejects(
    run: Run, land: Callable[..., None], database: Database, tenant: str, ontology: Ontology
) -> None:
    land("zodiac_blob", "mystery_no_7", "other_thing")
    run()
    made = _approve(database, ontology, tenant, "zodiac_blob", "eve", "asked the vendor", "salutation")
    assert "salutation" in {one.target for one in made.mappings}
    assert read_proposal(database, tenant, KEY, "zodiac_blob").status == "approved"
    with pytest.raises(MappingRefused, match="filled already"):
        _approve(database, ontology, tenant, "other_thing", "eve", "x", "salutation")
    with pytest.raises(MappingRefused, match="decided otherwise"):
        _approve(database, ontology, tenant, "zodiac_blob", "bob", "x", "job_title")
    reject_proposal(database, ontology, tenant, KEY, "mystery_no_7", "eve", "noise", no_counterpart=True)
    assert read_proposal(database, tenant, KEY, "mystery_no_7").status == "rejected"
    with database.tenant(tenant) as conn:
        asked = [(Question("crm", "others", "mysteryNo7", "contact"), _read("mysteryNo7", ontology))]
        ((vote,),) = read_votes(conn, tenant, asked, None).values()
    assert (vote.target, vote.voter) == (None, "eve/rolodex")
    assert run().asked == 0
    with pytest.raises(UnknownName):
        read_proposal(database, tenant, KEY, "nope")


def test_a_decision_speaks_for_the_next_field_of_that_name(
    run: Run, land: Callable[..., None], database: Database, tenant: str, ontology: Ontology
) -> None:
    land("zodiac_blob")
    run()
    _approve(database, ontology, tenant, "zodiac_blob", "eve", "x", "salutation")
    with database.tenant(tenant) as conn:
        asked = [(Question("crm", "others", "ZodiacBlob", "contact"), _read("ZodiacBlob", ontology))]
        votes = read_votes(conn, tenant, asked, None)
    assert [(one.target, one.voter) for one in votes["contact", "zodiac blob"]] == [
        ("salutation", "eve/rolodex")
    ]
    stranger = f"{tenant}-2"
    with database.tenant(stranger) as conn:
        assert read_votes(conn, stranger, asked, None) == {}
    promote_name(database, ontology, tenant, KEY, "zodiac_blob", "bob")
    with database.tenant(stranger) as conn:
        assert list(read_votes(conn, stranger, asked, None)) == [("contact", "zodiac blob")]
    with database.owner() as conn:
        conn.execute(text("SET LOCAL ROLE aos_operator"))
        conn.execute(text("DELETE FROM mapping_embeddings WHERE tenant_id = '*'"))
        conn.execute(text("DELETE FROM mapping_decisions WHERE tenant_id = '*'"))


def test_near_names_vote_half(
    run: Run,
    land: Callable[..., None],
    database: Database,
    tenant: str,
    ontology: Ontology,
    embedder: Embedder,
) -> None:
    land("favourite_colour")
    run()
    _approve(database, ontology, tenant, "favourite_colour", "eve", "x", "salutation")
    asked = [(Question("crm", "o", "favorite_color", "contact"), _read("favorite_color", ontology))]
    with database.tenant(tenant) as conn:
        embed_decisions(conn, tenant, embedder)
        votes = read_votes(conn, tenant, asked, embedder)
    assert all(one.likeness < 0.51 for found in votes.values() for one in found)


def _approve(
    database: Database, ontology: Ontology, tenant: str, field: str, actor: str, reason: str, target: str
) -> MappingSet:
    return approve_fields(database, ontology, tenant, KEY, [Choice(field, target)], actor, reason)[1]


def _read(field: str, ontology: Ontology) -> Reading:
    question = Question("crm", "others", field, "contact")
    return read_question(question, ontology.entity("contact"), build_lexicon(ontology))


def test_a_field_that_goes_away_closes_its_proposal(
    run: Run, land: Callable[..., None], database: Database, tenant: str
) -> None:
    land("zodiac_blob", "mystery_no_7")
    run()
    land("mystery_no_7", load="2")
    run()
    assert read_proposal(database, tenant, KEY, "zodiac_blob").status == "expired"


def test_what_waits_outlives_a_config_that_is_broken_for_a_while(
    run: Run,
    land: Callable[..., None],
    database: Database,
    settings: Settings,
    ontology: Ontology,
    tenant: str,
) -> None:
    secrets = SecretStore(database, settings)
    add_connection(database, secrets, tenant, load_spec(), credentials={}, actor="tester")
    land("zodiac_blob")
    run()
    waiting = read_proposal(database, tenant, KEY, "zodiac_blob")
    map_tenant(database, settings, ontology, [], tenant)  # its YAML cannot be read today
    assert read_proposal(database, tenant, KEY, "zodiac_blob") == waiting
    assert run().asked == 0
    remove_connection(database, tenant, "rolodex", actor="tester")
    map_tenant(database, settings, ontology, [], tenant)
    assert read_proposal(database, tenant, KEY, "zodiac_blob").status == "expired"


def test_a_target_is_filled_once(
    run: Run, land: Callable[..., None], database: Database, tenant: str
) -> None:
    land("email", "email_address", "e_mail")
    run()
    held = active_set(database, tenant, *KEY)
    assert held is not None
    targets = [one.target for one in held.mappings]
    assert len(targets) == len(set(targets))


def test_another_tenants_embeddings_and_proposals_are_not_seen(
    run: Run, land: Callable[..., None], database: Database, tenant: str
) -> None:
    land("very_own_field_name")
    run()
    with database.tenant("t-stranger") as conn:
        for table in ("proposals", "mapping_decisions", "mapping_embeddings"):
            assert conn.execute(text(f"SELECT count(*) FROM {table}")).scalar() == 0
        query = text("SELECT count(*) FROM embedding_cache WHERE words LIKE 'very own%'")
        assert conn.execute(query).scalar() == 0


def test_a_flood_of_votes_weighs_like_one() -> None:
    one = Vote("email", 1.0, "eve/crm", "mail")
    flood = [replace(one, words=f"mail {n}") for n in range(1_000)]
    assert count_voices(flood) == count_voices([one]) == {"email": 1.0}
    assert judge_voices(count_voices(flood), "email") == (1.0, 0.0)
    assert judge_voices(count_voices(flood), "phone") == (0.0, 1.0)
    many = [replace(one, voter=f"{n}/crm") for n in range(1_000)]
    assert judge_voices(count_voices(many), "email") == judge_voices({"email": 3.0}, "email")


def test_a_name_is_split_where_no_target_has_by_far_the_most_voices() -> None:
    mail = [Vote("email", 1.0, f"{n}/crm", "mail") for n in range(3)]
    phone, nothing = Vote("phone", 1.0, "bob/crm", "mail"), Vote(None, 1.0, "eve/crm", "mail")
    assert not are_split(mail)
    assert not are_split([*mail, phone])
    assert are_split([*mail[:2], phone])
    assert are_split([mail[0], nothing])
    assert not are_split([mail[0], replace(phone, likeness=0.4)])
    assert are_refusals([nothing])
    assert not are_refusals([mail[0], nothing])
    assert not are_refusals([replace(nothing, likeness=0.4)])


def test_a_name_that_has_no_counterpart_is_not_proposed_again(answerer: Answerer) -> None:
    question = Question("crm", "others", "JobTitle", "contact")
    (before,) = answerer.answer([question])
    vote = Vote(None, 1.0, "eve/rolodex", "job title")
    (after,) = answerer.answer([question], {("contact", "job title"): [vote]})
    assert decide(before.confidence) == "apply"
    assert decide(after.confidence) == "unknown"
    assert "people said of this name that it has no counterpart" in after.remarks


def test_the_id_of_another_thing_does_not_vote_for_the_id(ontology: Ontology) -> None:
    assert _read("contact_id", ontology).decided_as == "contact id"
    assert _read("id", ontology).decided_as == "id"
    assert _read("contactEmail", ontology).decided_as == _read("email", ontology).decided_as == "email"
