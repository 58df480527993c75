"""Whether a field's type and values can be what a canonical field wants: evidence, weighed by the model.

Each column lies in 0..1. What contradicts beyond doubt needs a person, whatever the name says
(``Fit.doubt``). Values are known as shares only (``core/mapper/profile.py``); few values tell little.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache

from core.mapper.profile import Profile
from core.mapper.source_types import judge_kinds, kind_of, read_kind
from core.ontology import CanonicalField

FEW = 10.0
"""Values that tell half of what many would."""
SURE_COUNT = 20.0
"""Values from which a contradiction is beyond doubt."""
_UNCOUNTED = 100.0
_AMOUNTS = frozenset(
    {"amount", "cost", "price", "total", "subtotal", "money", "balance", "sum", "value", "revenue", "paid"}
    | {"due"}
)
_OPEN = frozenset(
    {"discount", "tax", "fee", "commission", "markup", "margin", "duty", "interest", "surcharge", "tip"}
    | {"gratuity", "rebate", "withholding", "allowance", "vat", "gst"}
)
"""Words that stand for an amount and for a rate alike."""
_RATIOS = frozenset({"percent", "percentage", "ratio"})
_LOGIN = frozenset({"username", "name", "login", "from", "to", "cc", "bcc", "address"})


@dataclass(frozen=True)
class Fit:
    """Columns that say something, a sentence for each, and why a person has to look, if so."""

    columns: tuple[tuple[str, float], ...] = ()
    reasons: tuple[str, ...] = ()
    doubt: str | None = None


@dataclass(frozen=True)
class Trait:
    """What about a canonical field its type and values are judged by."""

    kind: str
    type: str
    key: bool
    named: bool
    counted: bool
    percent: bool
    loose: frozenset[str]


@lru_cache(maxsize=8192)
def read_trait(field: CanonicalField) -> Trait:
    """The trait of a canonical field."""
    words = set(field.name.split("_"))
    login = words & _LOGIN
    either = bool(words & {"source", "id", "domain"})
    kind = kind_of(field)
    text = kind in ("text", "id", "choice")
    loose = {"email"} if text and (login or either) else set()
    return Trait(
        kind,
        field.type,
        field.name == "id",
        kind == "text" and bool(words & {"name", "title", "description", "subject", "label", "city"}),
        kind in ("integer", "number") and bool(words & {"count", "quantity", "number", "days", "minutes"}),
        field.unit == "percent" or bool(words & {"percent", "percentage", "probability"}),
        frozenset(loose | ({"url"} if text and either else set())),
    )


def judge_fit(type_: str, profile: Profile | None, words: Collection[str], trait: Trait) -> Fit:
    """What type and profile say about a field of that trait; ``words`` are those of the source's name."""
    columns = dict(judge_type(type_, trait))
    reasons: list[str] = []
    doubts: list[str] = []
    if columns and "type_agrees" not in columns:
        reasons.append(f"a source of type {type_} rarely fills a field of type {trait.type}")
        doubts += reasons if "type_contradicts" in columns else []
    for name, amount, told, sure in _judge_values(profile, words, trait):
        columns[name] = max(columns.get(name, 0.0), amount)
        reasons.append(told)
        doubts += [told] if sure else []
    if trait.kind == "amount" and words and _RATIOS & set(words):
        doubts.append("the name says a ratio, the field is an amount")
    if not doubts and is_open(words, trait, read_kind(type_), profile):
        doubts.append("the name does not say whether it is an amount or a rate")
    return Fit(tuple(columns.items()), tuple(reasons), doubts[0] if doubts else None)


_SAID = {
    "email": "e-mail addresses",
    "url": "URLs",
    "time": "points in time",
    "integer": "whole numbers",
    "number": "numbers",
    "amount": "amounts",
    "boolean": "yes or no",
}
"""Kinds of fields, as what their values look like."""


def judge_type(type_: str, trait: Trait) -> tuple[tuple[str, float], ...]:
    """The column that the source's type fills, if it says anything."""
    verdict = judge_kinds(read_kind(type_), trait.kind)
    return ((f"type_{verdict}", 1.0),) if verdict else ()


