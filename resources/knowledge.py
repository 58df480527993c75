"""What every tenant may retrieve, kept under ``*``: the ontology's fields and the connectors' baselines.

Made anew when the ontology, the global sets that hold, or the embedding model change; else one query.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects.postgresql import insert

from core.mapper.lexicon import build_lexicon
from core.mapper.question import Question, read_question
from core.mapping import MappingSet
from core.names import GLOBAL_TENANT
from core.ontology import CanonicalField, Ontology
from resources.bulk import insert_rows
from resources.database import Database
from resources.embeddings import MODEL, Embedder
from resources.registry import BASELINE as FROM_CONFIG
from resources.registry_rows import read_sets, select_active, wait_turn
from resources.retrieval import BASELINE, ONTOLOGY
from resources.tables import active_mapping_sets as active
from resources.tables import mapping_embeddings as vectors
from resources.tables import mapping_sets as sets
from resources.tables import shared_knowledge as table

FORMAT = 2
"""Another number makes everybody's entries anew."""
MAX_ALIASES = 2
_Row = dict[str, object]


def refresh_knowledge(db: Database, ontology: Ontology, embedder: Embedder) -> int:
    """Bring the shared entries up to date; how many were written, 0 where nothing changed."""
    with db.operator() as conn:
        if _is_fresh(conn, ontology):
            return 0
    with db.operator() as conn:
        found = [*_describe_ontology(ontology), *_describe_baselines(conn, ontology)]
    texts = [str(row.pop("text")) for row in found]
    embedded = embedder.embed(texts)  # outside a transaction: it takes seconds
    with db.operator() as conn:
        wait_turn(conn, GLOBAL_TENANT)
        if _is_fresh(conn, ontology):  # another process was faster
            return 0
        ours = vectors.c.origin.in_((ONTOLOGY, BASELINE))
        conn.execute(delete(vectors).where(vectors.c.tenant_id == GLOBAL_TENANT, ours))
        rows = [
            {**row, "embedding": "[" + ",".join(f"{value:.7f}" for value in vector) + "]"}
            for row, vector in zip(found, embedded, strict=True)
        ]
        insert_rows(conn, vectors, rows)
        _mark(conn, _fingerprint(conn, ontology), len(rows))
    return len(rows)


def _is_fresh(conn: Connection, ontology: Ontology) -> bool:
    stored = select(table.c.fingerprint).where(table.c.tenant_id == GLOBAL_TENANT)
    return conn.execute(stored).scalar() == _fingerprint(conn, ontology)


def _fingerprint(conn: Connection, ontology: Ontology) -> str:
    same = (active.c.tenant_id == sets.c.tenant_id) & (active.c.set_id == sets.c.set_id)
    query = select(sets.c.connector, sets.c.stream, sets.c.fingerprint).join(active, same)
    query = query.where(active.c.tenant_id == GLOBAL_TENANT, sets.c.reason == FROM_CONFIG)
    known = sorted(map(list, conn.execute(query)))
    return hashlib.sha256(json.dumps([FORMAT, MODEL, ontology.fingerprint, known]).encode()).hexdigest()


def _mark(conn: Connection, fingerprint: str, entries: int) -> None:
    row = {"tenant_id": GLOBAL_TENANT, "fingerprint": fingerprint, "entries": entries}
    statement = insert(table).values(row)
    fresh = {"fingerprint": fingerprint, "entries": entries, "refreshed_at": statement.excluded.refreshed_at}
    conn.execute(statement.on_conflict_do_update(index_elements=["tenant_id"], set_=fresh))


def _describe_ontology(ontology: Ontology) -> Iterator[_Row]:
    for entity in ontology.entities.values():
        for field in entity.fields.values():
            row = _write_row("*", entity.name, field.name, entity.name, field.name, ONTOLOGY)
            yield row | {"words": field.name.replace("_", " "), "text": describe_field(field)}


def describe_field(field: CanonicalField) -> str:
    """What is embedded of a canonical field: name, description, type, and what else it is called."""
    name = field.name.replace("_", " ")
    also = ", ".join(alias.replace("_", " ") for alias in field.aliases[:MAX_ALIASES])
    return f"{name}: {field.description} ({field.type})" + (f"; also {also}" if also else "")


def _describe_baselines(conn: Connection, ontology: Ontology) -> Iterator[_Row]:
    query = select_active(GLOBAL_TENANT).where(sets.c.reason == FROM_CONFIG)
    lexicon = build_lexicon(ontology)
    for held in read_sets(conn, query):
        if held.entity not in ontology.entities:
            continue
        for path, target in _list_sources(held):
            question = Question(held.connector, held.stream, path, held.entity)
            words = read_question(question, ontology.entity(held.entity), lexicon).decided_as
            row = _write_row(held.connector, held.stream, path, held.entity, target, BASELINE)
            yield row | {"words": words, "text": words}


def _list_sources(held: MappingSet) -> Iterator[tuple[str, str]]:
    """Fields that alone fill one canonical field, each once."""
    known: dict[str, str] = {}
    for mapping in held.mappings:
        if len(mapping.sources) == 1:
            known.setdefault(mapping.sources[0], mapping.target)
    yield from known.items()


def _write_row(connector: str, stream: str, field: str, entity: str, target: str, origin: str) -> _Row:
    return {
        "tenant_id": GLOBAL_TENANT,
        "connector": connector,
        "stream": stream,
        "field": field,
        "entity": entity,
        "target": target,
        "origin": origin,
    }
