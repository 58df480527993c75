"""Retrieval: how similar fields were decided, by the tenant's own people and by everybody's baseline.

What the engine applied by itself does not vote; what votes are worth is ``core/mapper/voting.py``. A
tenant's rows are seen by that tenant only (row-level security); ``*`` rows by all: what was promoted, the
baseline mappings of the connectors, and the ontology's own fields (``resources/knowledge.py``). Up to
``EXACT_ROWS`` vectors the nearest are found by looking at all of them, above by the index.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection, Select, bindparam, func, select, text
from sqlalchemy.dialects.postgresql import ARRAY, TEXT

from core.mapper.question import Question, Reading
from core.mapper.voting import Vote
from core.names import GLOBAL_TENANT
from resources.embeddings import Embedder, Vectors
from resources.tables import mapping_decisions as decisions
from resources.tables import mapping_embeddings as vectors

FEW_DECISIONS = 50
"""A tenant with fewer decisions of its own leans on the global ones too."""
NEIGHBOURS = 8
NEAR = 0.85
"""Cosine from which a neighbour in meaning may vote."""
EXACT_ROWS = 4_000
"""Vectors within a tenant's sight up to which the nearest are found by looking at all of them."""
SEARCHED = 64
"""Candidates the index keeps while it searches; more find more, slower (``hnsw.ef_search``)."""
ONTOLOGY, BASELINE, STEWARD = "ontology", "baseline", "steward"
"""Origins of a row: a canonical field itself, a connector's config, a person's decision."""

_SEARCH_WELL = text(
    "SELECT set_config('hnsw.iterative_scan', 'strict_order', true), "
    f"set_config('hnsw.ef_search', '{SEARCHED}', true), set_config('enable_sort', :sort, true)"
)

Named = tuple[str, str]
"""Entity, and the words of a name."""
VotesOf = dict[Named, list[Vote]]


@dataclass(frozen=True)
class Neighbour:
    """A row near a name. ``voter``: who decided it, and for which connector; ``likeness`` is the cosine.

    ``target`` is None where it has no counterpart.
    """

    entity: str
    words: str
    target: str | None
    origin: str
    voter: str
    likeness: float


_COLUMNS = "v.entity, v.words, v.target, v.origin, coalesce(d.decided_by, v.origin) || '/' || v.connector"
_JOIN = "LEFT JOIN mapping_decisions d USING (tenant_id, connector, stream, field)"
_NEAREST = f"""
    SELECT {_COLUMNS} AS voter, 1 - v.distance AS likeness FROM (
        SELECT *, embedding <=> CAST(:asked AS vector) AS distance FROM mapping_embeddings
        WHERE tenant_id = ANY(:owners) AND entity = :entity AND embedding IS NOT NULL
          AND (origin = 'ontology') = :ontology
        ORDER BY (embedding <=> CAST(:asked AS vector)){{exactly}} LIMIT :most
    ) v {_JOIN} ORDER BY v.distance, v.words, v.connector
"""
BY_INDEX = _NEAREST.format(exactly="")
BY_LOOKING = _NEAREST.format(exactly=" + 0")  # an expression no index is sorted by
_ALL = text(
    f"""
    SELECT {_COLUMNS} AS voter, v.embedding FROM mapping_embeddings v {_JOIN}
    WHERE v.tenant_id = ANY(:owners) AND v.origin <> 'ontology'
    """
)
_SAME = text(
    f"""
    SELECT {_COLUMNS} AS voter FROM mapping_embeddings v {_JOIN}
    WHERE v.tenant_id = ANY(:owners) AND v.origin <> 'ontology' AND v.words = ANY(:words)
      AND v.entity = ANY(:entities)
    """
).bindparams(bindparam("words", type_=ARRAY(TEXT)), bindparam("entities", type_=ARRAY(TEXT)))


