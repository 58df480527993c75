"""Embeddings that were computed before, in Postgres: a tenant's names under the tenant, our texts for all.

Vectors are kept as bytes: they are fetched by their text, never searched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from sqlalchemy import Connection, bindparam, select, text
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, TEXT

from core.names import GLOBAL_TENANT
from resources.database import Database
from resources.embeddings import MODEL, Embedder, Vectors
from resources.tables import embedding_cache as cache

_SAVE = text(
    """
    INSERT INTO embedding_cache (tenant_id, model, words, embedding)
    SELECT :tenant_id, :model, words, embedding FROM unnest(:words, :vectors) AS given (words, embedding)
    ON CONFLICT DO NOTHING
    """
).bindparams(bindparam("words", type_=ARRAY(TEXT)), bindparam("vectors", type_=ARRAY(BYTEA)))
_WIRE = np.dtype("<f4")


class CachedEmbedder:
    """Has an embedder compute what neither it nor Postgres knows yet, and keeps that."""

    def __init__(self, db: Database, tenant_id: str, embedder: Embedder) -> None:
        self._db, self._tenant_id, self._embedder = db, tenant_id, embedder

    def recall(self, own: Sequence[str], names: Sequence[str]) -> None:
        """Make the embedder know these: texts of ours, and names of the tenant's fields."""
        texts = [*own, *names]
        if not self._embedder.missing(texts):
            return
        with self._db.tenant(self._tenant_id) as conn:
            missing = fill_from_cache(conn, self._tenant_id, self._embedder, texts)
        if not missing:
            return
        vectors = dict(zip(missing, self._embedder.embed(missing), strict=True))
        ours = set(own)
        with self._db.tenant(self._tenant_id) as conn:
            found = {name: vectors[name] for name in missing if name not in ours}
            save_to_cache(conn, self._tenant_id, found)
        if found := {name: vectors[name] for name in missing if name in ours}:
            with self._db.operator() as conn:
                save_to_cache(conn, GLOBAL_TENANT, found)


def fill_from_cache(conn: Connection, tenant_id: str, embedder: Embedder, texts: Sequence[str]) -> list[str]:
    """Give the embedder what Postgres knows of ``texts``; what is missing still, each once."""
    missing = embedder.missing(texts)
    if not missing:
        return []
    query = select(cache.c.words, cache.c.embedding).where(
        cache.c.tenant_id.in_([tenant_id, GLOBAL_TENANT]),
        cache.c.model == MODEL,
        cache.c.words == text("ANY(:words)").bindparams(bindparam("words", missing, ARRAY(TEXT))),
    )
    rows = conn.execute(query)
    embedder.offer({row.words: _read(row.embedding) for row in rows})
    return embedder.missing(missing)


def _read(kept: bytes) -> Vectors:
    """A kept vector; an empty one where the bytes are none."""
    return np.frombuffer(kept if len(kept) % _WIRE.itemsize == 0 else b"", _WIRE)


def save_to_cache(conn: Connection, tenant_id: str, found: Mapping[str, Vectors]) -> None:
    """Keep vectors of names; those that are there already stay."""
    if found:
        vectors = [np.asarray(vector, _WIRE).tobytes() for vector in found.values()]
        facts = {"tenant_id": tenant_id, "model": MODEL, "words": list(found), "vectors": vectors}
        conn.execute(_SAVE, facts)
