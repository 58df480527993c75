"""The lineage graph in Postgres: rebuilt from mapping sets and schemas, traced from any name.

What is in the graph is decided in ``core/lineage.py``; names and trees are ``core/lineage_tree.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Connection, Table, Text, any_, delete, literal, select, tuple_
from sqlalchemy.dialects.postgresql import ARRAY, insert

from core.connector import ConnectorSpec
from core.errors import UnknownName
from core.lineage import CONTAINS, Edge, Graph, Node, StreamFacts, build_graph
from core.lineage_tree import WHOLES, Level, LineageTree, Reference, grow_tree, parse_reference
from core.ontology import Ontology
from core.ontology.model import suggest_near
from resources.connections import list_connections
from resources.database import Database
from resources.registry import active_sets
from resources.stream_facts import read_schemas
from resources.tables import lineage_edges as edges
from resources.tables import lineage_nodes as nodes

LOCK = "lineage"
_BATCH = 5_000


@dataclass(frozen=True)
class LineageCounts:
    """Size of the graph, and how many nodes and edges a rebuild wrote or removed."""

    nodes: int
    edges: int
    written: int
    removed: int


def rebuild_lineage(
    db: Database, tenant_id: str, specs: Mapping[str, ConnectorSpec], ontology: Ontology
) -> LineageCounts:
    """Bring the stored graph up to the tenant's connections, mapping sets and newest schemas.

    Only differences are written. Raises LockBusy while another process does the same.
    """
    with db.lock(tenant_id, LOCK):
        graph = build_graph(_read_facts(db, tenant_id, specs), ontology)
        with db.tenant(tenant_id) as conn:
            done = [
                _replace(conn, nodes, tenant_id, ("node_id",), _list_nodes(graph)),
                _replace(conn, edges, tenant_id, ("from_id", "to_id"), _list_edges(graph)),
            ]
    written, removed = (sum(counts) for counts in zip(*done, strict=True))
    return LineageCounts(len(graph.nodes), len(graph.edges), written, removed)


_Key = tuple[str, ...]
_Rows = dict[_Key, dict[str, Any]]


def _list_nodes(graph: Graph) -> _Rows:
    return {
        (n.node_id,): {"kind": n.kind, "name": n.name, "details": n.details} for n in graph.nodes.values()
    }


def _list_edges(graph: Graph) -> _Rows:
    return {
        key: {
            "set_id": edge.set_id,
            "transform": edge.transform,
            "confidence": edge.confidence,
            "details": edge.details,
        }
        for key, edge in graph.edges.items()
    }


def _read_facts(db: Database, tenant_id: str, specs: Mapping[str, ConnectorSpec]) -> list[StreamFacts]:
    connectors = [connection.connector for connection in list_connections(db, tenant_id)]
    sets = active_sets(db, tenant_id, connectors)
    schemas = read_schemas(db, tenant_id, connectors)
    declared = {
        (name, stream): spec
        for name in connectors
        if name in specs
        for stream, spec in specs[name].streams.items()
    }
    return [
        StreamFacts(*key, declared.get(key), sets.get(key), schemas.get(key))
        for key in sorted(declared.keys() | sets.keys() | schemas.keys())
    ]


def _replace(
    conn: Connection,
    table: Table,
    tenant_id: str,
    key: _Key,
    wanted: _Rows,
) -> tuple[int, int]:
    """Make the tenant's rows equal ``wanted``; rows written and removed."""
    mine = table.c.tenant_id == tenant_id
    columns = [table.c[name] for name in key]
    names = [column.name for column in table.c if column.name not in (*key, "tenant_id")]
    query = select(*columns, *(table.c[name] for name in names)).where(mine)
    found = {
        tuple(row[: len(key)]): dict(zip(names, row[len(key) :], strict=True)) for row in conn.execute(query)
    }
    for some in _batches(found.keys() - wanted.keys()):
        conn.execute(delete(table).where(mine, tuple_(*columns).in_(some)))
    changed = [one for one, values in wanted.items() if found.get(one) != values]
    if changed:
        rows = [dict(zip(key, one, strict=True)) | wanted[one] | {"tenant_id": tenant_id} for one in changed]
        statement = insert(table)
        updated = {name: statement.excluded[name] for name in names}
        conn.execute(statement.on_conflict_do_update(index_elements=["tenant_id", *key], set_=updated), rows)
    return len(changed), len(found.keys() - wanted.keys())


