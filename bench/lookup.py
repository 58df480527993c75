"""Looking up what is known: the set that holds for a stream, and the nearest decisions to a name.

``python -m bench lookup``: 1,000,000 mapping rows of 1,000 tenants, 50,000 vectors, one tenant with as
many vectors as makes the index worth it. Measured is the code of the product, one lookup at a time, each in
its own transaction under row-level security; recall is the index's against looking at every row.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from bench.measure import Measure
from bench.workspace import Workspace, open_workspace

if TYPE_CHECKING:
    from resources.embeddings import Embedder, Vectors

TENANTS, SETS, FIELDS = 1_000, 50, 20
VECTORS, LARGE, SHARED = 50_000, 22_000, 2_000
"""Vectors in all, of the large tenant, and under ``*``; the rest is spread over the other tenants."""
ENTITIES = 4
LOOKUPS = 1_000
REGISTRY_MS, NEAR_MS = 5.0, 30.0
_LARGE = "t0000"
_FILLED = (
    "tenants",
    "mapping_sets",
    "active_mapping_sets",
    "field_mappings",
    "mapping_embeddings",
    "mapping_decisions",
)
_KEY = "fk_field_mappings_mapping_sets"
_REGISTRY = f"""
    INSERT INTO tenants (tenant_id, title)
        SELECT 't' || lpad(t::text, 4, '0'), '' FROM generate_series(0, {TENANTS - 1}) t;
    INSERT INTO mapping_sets (tenant_id, set_id, connector, stream, number, entity, fingerprint, created_by)
        SELECT tenant_id, md5(tenant_id || s)::uuid, 'c' || mod(s, 25), 's' || s / 25, 1, 'account', 'f',
            'bench'
        FROM tenants, generate_series(0, {SETS - 1}) s WHERE tenant_id ~ '^t[0-9]';
    INSERT INTO active_mapping_sets (tenant_id, connector, stream, set_id, activated_by)
        SELECT tenant_id, connector, stream, set_id, 'bench' FROM mapping_sets;
    INSERT INTO field_mappings (tenant_id, set_id, target, sources, transform, confidence, origin)
        SELECT tenant_id, set_id, 'field_' || f, jsonb_build_array('path.to.' || f), 'direct', 0.9, 'bench'
        FROM mapping_sets, generate_series(0, {FIELDS - 1}) f;
"""
_DECISIONS = """
    INSERT INTO mapping_decisions
        (tenant_id, connector, stream, field, entity, target, transform, args, origin, decided_by, reason)
    SELECT tenant_id, connector, stream, field, entity, target, 'direct', '{}', 'steward', 'eve', 'bench'
    FROM mapping_embeddings
"""


def measure_lookups() -> Iterator[Measure]:
    """p50 and p99 of both kinds of lookup, in ms, and the index's recall."""
    from resources.embeddings import load_embedder

    embedder = load_embedder()
    if embedder is None:
        yield Measure("lookup", 0.0, "ms", note="no embedding model")
        return
    with open_workspace() as place:
        started = time.perf_counter()
        names, known = _embed_names(embedder)
        _fill(place, names, known)
        yield Measure("lookup_prepared", time.perf_counter() - started, "s", note=_describe())
        yield from _measure_registry(place)
        yield from _measure_near(place, known)


def _describe() -> str:
    rows = TENANTS * SETS * FIELDS
    return f"{rows} mapping rows of {TENANTS} tenants, {VECTORS} vectors, {LARGE} of them one tenant's"


def _embed_names(embedder: Embedder) -> tuple[list[str], Vectors]:
    """Names of the ontology as the words of fields, with their real vectors."""
    from core.ontology import load_ontology

    fields = [field for entity in load_ontology().entities.values() for field in entity.fields.values()]
    spelled = {spelling for field in fields for spelling in (field.name, *field.aliases[:3])}
    names = sorted(name.replace("_", " ") for name in spelled)
    return names, embedder.embed(names)


