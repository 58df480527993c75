"""Lineage in Postgres: rebuilt by differences, traced by name, one tenant's only."""

from __future__ import annotations

import pytest
from sqlalchemy import insert

from core.errors import UnknownName
from core.mapping import FieldMapping
from core.ontology import Ontology
from core.schema import FieldSchema, TableSchema
from resources.database import Database
from resources.lineage import LineageCounts, rebuild_lineage, trace
from resources.registry import publish_set
from resources.tables import connections, schema_versions


@pytest.fixture
def mapped(database: Database, ontology: Ontology, tenant: str) -> str:
    """A tenant with one connected stream of two fields, one of them mapped."""
    schema = TableSchema((FieldSchema("ident", ("string",), False), FieldSchema("extra", ("integer",), True)))
    with database.tenant(tenant) as conn:
        conn.execute(
            insert(connections).values(tenant_id=tenant, connector="crm", status="ACTIVE", options={})
        )
        conn.execute(
            insert(schema_versions).values(
                tenant_id=tenant,
                connector="crm",
                stream="firms",
                version=1,
                fingerprint=schema.fingerprint,
                fields=schema.to_json(),
                load_id="1",
            )
        )
    publish(database, ontology, tenant, FieldMapping("id", ("ident",)))
    return tenant


def publish(database: Database, ontology: Ontology, tenant: str, *mappings: FieldMapping) -> None:
    publish_set(
        database, tenant, "crm", "firms", ontology.entity("account"), mappings, actor="tester", reason="test"
    )


def test_a_rebuild_writes_what_is_new_and_nothing_twice(
    database: Database, ontology: Ontology, mapped: str
) -> None:
    fields = len(ontology.entity("account").fields)
    first = rebuild_lineage(database, mapped, {}, ontology)
    nodes, edges = 2 + 2 + 1 + 2 * fields, 1 + 2 + 1 + 2 * fields
    assert first == LineageCounts(nodes, edges, nodes + edges, 0)
    assert rebuild_lineage(database, mapped, {}, ontology) == LineageCounts(nodes, edges, 0, 0)


def test_a_new_set_changes_its_edges_only(database: Database, ontology: Ontology, mapped: str) -> None:
    rebuild_lineage(database, mapped, {}, ontology)
    publish(
        database, ontology, mapped, FieldMapping("id", ("ident",)), FieldMapping("name", ("extra",), "cast")
    )
    counts = rebuild_lineage(database, mapped, {}, ontology)
    assert (counts.written, counts.removed) == (4, 0)  # two edges, and two nodes that tell of the set
    tree = trace(database, mapped, "views.account.name")
    source = tree.upstream[0].branches[0]
    assert (source.node.name, source.edge and source.edge.transform) == ("raw.crm.firms.extra", "cast")
    publish(database, ontology, mapped, FieldMapping("id", ("ident",)))
    assert rebuild_lineage(database, mapped, {}, ontology).removed == 1
    assert trace(database, mapped, "canonical.account.name").upstream == ()


@pytest.mark.parametrize(
    ("name", "up", "down"),
    [
        ("views.account.id", ["canonical.account.id"], []),
        ("canonical.account.id", ["raw.crm.firms.ident"], ["views.account.id"]),
        ("raw.crm.firms.ident", [], ["canonical.account.id"]),
        ("raw.crm.firms.extra", [], []),
        ("raw.crm.firms", [], ["raw.crm.firms.extra", "raw.crm.firms.ident"]),
        ("raw/crm", [], ["raw.crm.firms"]),
    ],
)
def test_traces(
    database: Database, ontology: Ontology, mapped: str, name: str, up: list[str], down: list[str]
) -> None:
    rebuild_lineage(database, mapped, {}, ontology)
    tree = trace(database, mapped, name)
    assert [branch.node.name for branch in tree.upstream] == up
    assert [branch.node.name for branch in tree.downstream] == down


def test_an_entity_is_traced_through_its_fields(database: Database, ontology: Ontology, mapped: str) -> None:
    rebuild_lineage(database, mapped, {}, ontology)
    tree = trace(database, mapped, "canonical.account")
    assert [b.node.name for b in tree.upstream] == ["canonical.account.id"]
    assert tree.upstream[0].branches[0].node.name == "raw.crm.firms.ident"
    assert len(tree.downstream) == len(ontology.entity("account").fields)
    assert all(b.branches[0].node.kind == "column" for b in tree.downstream)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("views.account.anual_revenue", "Did you mean 'annual_revenue'"),
        ("views.acount.id", "Did you mean 'account'"),
        ("raw.crn.firms", "Did you mean 'crm'"),
        ("raw.crm.firm", "Did you mean 'firms'"),
        ("raw.crm.firms.idents", "Did you mean 'ident'"),
    ],
)
def test_near_names_are_offered(
    database: Database, ontology: Ontology, mapped: str, name: str, near: str
) -> None:
    rebuild_lineage(database, mapped, {}, ontology)
    with pytest.raises(UnknownName) as caught:
        trace(database, mapped, name)
    assert near in str(caught.value)


def test_a_tenant_without_a_graph_is_told_to_sync(database: Database, tenant: str) -> None:
    with pytest.raises(UnknownName, match=f"aos sync {tenant}"):
        trace(database, tenant, "views.account")


def test_a_removed_connection_leaves_the_graph(database: Database, ontology: Ontology, mapped: str) -> None:
    before = rebuild_lineage(database, mapped, {}, ontology)
    with database.tenant(mapped) as conn:
        conn.exec_driver_sql("DELETE FROM connections")
    after = rebuild_lineage(database, mapped, {}, ontology)
    assert after == LineageCounts(0, 0, 0, before.nodes + before.edges)
