"""What becomes of proposals: stored, and where they are sure published; many streams in one transaction.

A stream is settled whole or not at all, its set together with its proposals, decisions and audit entries.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from sqlalchemy import Connection, select, text

from core.baseline import check_mappings
from core.errors import ConfigError, MappingRefused
from core.mapper.decision import BELOW_AUTO, decide
from core.mapper.proposal import APPLIED_REASON, Proposal
from core.mapping import FieldMapping, MappingSet
from core.names import join_name
from core.ontology import Entity, Ontology
from resources.audit import record_all
from resources.bulk import insert_rows, replace_on
from resources.database import Database
from resources.proposals import OPEN, add_mappings, save_proposals
from resources.registry_changes import publish_all_in, read_all_holding
from resources.registry_rows import StreamKey, wait_turn
from resources.settings import Settings
from resources.stream_entities import PROPOSED, read_entities
from resources.tables import mapping_decisions as decisions
from resources.tables import proposals as table

SELF = "self"
"""Origin of what nobody but the engine decided; it does not vote later."""
_Wanted = dict[StreamKey, tuple[Entity, list[FieldMapping]]]
_EXPIRE_FILLED = text(
    """
    UPDATE proposals AS one SET status = 'expired', decided_at = now()
    FROM unnest(CAST(:connectors AS text[]), CAST(:streams AS text[]), CAST(:targets AS text[]))
         AS filled (connector, stream, target)
    WHERE one.tenant_id = :tenant_id AND one.connector = filled.connector AND one.stream = filled.stream
      AND one.target = filled.target AND one.status = 'pending' AND jsonb_exists(one.evidence, 'parts')
    """
)


@dataclass
class Settled:
    """Counts of fields: applied by themselves, waiting, without likely target; sets made; what was wrong."""

    applied: int = 0
    review: int = 0
    unknown: int = 0
    sets: list[MappingSet] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def settle_streams(
    db: Database,
    settings: Settings,
    ontology: Ontology,
    tenant_id: str,
    proposed: Mapping[StreamKey, Sequence[Proposal]],
    guessed: Collection[StreamKey] = (),
) -> Settled:
    """Store the proposals of each stream and publish what is sure, together.

    ``guessed``: streams whose entity was in question. What was answered under another entity than people
    chose in the meantime is dropped: it is asked again.
    """
    done = Settled()
    auto, low = settings.auto_apply_confidence, settings.review_confidence
    with db.tenant(tenant_id) as conn:
        wait_turn(conn, tenant_id)
        held = read_all_holding(conn, tenant_id, proposed.keys())
        decided = {key for key, one in read_entities(conn, tenant_id).items() if one.status != PROPOSED}
        closed = _read_closed(conn, tenant_id, proposed)
        judged: dict[StreamKey, list[Proposal]] = {}
        wanted: _Wanted = {}
        for key, found in proposed.items():
            other = key in held and any(one.entity != held[key].entity for one in found)
            if other or (key in guessed and key in decided):
                continue
            left = [one for one in found if (*key, one.field) not in closed]
            judged[key] = _hold_back(left, {one.target for one in _mappings(held.get(key))}, auto)
            sure = [one for one in judged[key] if decide(one.confidence, auto, low) == "apply"]
            entity, mappings = _join(ontology, held.get(key), sure) if sure else (None, [])
            if entity is not None and _can_stand(done, key, entity, mappings):
                wanted[key] = (entity, mappings)
        made = publish_all_in(conn, tenant_id, wanted, held, settings.actor, APPLIED_REASON)
        applied = _apply(judged, made, settings.actor, auto, low)
        save_proposals(conn, tenant_id, [one for ones in judged.values() for one in ones])
        _expire_filled(conn, tenant_id, list(made.values()))
        _remember(conn, tenant_id, applied, settings.actor)
    verdicts = [decide(one.confidence, auto, low) for ones in judged.values() for one in ones]
    done.applied, done.sets = sum(map(len, applied.values())), list(made.values())
    done.review = sum(one != "unknown" for one in verdicts) - done.applied
    done.unknown = verdicts.count("unknown")
    return done


def _mappings(held: MappingSet | None) -> tuple[FieldMapping, ...]:
    return held.mappings if held else ()


def _read_closed(
    conn: Connection, tenant_id: str, proposed: Mapping[StreamKey, Sequence[Proposal]]
) -> set[tuple[str, str, str]]:
    """Fields that somebody decided on while they were being answered."""
    query = select(table.c.connector, table.c.stream, table.c.field)
    query = query.where(
        table.c.tenant_id == tenant_id,
        table.c.connector.in_({connector for connector, _ in proposed}),
        table.c.status.not_in(OPEN),
    )
    return {(row.connector, row.stream, row.field) for row in conn.execute(query)}


def _hold_back(proposed: Sequence[Proposal], filled: set[str], auto: float) -> list[Proposal]:
    """One sure field a target: what is filled already, or claimed twice, waits for a person."""
    taken = set(filled)
    found: list[Proposal] = []
    for one in sorted(proposed, key=lambda one: -one.confidence):
        if one.confidence >= auto and one.target is not None:
            if one.target in taken:
                told = f"{one.target} is filled by another field already"
                held_back = min(BELOW_AUTO, auto - 0.01)
                one = replace(one, confidence=held_back, remarks=(*one.remarks, told))
            taken.add(one.target or "")
        found.append(one)
    return found


def _join(
    ontology: Ontology, held: MappingSet | None, sure: Sequence[Proposal]
) -> tuple[Entity, list[FieldMapping]]:
    """Entity and mappings of the set that would hold."""
    added = [mapping for one in sure if (mapping := one.to_mapping(one.method)) is not None]
    return ontology.entity(held.entity if held else sure[0].entity), add_mappings(held, added)


def _can_stand(done: Settled, key: StreamKey, entity: Entity, mappings: Sequence[FieldMapping]) -> bool:
    try:
        check_mappings(mappings, entity, join_name(*key))
    except (MappingRefused, ConfigError) as error:
        done.warnings.append(f"not applied, waits for review: {error}")
        return False
    return True


def _apply(
    judged: dict[StreamKey, list[Proposal]],
    made: Mapping[StreamKey, MappingSet],
    actor: str,
    auto: float,
    low: float,
) -> dict[StreamKey, list[Proposal]]:
    """Mark what went into a set, in place; what was applied by stream."""
    now = datetime.now(UTC)

    def close(one: Proposal, set_id: str) -> Proposal:
        if decide(one.confidence, auto, low) != "apply":
            return one
        return replace(
            one, status="applied", decided_by=actor, reason=APPLIED_REASON, decided_at=now, set_id=set_id
        )

    applied: dict[StreamKey, list[Proposal]] = {}
    for key, found in made.items():
        judged[key] = [close(one, found.set_id) for one in judged[key]]
        applied[key] = [one for one in judged[key] if one.status == "applied"]
    return applied


def _expire_filled(conn: Connection, tenant_id: str, made: Sequence[MappingSet]) -> None:
    """Close pending derived proposals whose target is filled now: they were for want of a source."""
    filled = [(one.connector, one.stream, mapping.target) for one in made for mapping in one.mappings]
    if filled:
        connectors, streams, targets = map(list, zip(*filled, strict=True))
        facts = {"connectors": connectors, "streams": streams, "targets": targets}
        conn.execute(_EXPIRE_FILLED, {"tenant_id": tenant_id, **facts})


def _remember(
    conn: Connection, tenant_id: str, applied: Mapping[StreamKey, Sequence[Proposal]], actor: str
) -> None:
    """Keep what was applied as the engine's own decisions, and say so in the audit log."""
    rows = [
        {
            "tenant_id": tenant_id,
            "connector": one.connector,
            "stream": one.stream,
            "field": one.field,
            "entity": one.entity,
            "target": one.target,
            "transform": one.transform,
            "args": dict(one.args),
            "origin": SELF,
            "decided_by": actor,
            "reason": APPLIED_REASON,
            "decided_at": one.decided_at.isoformat() if one.decided_at else None,
        }
        for ones in applied.values()
        for one in ones
    ]
    insert_rows(conn, decisions, rows, replace_on(decisions))
    facts = [
        (
            "proposals.applied",
            join_name(*key),
            None,
            {one.field: [one.target, one.confidence] for one in ones},
        )
        for key, ones in applied.items()
    ]
    record_all(conn, actor, facts, tenant_id)
