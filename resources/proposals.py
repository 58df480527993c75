"""Proposals in Postgres, one a (tenant, connector, stream, field), and the decisions people take on them.

A decision, the set it publishes, its audit entry and its memory for retrieval commit together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from core.errors import MappingRefused, UnknownName
from core.mapper.proposal import Proposal
from core.mapping import FieldMapping, MappingSet
from core.names import GLOBAL_TENANT, join_name
from core.ontology import Ontology
from resources.audit import record
from resources.bulk import insert_rows, replace_on
from resources.database import Database
from resources.registry_changes import read_holding
from resources.registry_rows import StreamKey, wait_turn
from resources.tables import mapping_decisions as decisions
from resources.tables import proposals as table

STEWARD = "steward"
OPEN = ("pending", "expired")
"""What a new proposal may replace; what a person or the engine decided stays."""
_PROFILE, _DOUBT, _PARTS = "profile", "doubt", "parts"
"""Keys of the column ``evidence`` beside the amounts: shares of the values, the doubt, fields read."""
_OWN = ("tenant_id", "candidates", "remarks", "evidence")
_PLAIN = tuple(column.name for column in table.c if column.name not in _OWN)


def save_proposals(conn: Connection, tenant_id: str, proposed: Iterable[Proposal]) -> int:
    """Insert or refresh proposals; those decided on keep what was decided. The number written."""
    rows = [_to_row(tenant_id, one) for one in proposed]
    are_open = " OR ".join(f"{table.name}.status = '{one}'" for one in OPEN)
    insert_rows(conn, table, rows, replace_on(table, keep=("proposed_at",), where=are_open))
    return len(rows)


def list_proposals(
    db: Database,
    tenant_id: str,
    connector: str | None = None,
    stream: str | None = None,
    status: str | None = None,
) -> list[Proposal]:
    """A tenant's proposals by stream, surest first, narrowed by what is given."""
    query = select(table).where(table.c.tenant_id == tenant_id)
    for column, wanted in (
        (table.c.connector, connector),
        (table.c.stream, stream),
        (table.c.status, status),
    ):
        if wanted is not None:
            query = query.where(column == wanted)
    order = (table.c.connector, table.c.stream, table.c.confidence.desc(), table.c.field)
    with db.tenant(tenant_id) as conn:
        return [_from_row(row) for row in conn.execute(query.order_by(*order))]


def read_proposal(db: Database, tenant_id: str, key: StreamKey, field: str) -> Proposal:
    """The proposal for one field; UnknownName when there is none."""
    with db.tenant(tenant_id) as conn:
        return _read(conn, tenant_id, key, field)


def read_known(conn: Connection, tenant_id: str) -> dict[tuple[str, str, str], tuple[str, str]]:
    """(status, basis) of every proposal by connector, stream, field."""
    query = select(table.c.connector, table.c.stream, table.c.field, table.c.status, table.c.basis)
    rows = conn.execute(query.where(table.c.tenant_id == tenant_id))
    return {(row.connector, row.stream, row.field): (row.status, row.basis) for row in rows}


def read_derived(conn: Connection, tenant_id: str) -> dict[tuple[str, str, str], list[str]]:
    """The fields that each pending derived proposal reads, by connector, stream, name."""
    query = select(table.c.connector, table.c.stream, table.c.field, table.c.evidence[_PARTS].label("parts"))
    query = query.where(table.c.tenant_id == tenant_id, table.c.status == "pending")
    rows = conn.execute(query.where(table.c.evidence.has_key(_PARTS)))
    return {(row.connector, row.stream, row.field): list(row.parts) for row in rows}


def expire_filled(conn: Connection, tenant_id: str, made: MappingSet) -> None:
    """Close pending derived proposals whose target a set fills now: they were for want of a source."""
    targets = [one.target for one in made.mappings]
    conn.execute(
        update(table)
        .where(
            table.c.tenant_id == tenant_id,
            table.c.connector == made.connector,
            table.c.stream == made.stream,
            table.c.status == "pending",
            table.c.target.in_(targets),
            table.c.evidence.has_key(_PARTS),
        )
        .values(status="expired", decided_at=func.now())
    )