class Memory:
    """What a tenant may know of decided names, for one run: read once where it is little.

    ``open_scope`` gives a transaction in the tenant's scope.
    """

    def __init__(
        self,
        open_scope: Callable[[], AbstractContextManager[Connection]],
        tenant_id: str,
        embedder: Embedder | None,
    ) -> None:
        self._open_scope, self._embedder = open_scope, embedder
        with open_scope() as conn:
            self._owners = list_owners(conn, tenant_id)
            self._rows = count_rows(conn, self._owners)
            self._held = _read_all(conn, self._owners) if 0 < self._rows <= EXACT_ROWS else None

    def read_same(self, asked: Iterable[Named]) -> VotesOf:
        """Votes of fields called exactly so; empty where there are none."""
        wanted = set(asked)
        if not wanted or not self._rows:
            return {}
        if self._held is not None:
            return {one: list(self._held.same[one]) for one in sorted(wanted) if one in self._held.same}
        with self._open_scope() as conn:
            return read_same(conn, self._owners, wanted)

    def read_near(self, asked: Iterable[Named]) -> VotesOf:
        """Votes of fields called nearly so, half as loud; needs embeddings."""
        wanted = sorted(set(asked))
        if not wanted or not self._rows or self._embedder is None:
            return {}
        found = self._embedder.embed([words for _, words in wanted])
        if self._held is not None:
            return self._held.find_near(wanted, found)
        with self._open_scope() as conn:
            return read_near(conn, self._owners, wanted, found)


def read_votes(
    conn: Connection, tenant_id: str, asked: Sequence[tuple[Question, Reading]], embedder: Embedder | None
) -> VotesOf:
    """Votes by (entity, words) of the questions; empty where nothing similar was decided."""
    memory = Memory(lambda: nullcontext(conn), tenant_id, embedder)
    names = [(question.entity, reading.decided_as) for question, reading in asked]
    return join_votes(memory.read_same(names), memory.read_near(names))


def join_votes(one: VotesOf, other: VotesOf) -> VotesOf:
    """The votes of both."""
    return {key: [*one.get(key, ()), *other.get(key, ())] for key in [*one, *(set(other) - set(one))]}


class _Held:
    """All rows within a tenant's sight, in memory."""

    def __init__(self, rows: Sequence[tuple[str, str, str | None, str, str, Vectors | None]]) -> None:
        self.same: VotesOf = defaultdict(list)
        known: dict[str, list[tuple[str, Vote, Vectors]]] = defaultdict(list)
        for entity, words, target, _, voter, vector in rows:
            self.same[entity, words].append(Vote(target, 1.0, voter, words))
            if vector is not None:
                known[entity].append((words, Vote(target, 0.0, voter, words), vector))
        self._known = {
            entity: (held, np.stack([vector for _, _, vector in held])) for entity, held in known.items()
        }

    def find_near(self, asked: Sequence[Named], asked_vectors: Vectors) -> VotesOf:
        """As ``read_near``."""
        found: VotesOf = {}
        at_of: dict[str, list[int]] = defaultdict(list)
        for at, (entity, _) in enumerate(asked):
            at_of[entity].append(at)
        for entity, members in at_of.items():
            if entity not in self._known:
                continue
            held, known = self._known[entity]
            likeness = asked_vectors[members] @ known.T
            for row, column in zip(*np.nonzero(likeness >= NEAR), strict=True):
                words, vote, _ = held[column]
                if words != asked[members[row]][1]:
                    near = Vote(vote.target, float(likeness[row, column]) / 2, vote.voter, words)
                    found.setdefault(asked[members[row]], []).append(near)
        return {key: sorted(held, key=_nearest_first)[:NEIGHBOURS] for key, held in found.items()}


def _nearest_first(vote: Vote) -> tuple[float, str, str]:
    return (-vote.likeness, vote.words, vote.voter)


def find_neighbours(
    conn: Connection, tenant_id: str, entity: str, vector: Vectors, most: int = NEIGHBOURS
) -> list[Neighbour]:
    """The decided mappings and the canonical fields nearest to a name, each nearest first.

    ``conn`` is in the tenant's scope; ``vector``: the name's embedding.
    """
    (decided,) = find_decided(conn, tenant_id, entity, [vector], most)
    return decided + find_nearest(conn, [GLOBAL_TENANT], entity, vector, most, ontology=True)


def find_decided(
    conn: Connection, tenant_id: str, entity: str, asked: Iterable[Vectors], most: int = NEIGHBOURS
) -> list[list[Neighbour]]:
    """The decided mappings nearest to each name, of the tenant and, while it has few, of everybody."""
    owners = list_owners(conn, tenant_id)
    is_many = count_rows(conn, owners, entity) > EXACT_ROWS
    return [find_nearest(conn, owners, entity, vector, most, is_many=is_many) for vector in asked]


