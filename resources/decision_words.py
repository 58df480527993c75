"""Writing what retrieval finds (``resources/retrieval.py``): decided names, and their vectors."""

from __future__ import annotations

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects.postgresql import insert

from core.mapper.proposal import Proposal
from resources.embeddings import Embedder
from resources.retrieval import STEWARD
from resources.tables import mapping_embeddings as vectors


def store_words(conn: Connection, tenant_id: str, one: Proposal, words: str) -> None:
    """Remember a decided mapping for retrieval, by its words; ``embed_decisions`` adds its vector."""
    row = {
        "tenant_id": tenant_id,
        "connector": one.connector,
        "stream": one.stream,
        "field": one.field,
        "entity": one.entity,
        "target": one.target,
        "words": words,
        "origin": STEWARD,
        "embedding": None,
    }
    statement = insert(vectors).values(row)
    keys = ("tenant_id", "connector", "stream", "field")
    fresh = {name: statement.excluded[name] for name in row if name not in keys}
    conn.execute(statement.on_conflict_do_update(index_elements=list(keys), set_=fresh))


def forget_words(conn: Connection, tenant_id: str, one: Proposal) -> None:
    """Let a field that was decided to be its target speak for that no longer."""
    conn.execute(
        delete(vectors).where(
            vectors.c.tenant_id == tenant_id,
            vectors.c.connector == one.connector,
            vectors.c.stream == one.stream,
            vectors.c.field == one.field,
            vectors.c.target == one.target,
            vectors.c.origin == STEWARD,
        )
    )


def embed_decisions(conn: Connection, tenant_id: str, embedder: Embedder) -> int:
    """Compute the vectors that the owner's decided mappings lack; how many."""
    query = (
        select(vectors.c.words)
        .distinct()
        .where(vectors.c.tenant_id == tenant_id, vectors.c.embedding.is_(None))
        .order_by(vectors.c.words)  # two syncs at once: rows are locked in one order
    )
    words = list(conn.execute(query).scalars())
    for name, vector in zip(words, embedder.embed(words), strict=True):
        conn.execute(
            update(vectors)
            .where(vectors.c.tenant_id == tenant_id, vectors.c.words == name, vectors.c.embedding.is_(None))
            .values(embedding=vector.tolist())
        )
    return len(words)
