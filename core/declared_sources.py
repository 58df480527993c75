"""What the connector configs declare: which source fields fill a canonical field, and which it is they fill.

What holds for a tenant may differ (its own mapping sets); that is ``core/lineage.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from core.connector import ConnectorSpec, StreamSpec
from core.names import join_name

DeclaredSources = Mapping[str, Mapping[str, list[str]]]
"""Entity → canonical field → ``connector/stream.path`` of each source."""


def list_declared_sources(specs: Iterable[ConnectorSpec]) -> DeclaredSources:
    """The sources of every canonical field any config maps."""
    found: dict[str, dict[str, list[str]]] = {}
    for spec in specs:
        for name, stream in spec.streams.items():
            if stream.entity is None:
                continue
            fields = found.setdefault(stream.entity, {})
            for target, mapping in stream.mappings.items():
                paths = [f"{join_name(spec.connector, name)}.{path}" for path in mapping.from_]
                fields.setdefault(target, []).extend(paths)
    return found


def list_declared_targets(stream: StreamSpec) -> Mapping[str, list[str]]:
    """Source path → ``entity.field`` of each canonical field it fills."""
    found: dict[str, list[str]] = {}
    for target, mapping in stream.mappings.items():
        for path in mapping.from_:
            found.setdefault(path, []).append(f"{stream.entity}.{target}")
    return found
