"""Retrieval on a real database: the index, whose rows are seen, what is shared, the same votes two ways."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from sqlalchemy import text

from core.mapper.lexicon import build_lexicon
from core.mapper.proposal import Proposal
from core.mapper.question import Question, Reading, read_question
from core.ontology import Ontology
from resources import retrieval
from resources.bulk import insert_rows
from resources.database import Database
from resources.decision_words import embed_decisions, store_words
from resources.embeddings import DIMENSION, Embedder, Vectors
from resources.knowledge import describe_field, refresh_knowledge
from resources.mapper_answers import Answerer
from resources.registry import publish_baselines
from resources.retrieval import find_nearest, find_neighbours, read_votes
from resources.tables import mapping_embeddings
from tests.mapper.conftest import ask
from tests.mapper.test_tenant import load_spec

MANY = 6_000


def make_vectors(count: int, seed: int) -> Vectors:
    """Unit vectors around a few hundred centres, as names cluster."""
    dice = np.random.default_rng(seed)
    centres = dice.normal(size=(200, DIMENSION))
    found = centres[np.arange(count) % 200] + dice.normal(0, 0.4, (count, DIMENSION))
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), np.float32)


def fill(database: Database, tenant: str, vectors: Vectors, target: str = "email") -> None:
    """Rows of the tenant, one a vector, called after it."""
    rows = [
        {
            "tenant_id": tenant,
            "connector": "crm",
            "stream": "people",
            "field": f"f{at}",
            "entity": "contact",
            "target": target,
            "words": f"{tenant} {at}",
            "origin": "steward",
            "embedding": "[" + ",".join(f"{value:.5f}" for value in vector) + "]",
        }
        for at, vector in enumerate(vectors)
    ]
    with database.tenant(tenant) as conn:
        insert_rows(conn, mapping_embeddings, rows)


@pytest.fixture(scope="module")
def large(database: Database) -> str:
    """A tenant with many vectors."""
    tenant = "t-large"
    with database.tenant(tenant) as conn:
        conn.execute(text("INSERT INTO tenants (tenant_id, title) VALUES (:t, '')"), {"t": tenant})
    fill(database, tenant, make_vectors(MANY, 1))
    with database.owner() as conn:
        conn.execute(text("ANALYZE mapping_embeddings"))
    return tenant


@pytest.fixture
def clean(database: Database) -> Iterator[None]:
    """Nothing shared, before and after."""
    for turn in (True, False):
        with database.operator() as conn:
            conn.execute(text("DELETE FROM mapping_embeddings WHERE tenant_id = '*'"))
            conn.execute(text("DELETE FROM shared_knowledge WHERE tenant_id = '*'"))
        if turn:
            yield


def test_many_rows_are_searched_by_the_index(database: Database, large: str) -> None:
    assert retrieval.EXACT_ROWS < MANY
    vector = make_vectors(MANY, 1)[17]
    facts = {
        "asked": retrieval.write_vector(vector),
        "owners": [large],
        "entity": "contact",
        "most": 8,
        "ontology": False,
    }
    with database.tenant(large) as conn:
        with retrieval.search_well(conn):
            by_index = "\n".join(conn.execute(text(f"EXPLAIN {retrieval.BY_INDEX}"), facts).scalars())
        by_looking = "\n".join(conn.execute(text(f"EXPLAIN {retrieval.BY_LOOKING}"), facts).scalars())
        assert retrieval.count_rows(conn, [large], "contact") > retrieval.EXACT_ROWS
        first = find_neighbours(conn, large, "contact", vector)[0]
    assert "ix_mapping_embeddings_embedding" in by_index
    assert "ix_mapping_embeddings_embedding" not in by_looking
    assert first.words == f"{large} 17"
    assert first.likeness > 0.999


def test_the_index_finds_what_looking_at_all_rows_finds(database: Database, large: str) -> None:
    shares = []
    with database.tenant(large) as conn:
        for vector in make_vectors(MANY, 1)[:40] + np.float32(0.01):
            both = [
                {one.words for one in find_nearest(conn, [large], "contact", vector, is_many=many)}
                for many in (True, False)
            ]
            shares.append(len(both[0] & both[1]) / len(both[1]))
    assert np.mean(shares) >= 0.95


def test_nobody_sees_anothers_rows_and_a_small_tenant_finds_all_of_its_own(
    database: Database, large: str, tenant: str
) -> None:
    own = make_vectors(5, 2)
    fill(database, tenant, own, "phone")
    asked = make_vectors(MANY, 1)[3]  # right among the large tenant's rows
    everything = {f"{tenant} {at}" for at in range(5)}
    with database.tenant(tenant) as conn:
        assert {one.words for one in find_neighbours(conn, tenant, "contact", asked)} == everything
        by_index = find_nearest(conn, [tenant, "*"], "contact", asked, is_many=True)
        assert by_index
        assert {one.words for one in by_index} <= everything
        for is_many in (True, False):
            assert not find_nearest(conn, [large], "contact", asked, is_many=is_many)
    with database.tenant(large) as conn:
        assert {one.target for one in find_neighbours(conn, large, "contact", own[0])} == {"email"}


def test_shared_knowledge_is_made_once_and_again_when_a_baseline_changes(
    clean: None, database: Database, ontology: Ontology, embedder: Embedder, tenant: str
) -> None:
    fields = sum(len(entity.fields) for entity in ontology.entities.values())
    assert refresh_knowledge(database, ontology, embedder) == fields
    assert refresh_knowledge(database, ontology, embedder) == 0
    publish_baselines(database, [load_spec("sharing")], ontology, "tester")
    assert refresh_knowledge(database, ontology, embedder) == fields + 1
    assert refresh_knowledge(database, ontology, embedder) == 0
    email = ontology.entity("contact").fields["email"]
    (vector,) = embedder.embed([describe_field(email)])
    with database.tenant(tenant) as conn:
        found = find_neighbours(conn, tenant, "contact", vector)
        votes = read_votes(conn, tenant, [_asked("id", ontology)], embedder)
    told = [one for one in found if one.origin == "ontology"]
    assert (told[0].target, told[0].likeness > 0.99) == ("email", True)
    assert [one.target for one in found if one.origin == "baseline"] == ["id"]
    assert [(one.target, one.voter) for one in votes["contact", "id"]] == [("id", "baseline/sharing")]


def test_votes_are_the_same_from_memory_and_from_the_database(
    clean: None,
    database: Database,
    ontology: Ontology,
    embedder: Embedder,
    tenant: str,
) -> None:
    names = ("favourite colour", "preferred color", "mobile phone number", "cell phone number", "zodiac")
    for at, words in enumerate(names):
        with database.tenant(tenant) as conn:
            store_words(conn, tenant, _decide(at, ontology), words)
    with database.tenant(tenant) as conn:
        embed_decisions(conn, tenant, embedder)
    asked = [_asked(name, ontology) for name in ("zodiac", "favorite_color", "cellphone_number", "blob")]
    wanted = [(question.entity, reading.text) for question, reading in asked]
    with database.tenant(tenant) as conn:
        from_memory = read_votes(conn, tenant, asked, embedder)
        owners = retrieval.list_owners(conn, tenant)
        same = retrieval.read_same(conn, owners, wanted)
        near = retrieval.read_near(conn, owners, wanted, embedder.embed([words for _, words in wanted]))
    found = [
        {
            key: sorted((one.words, one.target, round(one.likeness, 4)) for one in held)
            for key, held in votes.items()
        }
        for votes in (from_memory, retrieval.join_votes(same, near))
    ]
    assert found[0] == found[1]
    assert found[0]["contact", "zodiac"]


def _asked(name: str, ontology: Ontology) -> tuple[Question, Reading]:
    question = Question("crm", "others", name, "contact")
    return question, read_question(question, ontology.entity("contact"), build_lexicon(ontology))


def _decide(at: int, ontology: Ontology) -> Proposal:
    target = list(ontology.entity("contact").fields)[at]
    return Proposal("rolodex", "people", f"f{at}", "contact", target, "direct", {}, 1.0, "exact", ())


def test_many_streams_at_once_are_answered_as_one_by_one(answerer: Answerer) -> None:
    streams = [
        ask("contact", "first_name", "favourite_shade", "e_mail", "x1", stream="people", type="string"),
        ask("invoice", "total", "due", "customer_ref", "memo", stream="bills", type="number"),
        ask("contact", "first_name", "surname", "mobile", stream="leads"),
    ]
    together = answerer.answer([one for stream in streams for one in stream])
    assert together == [one for stream in streams for one in answerer.answer(stream)]
