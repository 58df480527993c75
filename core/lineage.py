"""The lineage graph: from each source field through its mapping to canonical fields and view columns.

Pure. Trees cut out of it are ``core/lineage_tree.py``; where it is kept is ``resources/lineage.py``.

    connector:hubspot ─▶ stream:hubspot/companies ─▶ field:hubspot/companies/properties.name
                                                        │ trim, set 1, 1.0
    entity:account ─▶ canonical:account.name ◀──────────┘
                         └─▶ column:account.name

Edges from a whole to its parts only contain; the others say what a value becomes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from core.connector import StreamSpec
from core.coverage import measure_coverage
from core.mapping import FieldMapping, MappingSet
from core.names import Path, canonical_key, format_path, join_name, parse_path, raw_key
from core.ontology import Entity, Ontology
from core.schema import TableSchema
from core.transforms_sql import list_consumed
from core.view_layout import SQL_TYPES

CONTAINS = "contains"
PUBLISH = "view"
"""Transform of the step from a canonical field to its view column: the latest state of each record."""


@dataclass(frozen=True)
class Node:
    """``kind``: connector, stream, field, set, entity, canonical or column; ``name`` as users write it."""

    node_id: str
    kind: str
    name: str
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Edge:
    """A step from one node to another; ``set_id`` names the mapping set that says so."""

    from_id: str
    to_id: str
    transform: str
    set_id: str | None = None
    confidence: float | None = None
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Graph:
    """Nodes by id, edges by (from, to)."""

    nodes: dict[str, Node]
    edges: dict[tuple[str, str], Edge]


@dataclass(frozen=True)
class StreamFacts:
    """What is known of one stream of a connected source; any part may be missing."""

    connector: str
    stream: str
    spec: StreamSpec | None = None
    mapping_set: MappingSet | None = None
    schema: TableSchema | None = None


def connector_id(connector: str) -> str:
    """Node of a connector."""
    return f"connector:{connector}"


def stream_id(connector: str, stream: str) -> str:
    """Node of a stream."""
    return f"stream:{join_name(connector, stream)}"


def field_id(connector: str, stream: str, path: str) -> str:
    """Node of a source field, by its path."""
    return f"field:{join_name(connector, stream)}/{path}"


def entity_id(entity: str) -> str:
    """Node of a canonical entity."""
    return f"entity:{entity}"


def canonical_id(entity: str, name: str) -> str:
    """Node of a canonical field."""
    return f"canonical:{entity}.{name}"


def column_id(entity: str, name: str) -> str:
    """Node of a view column."""
    return f"column:{entity}.{name}"


def build_graph(streams: Iterable[StreamFacts], ontology: Ontology) -> Graph:
    """The graph of a tenant's streams and of the entities they fill."""
    builder = _Builder()
    for facts in streams:
        builder.add_stream(facts)
        if facts.mapping_set is not None and facts.mapping_set.entity in ontology.entities:
            builder.add_entity(ontology.entities[facts.mapping_set.entity])
            builder.add_mappings(facts, facts.mapping_set)
    return Graph(builder.nodes, builder.edges)


