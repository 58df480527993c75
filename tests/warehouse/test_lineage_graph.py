"""The lineage graph and its trees, without a database."""

from __future__ import annotations

import pytest

from core.errors import UnknownName
from core.lineage import StreamFacts, build_graph, column_lineage, view_lineage
from core.lineage_tree import Branch, grow_tree, parse_reference
from core.mapping import FieldMapping, MappingSet
from core.ontology import load_ontology
from core.schema import FieldSchema, TableSchema

SETS = {
    "hubspot": MappingSet(
        "set-h",
        "*",
        "hubspot",
        "companies",
        3,
        "account",
        (
            FieldMapping("id", ("id",)),
            FieldMapping("name", ("properties.name",), "trim", confidence=0.9, origin="rag"),
            FieldMapping("phone", ("phones.0.number",)),
            FieldMapping("owner_name", ("first", "last"), "concat", {"separator": " "}),
            FieldMapping("lifecycle_stage", (), "constant", {"value": "customer"}),
        ),
    ),
    "stripe": MappingSet(
        "set-s", "acme", "stripe", "customers", 1, "account", (FieldMapping("name", ("name",)),)
    ),
}
SCHEMA = TableSchema(
    tuple(
        FieldSchema(path, ("string",), True)
        for path in ("id", "properties", "properties.name", "properties.foo", "phones", "phones.*.number")
    )
)
FACTS = [
    StreamFacts("hubspot", "companies", None, SETS["hubspot"], SCHEMA),
    StreamFacts("stripe", "customers", None, SETS["stripe"], None),
    StreamFacts("github", "issues", None, None, TableSchema((FieldSchema("title", ("string",), False),))),
]
GRAPH = build_graph(FACTS, load_ontology())


def labels(branches: tuple[Branch, ...]) -> list[str]:
    return [branch.label for branch in branches]


def test_a_column_comes_from_every_source_field() -> None:
    tree = grow_tree(GRAPH, "column:account.name")
    assert labels(tree.upstream) == ["canonical.account.name"]
    assert labels(tree.upstream[0].branches) == [
        "raw.hubspot.companies.properties.name  trim (set 3, confidence 0.90)",
        "raw.stripe.customers.name  direct (set 1, confidence 1.00)",
    ]
    assert tree.downstream == ()
    edge = tree.upstream[0].branches[0].edge
    assert edge is not None
    assert (edge.set_id, edge.transform, edge.confidence, edge.details["origin"]) == (
        "set-h",
        "trim",
        0.9,
        "rag",
    )


def test_a_canonical_field_looks_both_ways() -> None:
    tree = grow_tree(GRAPH, "canonical:account.name")
    assert (len(tree.upstream), labels(tree.downstream)) == (2, ["views.account.name"])


def test_a_source_field_is_followed_to_the_view() -> None:
    tree = grow_tree(GRAPH, "field:hubspot/companies/properties.name")
    assert labels(tree.downstream) == ["canonical.account.name  trim (set 3, confidence 0.90)"]
    assert labels(tree.downstream[0].branches) == ["views.account.name"]


def test_an_array_element_is_the_field_the_schema_knows() -> None:
    tree = grow_tree(GRAPH, "canonical:account.phone")
    assert tree.upstream[0].node.name == "raw.hubspot.companies.phones.*.number"
    assert tree.upstream[0].to_json()["step"]["path"] == "phones.0.number"


def test_several_sources_and_none() -> None:
    names = [branch.node.name for branch in grow_tree(GRAPH, "canonical:account.owner_name").upstream]
    assert names == ["raw.hubspot.companies.first", "raw.hubspot.companies.last"]
    constant = grow_tree(GRAPH, "canonical:account.lifecycle_stage").upstream
    assert labels(constant) == ["mapping set 3 of hubspot/companies  constant (set 3, confidence 1.00)"]
    assert grow_tree(GRAPH, "canonical:account.fax").upstream == ()


def test_a_stream_shows_its_fields_mapped_or_not() -> None:
    tree = grow_tree(GRAPH, "stream:hubspot/companies")
    assert "raw.hubspot.companies.properties.foo  not mapped" in labels(tree.downstream)
    assert "raw.hubspot.companies.properties" not in labels(tree.downstream)
    mapped = next(b for b in tree.downstream if b.node.name.endswith("properties.name"))
    assert mapped.branches[0].node.name == "canonical.account.name"
    assert labels(grow_tree(GRAPH, "connector:github").downstream) == ["raw.github.issues"]


def test_an_entity_shows_the_fields_that_are_filled() -> None:
    tree = grow_tree(GRAPH, "entity:account")
    assert [branch.node.name for branch in tree.upstream] == [
        "canonical.account.id",
        "canonical.account.lifecycle_stage",
        "canonical.account.name",
        "canonical.account.owner_name",
        "canonical.account.phone",
    ]
    assert tree.to_json()["downstream"][0]["branches"][0]["kind"] == "column"


def test_only_entities_that_streams_fill_are_in_the_graph() -> None:
    assert [n.name for n in GRAPH.nodes.values() if n.kind == "entity"] == ["canonical.account"]


def test_columns_name_their_raw_assets() -> None:
    found = column_lineage(SETS.values(), {("hubspot", "companies"): SCHEMA})
    assert found["name"] == [
        (["raw", "hubspot", "companies"], "properties.name"),
        (["raw", "stripe", "customers"], "name"),
    ]
    assert found["phone"] == [(["raw", "hubspot", "companies"], "phones.*.number")]
    assert len(found["owner_name"]) == 2
    assert "lifecycle_stage" not in found
    assert view_lineage(load_ontology().entity("account"))["name"] == [(["canonical", "account"], "name")]


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("views.account.annual_revenue", "column:account.annual_revenue"),
        ("views/account", "entity:account"),
        ("canonical.account.name", "canonical:account.name"),
        ("canonical.account", "entity:account"),
        ("raw.hubspot", "connector:hubspot"),
        ("raw/hubspot/companies", "stream:hubspot/companies"),
        ("raw.hubspot.companies.properties.name", "field:hubspot/companies/properties.name"),
        ('raw.files.sheet."a.b"', 'field:files/sheet/"a.b"'),
        (" raw.aws_cost.lines.line/item ", "field:aws_cost/lines/line/item"),
    ],
)
def test_names_are_read(text: str, node: str) -> None:
    assert parse_reference(text).node_id == node


@pytest.mark.parametrize("text", ["", "account.name", "golden.account", "views", "views.", "raw"])
def test_other_names_are_refused(text: str) -> None:
    with pytest.raises(UnknownName, match="expected views"):
        parse_reference(text)
