"""What a person has decided so far about one stream's proposals; nothing holds before it is published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from core.names import join_name

if TYPE_CHECKING:
    from core.mapper.proposal import Proposal
    from core.mapping import MappingSet, Transform
    from resources.approvals import Choice, Conflict

Kind = Literal["accept", "reject", "skip"]


@dataclass
class StreamReview:
    """The pending proposals of a stream and the decisions on them, in the order they were taken."""

    key: tuple[str, str]
    pending: Sequence[Proposal]
    known: Mapping[str, Proposal]
    held: MappingSet | None
    kinds: dict[str, Kind] = field(default_factory=dict)
    accepted: dict[str, Proposal] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """``connector/stream``."""
        return join_name(*self.key)

    def find_next(self) -> Proposal | None:
        """The surest proposal nobody has decided on yet."""
        return next((one for one in self.pending if one.field not in self.kinds), None)

    def accept(self, one: Proposal) -> Conflict | None:
        """Take a proposal as it stands; what it contradicts instead, and nothing is taken."""
        conflict = self._find_conflicts([*self.accepted.values(), one]).get(one.field)
        if conflict is None:
            self.kinds[one.field] = "accept"
            self.accepted[one.field] = one
        return conflict

    def reject(self, one: Proposal) -> None:
        """The field has no counterpart."""
        self.kinds[one.field] = "reject"

    def skip(self, one: Proposal) -> None:
        """Leave it for later."""
        self.kinds[one.field] = "skip"

    def undo(self) -> str | None:
        """Take the last decision back; its field, None where there is none."""
        if not self.kinds:
            return None
        last = next(reversed(self.kinds))
        del self.kinds[last]
        self.accepted.pop(last, None)
        return last

    def accept_above(self, bound: float) -> tuple[list[str], dict[str, str]]:
        """Accept what is at least that sure, contradicts nothing and needs no look: (taken, left and why)."""
        sure = [
            one
            for one in self.pending
            if one.field not in self.kinds and one.target is not None and one.confidence >= bound
        ]
        left = {one.field: f"has to be looked at: {one.doubt}" for one in sure if one.doubt}
        clear = [one for one in sure if one.field not in left]
        conflicts = self._find_conflicts([*self.accepted.values(), *clear])
        taken = []
        for one in clear:
            if one.field in conflicts:
                found = conflicts[one.field]
                left[one.field] = f"{found.problem} ({found.found})"
            else:
                self.kinds[one.field], self.accepted[one.field] = "accept", one
                taken.append(one.field)
        return taken, left

    @property
    def choices(self) -> list[Choice]:
        """What was accepted, as it is to be published."""
        from resources.approvals import Choice

        return [Choice(one.field, one.target, one.transform, one.args) for one in self.accepted.values()]

    @property
    def rejected(self) -> list[str]:
        """Fields without counterpart."""
        return [name for name, kind in self.kinds.items() if kind == "reject"]

    def _find_conflicts(self, chosen: Sequence[Proposal]) -> dict[str, Conflict]:
        from resources.approvals import find_conflicts

        return {one.field: one for one in find_conflicts(self.known, self.held, chosen)}


def retarget(
    one: Proposal, target: str, transform: Transform, args: Mapping[str, Any], doubt: str | None
) -> Proposal:
    """The proposal as a person changed it."""
    sure = next((sure for name, sure in one.candidates if name == target), 0.0)
    return replace(
        one,
        target=target,
        transform=transform,
        args=dict(args),
        doubt=doubt,
        confidence=one.confidence if target == one.target else sure,
    )
