"""Whether a field's type and values can be what a canonical field wants.

The decided mappings the model learns from carry neither, so these weights are set by hand, and mildly:
what contradicts costs much, what agrees gains little. They are logits, added before stage one decides.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.mapper.profile import Profile
from core.mapper.question import Question
from core.ontology import CanonicalField
from core.ontology.model import NUMBER_TYPES, TEXT_TYPES

CONTRADICTS = -3.0
DOUBTFUL = -1.0
AGREES = 0.5
MIN_COUNT = 20
"""Values a profile must rest on before what it lacks says anything."""

_TIMES = frozenset({"date", "datetime"})
_GROUPS: dict[str, str] = {
    "string": "text",
    "str": "text",
    "text": "text",
    "boolean": "boolean",
    "bool": "boolean",
    "integer": "number",
    "int": "number",
    "number": "number",
    "float": "number",
    "double": "number",
    "decimal": "number",
    "date": "time",
    "datetime": "time",
    "timestamp": "time",
    "date-time": "time",
    "object": "nested",
    "array": "nested",
}
_ODD = {
    ("boolean", "time"): CONTRADICTS,
    ("boolean", "number"): CONTRADICTS,
    ("boolean", "text"): DOUBTFUL,
    ("time", "boolean"): CONTRADICTS,
    ("time", "number"): CONTRADICTS,
    ("time", "text"): CONTRADICTS,
    ("number", "boolean"): DOUBTFUL,
    ("nested", "boolean"): CONTRADICTS,
    ("nested", "time"): CONTRADICTS,
    ("nested", "number"): CONTRADICTS,
    ("nested", "text"): DOUBTFUL,
}
"""(source, target) pairs that do not go together. Text may hold anything, numbers may be times and ids."""


@dataclass(frozen=True)
class Fit:
    """The sum of the weights and a sentence for each."""

    weight: float
    reasons: tuple[str, ...]


UNKNOWN = Fit(0.0, ())


def judge_fit(question: Question, field: CanonicalField) -> Fit:
    """What type and profile say about the pair; nothing when neither is given."""
    if not question.type and question.profile is None:
        return UNKNOWN
    found = [*_judge_type(question.type, field), *_judge_values(question.profile, field)]
    return Fit(sum(weight for weight, _ in found), tuple(reason for _, reason in found))


def _judge_type(text: str, field: CanonicalField) -> list[tuple[float, str]]:
    names = [part.strip().lower() for part in text.replace(",", "|").split("|")]
    groups = {_GROUPS[name] for name in names if name in _GROUPS}
    if len(groups) != 1:
        return []
    (group,) = groups
    weight = _ODD.get((group, _group_of(field)))
    return [] if weight is None else [(weight, f"a source of type {text} rarely fills a {field.type}")]


def _group_of(field: CanonicalField) -> str:
    if field.type in _TIMES:
        return "time"
    if field.type in NUMBER_TYPES:
        return "number"
    return "boolean" if field.type == "boolean" else "text"


def _judge_values(profile: Profile | None, field: CanonicalField) -> list[tuple[float, str]]:
    if profile is None or profile.null >= 1:
        return []
    found: list[tuple[float, str]] = []
    share = _share_for(profile, field)
    enough = profile.count < 0 or profile.count * (1 - profile.null) >= MIN_COUNT
    if share is not None and enough:
        if share < 0.2:
            found.append((CONTRADICTS, f"only {share:.0%} of the values look like a {field.type}"))
        elif share >= 0.9:
            found.append((AGREES, f"{share:.0%} of the values look like a {field.type}"))
    for name in ("email", "url"):
        seen = getattr(profile, name)
        if seen >= 0.8 and field.type != name and enough and not _may_hold(name, field):
            found.append((CONTRADICTS, f"{seen:.0%} of the values are {name}s, the field is a {field.type}"))
    if field.name == "id" and profile.unique >= 0 and profile.unique < 0.9 and enough:
        found.append((CONTRADICTS, f"only {profile.unique:.0%} of the values are unique"))
    return found


def _share_for(profile: Profile, field: CanonicalField) -> float | None:
    """The share of values that could be of the field's type; None where anything could."""
    times = profile.date + profile.datetime + profile.epoch
    numbers = max(profile.number, profile.integer)
    shares = {
        "email": profile.email,
        "url": profile.url,
        "datetime": times,
        "date": times,
        "integer": numbers,
        "number": numbers,
        "currency": numbers,
        "boolean": max(profile.boolean, profile.integer),
    }
    return min(1.0, shares[field.type]) if field.type in shares else None


def _may_hold(kind: str, field: CanonicalField) -> bool:
    """Texts that are sometimes an address: names of users, references, free text, domains."""
    words = set(field.name.split("_"))
    loose = {"email": {"username", "name", "login", "id", "from", "to", "cc", "bcc", "address"}}
    return field.type in TEXT_TYPES and bool(words & (loose.get(kind, set()) | {"source", "id", "domain"}))
