"""Lineage as a person reads it: names of things in the graph, and the tree above and below one of them.

Pure. The graph itself is ``core/lineage.py``.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from core.errors import UnknownName
from core.lineage import (
    CONTAINS,
    PUBLISH,
    Edge,
    Graph,
    Node,
    canonical_id,
    column_id,
    connector_id,
    entity_id,
    field_id,
    stream_id,
)

WHOLES = ("entity", "stream", "connector")
"""Kinds whose tree is that of their parts."""


@dataclass(frozen=True)
class Level:
    """A node a name speaks of, and what the ids of its siblings begin with."""

    node_id: str
    siblings: str


@dataclass(frozen=True)
class Reference:
    """A name a user wrote: the node, and above it the wholes it lies in, outermost first."""

    text: str
    levels: tuple[Level, ...]

    @property
    def node_id(self) -> str:
        """The node meant."""
        return self.levels[-1].node_id


_LAYER = re.compile(r"(raw|canonical|views)[./](.+)", re.DOTALL)


def parse_reference(text: str) -> Reference:
    """Read ``views.account[.field]``, ``canonical.account[.field]``, ``raw.hubspot[.companies[.path]]``.

    Slashes, as in asset keys, do as well. Raises UnknownName when it is none of these.
    """
    match = _LAYER.fullmatch(text.strip())
    if match is None:
        raise UnknownName(
            f"{text!r} names nothing in the lineage",
            expected="views.<entity>[.<field>], canonical.<entity>[.<field>] "
            "or raw.<connector>[.<stream>[.<path>]]",
        )
    layer, rest = match.groups()
    if layer == "raw":
        connector, stream, path = _split(rest, 3)
        levels = [
            Level(connector_id(connector), connector_id("")),
            Level(stream_id(connector, stream), stream_id(connector, "")),
            Level(field_id(connector, stream, path), field_id(connector, stream, "")),
        ]
        return Reference(text.strip(), tuple(levels[: 1 + bool(stream) + bool(path)]))
    entity, name = _split(rest, 2)
    make = canonical_id if layer == "canonical" else column_id
    levels = [Level(entity_id(entity), entity_id("")), Level(make(entity, name), make(entity, ""))]
    return Reference(text.strip(), tuple(levels[: 1 + bool(name)]))


def _split(rest: str, parts: int) -> list[str]:
    found = re.split(r"[./]", rest, maxsplit=parts - 1)
    return found + [""] * (parts - len(found))


@dataclass(frozen=True)
class Branch:
    """A node, the edge that led here from the branch's parent (None for a mere part), and what follows."""

    node: Node
    edge: Edge | None
    branches: tuple[Branch, ...] = ()

    @property
    def label(self) -> str:
        """One line: name, then transform, mapping set and confidence of the step."""
        return f"{self.node.name}{_describe(self.node, self.edge)}"

    def grow(self, tree: Any) -> None:
        """Add this branch to anything whose ``add(label)`` returns the same, as rich's ``Tree``."""
        twig = tree.add(self.label)
        for branch in self.branches:
            branch.grow(twig)

    def to_json(self) -> dict[str, Any]:
        """Nested dictionaries, for programs."""
        step = None
        if self.edge is not None and self.edge.transform != CONTAINS:
            step = {
                "transform": self.edge.transform,
                "set_id": self.edge.set_id,
                "confidence": self.edge.confidence,
                **self.edge.details,
            }
        below = [branch.to_json() for branch in self.branches]
        return {"node": self.node.name, "kind": self.node.kind, "step": step, "branches": below}


@dataclass(frozen=True)
class LineageTree:
    """What a node comes from and what it feeds."""

    root: Node
    upstream: tuple[Branch, ...]
    downstream: tuple[Branch, ...]

    def to_json(self) -> dict[str, Any]:
        """Nested dictionaries, for programs."""
        return {
            "node": self.root.name,
            "kind": self.root.kind,
            "upstream": [branch.to_json() for branch in self.upstream],
            "downstream": [branch.to_json() for branch in self.downstream],
        }


def _describe(node: Node, edge: Edge | None) -> str:
    if node.kind == "field" and node.details.get("mapped") is False:
        return "  not mapped"
    if edge is None or edge.transform in (CONTAINS, PUBLISH):
        return ""
    number = edge.details.get("set_number")
    confidence = "" if edge.confidence is None else f", confidence {edge.confidence:.2f}"
    return f"  {edge.transform} (set {number}{confidence})"


def grow_tree(graph: Graph, root_id: str) -> LineageTree:
    """The tree of a node of ``graph``; a whole (entity, stream, connector) shows what its parts do."""
    grower = _Grower(graph)
    root = graph.nodes[root_id]
    if root.kind not in WHOLES:
        return LineageTree(root, grower.follow(root_id, back=True), grower.follow(root_id, back=False))
    upstream = grower.list_parts(root_id, back=True) if root.kind == "entity" else ()
    fed = tuple(branch for branch in upstream if branch.branches)
    return LineageTree(root, fed, grower.list_parts(root_id, back=False))


class _Grower:
    def __init__(self, graph: Graph) -> None:
        self._nodes = graph.nodes
        self._steps: dict[tuple[str, bool], list[Edge]] = defaultdict(list)
        self._parts: dict[str, list[str]] = defaultdict(list)
        for edge in graph.edges.values():
            if edge.transform == CONTAINS:
                self._parts[edge.from_id].append(edge.to_id)
            else:
                self._steps[edge.to_id, True].append(edge)
                self._steps[edge.from_id, False].append(edge)

    def follow(self, node_id: str, *, back: bool) -> tuple[Branch, ...]:
        """Branches of a node, by name: what it comes from (``back``), or what it becomes."""
        steps = [(self._nodes[e.from_id if back else e.to_id], e) for e in self._steps[node_id, back]]
        steps.sort(key=lambda step: step[0].name)
        return tuple(Branch(node, edge, self.follow(node.node_id, back=back)) for node, edge in steps)

    def list_parts(self, node_id: str, *, back: bool) -> tuple[Branch, ...]:
        """A whole's parts, by name, each with its branches."""
        return tuple(self._grow_parts(node_id, back=back))

    def _grow_parts(self, node_id: str, *, back: bool) -> Iterator[Branch]:
        for part in sorted((self._nodes[one] for one in self._parts[node_id]), key=lambda node: node.name):
            below = self.list_parts if part.kind in WHOLES else self.follow
            yield Branch(part, None, below(part.node_id, back=back))
