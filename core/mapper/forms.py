"""Everything a canonical field may be called, as words: its name, its aliases, its negations."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

from core.mapper.lexicon import Lexicon
from core.mapper.question import Words
from core.ontology import CanonicalField, Entity

NAME_WEIGHT = 1.0
ALIAS_WEIGHT = 0.9
OPPOSITE_WEIGHT = 0.8
"""An opposite says as surely which field is meant; the discount is for turning its values round."""


@dataclass(frozen=True)
class Form:
    """One spelling of the field at ``index``; ``negated``: of its opposite, which counts when met exactly."""

    index: int
    words: Words
    weight: float
    negated: bool = False

    @cached_property
    def squashed(self) -> str:
        """The words without gaps."""
        return "".join(self.words)


@dataclass(frozen=True)
class EntityForms:
    """The fields of an entity and their forms, in the fields' order, the name first."""

    entity: Entity
    fields: tuple[CanonicalField, ...]
    forms: tuple[Form, ...]
    opposites: dict[Words, int]

    @cached_property
    def starts(self) -> list[int]:
        """Position of each field's first form."""
        return [at for at, form in enumerate(self.forms) if form.weight == NAME_WEIGHT]

    @cached_property
    def by_words(self) -> dict[Words, dict[int, float]]:
        """Weight by field index, of every spelling."""
        found: dict[Words, dict[int, float]] = {}
        for form in self.forms:
            _keep(found.setdefault(form.words, {}), form)
        return found

    @cached_property
    def by_squashed(self) -> dict[str, dict[int, float]]:
        """As ``by_words``, for words written without gaps."""
        found: dict[str, dict[int, float]] = {}
        for form in self.forms:
            _keep(found.setdefault(form.squashed, {}), form)
        return found


def _keep(held: dict[int, float], form: Form) -> None:
    held[form.index] = max(held.get(form.index, 0.0), form.weight)


def build_forms(
    entity: Entity, lexicon: Lexicon, without: Collection[tuple[str, Words]] = frozenset()
) -> EntityForms:
    """The forms of an entity. ``without``: (entity, words) of aliases to leave out, for honest evaluation."""
    fields = tuple(entity.fields.values())
    forms: list[Form] = []
    opposites: dict[Words, int] = {}
    for index, field in enumerate(fields):
        forms.append(Form(index, lexicon.words(field.name), NAME_WEIGHT))
        for words in dict.fromkeys(lexicon.words(alias) for alias in field.aliases):
            if words and (entity.name, words) not in without:
                forms.append(Form(index, words, ALIAS_WEIGHT))
        for words in dict.fromkeys(lexicon.words(name) for name in field.opposites):
            if words and (entity.name, words) not in without:
                forms.append(Form(index, words, OPPOSITE_WEIGHT, negated=True))
                opposites[words] = index
    return EntityForms(entity, fields, tuple(forms), opposites)