class _Builder:
    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.edges: dict[tuple[str, str], Edge] = {}

    def _add(self, node_id: str, kind: str, name: str, **details: Any) -> str:
        self.nodes.setdefault(node_id, Node(node_id, kind, name, details))
        return node_id

    def _link(self, edge: Edge) -> None:
        self.edges[(edge.from_id, edge.to_id)] = edge

    def _contain(self, whole: str, part: str) -> None:
        self._link(Edge(whole, part, CONTAINS))

    def add_stream(self, facts: StreamFacts) -> None:
        """The stream, its connector, and every leaf of its newest schema."""
        connector = self._add(connector_id(facts.connector), "connector", f"raw.{facts.connector}")
        entity = facts.mapping_set.entity if facts.mapping_set else None
        number = facts.mapping_set.number if facts.mapping_set else None
        stream = self._add(
            stream_id(facts.connector, facts.stream), "stream", _name(facts), entity=entity, set_number=number
        )
        self._contain(connector, stream)
        if facts.schema is None:
            return
        mappings = facts.mapping_set.mappings if facts.mapping_set else ()
        coverage = measure_coverage(facts.schema, mappings, facts.spec)
        mapped = set(coverage.mapped)
        types = {one.path: list(one.types) for one in facts.schema.fields}
        for path in (*coverage.mapped, *coverage.unknown):
            self._add_field(facts, path, mapped=path in mapped, types=types[path])

    def _add_field(self, facts: StreamFacts, path: str, **details: Any) -> str:
        node_id = field_id(facts.connector, facts.stream, path)
        node = self._add(node_id, "field", f"{_name(facts)}.{path}", **details)
        self._contain(stream_id(facts.connector, facts.stream), node)
        return node

    def add_entity(self, entity: Entity) -> None:
        """The entity, its fields and the columns of its view."""
        if entity_id(entity.name) in self.nodes:
            return
        whole = self._add(entity_id(entity.name), "entity", f"canonical.{entity.name}")
        for one in entity.fields.values():
            name, sql_type = f"{entity.name}.{one.name}", SQL_TYPES[one.type]
            made = self._add(
                canonical_id(entity.name, one.name), "canonical", f"canonical.{name}", type=one.type
            )
            column = self._add(column_id(entity.name, one.name), "column", f"views.{name}", type=sql_type)
            self._contain(whole, made)
            self._link(Edge(made, column, PUBLISH, confidence=1.0))

    def add_mappings(self, facts: StreamFacts, held: MappingSet) -> None:
        """An edge from every source of every mapping; constants come from the set itself.

        A source that no load has shown yet has no types.
        """
        fields = index_fields(facts.schema)
        for mapping in held.mappings:
            target = canonical_id(held.entity, mapping.target)
            if target not in self.nodes:
                continue
            sources = resolve_sources(mapping, fields)
            for path, read in sources.items():
                source = self._add_field(facts, path, mapped=True, types=[])
                details = {"path": read} if read != path else {}
                self._link(_map(source, target, mapping, held, details))
            if not sources:
                self._link(_map(self._add_set(held), target, mapping, held, {}))

    def _add_set(self, held: MappingSet) -> str:
        name = f"mapping set {held.number} of {join_name(held.connector, held.stream)}"
        return self._add(f"set:{held.set_id}", "set", name, number=held.number, tenant=held.tenant_id)


def _map(source: str, target: str, mapping: FieldMapping, held: MappingSet, details: dict[str, Any]) -> Edge:
    facts: dict[str, Any] = {"set_number": held.number, "origin": mapping.origin}
    if mapping.args:
        facts["args"] = mapping.args
    return Edge(source, target, mapping.transform, held.set_id, mapping.confidence, facts | details)


def _name(facts: StreamFacts) -> str:
    return f"raw.{facts.connector}.{facts.stream}"


def index_fields(schema: TableSchema | None) -> dict[Path, str]:
    """Every field of a schema by its parsed path."""
    return {parse_path(one.path): one.path for one in schema.fields} if schema is not None else {}


def resolve_sources(mapping: FieldMapping, fields: Mapping[Path, str]) -> dict[str, str]:
    """Source fields of a mapping: name in the schema (as ``tags.*``) and the path read (as ``tags.0``).

    A field that the schema does not have is named as it is read.
    """
    return {_find_field(path, fields): format_path(path) for path in list_consumed(mapping)}


def _find_field(path: Path, fields: Mapping[Path, str]) -> str:
    if path in fields:
        return fields[path]
    starred: Path = tuple("*" if isinstance(part, int) else part for part in path)
    return fields.get(starred, format_path(path))


# --- column lineage for asset metadata ---------------------------------------------------------

ColumnSources = dict[str, list[tuple[list[str], str]]]
"""Column → asset key and column of each of its sources."""


def column_lineage(
    sets: Iterable[MappingSet], schemas: Mapping[tuple[str, str], TableSchema] | None = None
) -> ColumnSources:
    """Sources in raw assets of each canonical field that ``sets`` (all of one entity) fill."""
    found: ColumnSources = defaultdict(list)
    for held in sets:
        fields = index_fields((schemas or {}).get((held.connector, held.stream)))
        for mapping in held.mappings:
            for path in resolve_sources(mapping, fields):
                found[mapping.target].append((raw_key(held.connector, held.stream), path))
    return dict(found)


def view_lineage(entity: Entity) -> ColumnSources:
    """Source of each column of the entity's view: the canonical field of the same name."""
    return {name: [(canonical_key(entity.name), name)] for name in entity.fields}
