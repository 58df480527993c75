"""Why a person has to look at answers, however probable they are.

What the name says is ``core/mapper/doubts.py``, type and values are ``core/mapper/fitting.py``; here are
those that need the evidence, or the other fields of the stream.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from core.mapper.doubts import doubt_name, doubt_path
from core.mapper.evidence import EXACT, FEATURES
from core.mapper.question import Question
from resources.mapper_facts import FactBench, Facts
from resources.mapper_features import TIME_ENDS, Matrix
from resources.mapper_scoring import Measured

LIKELY = 0.5
"""The probability from which a field claims its canonical field against others."""
_AT = {name: at for at, name in enumerate(FEATURES)}
_EXACT = [_AT[name] for name in EXACT]
_WHOLE = [_AT["exact_full"], _AT["exact_bare"]]
_SAME_KEY = frozenset({"uuid", "guid", "gid"})


@dataclass(frozen=True)
class _Claim:
    """A field that wants a canonical one: called like it, and how probable it is."""

    at: int
    own_name: bool
    probability: float

    @property
    def rank(self) -> tuple[bool, float]:
        return (self.own_name, self.probability)


def find_doubts(
    bench: FactBench,
    measured: Sequence[Measured],
    facts: Sequence[Facts],
    tops: Sequence[int],
    sure: Matrix,
) -> list[tuple[tuple[str, ...], str | None]]:
    """Per question sentences about the best field, and why a person has to look at it, if so.

    ``sure``: its probability.
    """
    beaten = find_beaten(measured, tops, sure)
    found: list[tuple[tuple[str, ...], str | None]] = []
    for at, (one, known, top) in enumerate(zip(measured, facts, tops, strict=True)):
        reasons, doubt = bench.explain(one, known, top)
        by_name = find_doubt(bench, one, top, known, likely=float(sure[at]) >= LIKELY)
        found.append((reasons, by_name or doubt or beaten[at]))
    return found


def find_doubt(bench: FactBench, one: Measured, top: int, known: Facts, *, likely: bool = True) -> str | None:
    """Why a person has to look at one field, for its name. What is not ``likely`` is asked anyway."""
    names, values = one.reading, one.values[top]
    if values[_AT["context_twin"]]:
        return "another field differs in its context only, and the name does not say which"
    if one.fields[top] == "id" and names.stripped == "alike":
        return "the key may be that of another thing than the record"
    if values[_AT["time_only_name"]] and names.last[-1] in TIME_ENDS and not one.textual[top]:
        return "the name says a point in time, the field is none"
    if names.last[-1] == "id" and not one.textual[top]:
        return "the name says a key, the field is none"
    return _doubt_spelling(bench, one, top, known) if likely else None


def _doubt_spelling(bench: FactBench, one: Measured, top: int, known: Facts) -> str | None:
    values, ontology, lexicon = one.values[top], bench.bench.ontology, bench.bench.lexicon
    field = ontology.entity(one.question.entity).fields[one.fields[top]]
    if values[_WHOLE].max() <= 0:
        found = doubt_path(one.question, one.reading, field, ontology, lexicon)
        if found:
            return found
    if values[_EXACT].max() > 0:
        return None
    if values[_AT["time_only_field"]] and not known.agree(top):
        return "the field is a point in time, the name says none"
    return doubt_name(one.reading, field, lexicon)


def find_beaten(measured: Sequence[Measured], tops: Sequence[int], sure: Matrix) -> list[str | None]:
    """Which fields want what another field of the stream has the better claim to, said so.

    A canonical field is filled from one field of a stream. Equal claims stand, whoever comes first.
    """
    claims: dict[tuple[str, str, str, str], list[_Claim]] = defaultdict(list)
    for at, (one, top) in enumerate(zip(measured, tops, strict=True)):
        if sure[at] >= LIKELY:
            asked, field = one.question, one.fields[top]
            own_name = float(one.values[top, _AT["exact_full"]]) >= 1
            claims[asked.system, asked.stream, asked.entity, field].append(
                _Claim(at, own_name and not _is_other_key(asked), float(sure[at]))
            )
    found: list[str | None] = [None] * len(measured)
    for (*_, field), held in claims.items():
        best = max(held, key=lambda claim: claim.rank)
        for claim in held:
            if _is_beaten(claim, best, measured):
                found[claim.at] = f"{measured[best.at].question.field} has the better claim to {field}"
    return found


def _is_beaten(claim: _Claim, best: _Claim, measured: Sequence[Measured]) -> bool:
    """Whether the best claim is better; the same words spelt in two ways claim alike."""
    same = measured[claim.at].reading.full == measured[best.at].reading.full
    return claim.own_name != best.own_name or (claim.rank < best.rank and not same)


def _is_other_key(question: Question) -> bool:
    """Whether a key is called ``uuid`` and the like, which the record's ``id`` comes before."""
    return re.split(r"[./]", question.field)[-1].lower() in _SAME_KEY
