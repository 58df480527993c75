"""Votes of fields that are called alike and were decided: evidence for the model, bounded, no verdict.

Each person has one voice a connector and target, so a flood of near-duplicates weighs like one.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

MOST_VOICES = 3.0
"""More voices than that add nothing."""
MOST = 2.5
"""The most logits that votes may move a field, whatever the model weighs them."""


@dataclass(frozen=True)
class Vote:
    """A decided field that is called alike; ``likeness`` is 1 for the same words."""

    target: str
    likeness: float
    voter: str
    words: str


Votes = Mapping[tuple[str, str], Sequence[Vote]]
"""Votes by (entity, words of the name)."""


def count_voices(votes: Iterable[Vote]) -> dict[str, float]:
    """Voices by target: each voter has one for a target, as loud as the nearest name it decided."""
    heard: dict[tuple[str, str], float] = defaultdict(float)
    for one in votes:
        key = (one.target, one.voter)
        heard[key] = max(heard[key], one.likeness)
    found: dict[str, float] = defaultdict(float)
    for (target, _), likeness in sorted(heard.items()):
        found[target] += likeness
    return dict(found)


def judge_voices(voices: Mapping[str, float], target: str) -> tuple[float, float]:
    """The columns ``votes_for`` and ``votes_against`` of one canonical field: 1 is one voice, 2 three."""
    own = voices.get(target, 0.0)
    other = sum(voices.values()) - own
    return _loudness(own), _loudness(other)


def _loudness(voices: float) -> float:
    return math.log2(1 + min(max(voices, 0.0), MOST_VOICES))


def say_voices(voices: Mapping[str, float], target: str) -> str | None:
    """The votes for a field in words, if there are any."""
    own = voices.get(target, 0.0)
    other = sum(voices.values()) - own
    return f"{own:.1f} similar decisions chose it, {other:.1f} another field" if own else None


def are_split(votes: Sequence[Vote]) -> bool:
    """Whether the same name was decided in two ways: a person has to look."""
    return len({one.target for one in votes if one.likeness >= 1}) > 1