def is_open(words: Collection[str], trait: Trait, kind: str, profile: Profile | None) -> bool:
    """Whether the name may be an amount or a rate, and nothing about the source says that it is an amount."""
    if trait.kind != "amount" or not _OPEN & set(words) or _AMOUNTS & set(words):
        return False
    return kind not in ("amount", "integer") and not _looks_like_amounts(profile)


def _looks_like_amounts(profile: Profile | None) -> bool:
    if profile is None or _count(profile) < SURE_COUNT / 2:
        return False
    return profile.number >= 0.9 and profile.magnitude >= 3


def _count(profile: Profile) -> float:
    return _UNCOUNTED if profile.count < 0 else profile.count * (1 - profile.null)


def _judge_values(
    profile: Profile | None, words: Collection[str], trait: Trait
) -> Iterator[tuple[str, float, str, bool]]:
    """(column, amount, sentence, whether it is beyond doubt)."""
    if profile is None or profile.null >= 1:
        return
    count = _count(profile)
    trust, enough = count / (count + FEW), count >= SURE_COUNT
    share = _share_for(profile, trait)
    if share is not None:
        told = f"{share:.0%} of the values look like {_SAID.get(trait.kind, trait.type)}"
        if share < 0.5:
            yield "values_contradict", trust * (1 - 2 * share), f"only {told}", enough and share < 0.2
        elif share > 0.5:
            yield "values_agree", trust * (2 * share - 1), told, False
    for amount, told in _contradictions(profile, words, trait):
        if amount >= 0.8:
            yield "values_contradict", trust * amount, told, enough
    for name in ("email", "url"):
        seen = getattr(profile, name)
        if seen >= 0.8 and trait.type != name and name not in trait.loose:
            told = f"{seen:.0%} of the values are {name}s, the field is a {trait.type}"
            yield "values_elsewhere", trust * seen, told, enough
    if trait.key and 0 <= profile.unique < 0.9:
        told = f"only {profile.unique:.0%} of the values are unique"
        yield "key_repeats", trust * (1 - profile.unique), told, enough


def _share_for(profile: Profile, trait: Trait) -> float | None:
    """The share of values that could be of the field's type; None where anything could."""
    times = profile.date + profile.datetime + profile.epoch
    numbers = max(profile.number, profile.integer, profile.percent)
    shares = {
        "email": profile.email,
        "url": profile.url,
        "time": times,
        "integer": numbers,
        "number": numbers,
        "amount": numbers,
        "boolean": max(profile.boolean, profile.integer),
    }
    return min(1.0, shares[trait.kind]) if trait.kind in shares else None


def _contradictions(profile: Profile, words: Collection[str], trait: Trait) -> Iterator[tuple[float, str]]:
    """(share, sentence) of values that are something else than the field holds."""
    numeric = trait.kind in ("integer", "number", "amount")
    if trait.kind == "amount" and not _AMOUNTS & set(words):
        yield profile.fraction, "the values are ratios between 0 and 1, the field is an amount"
    if trait.kind == "amount":
        yield profile.percent, "the values are percentages, the field is an amount"
    if trait.percent:
        yield float(profile.magnitude >= 5), "the values are too large for a percentage"
    if numeric:
        yield profile.epoch, "the values are points in time, the field is a number"
    if trait.counted:
        keys = profile.integer if profile.unique >= 0.95 and profile.magnitude >= 7 else 0.0
        yield keys, "the values look like keys, the field is a count"
    if trait.kind == "id":
        yield profile.number - profile.integer, "the values are decimal numbers, the field is a key"
        yield profile.worded, "the values are texts of several words, the field is a key"
    if trait.named:
        yield profile.number, "the values are numbers, the field is a text"
    if trait.kind in ("text", "choice", "id"):
        yield min(1.0, profile.date + profile.datetime), "the values are points in time, the field is a text"
    if trait.kind == "country":
        yield profile.number, "the values are numbers, the field is a country"