def find_nearest(
    conn: Connection,
    owners: Sequence[str],
    entity: str,
    vector: Vectors,
    most: int = NEIGHBOURS,
    *,
    is_many: bool = False,
    ontology: bool = False,
) -> list[Neighbour]:
    """Rows of the owners nearest to a vector; ``is_many``: by the index, else by looking at all of them."""
    facts: dict[str, object] = {"owners": list(owners), "entity": entity, "most": most, "ontology": ontology}
    facts["asked"] = write_vector(vector)
    if not is_many:
        return [Neighbour(*row) for row in conn.execute(text(BY_LOOKING), facts)]
    with search_well(conn):
        return [Neighbour(*row) for row in conn.execute(text(BY_INDEX), facts)]


@contextmanager
def search_well(conn: Connection) -> Iterator[None]:
    """Take the index, and let it go on until enough rows pass the filters, in exact order.

    The planner thinks a distance costs what any operator does, and would rather sort thousands of them.
    """
    conn.execute(_SEARCH_WELL, {"sort": "off"})
    yield
    conn.execute(_SEARCH_WELL, {"sort": "on"})


def write_vector(vector: Vectors) -> str:
    """A vector as Postgres reads it."""
    return "[" + ",".join(f"{value:.7f}" for value in vector) + "]"


def list_owners(conn: Connection, tenant_id: str) -> list[str]:
    """Whose decisions a tenant hears: its own, and everybody's while it has few."""
    own = select(decisions.c.tenant_id).where(
        decisions.c.tenant_id == tenant_id, decisions.c.origin == STEWARD
    )
    few = _count(conn, own.limit(FEW_DECISIONS)) < FEW_DECISIONS
    return [tenant_id, GLOBAL_TENANT] if few else [tenant_id]


def count_rows(conn: Connection, owners: Sequence[str], entity: str | None = None) -> int:
    """Rows within sight, of one entity or all; counted no further than past ``EXACT_ROWS``."""
    some = select(vectors.c.tenant_id).where(vectors.c.tenant_id.in_(owners))
    if entity is None:
        some = some.where(vectors.c.origin != ONTOLOGY)
    else:
        some = some.where(vectors.c.entity == entity)
    return _count(conn, some.limit(EXACT_ROWS + 1))


def _count(conn: Connection, some: Select[tuple[str]]) -> int:
    return int(conn.execute(select(func.count()).select_from(some.subquery())).scalar() or 0)


def read_same(conn: Connection, owners: Sequence[str], asked: Iterable[Named]) -> VotesOf:
    """Votes of fields called exactly so."""
    wanted = set(asked)
    facts = {
        "owners": list(owners),
        "words": sorted({words for _, words in wanted}),
        "entities": sorted({entity for entity, _ in wanted}),
    }
    found: VotesOf = defaultdict(list)
    for row in conn.execute(_SAME, facts):
        if (row.entity, row.words) in wanted:
            found[row.entity, row.words].append(Vote(row.target, 1.0, row.voter, row.words))
    return dict(found)


def read_near(
    conn: Connection, owners: Sequence[str], asked: Sequence[Named], asked_vectors: Vectors
) -> VotesOf:
    """Votes of fields called nearly so, by the index."""
    many = {entity: count_rows(conn, owners, entity) > EXACT_ROWS for entity in {one for one, _ in asked}}
    found: VotesOf = {}
    for (entity, words), vector in zip(asked, asked_vectors, strict=True):
        near = find_nearest(conn, owners, entity, vector, is_many=many[entity])
        votes = [
            Vote(one.target, one.likeness / 2, one.voter, one.words)
            for one in near
            if one.likeness >= NEAR and one.words != words
        ]
        if votes:
            found[entity, words] = votes
    return found


def _read_all(conn: Connection, owners: Sequence[str]) -> _Held:
    rows = [(*row[:5], _read_vector(row.embedding)) for row in conn.execute(_ALL, {"owners": list(owners)})]
    return _Held(sorted(rows, key=lambda row: (*row[:2], row[2] or "", *row[3:5])))


def _read_vector(given: str | None) -> Vectors | None:
    return None if given is None else np.array(given[1:-1].split(","), np.float32)
