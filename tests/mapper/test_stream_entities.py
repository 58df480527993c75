"""Streams whose config names no entity: guessed, confirmed by a person, then mapped like any other."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from core.config_reader import read_config
from core.connector import ConnectorSpec
from core.errors import MappingRefused, UnknownName
from core.mapping import FieldMapping
from core.ontology import Ontology
from core.schema import FieldSchema, TableSchema
from resources.audit import read_audit
from resources.coverage import read_coverage
from resources.database import Database
from resources.embeddings import Embedder
from resources.mapper import MapperReport, map_tenant
from resources.proposals import list_proposals
from resources.registry import active_set, publish_set
from resources.schema_versions import record_schema
from resources.settings import Settings
from resources.stream_entities import decide_entity, list_entities

CONFIG = """
connector: cardbox
title: Vendor
kind: rest
base_url: https://vendor.example
streams:
  persons:
    endpoint: {path: /persons}
    primary_key: [id]
"""
KEY = ("cardbox", "persons")
FIELDS = ("id", "first_name", "last_name", "email", "mobile_phone", "job_title", "zodiac_blob")
Run = Callable[[], MapperReport]


@pytest.fixture
def spec() -> ConnectorSpec:
    return read_config(CONFIG, "cardbox.yaml")


@pytest.fixture
def run(
    database: Database,
    settings: Settings,
    ontology: Ontology,
    embedder: Embedder,
    tenant: str,
    spec: ConnectorSpec,
) -> Run:
    """Land the stream's schema, and map the tenant as often as called."""
    schema = TableSchema(tuple(FieldSchema(one, ("string",), True) for one in FIELDS))
    with database.tenant(tenant) as conn:
        record_schema(conn, tenant, *KEY, schema, "1")
    return lambda: map_tenant(database, settings, ontology, [spec], tenant, load=lambda: embedder)


def test_a_guess_is_proposed_and_applies_nothing(run: Run, database: Database, tenant: str) -> None:
    report = run()
    (guess,) = list_entities(database, tenant)
    assert (guess.entity, guess.status) == ("contact", "proposed")
    assert guess.confidence == guess.candidates[0][1] >= guess.candidates[1][1]
    assert (report.applied, report.sets) == (0, [])
    assert active_set(database, tenant, *KEY) is None


def test_once_confirmed_what_is_sure_applies(
    run: Run, database: Database, tenant: str, ontology: Ontology, spec: ConnectorSpec
) -> None:
    run()
    decide_entity(database, ontology, tenant, KEY, "contact", "eve", "people of the address book")
    assert [one.entity for one in read_coverage(database, tenant, [spec])] == ["contact"]
    assert run().applied >= 4
    held = active_set(database, tenant, *KEY)
    assert held is not None
    assert held.entity == "contact"
    assert {"first_name", "last_name", "email"} <= {one.target for one in held.mappings}
    entry = next(one for one in read_audit(database, tenant, 50) if one.action == "entity.decided")
    assert (entry.actor, entry.subject) == ("eve", "cardbox/persons")
    assert run().asked == 0
    with pytest.raises(MappingRefused, match="fills contact already"):
        decide_entity(database, ontology, tenant, KEY, "lead", "eve", "changed my mind")


def test_another_entity_asks_the_fields_anew(
    run: Run, database: Database, tenant: str, ontology: Ontology
) -> None:
    run()
    decide_entity(database, ontology, tenant, KEY, "employee", "eve", "our own staff")
    run()
    assert {one.entity for one in list_proposals(database, tenant, status="pending")} == {"employee"}


def test_a_stream_without_entity_stays_raw_and_is_not_asked_again(
    run: Run, database: Database, tenant: str, ontology: Ontology
) -> None:
    run()
    decide_entity(database, ontology, tenant, KEY, None, "eve", "a log of clicks")
    assert list_proposals(database, tenant, status="pending") == []
    assert run().asked == 0
    decide_entity(database, ontology, tenant, KEY, "contact", "eve", "it is people after all")
    assert run().applied >= 4


def test_nobody_decides_for_another_tenant_or_about_what_is_no_question(
    run: Run, database: Database, tenant: str, ontology: Ontology
) -> None:
    run()
    with pytest.raises(UnknownName, match="not in question"):
        decide_entity(database, ontology, f"{tenant}-2", KEY, "contact", "eve", "x")
    with pytest.raises(UnknownName, match="no canonical entity"):
        decide_entity(database, ontology, tenant, KEY, "contract", "eve", "x")
    assert list_entities(database, f"{tenant}-2") == []
    assert [one.status for one in list_entities(database, tenant)] == ["proposed"]


def test_a_set_for_another_entity_asks_everything_anew(
    run: Run, database: Database, tenant: str, ontology: Ontology
) -> None:
    run()
    decide_entity(database, ontology, tenant, KEY, "contact", "eve", "people")
    run()
    mappings = [FieldMapping("id", ("id",))]
    publish_set(database, tenant, *KEY, ontology.entity("employee"), mappings, "eve", "our own staff")
    (known,) = list_entities(database, tenant)
    assert (known.entity, known.status, known.decided_by) == ("employee", "confirmed", "eve")
    assert {one.status for one in list_proposals(database, tenant)} == {"expired"}
    assert run().applied >= 3
    held = active_set(database, tenant, *KEY)
    assert held is not None
    assert held.entity == "employee"
    assert {"id", "first_name", "last_name"} <= {one.target for one in held.mappings}
    decided = [one for one in list_proposals(database, tenant) if one.status != "expired"]
    assert {one.entity for one in decided} == {"employee"}
