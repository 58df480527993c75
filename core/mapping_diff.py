"""What differs between two mapping sets: added, removed and changed mappings, by canonical field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from core.mapping import FieldMapping, MappingSet


@dataclass(frozen=True)
class MappingChange:
    """One canonical field that two sets fill differently; ``what``: its changed parts of the mapping."""

    kind: Literal["added", "removed", "changed"]
    target: str
    before: FieldMapping | None
    after: FieldMapping | None
    what: tuple[str, ...] = ()


@dataclass(frozen=True)
class SetDiff:
    """Everything that differs from the set before to the set after."""

    before: MappingSet
    after: MappingSet
    changes: tuple[MappingChange, ...]

    @property
    def entity_changed(self) -> bool:
        """Whether the sets fill different entities."""
        return self.before.entity != self.after.entity


def diff_sets(before: MappingSet, after: MappingSet) -> SetDiff:
    """Compare two sets of a stream; confidence and origin do not count, as in a fingerprint."""
    old = {one.target: one for one in before.mappings}
    new = {one.target: one for one in after.mappings}
    changes = [_compare(target, old.get(target), new.get(target)) for target in sorted(old | new)]
    return SetDiff(before, after, tuple(one for one in changes if one is not None))


def _compare(target: str, before: FieldMapping | None, after: FieldMapping | None) -> MappingChange | None:
    if before is None:
        return MappingChange("added", target, None, after)
    if after is None:
        return MappingChange("removed", target, before, None)
    names = ("sources", "transform", "args")
    what = tuple(name for name in names if getattr(before, name) != getattr(after, name))
    return MappingChange("changed", target, before, after, what) if what else None


def describe_mapping(mapping: FieldMapping | None) -> str:
    """One line a person reads: ``a, b → concat(separator=' ')``."""
    if mapping is None:
        return "–"
    args = ", ".join(f"{name}={value!r}" for name, value in sorted(mapping.args.items()))
    return f"{', '.join(mapping.sources) or '(nothing)'} → {mapping.transform}{f'({args})' if args else ''}"