def expire_proposals(conn: Connection, tenant_id: str, fields: Sequence[tuple[str, str, str]]) -> None:
    """Close pending proposals whose question has gone: mapped otherwise, or no field any more."""
    for connector, stream, field in fields:
        conn.execute(
            update(table)
            .where(*_is(tenant_id, (connector, stream), field), table.c.status == "pending")
            .values(status="expired", decided_at=func.now())
        )


def forget_pending(conn: Connection, tenant_id: str, key: StreamKey) -> None:
    """Close the stream's pending proposals: its fields are asked anew."""
    conn.execute(
        update(table)
        .where(
            table.c.tenant_id == tenant_id,
            table.c.connector == key[0],
            table.c.stream == key[1],
            table.c.status == "pending",
        )
        .values(status="expired", decided_at=func.now())
    )


def reject_proposal(
    db: Database,
    ontology: Ontology,
    tenant_id: str,
    key: StreamKey,
    field: str,
    actor: str,
    reason: str,
    *,
    no_counterpart: bool = False,
) -> None:
    """Refuse a proposal; as ``reject_proposals``."""
    who = (actor, reason)
    reject_proposals(db, ontology, tenant_id, key, [field], *who, no_counterpart=no_counterpart)


def reject_proposals(
    db: Database,
    ontology: Ontology,
    tenant_id: str,
    key: StreamKey,
    fields: Sequence[str],
    actor: str,
    reason: str,
    *,
    no_counterpart: bool = False,
) -> None:
    """Refuse proposals of a stream, all or none; they are not made again.

    What people approved of them before speaks for no other field any more. ``no_counterpart``: the fields
    have none, and others of their names are not proposed either. Raises UnknownName, MappingRefused for
    one that is in use.
    """
    with db.tenant(tenant_id) as conn:
        wait_turn(conn, tenant_id)  # an approval at work may be of the same field
        held = read_holding(conn, tenant_id, key)
        for field in fields:
            found = _read(conn, tenant_id, key, field)
            _refuse_used(tenant_id, found, held)
            close_proposal(conn, tenant_id, found, "rejected", actor, reason, None)
            if no_counterpart:
                refused = replace(found, target=None)
                remember_decision(conn, tenant_id, refused, STEWARD, actor, reason)
                remember_words(conn, ontology, tenant_id, refused)
            else:
                _forget_decision(conn, tenant_id, found)
            before = {"target": found.target, "confidence": found.confidence}
            after = {"reason": reason, "no_counterpart": no_counterpart}
            record(conn, actor, "proposal.rejected", f"{join_name(*key)}.{field}", before, after, tenant_id)


def _refuse_used(tenant_id: str, one: Proposal, held: MappingSet | None) -> None:
    mappings = held.mappings if held is not None else ()
    if held is not None and any(m.target == one.target and one.source in m.sources for m in mappings):
        raise MappingRefused(
            f"{join_name(*one.key)}.{one.field} is in use",
            found=f"{one.target}, by set {held.number}",
            remedy=f"Take it out: aos mapping edit {tenant_id} {' '.join(one.key)} {one.target} --remove",
        )


# --- inside a transaction ---------------------------------------------------------------------


def promote_in(conn: Connection, ontology: Ontology, one: Proposal, actor: str, reason: str) -> None:
    """Let a decision speak for everybody, without anything but names; as the operator."""
    bare = replace(one, args={}, evidence={}, profile={})
    remember_decision(conn, GLOBAL_TENANT, bare, STEWARD, actor, reason)
    remember_words(conn, ontology, GLOBAL_TENANT, bare)
    facts = {"target": one.target, "reason": reason}
    record(conn, actor, "decision.promoted", f"{join_name(*one.key)}.{one.field}", None, facts, GLOBAL_TENANT)


def add_mappings(held: MappingSet | None, added: Sequence[FieldMapping]) -> list[FieldMapping]:
    """What a set becomes with these mappings; each replaces the one that filled its target."""
    targets = {one.target for one in added}
    kept = [one for one in (held.mappings if held else ()) if one.target not in targets]
    return [*kept, *added]


