"""Why a person has to look at an answer however probable it is: what the name says, and the field is not.

Probabilities come from names that people decided. Where a field is not spelt in any known way, these are
the ways in which a probable answer is wrong.
"""

from __future__ import annotations

from functools import lru_cache

from core.mapper.lexicon import Lexicon
from core.mapper.question import Question, Reading, read_own_words
from core.ontology import CanonicalField, Ontology

_PEOPLE = frozenset(
    {"person", "contact", "customer", "client", "user", "member", "owner", "assignee", "agent", "admin"}
    | {"employee", "worker"}
)
"""One person may be called so by one vendor and so by another."""
_PERSONS = _PEOPLE | {"lead", "candidate", "vendor", "supplier"}
_SELF = frozenset({"person", "contact"})
"""The one inside a record of a person is that person."""
_ROLES = frozenset(
    {"creator", "author", "manager", "supervisor", "lead", "parent", "requester", "submitter", "reporter"}
    | {"organizer", "approver", "reviewer", "recruiter", "sender", "recipient", "company", "organization"}
    | {"group", "milestone", "workspace", "board", "space", "folder", "sprint", "epic", "campaign", "plan"}
    | {"supplier", "payer", "payee", "card", "bank", "seller", "broker", "partner", "referrer"}
    | {"boss", "assistant", "secretary", "spouse", "husband", "wife", "child", "dependent", "beneficiary"}
    | {"emergency", "coupon", "voucher", "promotion", "shipment", "device", "browser", "session"}
    | {"template", "integration"}
)
"""Beside entities, who and what an object inside a record may be about."""
_PARTS = frozenset({"line", "entry", "report", "resource", "note", "event", "tag", "comment", "activity"})
"""Entities whose names are also those of a record's own parts."""
_OTHERWISE = frozenset(
    {"raw", "next", "previous", "prior", "former", "old", "original", "initial", "average", "minimum"}
    | {"maximum", "test", "temporary", "sample", "hash", "hashed", "encrypted", "masked"}
)
"""Words that make another value of what they stand before."""
_QUALITIES = frozenset(
    {"external", "internal", "primary", "secondary", "default", "main", "legacy", "unique"}
)
"""Words that say how something is, not what."""
_BOUNDS = frozenset({"till", "until", "since"})
_TIMES = frozenset({"date", "datetime"})
_FEW = 2
"""A longer last part says itself what it is about."""


def doubt_name(reading: Reading, field: CanonicalField, lexicon: Lexicon) -> str | None:
    """What in the name speaks against a field that is not known to be called so, as a sentence."""
    if reading.last[-1] in _BOUNDS and field.type not in _TIMES:
        return "the name says a point in time, the field is none"
    if len(reading.full) == 1 and reading.full[0] in _QUALITIES:
        return f"the name only says {reading.full[0]}, not of what"
    told = _list_concepts(field, lexicon)
    other = next((word for word in reading.bare if word in _OTHERWISE and word not in told), None)
    return f"the name says {other}, the field does not" if other else None


def doubt_path(
    question: Question, reading: Reading, field: CanonicalField, ontology: Ontology, lexicon: Lexicon
) -> str | None:
    """The same of a path that leads through another thing than the record, which the field is not about."""
    inside = reading.full[: len(reading.full) - len(reading.last)]
    if reading.depth < 2 or not inside or len(reading.last) > _FEW:
        return None
    own = read_own_words(question, ontology.entity(question.entity), lexicon)
    own |= _SELF if own & _PERSONS else frozenset()
    things = [word for word in inside if word in _list_things(ontology, lexicon) and word not in own]
    told = _list_concepts(field, lexicon)
    told |= _PEOPLE if told & _PEOPLE else frozenset()
    if not things or any(lexicon.concept(word) in told for word in inside):
        return None
    return f"the field is one of {things[-1]}, which is another thing than the record"


@lru_cache(maxsize=4)
def _list_things(ontology: Ontology, lexicon: Lexicon) -> frozenset[str]:
    return (_PEOPLE | _ROLES | {lexicon.words(name)[-1] for name in ontology.entities}) - _PARTS


@lru_cache(maxsize=8192)
def _list_concepts(field: CanonicalField, lexicon: Lexicon) -> frozenset[str]:
    """What the field is about: its name's and its description's words, with their concepts."""
    words = {*lexicon.words(field.name), *lexicon.words(field.description)}
    return frozenset(words | {lexicon.concept(word) for word in words})
