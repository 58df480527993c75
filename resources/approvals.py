"""Approving proposals: the fields a person accepted go into one new set, in one transaction.

Refused, not overwritten: two fields for one target, a target that another field fills, a field that was
decided otherwise before. One proposal at a time, and rejecting, is ``resources/proposals.py``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from core.baseline import usual_transform
from core.errors import MappingRefused, UnknownName
from core.mapper.proposal import Proposal
from core.mapping import FieldMapping, MappingSet, Transform
from core.names import join_name
from core.ontology import Entity, Ontology
from resources.audit import record
from resources.database import Database
from resources.proposals import (
    STEWARD,
    add_mappings,
    close_proposal,
    expire_filled,
    list_proposals,
    remember_decision,
    remember_words,
)
from resources.registry_changes import publish_in, read_holding
from resources.registry_rows import StreamKey, wait_turn

DECIDED = ("approved", "applied", "rejected")


@dataclass(frozen=True)
class Choice:
    """What a person accepts for a field: the proposal, or another target, transform or arguments."""

    field: str
    target: str | None = None
    transform: str | None = None
    args: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Conflict:
    """Why a choice cannot stand beside what was decided before. ``kind``: target | field | twice."""

    field: str
    target: str
    problem: str
    found: str
    remedy: str


def approve_fields(
    db: Database,
    ontology: Ontology,
    tenant_id: str,
    key: StreamKey,
    choices: Sequence[Choice],
    actor: str,
    reason: str,
    *,
    overrule: bool = False,
) -> tuple[MappingSet | None, MappingSet]:
    """Publish a set with all the chosen fields, or nothing: (the set that held before, the new one).

    ``overrule``: what was decided before gives way. Raises UnknownName, MappingRefused.
    """
    with db.tenant(tenant_id) as conn:
        wait_turn(conn, tenant_id)
        held = read_holding(conn, tenant_id, key)
        known = {one.field: one for one in list_proposals(db, tenant_id, *key)}
        chosen = [choose(ontology, known, key, one) for one in choices]
        chosen += _find_key(known, held, chosen)
        conflicts = find_conflicts(known, held, chosen)
        _refuse_conflicts(key, conflicts, overrule=overrule)
        entity = _find_entity(ontology, key, chosen, held)
        added = [_to_mapping(one) for one in chosen]
        mappings = add_mappings(_without_moved(held, added, known) if overrule else held, added)
        made = publish_in(conn, tenant_id, key, entity, mappings, actor, reason)
        expire_filled(conn, tenant_id, made)
        for one in chosen:
            close_proposal(conn, tenant_id, one, "approved", actor, reason, made.set_id)
            if not one.parts:  # a name that joins others says nothing of the next field called so
                remember_decision(conn, tenant_id, one, STEWARD, actor, reason)
                remember_words(conn, ontology, tenant_id, one)
            before = {"target": known[one.field].target, "confidence": known[one.field].confidence}
            after = {"target": one.target, "reason": reason, "set": made.number}
            subject = f"{join_name(*key)}.{one.field}"
            record(conn, actor, "proposal.approved", subject, before, after, tenant_id)
    return held, made


def _find_key(
    known: Mapping[str, Proposal], held: MappingSet | None, chosen: Sequence[Proposal]
) -> list[Proposal]:
    """The proposal for the stream's key, where nothing else gives the records one: none stands without."""
    filled = {one.target for one in (held.mappings if held else ())} | {one.target for one in chosen}
    keys = [one for one in known.values() if one.method == "key" and one.status == "pending"]
    entities = {one.entity for one in chosen}
    return [one for one in keys if one.target not in filled and {one.entity} == entities]


def choose(ontology: Ontology, known: Mapping[str, Proposal], key: StreamKey, choice: Choice) -> Proposal:
    """The proposal as the person wants it; UnknownName for a field or target that there is not."""
    found = known.get(choice.field)
    where = f"{join_name(*key)}.{choice.field}"
    if found is None:
        raise UnknownName(f"no proposal for {where}", remedy="aos mapping edit maps a field without one")
    target = choice.target or found.target
    if target is None:
        raise MappingRefused(
            "nothing is proposed for the field", where=where, remedy="Name a canonical field, or reject it"
        )
    field = ontology.entity(found.entity).field(target)
    if field.name == found.target and choice.transform is None:
        return found if choice.args is None else replace(found, args=choice.args)
    # the closed list is checked when the set is published; the cast only tells the type checker
    transform = cast(Transform, choice.transform or usual_transform(field))
    return replace(found, target=field.name, transform=transform, args=choice.args or {})


def find_conflicts(
    known: Mapping[str, Proposal], held: MappingSet | None, chosen: Sequence[Proposal]
) -> list[Conflict]:
    """What of the chosen contradicts each other, the set that holds, or an earlier decision."""
    times = Counter(one.target for one in chosen)
    found = [_find_conflict(known, held, one, times) for one in chosen]
    return [one for one in found if one is not None]


def _find_conflict(
    known: Mapping[str, Proposal], held: MappingSet | None, one: Proposal, times: Counter[str | None]
) -> Conflict | None:
    target = one.target or ""
    combine = "Choose one, or combine them: aos mapping edit --from … --from … --transform coalesce"
    if times[one.target] > 1:
        return Conflict(one.field, target, "several fields for one target", target, combine)
    mappings = held.mappings if held else ()
    filled = next((m for m in mappings if m.target == target), None)
    if filled is not None and filled.sources != one.sources:
        source = ", ".join(filled.sources) or filled.transform
        return Conflict(one.field, target, f"{target!r} is filled already", source, combine)
    before = known[one.field]
    if before.status in DECIDED and before.target != one.target:
        said = f"{before.target or 'no counterpart'}, {before.status} by {before.decided_by or 'the mapper'}"
        return Conflict(one.field, target, "the field was decided otherwise before", said, "Pass --overrule")
    if before.status == "rejected":
        said = f"rejected by {before.decided_by}"
        return Conflict(one.field, target, "the proposal was rejected before", said, "Pass --overrule")
    return None


def _refuse_conflicts(key: StreamKey, conflicts: Sequence[Conflict], *, overrule: bool) -> None:
    hard = [one for one in conflicts if not overrule or one.problem == "several fields for one target"]
    if hard:
        first = hard[0]
        raise MappingRefused(
            first.problem,
            where=f"{join_name(*key)}.{first.field}",
            found=first.found,
            remedy=f"{first.remedy}, or pass --overrule" if "overrule" not in first.remedy else first.remedy,
        )


def _find_entity(
    ontology: Ontology, key: StreamKey, chosen: Sequence[Proposal], held: MappingSet | None
) -> Entity:
    names = {one.entity for one in chosen} | ({held.entity} if held else set())
    if len(names) != 1:
        raise MappingRefused(
            "the fields are proposed for several entities",
            where=join_name(*key),
            found=", ".join(sorted(names)),
        )
    return ontology.entity(names.pop())


def _to_mapping(one: Proposal) -> FieldMapping:
    made = one.to_mapping(STEWARD)
    assert made is not None
    return replace(made, confidence=1.0)


def _without_moved(
    held: MappingSet | None, added: Sequence[FieldMapping], known: Mapping[str, Proposal]
) -> MappingSet | None:
    """The set without what earlier decisions on the same fields put into it."""
    if held is None:
        return None
    sources = {one.sources for one in added}
    decided: dict[tuple[str, ...], str | None]
    decided = {one.sources: one.target for one in known.values() if one.status in ("approved", "applied")}
    kept = [m for m in held.mappings if m.sources not in sources or decided.get(m.sources) != m.target]
    return replace(held, mappings=tuple(kept))
