"""From one tenant to everybody: decided mappings promoted by a second person, names and structure only.

What is promoted speaks for the next field of that name anywhere, and enters the global set of its stream.
Arguments that hold values (the lists of ``enum_map``, constants) stay with the tenant.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import select

from core.baseline import check_mappings
from core.errors import MappingRefused, UnknownName
from core.mapper.proposal import find_source
from core.mapping import FieldMapping, MappingSet
from core.names import GLOBAL_TENANT, join_name
from core.ontology import Ontology
from resources.audit import record
from resources.database import Database
from resources.proposals import STEWARD, list_proposals, promote_in
from resources.registry import active_set
from resources.registry_changes import publish_in
from resources.registry_rows import StreamKey, open_scope, wait_turn
from resources.tables import mapping_decisions as decisions

STRUCTURAL = ("format", "timezone", "digits", "currency_from", "separator", "index", "path")
"""Arguments that say how values are written or where they are, never what they are."""
_STRPTIME = re.compile(r"(%[A-Za-z%]|[-/.,: ]|[TZ](?![A-Za-z]))+|epoch_m?s")
_PLAIN = {
    "format": _STRPTIME,
    "timezone": re.compile(r"[A-Za-z_+-]+(/[A-Za-z0-9_+-]+)*"),
    "separator": re.compile(r"[^\w]{1,4}"),
}
"""What free text of an argument has to look like to be structure."""


@dataclass(frozen=True)
class Promoted:
    """One decision: who took it in the tenant; ``mapping`` is what enters the global set.

    ``stays``: why none does; the name speaks for the next field all the same.
    """

    field: str
    target: str
    decided_by: str
    mapping: FieldMapping | None
    stays: str | None = None


@dataclass(frozen=True)
class Promotion:
    """What promoting would do. ``before`` is the global set that holds; ``after`` what would, else None.

    ``conflicts``: what contradicts, to be overruled or left; ``stays``: why no set is published.
    """

    key: StreamKey
    entity: str
    promoted: tuple[Promoted, ...]
    before: MappingSet | None
    after: tuple[FieldMapping, ...] | None
    conflicts: tuple[str, ...] = ()
    stays: str | None = None


def plan_promotion(
    db: Database,
    ontology: Ontology,
    tenant_id: str,
    key: StreamKey,
    fields: Sequence[str],
    actor: str,
) -> Promotion:
    """What promoting these fields (all decided ones, where none is named) would do. Nothing is written.

    UnknownName where no person decided; MappingRefused where ``actor`` took the decision.
    """
    decided = _read_decided(db, tenant_id, key)
    missing = [name for name in fields if name not in decided]
    if missing or not decided:
        raise UnknownName(
            f"nobody decided on {join_name(*key)}{'.' + missing[0] if missing else ''}",
            where=f"tenant {tenant_id}",
            remedy="What the mapper applied by itself is approved first: aos mapping approve",
        )
    chosen = {name: decided[name] for name in (fields or sorted(decided))}
    _refuse_own(key, chosen, actor)
    held = active_set(db, tenant_id, *key)
    mapped = {one.target: one for one in (held.mappings if held else ())}
    promoted = tuple(_promote_one(name, facts, mapped) for name, facts in chosen.items())
    entity = next(iter(chosen.values()))["entity"]
    before = active_set(db, GLOBAL_TENANT, *key)
    conflicts = _find_conflicts(db, key, promoted, before, entity)
    after, stays = _plan_set(ontology, entity, key, promoted, before, mapped)
    return Promotion(key, entity, promoted, before, after, conflicts, stays)


def promote(
    db: Database,
    ontology: Ontology,
    tenant_id: str,
    plan: Promotion,
    actor: str,
    reason: str,
    *,
    overrule: bool = False,
) -> MappingSet | None:
    """Do what was planned, in one transaction; the global set made, None where only names were promoted.

    MappingRefused where something contradicts and is not to be overruled, or where the plan would be
    another one by now; UnknownName where nobody's decision is left.
    """
    if not overrule:
        refuse_conflicts(plan)
    made = None
    with db.operator() as conn:
        wait_turn(conn, GLOBAL_TENANT)
        wait_turn(conn, tenant_id)  # nobody decides or publishes in either place until this is done
        names = [one.field for one in plan.promoted]
        if plan_promotion(db, ontology, tenant_id, plan.key, names, actor) != plan:
            raise MappingRefused(
                "what was decided, or the global set, has changed meanwhile",
                where=join_name(*plan.key),
                remedy="Look at it again",
            )
        known = {one.field: one for one in list_proposals(db, tenant_id, *plan.key)}
        for one in plan.promoted:
            promote_in(conn, ontology, replace(known[one.field], target=one.target), actor, reason)
        if plan.after is not None:
            of = ontology.entity(plan.entity)
            made = publish_in(conn, GLOBAL_TENANT, plan.key, of, plan.after, actor, reason)
            facts = {"number": made.number, "fields": names, "reason": reason}
            record(conn, actor, "mapping_set.promoted", join_name(*plan.key), None, facts, GLOBAL_TENANT)
    return made


def refuse_conflicts(plan: Promotion) -> None:
    """MappingRefused where something contradicts: two people have to settle it first."""
    if plan.conflicts:
        raise MappingRefused(
            "that contradicts what holds for everybody",
            where=join_name(*plan.key),
            found="; ".join(plan.conflicts),
            remedy="Settle it with whoever decided otherwise, then pass --overrule",
        )


def strip_values(mapping: FieldMapping) -> FieldMapping | None:
    """The mapping with structural arguments only; None where it means nothing without its values."""
    if mapping.transform in ("enum_map", "constant"):
        return None
    if any(name not in STRUCTURAL or not _is_plain(name, value) for name, value in mapping.args.items()):
        return None
    return mapping


def _is_plain(name: str, value: Any) -> bool:
    pattern = _PLAIN.get(name)
    return pattern is None or (isinstance(value, str) and pattern.fullmatch(value) is not None)


def _read_decided(db: Database, tenant_id: str, key: StreamKey) -> dict[str, dict[str, Any]]:
    """What people decided about the stream's fields: target, how, entity, who."""
    names = ("field", "target", "transform", "args", "entity", "decided_by")
    query = select(*(decisions.c[name] for name in names)).where(
        decisions.c.tenant_id == tenant_id,
        decisions.c.connector == key[0],
        decisions.c.stream == key[1],
        decisions.c.origin == STEWARD,
        decisions.c.target.is_not(None),
    )
    with open_scope(db, tenant_id) as conn:
        return {row["field"]: dict(row) for row in conn.execute(query).mappings()}


