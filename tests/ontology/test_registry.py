"""The registry against a real Postgres: numbering, overriding, rollback, immutability, races."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from core.connector import ConnectorSpec
from core.errors import MappingRefused, UnknownName
from core.mapping import FieldMapping, MappingSet
from core.names import GLOBAL_TENANT
from core.ontology import load_ontology
from resources.audit import read_audit
from resources.database import Database
from resources.registry import (
    activate_set,
    active_set,
    active_sets,
    follow_global,
    list_sets,
    publish_baselines,
    publish_set,
    read_set,
)
from resources.settings import Settings
from resources.tenants import remove_tenant

ONTOLOGY = load_ontology()
ACCOUNT = ONTOLOGY.entity("account")


def map_account(name_from: str) -> tuple[FieldMapping, ...]:
    return (
        FieldMapping("name", (name_from,), confidence=0.9, origin="steward"),
        FieldMapping("id", ("Id",)),
        FieldMapping("industry", ("i",), "enum_map", {"values": {"Ünï": "retail"}, "default": None}),
        FieldMapping("website", ("a", "b"), "concat", {"separator": ""}),
    )


def publish(database: Database, tenant_id: str, connector: str, name_from: str = "Name") -> MappingSet:
    mappings = map_account(name_from)
    return publish_set(database, tenant_id, connector, "companies", ACCOUNT, mappings, "ann", "because")


def build_spec(connector: str, streams: int = 1, source: str = "Name", target: str = "name") -> ConnectorSpec:
    stream = {
        "primary_key": ("Id",),
        "entity": "account",
        "table": {"name": "t"},
        "mappings": {"id": {"from": ("Id",)}, target: {"from": (source,)}},
    }
    return ConnectorSpec.model_validate(
        {
            "connector": connector,
            "title": connector,
            "kind": "sql",
            "streams": {f"s{number}": stream for number in range(streams)},
        }
    )


@pytest.fixture
def connector(tenant: str) -> str:
    """A connector nobody else uses, as global sets outlive a test."""
    return f"c-{tenant}"


def test_a_set_comes_back_as_it_was_published(database: Database, tenant: str, connector: str) -> None:
    made = publish(database, tenant, connector)
    assert made.number == 1
    assert active_set(database, tenant, connector, "companies") == made
    assert active_sets(database, tenant)[connector, "companies"] == made
    assert read_set(database, tenant, made.set_id) == made
    assert made.fingerprint == list_sets(database, tenant, connector)[0].fingerprint


def test_the_same_again_changes_nothing(database: Database, tenant: str, connector: str) -> None:
    first = publish(database, tenant, connector)
    entries = len(read_audit(database, tenant))
    assert publish(database, tenant, connector) == first
    assert len(list_sets(database, tenant, connector)) == 1
    assert len(read_audit(database, tenant)) == entries


def test_numbers_go_on_and_rollback_is_activating_an_older_set(
    database: Database, tenant: str, connector: str
) -> None:
    first = publish(database, tenant, connector, "A")
    second = publish(database, tenant, connector, "B")
    assert (first.number, second.number) == (1, 2)
    assert activate_set(database, tenant, connector, "companies", 1, "bob", "B is wrong") == first
    assert active_set(database, tenant, connector, "companies") == first
    assert publish(database, tenant, connector, "C").number == 3
    listed = list_sets(database, tenant, connector, "companies")
    assert [(one.number, one.active, one.fields) for one in listed] == [
        (3, True, 4),
        (2, False, 4),
        (1, False, 4),
    ]
    actions = [(e.actor, e.action, e.before, e.after["number"]) for e in read_audit(database, tenant)]
    assert actions == [
        ("ann", "mapping_set.published", {"number": 1}, 3),
        ("bob", "mapping_set.activated", {"number": 2}, 1),
        ("ann", "mapping_set.published", {"number": 1}, 2),
        ("ann", "mapping_set.published", None, 1),
    ]


def test_a_tenants_set_overrides_the_global_one_for_itself_only(
    database: Database, tenant: str, connector: str
) -> None:
    everyones = publish(database, GLOBAL_TENANT, connector, "A")
    assert active_set(database, tenant, connector, "companies") == everyones
    own = publish(database, tenant, connector, "B")
    assert active_set(database, tenant, connector, "companies") == own
    assert active_sets(database, tenant, [connector]) == {(connector, "companies"): own}
    assert active_set(database, "another", connector, "companies") == everyones
    assert active_set(database, GLOBAL_TENANT, connector, "companies") == everyones
    assert [one.tenant_id for one in list_sets(database, tenant, connector)] == [tenant, "*"]
    with pytest.raises(UnknownName):
        read_set(database, "another", own.set_id)
    follow_global(database, tenant, connector, "companies", "ann")
    assert active_set(database, tenant, connector, "companies") == everyones
    assert activate_set(database, tenant, connector, "companies", 1, "ann") == own


def test_what_is_not_there_is_said(database: Database, tenant: str, connector: str) -> None:
    assert active_set(database, tenant, connector, "companies") is None
    assert active_sets(database, tenant, [connector]) == {}
    assert list_sets(database, tenant, connector) == []
    with pytest.raises(UnknownName, match="has no mapping set number 7"):
        activate_set(database, tenant, connector, "companies", 7, "ann")


def test_a_set_against_the_ontology_is_refused_and_leaves_nothing(
    database: Database, tenant: str, connector: str
) -> None:
    wrong = (FieldMapping("id", ("Id",)), FieldMapping("nmae", ("Name",)))
    with pytest.raises(MappingRefused, match=r"companies.nmae: .*Did you mean 'name'"):
        publish_set(database, tenant, connector, "companies", ACCOUNT, wrong, "ann")
    assert list_sets(database, tenant, connector) == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE mapping_sets SET entity = 'lead'",
        "UPDATE field_mappings SET target = 'x'",
        "DELETE FROM mapping_sets",
        "DELETE FROM field_mappings",
    ],
)
def test_the_database_refuses_to_change_a_set(
    database: Database, tenant: str, connector: str, statement: str
) -> None:
    publish(database, tenant, connector)
    with pytest.raises(ProgrammingError, match="never changes"), database.tenant(tenant) as conn:
        conn.execute(text(statement))
    publish(database, GLOBAL_TENANT, connector)
    with pytest.raises(ProgrammingError, match="never changes"), database.operator() as conn:
        conn.execute(text(f"{statement} WHERE tenant_id = '*'"))


def test_the_owner_cannot_truncate_sets(database: Database) -> None:
    with pytest.raises(ProgrammingError, match="TRUNCATE refused"), database.owner() as conn:
        conn.execute(text("TRUNCATE mapping_sets CASCADE"))


def test_sets_go_with_their_tenant(
    database: Database, settings: Settings, tenant: str, connector: str
) -> None:
    publish(database, tenant, connector)
    everyones = publish(database, GLOBAL_TENANT, connector)
    remove_tenant(database, settings, tenant, "ann")
    assert [one.set_id for one in list_sets(database, tenant, connector)] == [everyones.set_id]


def run_at_once(count: int, call: Callable[[int], MappingSet]) -> list[MappingSet]:
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(call, range(count)))


def test_eight_publishers_at_once_get_gapless_numbers(
    database: Database, tenant: str, connector: str
) -> None:
    made = run_at_once(8, lambda number: publish(database, tenant, connector, f"Name{number}"))
    assert sorted(one.number for one in made) == list(range(1, 9))
    listed = list_sets(database, tenant, connector)
    assert [one.number for one in listed if one.active] == [8]
    assert active_set(database, tenant, connector, "companies") == max(made, key=lambda one: one.number)
    same = run_at_once(8, lambda _: publish(database, tenant, connector, "One"))
    assert {one.number for one in same} == {9}


def test_baselines_are_published_once_and_again_when_the_config_changes(
    database: Database, connector: str
) -> None:
    first = publish_baselines(database, [build_spec(connector, 2)], ONTOLOGY, "ann")
    assert [(one.stream, one.number, one.tenant_id) for one in first.published] == [
        ("s0", 1, "*"),
        ("s1", 1, "*"),
    ]
    again = publish_baselines(database, [build_spec(connector, 2)], ONTOLOGY, "ann")
    assert (again.published, again.unchanged) == ((), 2)
    changed = publish_baselines(database, [build_spec(connector, 2, "Title")], ONTOLOGY, "ann")
    assert {one.number for one in changed.published} == {2}
    back = publish_baselines(database, [build_spec(connector, 2)], ONTOLOGY, "ann")
    assert {one.number for one in back.published} == {3}
    newest = read_audit(database, GLOBAL_TENANT, 1)[0]
    assert newest.action == "mapping_sets.published"
    assert newest.after[f"{connector}/s0"]["number"] == 3


def test_a_rollback_holds_until_the_config_changes(database: Database, connector: str) -> None:
    for source in ("A", "B"):
        publish_baselines(database, [build_spec(connector, 1, source)], ONTOLOGY, "ann")
    activate_set(database, GLOBAL_TENANT, connector, "s0", 1, "bob")
    assert publish_baselines(database, [build_spec(connector, 1, "B")], ONTOLOGY, "ann").published == ()
    found = active_set(database, GLOBAL_TENANT, connector, "s0")
    assert found is not None
    assert found.number == 1


def test_a_wrong_baseline_leaves_the_others(database: Database, connector: str) -> None:
    specs = [build_spec(connector, target="nmae"), build_spec(f"{connector}-b")]
    report = publish_baselines(database, specs, ONTOLOGY, "ann")
    assert [one.connector for one in report.published] == [f"{connector}-b"]
    assert [error.where for error in report.errors] == [f"{connector}/s0.mappings.nmae"]


def test_baselines_at_once_are_published_once(database: Database, connector: str) -> None:
    specs = [build_spec(connector, 3)]
    with ThreadPoolExecutor(8) as pool:
        reports = list(pool.map(lambda _: publish_baselines(database, specs, ONTOLOGY, "ann"), range(8)))
    assert sum(len(report.published) for report in reports) == 3
    assert {one.number for one in list_sets(database, GLOBAL_TENANT, connector)} == {1}
