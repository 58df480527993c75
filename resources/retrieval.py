"""Retrieval: how similar fields were decided, by the tenant's own people and by everybody's baseline.

What the engine applied by itself does not vote; what votes are worth is ``core/mapper/voting.py``. A
tenant's rows are seen by that tenant only (row-level security); ``*`` rows by all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, and_, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from core.mapper.proposal import Proposal
from core.mapper.question import Question, Reading
from core.mapper.voting import Vote
from core.names import GLOBAL_TENANT
from resources.embeddings import MODEL, Embedder, Vectors
from resources.tables import embedding_cache as cache
from resources.tables import mapping_decisions as decisions
from resources.tables import mapping_embeddings as vectors

FEW_DECISIONS = 50
"""A tenant with fewer decisions of its own leans on the global ones too."""
NEIGHBOURS = 8
NEAR = 0.85
"""Cosine from which a neighbour in meaning may vote."""
EXACT_ROWS = 4_000
"""Rows of one tenant up to which the nearest are found by looking at all of them."""


def read_votes(
    conn: Connection,
    tenant_id: str,
    asked: Sequence[tuple[Question, Reading]],
    embedder: Embedder | None,
) -> dict[tuple[str, str], list[Vote]]:
    """Votes by (entity, words) of the questions; empty where nothing similar was decided."""
    owners = _owners(conn, tenant_id)
    if not _count(conn, owners):
        return {}
    names = sorted({(question.entity, reading.text) for question, reading in asked})
    found: dict[tuple[str, str], list[Vote]] = defaultdict(list)
    for entity, words, vote in _read_same(conn, owners, names):
        found[entity, words].append(vote)
    if embedder is not None:
        _add_near(conn, owners, names, embedder, found)
    return dict(found)


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
        "origin": "steward",
        "embedding": None,
    }
    statement = insert(vectors).values(row)
    keys = ("tenant_id", "connector", "stream", "field")
    fresh = {name: statement.excluded[name] for name in row if name not in keys}
    conn.execute(statement.on_conflict_do_update(index_elements=list(keys), set_=fresh))


def embed_decisions(conn: Connection, tenant_id: str, embedder: Embedder) -> int:
    """Compute the vectors that the owner's decided mappings lack; how many."""
    query = (
        select(vectors.c.words)
        .distinct()
        .where(vectors.c.tenant_id == tenant_id, vectors.c.embedding.is_(None))
    )
    words = list(conn.execute(query).scalars())
    for name, vector in zip(words, embedder.embed(words), strict=True):
        conn.execute(
            update(vectors)
            .where(vectors.c.tenant_id == tenant_id, vectors.c.words == name, vectors.c.embedding.is_(None))
            .values(embedding=vector.tolist())
        )
    return len(words)


def fill_from_cache(conn: Connection, tenant_id: str, embedder: Embedder, texts: Sequence[str]) -> list[str]:
    """Give the embedder what Postgres knows of ``texts``; what is missing still, each once."""
    missing = embedder.missing(texts)
    if missing:
        query = select(cache.c.words, cache.c.embedding).where(
            cache.c.tenant_id.in_([tenant_id, GLOBAL_TENANT]),
            cache.c.model == MODEL,
            cache.c.words.in_(missing),
        )
        embedder.offer({row.words: _to_vector(row.embedding) for row in conn.execute(query)})
    return embedder.missing(texts)


def save_to_cache(conn: Connection, tenant_id: str, found: Mapping[str, Vectors]) -> None:
    """Keep vectors of names; those that are there already stay."""
    if found:
        rows = [
            {"tenant_id": tenant_id, "model": MODEL, "words": words, "embedding": vector.tolist()}
            for words, vector in found.items()
        ]
        conn.execute(insert(cache).on_conflict_do_nothing(), rows)


def _to_vector(value: object) -> Vectors:
    import numpy as np

    return np.asarray(value if not hasattr(value, "to_numpy") else value.to_numpy(), np.float32)


def _owners(conn: Connection, tenant_id: str) -> list[str]:
    own = (
        select(func.count())
        .select_from(decisions)
        .where(decisions.c.tenant_id == tenant_id, decisions.c.origin == "steward")
    )
    few = (conn.execute(own).scalar() or 0) < FEW_DECISIONS
    return [tenant_id, GLOBAL_TENANT] if few else [tenant_id]


def _count(conn: Connection, owners: Sequence[str]) -> int:
    query = select(func.count()).select_from(vectors).where(vectors.c.tenant_id.in_(owners))
    return int(conn.execute(query).scalar() or 0)


def _voter() -> tuple[object, object]:
    """Decided rows joined to who decided them: one voice a person and connector."""
    same = and_(
        *(vectors.c[name] == decisions.c[name] for name in ("tenant_id", "connector", "stream", "field"))
    )
    return same, (decisions.c.decided_by + "/" + vectors.c.connector).label("voter")


def _read_same(
    conn: Connection, owners: Sequence[str], names: Sequence[tuple[str, str]]
) -> list[tuple[str, str, Vote]]:
    same, voter = _voter()
    query = (
        select(vectors.c.entity, vectors.c.words, vectors.c.target, voter)  # type: ignore[call-overload]
        .join(decisions, same)
        .where(
            vectors.c.tenant_id.in_(owners),
            vectors.c.words.in_(sorted({words for _, words in names})),
            decisions.c.origin == "steward",
        )
    )
    wanted = set(names)
    return [
        (row.entity, row.words, Vote(row.target, 1.0, row.voter, row.words))
        for row in conn.execute(query)
        if (row.entity, row.words) in wanted
    ]


_NEAR = text(
    """
    SELECT v.entity, v.words, v.target, d.decided_by || '/' || v.connector AS voter,
           1 - (v.embedding <=> CAST(:asked AS vector)) AS likeness
    FROM mapping_embeddings v
    JOIN mapping_decisions d USING (tenant_id, connector, stream, field)
    WHERE v.tenant_id = ANY(:owners) AND v.entity = :entity AND v.embedding IS NOT NULL
      AND d.origin = 'steward'
    ORDER BY v.embedding <=> CAST(:asked AS vector) LIMIT :most
    """
)


def _add_near(
    conn: Connection,
    owners: Sequence[str],
    names: Sequence[tuple[str, str]],
    embedder: Embedder,
    found: dict[tuple[str, str], list[Vote]],
) -> None:
    for (entity, words), vector in zip(names, embedder.embed([words for _, words in names]), strict=True):
        asked = "[" + ",".join(f"{value:.6f}" for value in vector) + "]"
        facts = {"asked": asked, "owners": list(owners), "entity": entity, "most": NEIGHBOURS}
        for row in conn.execute(_NEAR, facts):
            if row.likeness >= NEAR and row.words != words:
                found[entity, words].append(Vote(row.target, row.likeness / 2, row.voter, row.words))
