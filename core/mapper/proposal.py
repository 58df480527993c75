"""A proposal: what the engine, or a person, says about one source field of a tenant's stream."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from core.mapping import FieldMapping, Transform
from core.names import format_path, parse_path

Status = Literal["pending", "approved", "rejected", "applied", "expired"]
APPLIED_REASON = "applied by itself"


@dataclass(frozen=True)
class Proposal:
    """One source field. ``target`` None: no counterpart is likely. ``candidates``: best first.

    ``evidence``: what each column adds to the logit of the best candidate. ``profile``: shares of what the
    values look like, none of them. ``basis``: model, ontology and mode it was made from, and that the
    language model was not heard, if so; while they stay the same the field is not asked again (but see
    ``resources/mapper_again.py``). ``doubt``: why the transform needs a look. ``parts``: the fields it reads
    where they are not ``field`` itself, which is then a name of its own (``derived.py``).
    """

    connector: str
    stream: str
    field: str
    entity: str
    target: str | None
    transform: Transform
    args: Mapping[str, Any]
    confidence: float
    method: str
    candidates: tuple[tuple[str, float], ...]
    evidence: Mapping[str, float] = dataclasses.field(default_factory=dict)
    profile: Mapping[str, float] = dataclasses.field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    doubt: str | None = None
    parts: tuple[str, ...] = ()
    basis: str = ""
    status: Status = "pending"
    set_id: str | None = None
    decided_by: str | None = None
    reason: str | None = None
    proposed_at: datetime | None = None
    decided_at: datetime | None = None

    @property
    def key(self) -> tuple[str, str]:
        """Connector and stream."""
        return (self.connector, self.stream)

    @property
    def source(self) -> str:
        """The path to read: the first element where the field lies in a list."""
        return find_source(self.field)

    @property
    def sources(self) -> tuple[str, ...]:
        """All paths to read."""
        return tuple(map(find_source, self.parts)) or (self.source,)

    def to_mapping(self, origin: str) -> FieldMapping | None:
        """The field mapping it amounts to; None without target."""
        if self.target is None:
            return None
        return FieldMapping(
            self.target, self.sources, self.transform, dict(self.args), self.confidence, origin
        )


def find_source(field: str) -> str:
    """The path to read of a field path: the first element of each list; a column may be called ``*``."""
    if "*" not in field:
        return field
    column, *inner = parse_path(field)
    return format_path((column, *(0 if part == "*" else part for part in inner)))
