"""Votes of fields that are called alike and were decided: evidence for the model, bounded, no verdict.

Each person has one voice a connector and target, so a flood of near-duplicates weighs like one.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from core.mapper.fitting import Fit

VOTE = 1.5
MOST = 2.5
"""Logits of one vote by name, and of all together."""


@dataclass(frozen=True)
class Vote:
    """A decided field that is called alike; ``likeness`` is 1 for the same words."""

    target: str
    likeness: float
    voter: str
    words: str


Votes = Mapping[tuple[str, str], Sequence[Vote]]
"""Votes by (entity, words of the name)."""


def judge_votes(votes: Iterable[Vote], target: str) -> Fit:
    """What the votes say about one canonical field: for it, or against it where others got them."""
    voices: dict[tuple[str, str], float] = defaultdict(float)
    for one in votes:
        key = (one.target, one.voter)
        voices[key] = max(voices[key], one.likeness)
    own = sum(value for (chosen, _), value in voices.items() if chosen == target)
    other = sum(value for (chosen, _), value in voices.items() if chosen != target)
    if not own and not other:
        return Fit(0.0, ())
    weight = VOTE * (math.log1p(own) - math.log1p(other)) / math.log(2)
    told = f"{own:.1f} similar decisions chose it, {other:.1f} another field"
    return Fit(max(-MOST, min(MOST, weight)), (told,) if own else ())


def are_split(votes: Sequence[Vote]) -> bool:
    """Whether the same name was decided in two ways: a person has to look."""
    return len({one.target for one in votes if one.likeness >= 1}) > 1
