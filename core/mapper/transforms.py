"""Which transform of the closed list takes a source field to a canonical field.

Nothing is guessed silently: where values could be read in two ways, the likelier one is proposed with a
``doubt``, and a person has to look. What the values look like is ``core/mapper/look.py``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from core.baseline import usual_transform
from core.mapper.categories import match_categories, match_truth
from core.mapper.look import COUNTS, ISO, SURE, Look, choose_format
from core.mapper.question import Question, Reading
from core.mapping import FieldMapping, Transform
from core.ontology import CanonicalField
from core.transforms import find_problem
from core.transforms_sql import MINOR_DIGITS

_CENTS = frozenset({"cent", "penny", "pence"})
_MINOR = _CENTS | {"minor", "subunit"}
_MILLISECONDS, _SECONDS = 13, 10
"""Digits of today's times counted from 1970."""
FEW = 20
"""Values on which a list of categories has to rest before it counts as complete."""
_TIMES = frozenset({"date", "datetime"})
_ODD_DIGITS = frozenset(code for codes in MINOR_DIGITS.values() for code in codes.split())


@dataclass(frozen=True)
class TransformChoice:
    """A transform with its arguments. ``doubt``: why a person should look at it, else None."""

    transform: Transform
    args: dict[str, Any] = field(default_factory=dict)
    doubt: str | None = None


@dataclass(frozen=True)
class Around:
    """What the rest of the stream says. ``minor``: another amount is named as cents.

    ``currency_from``: the field that holds the currency; ``currencies``: codes seen there.
    """

    minor: bool = False
    currency_from: str | None = None
    currencies: tuple[str, ...] = ()


ALONE = Around()


def propose_transform(
    question: Question,
    reading: Reading,
    target: CanonicalField,
    *,
    negated: bool = False,
    look: Look | None = None,
    around: Around = ALONE,
) -> TransformChoice:
    """The transform for one source field; always one that ``target`` may be filled by."""
    choice = _choose(question, reading, target, look or Look(), around, negated=negated)
    mapping = FieldMapping(target.name, ("source",), choice.transform, choice.args)
    if find_problem(mapping, target) is None:
        return choice
    return TransformChoice("cast", doubt="no usual transform fits")


def says_minor(reading: Reading) -> bool:
    """Whether a name says that its amount is counted in cents."""
    return bool(_MINOR & set(reading.full))


def _choose(
    question: Question, reading: Reading, target: CanonicalField, look: Look, around: Around, *, negated: bool
) -> TransformChoice:
    usual: Any = usual_transform(target)
    if read_types(question.type) & {"object", "array"}:
        return TransformChoice(usual, doubt="the source holds nested values")
    if target.type == "boolean":
        return _choose_truth(question, reading, target, look, negated=negated)
    if target.type == "currency":
        return _choose_amount(question, reading, target, look, around)
    if target.type in _TIMES:
        return _choose_time(question, target, look)
    if target.type == "enum" and target.enum:
        return _choose_category(reading, target, look)
    return TransformChoice(usual)


# --- times -------------------------------------------------------------------------------------


def _choose_time(question: Question, target: CanonicalField, look: Look) -> TransformChoice:
    counted = _counts(question)
    if not look.times or not look.filled:
        return _choose_count(question) if counted else TransformChoice("cast")
    found = choose_format(look)
    if found.format is None:
        return TransformChoice("cast", doubt=found.doubt)
    if found.format == ISO:
        return TransformChoice("cast", doubt=found.doubt)
    # parse_date takes days only; an epoch, or a clock to be cut off, is read as an instant
    plain = target.type == "date" and found.format not in COUNTS
    transform: Transform = "parse_date" if plain else "parse_datetime"
    return TransformChoice(transform, {"format": found.format}, found.doubt)


def _counts(question: Question) -> bool:
    types = read_types(question.type)
    if question.profile is not None and question.profile.epoch >= 0.9:
        return True
    return bool(types & {"integer", "int", "number"}) and not types & {"string", "timestamp", "date"}


def _choose_count(question: Question) -> TransformChoice:
    length = question.profile.length if question.profile is not None else -1
    if length == _MILLISECONDS:
        return TransformChoice("parse_datetime", {"format": "epoch_ms"})
    if length == _SECONDS:
        return TransformChoice("parse_datetime", {"format": "epoch_s"})
    unit = "epoch_ms" if length > _SECONDS + 1 else "epoch_s"
    told = "seconds or milliseconds is not known" if length < 0 else "the numbers are no usual count of time"
    return TransformChoice("parse_datetime", {"format": unit}, told)


