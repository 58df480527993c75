"""Which transform of the closed list takes a source field to a canonical field."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from core.baseline import usual_transform
from core.mapper.question import Question, Reading
from core.mapping import FieldMapping, Transform
from core.ontology import CanonicalField
from core.transforms import find_problem

_MINOR = frozenset({"cent", "minor", "subunit", "penny"})
_MILLISECONDS = 13
"""Digits of today's times counted in milliseconds."""


@dataclass(frozen=True)
class TransformChoice:
    """A transform with its arguments. ``doubt``: why a person should look at it, else None."""

    transform: Transform
    args: dict[str, Any] = field(default_factory=dict)
    doubt: str | None = None


def propose_transform(
    question: Question, reading: Reading, target: CanonicalField, *, negated: bool = False
) -> TransformChoice:
    """The transform for one source field; always one that ``target`` may be filled by."""
    choice = _choose(question, reading, target, negated=negated)
    mapping = FieldMapping(target.name, ("source",), choice.transform, choice.args)
    if find_problem(mapping, target) is None:
        return choice
    return TransformChoice("cast", doubt="no usual transform fits")


def _choose(
    question: Question, reading: Reading, target: CanonicalField, *, negated: bool
) -> TransformChoice:
    usual: Any = usual_transform(target)
    nested = _is_nested(question.type)
    if nested:
        return TransformChoice(usual, doubt="the source holds nested values")
    if target.type == "boolean":
        return TransformChoice("invert_boolean") if negated else TransformChoice("cast")
    if target.type == "currency" and _MINOR & set(reading.full):
        return TransformChoice("minor_units")
    if target.type == "datetime" and _counts_seconds(question):
        length = question.profile.length if question.profile else -1
        if length < 0:
            return TransformChoice(
                "parse_datetime", {"format": "epoch_s"}, "seconds or milliseconds is not known"
            )
        unit = "epoch_ms" if length >= _MILLISECONDS else "epoch_s"
        return TransformChoice("parse_datetime", {"format": unit})
    if target.is_closed:
        return TransformChoice(usual, doubt=_fold_doubt(target))
    return TransformChoice(usual)


def _fold_doubt(target: CanonicalField) -> str:
    return f"values outside {', '.join(target.enum[:8])} would be refused: map them with enum_map"


def _counts_seconds(question: Question) -> bool:
    types = {part.strip() for part in question.type.lower().split("|")}
    if question.profile is not None and question.profile.epoch >= 0.9:
        return True
    return bool(types & {"integer", "int", "number"}) and not types & {"string", "timestamp", "date"}


def _is_nested(text: str) -> bool:
    return bool({part.strip() for part in text.lower().split("|")} & {"object", "array"})
