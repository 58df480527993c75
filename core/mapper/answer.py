"""Answers to questions: ranked candidates with the evidence behind them, and that evidence in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from core.mapper.question import Question

Method = Literal["registry", "exact", "alias", "retrieval", "lexical", "llm", "none"]
MAX_RANKS = 10


@dataclass(frozen=True)
class Candidate:
    """One canonical field and how probable it is the counterpart; probabilities need not sum to 1."""

    field: str
    confidence: float


@dataclass(frozen=True)
class Answer:
    """Candidates, best first. ``evidence``: what each column adds to the logit of the best candidate.

    ``entity``: what the stream was taken for, where the question does not say. ``opposite_of``: the
    canonical field whose opposite the source is called. ``doubt``: why a person has to look at the best one.
    """

    question: Question
    candidates: tuple[Candidate, ...]
    method: Method
    evidence: Mapping[str, float] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    entity: str | None = None
    opposite_of: str | None = None
    doubt: str | None = None

    @property
    def best(self) -> Candidate | None:
        """The first candidate."""
        return self.candidates[0] if self.candidates else None

    @property
    def confidence(self) -> float:
        """The best candidate's."""
        return self.candidates[0].confidence if self.candidates else 0.0


_WORDS = {
    "exact": "the name is a known spelling",
    "alias": "how widely that spelling is known",
    "overlap": "words in common, rare ones counting more",
    "full": "how much of the whole name is explained",
    "last": "how much of the last part is explained",
    "form": "how much of the spelling the name covers",
    "name": "words in common with the canonical name itself",
    "jaro": "letters in common",
    "edit": "letters in common",
    "cos": "nearness in meaning (embeddings)",
    "leftover": "words of the name that stay unexplained",
    "head": "what kind of thing the last word says it is",
    "time": "whether it is a point in time",
    "boolean": "whether it is a yes-or-no",
    "id": "whether it is a key",
    "context": "billing, shipping, home, work",
    "opposite": "the spelling of its negation",
    "digits": "a number in the name",
    "margin": "lead over the next candidate",
    "rank": "place among the candidates",
    "logit": "stage one's own judgement",
    "mass": "how many candidates are plausible at all",
    "rival": "another field of the stream has a claim",
    "words": "length of the name",
    "stripped": "words of the entity's name left out",
    "custom": "a custom field",
    "indexed": "inside a list",
    "depth": "nesting",
    "mean": "how telling the words are",
    "top": "how telling the words are",
    "type": "the source's type",
    "values": "what the values look like",
    "key": "whether the values could be a key",
    "told": "the source's own description",
    "votes": "how people decided fields of that name",
}


def describe_evidence(contributions: Mapping[str, float], limit: int = 6) -> list[tuple[str, float]]:
    """(words, logit) of what speaks most for or against, strongest first; columns of a kind are summed."""
    summed: dict[str, float] = {}
    for name, amount in contributions.items():
        words = _WORDS.get(name.split("_")[0], name)
        summed[words] = summed.get(words, 0.0) + amount
    telling = [item for item in summed.items() if abs(item[1]) >= 0.05]
    return sorted(telling, key=lambda item: -abs(item[1]))[:limit]