def _batches(keys: Iterable[_Key]) -> Iterable[list[_Key]]:
    listed = sorted(keys)
    return (listed[start : start + _BATCH] for start in range(0, len(listed), _BATCH))


def trace(db: Database, tenant_id: str, reference: str) -> LineageTree:
    """What the named thing comes from and feeds: ``views.account.annual_revenue``, ``raw.hubspot.companies``…

    Raises UnknownName, with near names, for what is not in the tenant's graph.
    """
    wanted = parse_reference(reference)
    with db.tenant(tenant_id) as conn:
        root = _find_root(conn, tenant_id, wanted)
        graph = _read_around(conn, tenant_id, root)
    return grow_tree(graph, root.node_id)


def _find_root(conn: Connection, tenant_id: str, wanted: Reference) -> Node:
    ids = [level.node_id for level in wanted.levels]
    found = _read_nodes(conn, tenant_id, ids)
    for level in wanted.levels:
        if level.node_id not in found:
            raise _unknown(conn, tenant_id, wanted, level)
    return found[wanted.node_id]


def _unknown(conn: Connection, tenant_id: str, wanted: Reference, level: Level) -> UnknownName:
    name = level.node_id.removeprefix(level.siblings)
    query = select(nodes.c.node_id).where(
        nodes.c.tenant_id == tenant_id, nodes.c.node_id.startswith(level.siblings, autoescape=True)
    )
    others = [other.removeprefix(level.siblings) for other in conn.execute(query).scalars()]
    return UnknownName(
        f"{wanted.text!r}: nothing known of {name!r}",
        where=f"lineage of tenant {tenant_id}",
        remedy=suggest_near(name, others) or (None if others else f"Run: aos sync {tenant_id}"),
    )


def _read_nodes(conn: Connection, tenant_id: str, ids: Iterable[str]) -> dict[str, Node]:
    query = select(nodes).where(nodes.c.tenant_id == tenant_id, nodes.c.node_id == any_(_texts(ids)))
    return {r.node_id: Node(r.node_id, r.kind, r.name, r.details) for r in conn.execute(query)}


def _read_around(conn: Connection, tenant_id: str, root: Node) -> Graph:
    """The part of the graph that the tree of ``root`` needs."""
    found = _walk(conn, tenant_id, {root.node_id}, edges.c.from_id)
    if root.kind not in ("stream", "connector"):
        parts = {edge.to_id for edge in found.values() if edge.from_id == root.node_id}
        start = {root.node_id} if root.kind not in WHOLES else parts
        found |= _walk(conn, tenant_id, start, edges.c.to_id)
    ids = {root.node_id} | {end for ends in found for end in ends}
    return Graph(_read_nodes(conn, tenant_id, ids), found)


def _walk(
    conn: Connection, tenant_id: str, start: set[str], near: Column[Any]
) -> dict[tuple[str, str], Edge]:
    """Edges reached from ``start``, leaving through column ``near``; backward never up to a whole."""
    back = near is edges.c.to_id
    found: dict[tuple[str, str], Edge] = {}
    seen, frontier = set(start), set(start)
    while frontier:
        query = select(edges).where(edges.c.tenant_id == tenant_id, near == any_(_texts(frontier)))
        if back:
            query = query.where(edges.c.transform != CONTAINS)
        step = [
            Edge(r.from_id, r.to_id, r.transform, r.set_id, r.confidence, r.details)
            for r in conn.execute(query)
        ]
        found |= {(edge.from_id, edge.to_id): edge for edge in step}
        frontier = {edge.from_id if back else edge.to_id for edge in step} - seen
        seen |= frontier
    return found


def _texts(ids: Iterable[str]) -> Any:
    return literal(list(ids), ARRAY(Text))
