"""Field mappings and mapping sets: what maps to what, by which transform of a closed list.

How a set becomes SQL is ``core/compile.py``; where sets live is ``resources/registry.py``.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Transform = Literal[
    "direct",  # the value as it is (string-like targets)
    "cast",  # to the canonical field's type; text that does not fit fails the row
    "trim",  # text without outer white space
    "lower",  # trimmed lower-case text
    "parse_date",  # args: format (strptime) | none = ISO
    "parse_datetime",  # args: format (strptime, epoch_s, epoch_ms) | none = ISO; timezone (IANA)
    "minor_units",  # minor currency units → major; args: digits (default 2, -6: millions) or currency_from
    "enum_map",  # args: values {source: canonical}, default | keep (others as they are) | none = refuse
    "concat",  # several sources; args: separator
    "split",  # args: separator, index (0-based, negative from the end)
    "invert_boolean",
    "coalesce",  # first non-null of several sources, then cast
    "constant",  # args: value; no source
    "json_path",  # args: path (DuckDB JSON path) applied to the source column
]
TRANSFORMS: tuple[str, ...] = get_args(Transform)
"""The closed list. Nothing outside it is ever executed."""


@dataclass(frozen=True)
class FieldMapping:
    """One canonical field and where it comes from. ``sources`` are field paths (``core.names``)."""

    target: str
    sources: tuple[str, ...]
    transform: Transform = "direct"
    args: dict[str, Any] = field(default_factory=dict)
    confidence: float = 1.0
    origin: str = "baseline"

    def facts(self) -> list[Any]:
        """What makes two mappings the same: everything but confidence and origin."""
        return [self.target, list(self.sources), self.transform, self.args]


@dataclass(frozen=True)
class MappingSet:
    """The immutable, numbered list of mappings of one (tenant or ``*``, connector, stream)."""

    set_id: str
    tenant_id: str
    connector: str
    stream: str
    number: int
    entity: str
    mappings: tuple[FieldMapping, ...]

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of entity and mappings; equal sets have equal fingerprints."""
        return fingerprint_mappings(self.entity, self.mappings)


def fingerprint_mappings(entity: str, mappings: tuple[FieldMapping, ...]) -> str:
    """SHA-256 (hex) over the entity and the mappings' facts, independent of their order."""
    facts = [entity, sorted((m.facts() for m in mappings), key=lambda f: str(f[0]))]
    text = json.dumps(facts, ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