def _refuse_own(key: StreamKey, chosen: Mapping[str, Mapping[str, Any]], actor: str) -> None:
    own = sorted(name for name, facts in chosen.items() if facts["decided_by"] == actor)
    if own:
        raise MappingRefused(
            "who decided cannot promote as well: it takes a second person",
            where=f"{join_name(*key)}.{own[0]}",
            found=f"decided by {actor}",
            remedy="Let a colleague look at it and promote it",
        )


def _promote_one(field: str, facts: Mapping[str, Any], mapped: Mapping[str, FieldMapping]) -> Promoted:
    target, decided_by = facts["target"], facts["decided_by"]
    held = mapped.get(target)
    if held is None:
        return Promoted(field, target, decided_by, None, "the tenant's set does not fill it any more")
    if (held.sources, held.transform, held.args) != (
        (find_source(field),),
        facts["transform"],
        facts["args"],
    ):
        return Promoted(field, target, decided_by, None, "the tenant's set fills it otherwise by now")
    stripped = strip_values(held)
    if stripped is None:
        return Promoted(field, target, decided_by, None, f"{held.transform} carries values of the tenant")
    return Promoted(field, target, decided_by, replace(stripped, confidence=1.0, origin="promoted"))


def _find_conflicts(
    db: Database, key: StreamKey, promoted: Sequence[Promoted], before: MappingSet | None, entity: str
) -> tuple[str, ...]:
    """One field with two targets, one target with two fields, another entity: what people have to settle."""
    found = []
    if before is not None and before.entity != entity:
        found.append(f"the global set fills {before.entity}, not {entity}")
    decided = _read_decided(db, GLOBAL_TENANT, key)
    by_target = {one.target: one for one in (before.mappings if before else ())}
    for one in promoted:
        told = decided.get(one.field)
        if told is not None and told["target"] != one.target:
            found.append(f"{one.field}: {told['target']} was promoted by {told['decided_by']}")
        if one.mapping is None:
            continue
        other = by_target.get(one.target)
        if other is not None and other.sources != one.mapping.sources:
            found.append(f"{one.target}: filled from {', '.join(other.sources) or other.transform}")
        twice = [
            target
            for target, held in by_target.items()
            if target != one.target and held.sources == one.mapping.sources
        ]
        found += [f"{one.field}: the global set has it in {target}" for target in twice]
    return tuple(found)


def _plan_set(
    ontology: Ontology,
    entity: str,
    key: StreamKey,
    promoted: Sequence[Promoted],
    before: MappingSet | None,
    mapped: Mapping[str, FieldMapping],
) -> tuple[tuple[FieldMapping, ...] | None, str | None]:
    """The mappings of the global set afterwards, or why there is none."""
    added = {one.target: one.mapping for one in promoted if one.mapping is not None}
    if not added:
        return None, "nothing of it can enter a set without values of the tenant"
    sources = {one.sources for one in added.values()}
    kept = [
        one
        for one in (before.mappings if before else ())
        if one.target not in added and one.sources not in sources
    ]
    filled = {one.target for one in kept} | added.keys()
    for name in ontology.entity(entity).required:
        needed = strip_values(mapped[name]) if name not in filled and name in mapped else None
        if needed is not None:  # no set stands without the stream's key
            added[name] = replace(needed, confidence=1.0, origin="promoted")
    try:
        check_mappings([*kept, *added.values()], ontology.entity(entity), join_name(*key))
    except MappingRefused as error:
        return None, str(error)
    return (*kept, *added.values()), None