def close_proposal(
    conn: Connection,
    tenant_id: str,
    one: Proposal,
    status: str,
    actor: str,
    reason: str,
    set_id: str | None,
) -> None:
    """Write down what became of a proposal."""
    conn.execute(
        update(table)
        .where(*_is(tenant_id, one.key, one.field))
        .values(
            status=status,
            target=one.target,
            transform=one.transform,
            args=dict(one.args),
            decided_by=actor,
            reason=reason,
            set_id=set_id,
            decided_at=func.now(),
        )
    )


def remember_decision(
    conn: Connection, tenant_id: str, one: Proposal, origin: str, actor: str, reason: str
) -> None:
    """Keep a decision for later questions; the newest of a field counts."""
    conn.execute(delete(decisions).where(*_decided(tenant_id, one.key, one.field)))
    conn.execute(
        insert(decisions).values(
            tenant_id=tenant_id,
            connector=one.connector,
            stream=one.stream,
            field=one.field,
            entity=one.entity,
            target=one.target,
            transform=one.transform,
            args=dict(one.args),
            origin=origin,
            decided_by=actor,
            reason=reason,
        )
    )


def _forget_decision(conn: Connection, tenant_id: str, one: Proposal) -> None:
    """Take back that the field was decided to be what is refused now."""
    from resources.decision_words import forget_words

    same = decisions.c.target == one.target
    conn.execute(delete(decisions).where(*_decided(tenant_id, one.key, one.field), same))
    forget_words(conn, tenant_id, one)


def remember_words(conn: Connection, ontology: Ontology, tenant_id: str, one: Proposal) -> None:
    """Let the decision be found by its name; its vector is computed with the next batch."""
    from core.mapper.lexicon import build_lexicon
    from core.mapper.question import Question, read_question
    from resources.decision_words import store_words

    question = Question(one.connector, one.stream, one.field, one.entity)
    reading = read_question(question, ontology.entity(one.entity), build_lexicon(ontology))
    store_words(conn, tenant_id, one, reading.decided_as)


def _decided(tenant_id: str, key: StreamKey, field: str) -> tuple[Any, ...]:
    return (
        decisions.c.tenant_id == tenant_id,
        decisions.c.connector == key[0],
        decisions.c.stream == key[1],
        decisions.c.field == field,
    )


def _is(tenant_id: str, key: StreamKey, field: str) -> tuple[Any, ...]:
    return (
        table.c.tenant_id == tenant_id,
        table.c.connector == key[0],
        table.c.stream == key[1],
        table.c.field == field,
    )


def _read(conn: Connection, tenant_id: str, key: StreamKey, field: str) -> Proposal:
    row = conn.execute(select(table).where(*_is(tenant_id, key, field))).first()
    if row is None:
        raise UnknownName(f"no proposal for {join_name(*key)}.{field}", where=f"tenant {tenant_id}")
    return _from_row(row)


def _to_row(tenant_id: str, one: Proposal) -> dict[str, Any]:
    facts: dict[str, Any] = {name: getattr(one, name) for name in _PLAIN if name != "proposed_at"}
    facts["decided_at"] = one.decided_at.isoformat() if one.decided_at else None
    facts["candidates"] = [list(pair) for pair in one.candidates]
    facts["remarks"] = list(one.remarks)
    facts["evidence"] = _write_evidence(one)
    return {"tenant_id": tenant_id, **facts}


def _write_evidence(one: Proposal) -> dict[str, Any]:
    """The amounts, and beside them what else is known of the values."""
    more = {_PROFILE: dict(one.profile), _DOUBT: one.doubt, _PARTS: list(one.parts)}
    return {**one.evidence, **{name: value for name, value in more.items() if value}}


def _from_row(row: Row[Any]) -> Proposal:
    facts = {name: row._mapping[name] for name in _PLAIN}
    candidates = tuple((str(name), float(value)) for name, value in row.candidates)
    evidence = dict(row.evidence)
    profile, parts, doubt = evidence.pop(_PROFILE, {}), evidence.pop(_PARTS, ()), evidence.pop(_DOUBT, None)
    return Proposal(
        **facts,
        candidates=candidates,
        evidence=evidence,
        profile=profile,
        doubt=doubt,
        parts=tuple(parts),
        remarks=tuple(row.remarks),
    )
