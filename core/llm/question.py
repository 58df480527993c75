"""The questions a model may be asked: facts about fields, in shapes that have no place for a value.

Names and descriptions are text of a stranger; ``prompt.py`` cleans and masks them. A profile has numbers
under fixed names only, so no sample can ride in it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from core.mapper.profile import Profile, read_profile
from core.ontology.model import FIELD_TYPES
from core.schema import TYPES

NONE = "none"
"""The answer "no counterpart"; never the name of a canonical field."""

REASONS = ("name", "path", "description", "type", "profile", "neighbours", "other_fields", "no_match")
"""What an answer may give as its reason."""


@dataclass(frozen=True)
class Candidate:
    """A canonical field that may be the answer; from the ontology, so trusted."""

    name: str
    type: str
    description: str = ""

    def __post_init__(self) -> None:
        _one_of(self.type, FIELD_TYPES, "canonical type")
        if self.name == NONE:
            raise ValueError(f"{NONE!r} cannot name a canonical field")


@dataclass(frozen=True)
class Neighbour:
    """A decided mapping of a similar field, from retrieval: a hint, as little trusted as the field itself."""

    field: str
    target: str


@dataclass(frozen=True)
class FieldQuestion:
    """One unsure field. ``candidates`` is the closed list of canonical fields it may be answered with.

    ``type`` is a logical source type or empty. ValueError or TypeError for a profile that is not numbers.
    """

    field: str
    candidates: tuple[str, ...]
    type: str = ""
    description: str = ""
    profile: Profile | None = None
    neighbours: tuple[Neighbour, ...] = ()

    def __post_init__(self) -> None:
        _one_of(self.type, ("", *TYPES), "source type")
        if self.profile is None:
            return
        if type(self.profile) is not Profile:
            raise TypeError("a profile has to be a Profile: nothing else is known to carry no values")
        read_profile(asdict(self.profile))  # numbers only: nobody checked them when it was made


@dataclass(frozen=True)
class StreamQuestion:
    """The unsure fields of one stream, most wanted first; ``canonical`` describes every candidate."""

    connector: str
    stream: str
    entity: str
    fields: tuple[FieldQuestion, ...]
    canonical: tuple[Candidate, ...]

    def __post_init__(self) -> None:
        names = [one.field for one in self.fields]
        if len(set(names)) < len(names):
            raise ValueError("a field is asked twice")
        known = {one.name for one in self.canonical}
        unknown = {name for one in self.fields for name in one.candidates} - known
        if unknown:
            raise ValueError(f"candidates that are not described: {', '.join(sorted(unknown))}")

    def candidate(self, name: str) -> Candidate:
        """The described candidate of that name; KeyError when there is none."""
        return {one.name: one for one in self.canonical}[name]


@dataclass(frozen=True)
class LlmAnswer:
    """What a model said about a field: evidence, never a verdict. ``target`` None means no counterpart.

    ``confidence_said`` is the model's own figure, 0 to 1, not calibrated. ``why`` is one of ``REASONS``:
    free text of a model that read a stranger's text must not talk to whoever approves mappings.
    """

    field: str
    target: str | None
    confidence_said: float
    why: str


class Unheard(Exception):
    """The model was not asked, or gave no answer: an outage, no money left, switched off, none there.

    ``needs_usd``: what has to be left of the budget before the question can be asked.
    """

    def __init__(self, needs_usd: Decimal = Decimal(0)) -> None:
        super().__init__("the language model was not heard")
        self.needs_usd = needs_usd


def _one_of(value: Any, known: tuple[str, ...], what: str) -> str:
    if value not in known:
        raise ValueError(f"{what} is not in the closed list")
    return str(value)
