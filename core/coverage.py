"""How much of a source a mapping understands: which of its fields are consumed and which are left over.

Counted are leaves: a nested object is its fields, an array its elements. What becomes of the values that
are left over is ``core/unknown_sql.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from core.connector import ConnectorSpec, FlagDeletion, StreamSpec
from core.mapping import FieldMapping
from core.names import Path, parse_path
from core.ontology import Entity, Ontology
from core.schema import TableSchema
from core.transforms_sql import list_consumed


@dataclass(frozen=True)
class Coverage:
    """Field paths of a stream, in the schema's order."""

    mapped: tuple[str, ...]
    unknown: tuple[str, ...]


def measure_coverage(
    schema: TableSchema, mappings: Sequence[FieldMapping], stream: StreamSpec | None = None
) -> Coverage:
    """Which fields of ``schema`` the mappings consume; key and deletion flag of ``stream`` count as such."""
    consumed = [path for mapping in mappings for path in list_consumed(mapping)]
    if stream is not None:
        consumed += [parse_path(path) for path in stream.primary_key]
        if isinstance(stream.deletion, FlagDeletion):
            consumed.append(parse_path(stream.deletion.field))
    leaves = list(_list_leaves(schema))
    mapped = tuple(text for text, path in leaves if any(_covers(one, path) for one in consumed))
    taken = set(mapped)
    return Coverage(mapped, tuple(text for text, _ in leaves if text not in taken))


def _list_leaves(schema: TableSchema) -> Iterable[tuple[str, Path]]:
    paths = {field.path: parse_path(field.path) for field in schema.fields}
    inner = {path[:end] for path in paths.values() for end in range(1, len(path))}
    return ((text, path) for text, path in paths.items() if path not in inner)


def _covers(consumed: Path, path: Path) -> bool:
    """Whether a value read at ``consumed`` is, holds, or lies within what stands at ``path``."""
    return all(_same(one, other) for one, other in zip(consumed, path, strict=False))


def _same(one: str | int, other: str | int) -> bool:
    return one == other or "*" in (one, other)


def list_fillable(specs: Iterable[ConnectorSpec], ontology: Ontology) -> list[Entity]:
    """The entities that streams may fill, by name: those declared, all where a stream declares none."""
    named = {stream.entity for spec in specs for stream in spec.streams.values()}
    return [one for name, one in sorted(ontology.entities.items()) if name in named or None in named]
