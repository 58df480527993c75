"""Table schemas as observed: fields with nested paths, types and nullability, and their fingerprint."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

TYPES = (
    "null",
    "boolean",
    "integer",
    "number",
    "string",
    "date",
    "time",
    "timestamp",
    "binary",
    "object",
    "array",
)
"""Logical types of source values. ``null`` means no value has been seen yet."""


@dataclass(frozen=True, order=True)
class FieldSchema:
    """One field: ``path`` in the grammar of ``core.names``, its types (sorted), whether it may be null.

    ``presence_ratio`` is the share of records that carried the key at all, kept as evidence for
    removals; it is not part of the fingerprint.
    """

    path: str
    types: tuple[str, ...]
    nullable: bool
    presence_ratio: float = 1.0


@dataclass(frozen=True)
class TableSchema:
    """The fields of a stream, sorted by path."""

    fields: tuple[FieldSchema, ...]

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) over path, types and nullability of every field."""
        facts = [[f.path, list(f.types), f.nullable] for f in sorted(self.fields)]
        return hashlib.sha256(json.dumps(facts, ensure_ascii=False).encode()).hexdigest()

    def to_json(self) -> list[dict[str, object]]:
        """The stored form; ``from_json`` reads it back."""
        return [
            {
                "path": f.path,
                "types": list(f.types),
                "nullable": f.nullable,
                "presence_ratio": f.presence_ratio,
            }
            for f in sorted(self.fields)
        ]

    @classmethod
    def from_json(cls, rows: list[dict[str, object]]) -> TableSchema:
        """Read what ``to_json`` wrote."""
        return cls(
            tuple(
                FieldSchema(
                    path=str(row["path"]),
                    types=tuple(str(t) for t in _as_list(row["types"])),
                    nullable=bool(row["nullable"]),
                    presence_ratio=float(str(row.get("presence_ratio", 1.0))),
                )
                for row in rows
            )
        )


def _as_list(value: object) -> list[object]:
    return list(value) if isinstance(value, (list, tuple)) else [value]