def _fill(place: Workspace, names: Sequence[str], known: Vectors) -> None:
    with place.db.owner() as conn:
        for table in _FILLED:
            conn.exec_driver_sql(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        conn.exec_driver_sql(f"ALTER TABLE field_mappings DROP CONSTRAINT {_KEY}")
        conn.exec_driver_sql(_REGISTRY)
        conn.exec_driver_sql(
            f"ALTER TABLE field_mappings ADD CONSTRAINT {_KEY} FOREIGN KEY (tenant_id, set_id) "
            "REFERENCES mapping_sets ON DELETE CASCADE"
        )
        conn.exec_driver_sql("DROP INDEX ix_mapping_embeddings_embedding")
        _copy_vectors(conn.connection.driver_connection, names, known)
        conn.exec_driver_sql(_DECISIONS)
        conn.exec_driver_sql("SET LOCAL maintenance_work_mem = '512MB'")
        conn.exec_driver_sql(
            "CREATE INDEX ix_mapping_embeddings_embedding ON mapping_embeddings "
            "USING hnsw (embedding vector_cosine_ops)"
        )
        for table in _FILLED:
            conn.exec_driver_sql(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
            conn.exec_driver_sql(f"ANALYZE {table}")


def _copy_vectors(raw: object, names: Sequence[str], known: Vectors) -> None:
    """Real names, each many times over with a little noise, as vendors differ a little."""
    import psycopg

    assert isinstance(raw, psycopg.Connection)
    dice = np.random.default_rng(7)
    columns = "tenant_id, connector, stream, field, entity, target, words, origin, embedding"
    with raw.cursor() as cursor, cursor.copy(f"COPY mapping_embeddings ({columns}) FROM STDIN") as copy:
        for at in range(VECTORS):
            name = at % len(names)
            vector = _shake(known[name], dice)
            owner, origin = _own(at)
            entity = f"entity_{at % ENTITIES}"
            row = (owner, f"c{at % 25}", "s", f"f{at}", entity, f"target_{name}", names[name], origin)
            copy.write_row((*row, "[" + ",".join(f"{value:.5f}" for value in vector) + "]"))


def _own(at: int) -> tuple[str, str]:
    if at < LARGE:
        return _LARGE, "steward"
    if at < LARGE + SHARED:
        return "*", "steward" if at % 2 else "ontology"
    return f"t{1 + at % (TENANTS - 1):04d}", "steward"


def _shake(vector: Vectors, dice: np.random.Generator) -> Vectors:
    shaken = vector + dice.normal(0, 0.25 / np.sqrt(len(vector)), len(vector))
    found: Vectors = (shaken / np.linalg.norm(shaken)).astype(np.float32)
    return found


def _measure_registry(place: Workspace) -> Iterator[Measure]:
    from resources.registry import active_set

    dice = random.Random(7)

    def look() -> None:
        tenant, number = f"t{dice.randrange(TENANTS):04d}", dice.randrange(SETS)
        found = active_set(place.db, tenant, f"c{number % 25}", f"s{number // 25}")
        assert found is not None
        assert len(found.mappings) == FIELDS

    yield from _time("lookup_registry", look, REGISTRY_MS, "the set that holds for a stream")


def _measure_near(place: Workspace, known: Vectors) -> Iterator[Measure]:
    from resources.retrieval import find_neighbours

    dice, noise = random.Random(11), np.random.default_rng(13)

    def look(tenant: str) -> None:
        asked = _shake(known[dice.randrange(len(known))], noise)
        with place.db.tenant(tenant) as conn:
            found = find_neighbours(conn, tenant, f"entity_{dice.randrange(ENTITIES)}", asked)
        assert found

    told = "nearest decisions and canonical fields"
    yield from _time(
        "lookup_near", lambda: look(f"t{dice.randrange(1, TENANTS):04d}"), NEAR_MS, f"{told}, any tenant"
    )
    yield from _time("lookup_near_large", lambda: look(_LARGE), NEAR_MS, f"{told}, by the index")
    yield _measure_recall(place, known)


def _measure_recall(place: Workspace, known: Vectors) -> Measure:
    """The share of the truly nearest that the index finds."""
    from resources import retrieval

    noise = np.random.default_rng(17)
    asked = [_shake(known[at % len(known)], noise) for at in range(0, 2_000, 10)]
    shares = []
    with place.db.tenant(_LARGE) as conn:
        for at, vector in enumerate(asked):
            entity = f"entity_{at % ENTITIES}"
            both = [
                retrieval.find_nearest(conn, [_LARGE], entity, vector, is_many=is_many)
                for is_many in (True, False)
            ]
            found, right = ({(one.words, round(one.likeness, 5)) for one in ones} for ones in both)
            shares.append(len(found & right) / len(right))
    return Measure(
        "lookup_recall", float(np.mean(shares)), "ratio", note=f"of {retrieval.NEIGHBOURS} nearest"
    )


def _time(name: str, look: Callable[[], None], limit_ms: float, told: str) -> Iterator[Measure]:
    for _ in range(50):
        look()
    spent = []
    for _ in range(LOOKUPS):
        started = time.perf_counter()
        look()
        spent.append((time.perf_counter() - started) * 1_000)
    for share in (50, 99):
        value = float(np.percentile(spent, share))
        yield Measure(f"{name}_p{share}", value, "ms", note=f"{told}; hold p99 <= {limit_ms:.0f}")
