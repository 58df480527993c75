"""Decisions as they would have been: some vendors are decided by truth, and vote about another one.

The vendor asked is read without any alias of the names it uses: votes are for what no alias tells.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence

from core.mapper.question import Question
from core.mapper.voting import Vote
from resources.embeddings import Embedder
from resources.mapper_scoring import Measured
from resources.retrieval import NEAR, NEIGHBOURS

DRAWS = 2
"""How often vendors are drawn that are decided; each time any number of them, none included."""
SEED = 20_260
Key = tuple[str, str]
"""Entity and words of a name."""


class Electorate:
    """What every vendor's fields are called and were decided as."""

    def __init__(
        self,
        measured: Sequence[Measured],
        labels: Mapping[Question, frozenset[str]],
        embedder: Embedder | None,
    ) -> None:
        self._decided: dict[str, dict[Key, set[str]]] = defaultdict(lambda: defaultdict(set))
        for one in measured:
            if labels[one.question]:
                key = (one.question.entity, one.reading.decided_as)
                self._decided[one.question.system][key] |= labels[one.question]
        self.vendors = sorted({one.question.system for one in measured})
        self._near = _find_near({key for held in self._decided.values() for key in held}, embedder)

    def draw(self, asked: str) -> list[list[str]]:
        """Some of the other vendors, ``DRAWS`` times; the same for the same vendor always."""
        dice = random.Random(f"{SEED} {asked}")
        others = [one for one in self.vendors if one != asked]
        return [sorted(dice.sample(others, dice.randint(0, len(others)))) for _ in range(DRAWS)]

    def vote(self, measured: Sequence[Measured], decided: Sequence[str]) -> dict[Key, list[Vote]]:
        """What the decided vendors say about the names; each vendor is a voter."""
        found: dict[Key, list[Vote]] = {}
        for key in {(one.question.entity, one.reading.decided_as) for one in measured}:
            names = [(key, 1.0), *self._near.get(key, ())]
            votes = [
                Vote(target, likeness, vendor, name[1])
                for vendor in decided
                for name, likeness in names
                for target in sorted(self._decided[vendor].get(name, ()))
            ]
            if votes:
                found[key] = votes
        return found


def _find_near(keys: set[Key], embedder: Embedder | None) -> dict[Key, list[tuple[Key, float]]]:
    """Names nearly alike in meaning, with half their cosine, as ``resources/retrieval.py`` finds them."""
    if embedder is None:
        return {}
    found: dict[Key, list[tuple[Key, float]]] = {}
    by_entity: dict[str, list[str]] = defaultdict(list)
    for entity, words in sorted(keys):
        by_entity[entity].append(words)
    for entity, names in by_entity.items():
        vectors = embedder.embed(names)
        for name, row in zip(names, vectors @ vectors.T, strict=True):
            near = sorted((-round(float(cosine), 4), other) for other, cosine in zip(names, row, strict=True))
            found[entity, name] = [
                ((entity, other), -cosine / 2)
                for cosine, other in near[: NEIGHBOURS + 1]
                if other != name and -cosine >= NEAR
            ]
    return found
