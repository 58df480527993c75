"""Names of people in other parts than the canonical model: joined, or cut in two; always a person's."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from core.config_reader import read_config
from core.mapper.decision import BELOW_AUTO
from core.mapper.derived import Derived, Part, derive_key, derive_names
from core.mapper.lexicon import build_lexicon
from core.mapper.look import Look
from core.mapper.proposal import Proposal
from core.mapper.question import Question, read_question
from core.mapping import FieldMapping
from core.ontology import Ontology
from core.schema import FieldSchema, TableSchema
from core.transforms import find_problem
from resources.approvals import Choice, approve_fields
from resources.database import Database
from resources.embeddings import Embedder
from resources.mapper import map_tenant
from resources.proposals import list_proposals, read_proposal
from resources.registry import active_set
from resources.schema_versions import record_schema
from resources.settings import Settings
from tests.mapper.test_tenant import KEY, Run, land, run

UNMAPPED = """
connector: unmapped
title: Vendor
kind: rest
base_url: https://vendor.example
streams:
  people:
    endpoint: {{path: /people}}
    primary_key: {keys}
    entity: contact
"""
__all__ = ["land", "run"]


@pytest.fixture
def derive(ontology: Ontology) -> Callable[..., list[Derived]]:
    """Derived mappings of a stream whose fields were answered so: field → (target, confidence)."""

    def do(
        entity: str,
        fields: Mapping[str, tuple[str | None, float]],
        filled: tuple[str, ...] = (),
        looks: Mapping[str, Look] | None = None,
    ) -> list[Derived]:
        of, lexicon = ontology.entity(entity), build_lexicon(ontology)
        parts = [
            Part(name, read_question(Question("crm", "people", name, entity), of, lexicon), *said)
            for name, said in fields.items()
        ]
        found = derive_names(of, parts, filled, looks or {})
        for one in found:
            mapping = FieldMapping(one.target, one.parts, one.transform, dict(one.args))
            assert find_problem(mapping, of.fields[one.target]) is None
            assert one.confidence <= BELOW_AUTO
            assert one.doubt
        return found

    return do


PARTS = {"firstName": ("first_name", 0.97), "lastName": ("last_name", 0.95)}


@pytest.mark.parametrize(
    ("entity", "target"), [("contact", "name"), ("employee", "display_name"), ("vendor", "name")]
)
def test_two_parts_are_joined(derive: Callable[..., list[Derived]], entity: str, target: str) -> None:
    (one,) = derive(entity, PARTS)
    assert (one.field, one.transform, one.parts) == (
        f"{target}=firstName+lastName",
        "concat",
        ("firstName", "lastName"),
    )


def test_nothing_is_joined_where_the_name_has_a_source(derive: Callable[..., list[Derived]]) -> None:
    assert derive("contact", {**PARTS, "name": ("name", 0.9)}) == []
    assert derive("contact", PARTS, ("name",)) == []
    assert derive("contact", {"firstName": ("first_name", 0.97)}) == []
    assert derive("contact", {**PARTS, "given_name": ("first_name", 0.6)}) == []  # which of the two?
    assert derive("order", PARTS) == []  # no name of a person there
    assert derive("contact", {f"billing.{k}": v for k, v in PARTS.items()}) == []  # whose name is that?


def test_a_whole_name_is_cut_in_two(derive: Callable[..., list[Derived]]) -> None:
    said = {"full_name": ("name", 0.9)}
    look = {"full_name": Look(filled=100, two_words=0.93)}
    first, last = derive("contact", said, looks=look)
    assert (first.target, first.args["index"], last.target, last.args["index"]) == (
        "first_name",
        0,
        "last_name",
        -1,
    )
    assert "93%" in first.doubt
    comma = derive("contact", said, looks={"full_name": Look(filled=9, two_words=0.1, comma=0.9)})
    assert [(one.target, one.args) for one in comma] == [
        ("first_name", {"separator": ",", "index": 1}),
        ("last_name", {"separator": ",", "index": 0}),
    ]


def test_nothing_is_cut_blindly(derive: Callable[..., list[Derived]]) -> None:
    said = {"full_name": ("name", 0.9)}
    assert derive("contact", said) == []  # nobody has seen the values
    assert derive("contact", said, looks={"full_name": Look(filled=9, two_words=0.4)}) == []
    assert derive("contact", said, ("first_name",), {"full_name": Look(filled=9, two_words=1.0)}) == []
    assert derive("customer", said, looks={"full_name": Look(filled=9, two_words=1.0)}) == []  # a company?


def test_a_joined_name_is_approved_like_any_field(
    run: Run, land: Callable[..., None], database: Database, tenant: str, ontology: Ontology
) -> None:
    land("first_name", "last_name")
    run()
    field = "name=first_name+last_name"
    waiting = read_proposal(database, tenant, KEY, field)
    assert (waiting.status, waiting.parts, waiting.target) == ("pending", ("first_name", "last_name"), "name")
    land("first_name", "last_name", "mystery", load="2")
    run()  # it is no field of the stream, yet it stays
    assert read_proposal(database, tenant, KEY, field).status == "pending"
    approve_fields(database, ontology, tenant, KEY, [Choice(field)], "eve", "fits")
    held = active_set(database, tenant, *KEY)
    assert held is not None
    made = {one.target: one for one in held.mappings}["name"]
    assert (made.sources, made.transform) == (("first_name", "last_name"), "concat")
    assert read_proposal(database, tenant, KEY, field).status == "approved"


def test_it_expires_when_the_name_gets_a_source(
    run: Run, land: Callable[..., None], database: Database, tenant: str, ontology: Ontology
) -> None:
    land("first_name", "last_name", "mystery")
    run()
    choice = Choice("mystery", "name")
    approve_fields(database, ontology, tenant, KEY, [choice], "eve", "the vendor says so")
    derived = [one for one in list_proposals(database, tenant) if one.parts]
    assert [one.status for one in derived] == ["expired"]


def test_the_streams_key_fills_id_of_a_stream_nobody_mapped(
    database: Database, settings: Settings, ontology: Ontology, embedder: Embedder, tenant: str
) -> None:
    def map_stream(*fields: str, keys: str = "[uid]") -> list[Proposal]:
        spec = read_config(UNMAPPED.format(keys=keys), "unmapped.yaml")
        schema = TableSchema(tuple(FieldSchema(one, ("string",), True) for one in fields))
        with database.tenant(tenant) as conn:
            record_schema(conn, tenant, "unmapped", "people", schema, "-".join(fields))
        map_tenant(database, settings, ontology, [spec], tenant, load=lambda: embedder)
        return list_proposals(database, tenant, "unmapped", "people")

    first = {one.field: one for one in map_stream("uid", "zodiac_blob")}
    assert (first["uid"].target, first["uid"].status) == ("id", "pending")  # nothing else is sure
    approve_fields(
        database, ontology, tenant, ("unmapped", "people"), [Choice("zodiac_blob", "salutation")], "eve", "x"
    )
    held = active_set(database, tenant, "unmapped", "people")
    assert held is not None
    assert {one.target: one.sources for one in held.mappings} == {
        "id": ("uid",),
        "salutation": ("zodiac_blob",),
    }


def test_a_key_of_two_parts_is_joined_by_a_person(ontology: Ontology) -> None:
    one = derive_key(ontology.entity("contact"), ("org", "no"), ())
    assert one is not None
    assert (one.field, one.transform, one.args) == ("id=org+no", "concat", {"separator": "|"})
    assert one.confidence <= BELOW_AUTO
    assert derive_key(ontology.entity("contact"), ("org",), ("id",)) is None
    assert derive_key(ontology.entity("cost_line"), ("line",), ()) is None
