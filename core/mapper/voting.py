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
MAJORITY = 0.75
"""The share of voices from which a name counts as decided one way."""


@dataclass(frozen=True)
class Vote:
    """A decided field that is called alike; ``likeness`` is 1 for the same words.

    ``target`` is None where people said that it has no counterpart.
    """

    target: str | None
    likeness: float
    voter: str
    words: str


Votes = Mapping[tuple[str, str], Sequence[Vote]]
"""Votes by (entity, words of the name)."""


Voices = dict[str | None, float]
"""Voices by target; None: no counterpart."""


def count_voices(votes: Iterable[Vote]) -> Voices:
    """Voices by target: each voter has one for a target, as loud as the nearest name it decided."""
    heard: dict[tuple[str | None, str], float] = defaultdict(float)
    for one in votes:
        key = (one.target, one.voter)
        heard[key] = max(heard[key], one.likeness)
    found: Voices = defaultdict(float)
    for (target, _), likeness in sorted(heard.items(), key=str):
        found[target] += likeness
    return dict(found)


def judge_voices(voices: Mapping[str | None, float], target: str) -> tuple[float, float]:
    """The columns ``votes_for`` and ``votes_against`` of one canonical field: 1 is one voice, 2 three."""
    own = voices.get(target, 0.0)
    other = sum(voices.values()) - own
    return _loudness(own), _loudness(other)


def _loudness(voices: float) -> float:
    return math.log2(1 + min(max(voices, 0.0), MOST_VOICES))


def say_voices(voices: Mapping[str | None, float], target: str) -> str | None:
    """The votes for a field in words, if there are any."""
    own = voices.get(target, 0.0)
    other = sum(voices.values()) - own
    return f"{own:.1f} similar decisions chose it, {other:.1f} another field" if own else None


def are_split(votes: Iterable[Vote]) -> bool:
    """Whether the same name was decided in two ways, neither by far the usual one: a person has to look."""
    voices = _count_same(votes)
    return bool(voices) and max(voices.values()) < MAJORITY * sum(voices.values())


def are_refusals(votes: Iterable[Vote]) -> bool:
    """Whether people said of the same name that it has no counterpart, by far most of them."""
    voices = _count_same(votes)
    return voices.get(None, 0.0) >= MAJORITY * max(1.0, sum(voices.values()))


def _count_same(votes: Iterable[Vote]) -> Voices:
    return count_voices(one for one in votes if one.likeness >= 1)