# --- amounts -----------------------------------------------------------------------------------


def _choose_amount(
    question: Question, reading: Reading, target: CanonicalField, look: Look, around: Around
) -> TransformChoice:
    whole = _are_whole(question, look)
    if says_minor(reading):
        doubt = "the name says minor units, yet the values have decimals" if whole is False else None
        return _minor_units(reading, around, doubt)
    if whole and around.minor:
        return _minor_units(reading, around, "other amounts of the stream are named as minor units")
    if whole and target.currency is not None:
        return TransformChoice("cast", doubt="whole numbers only: cents, or full units of the currency?")
    return TransformChoice("cast")


def _minor_units(reading: Reading, around: Around, doubt: str | None) -> TransformChoice:
    if around.currency_from is None:
        if doubt is None and not _CENTS & set(reading.full):
            doubt = "how many decimals the currency has is not known"
        return TransformChoice("minor_units", {}, doubt)
    odd = sorted(set(around.currencies) & _ODD_DIGITS)
    if doubt is None and odd and _CENTS & set(reading.full):
        doubt = f"the name says cents, but {', '.join(odd)} does not have two decimals"
    return TransformChoice("minor_units", {"currency_from": around.currency_from}, doubt)


def _are_whole(question: Question, look: Look) -> bool | None:
    """Whether all amounts are whole numbers; None where nobody knows."""
    if look.filled and look.whole >= 0:
        return look.whole >= 1
    profile = question.profile
    if profile is not None and profile.count * (1 - profile.null) >= 1:
        return profile.integer >= 1
    types = read_types(question.type)
    return True if types in ({"integer"}, {"int"}) else None


# --- categories and booleans -------------------------------------------------------------------


def _choose_category(reading: Reading, target: CanonicalField, look: Look) -> TransformChoice:
    usual: Any = usual_transform(target)
    listed = ", ".join(target.enum[:8]) + (" …" if len(target.enum) > 8 else "")
    if look.categories is None:
        told = f"values outside {listed} would be refused: map them with enum_map"
        return TransformChoice(usual, doubt=told if target.is_closed else None)
    found = match_categories(look.categories, target, reading.full)
    doubt = _tell_unknown(found.unknown, found.total, look, listed, closed=target.is_closed)
    if all(text.lower() == value for text, value in found.values.items()):
        if target.is_closed:
            return TransformChoice("lower", doubt=doubt)
        if not found.values or all(text == value for text, value in found.values.items()):
            return TransformChoice(usual)  # an open list takes a vendor's own words as they are
    args: dict[str, Any] = {"values": dict(sorted(found.values.items()))}
    if not target.is_closed:
        args["keep"] = True
    return TransformChoice("enum_map", args, doubt)


def _tell_unknown(unknown: int, total: int, look: Look, listed: str, *, closed: bool) -> str | None:
    if unknown or look.odd:
        what = f"{unknown} of {total} values" if unknown else f"{look.odd:.1%} of the values"
        fate = "would be refused" if closed else "stay as they are"
        return f"{what} mean none of {listed} and {fate}: complete enum_map"
    if closed and look.filled < FEW:
        return f"only {look.filled} values were seen yet"
    return None


def _choose_truth(
    question: Question, reading: Reading, target: CanonicalField, look: Look, *, negated: bool
) -> TransformChoice:
    plain: Transform = "invert_boolean" if negated else "cast"
    profile = question.profile
    if read_types(question.type) == {"boolean"} or (profile is not None and profile.boolean >= SURE):
        return TransformChoice(plain)
    if look.categories is None:
        seen = profile is not None and profile.count * (1 - profile.null) >= 1
        return TransformChoice(plain, doubt="the values are not yes or no" if seen or look.odd else None)
    found = match_truth(look.categories, target.name, reading.last, negated=negated)
    if not found.values:
        return TransformChoice(plain, doubt="the values are not yes or no")
    told = f"{found.unknown} of {found.total} values are neither yes nor no: complete enum_map"
    doubt = told if found.unknown else f"{look.odd:.1%} of the values are no words" if look.odd else None
    return TransformChoice("enum_map", {"values": dict(sorted(found.values.items()))}, doubt)


def read_types(text: str) -> set[str]:
    """The logical types of a question."""
    return {part.strip() for part in text.lower().split("|") if part.strip() not in ("", "null")}
