"""Which canonical entity a stream is, where its config does not say: guessed, then confirmed by a person.

A guess is only proposed. Once confirmed, the stream's fields are asked and applied as if its config had
said so; a stream that was declared to have none stays raw and is not asked again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, Row, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from core.errors import MappingRefused, UnknownName
from core.names import join_name
from core.ontology import Ontology
from resources.audit import record
from resources.database import Database
from resources.proposals import forget_pending
from resources.registry import active_sets
from resources.registry_changes import read_holding
from resources.registry_rows import StreamKey, wait_turn
from resources.tables import stream_entities as table

Status = Literal["proposed", "confirmed", "none"]
PROPOSED: Status = "proposed"
CONFIRMED: Status = "confirmed"
NO_ENTITY: Status = "none"
Guess = tuple[str, float]
"""An entity with its probability among the entities there are."""


@dataclass(frozen=True)
class StreamEntity:
    """What is known of one stream. ``entity`` is None where a person said that it has none."""

    connector: str
    stream: str
    entity: str | None
    confidence: float
    candidates: tuple[Guess, ...]
    status: Status
    decided_by: str | None = None
    reason: str | None = None

    @property
    def key(self) -> StreamKey:
        """Connector and stream."""
        return (self.connector, self.stream)


def save_guesses(conn: Connection, tenant_id: str, guesses: Mapping[StreamKey, Sequence[Guess]]) -> None:
    """Keep the likeliest entities of each stream, best first; what a person decided stays."""
    rows = [
        {
            "tenant_id": tenant_id,
            "connector": key[0],
            "stream": key[1],
            "entity": ranked[0][0],
            "confidence": ranked[0][1],
            "candidates": [list(one) for one in ranked],
            "status": PROPOSED,
        }
        for key, ranked in guesses.items()
        if ranked
    ]
    if rows:
        statement = insert(table)
        fresh = {name: statement.excluded[name] for name in ("entity", "confidence", "candidates")}
        keys = ["tenant_id", "connector", "stream"]
        undecided = table.c.status == PROPOSED
        conn.execute(statement.on_conflict_do_update(index_elements=keys, set_=fresh, where=undecided), rows)


def forget_guesses(
    conn: Connection, tenant_id: str, in_question: Collection[StreamKey], silent: Collection[str] = ()
) -> None:
    """Drop guesses about streams that are gone, or of which a config or a set says what they are.

    ``silent``: connectors of which nobody can say that now.
    """
    for key, one in read_entities(conn, tenant_id).items():
        if one.status == PROPOSED and key not in in_question and key[0] not in silent:
            chosen = (table.c.tenant_id == tenant_id, table.c.connector == key[0], table.c.stream == key[1])
            conn.execute(delete(table).where(*chosen, table.c.status == PROPOSED))


def read_entities(conn: Connection, tenant_id: str) -> dict[StreamKey, StreamEntity]:
    """Every stream of the tenant that was guessed or decided, by connector and stream."""
    query = select(table).where(table.c.tenant_id == tenant_id).order_by(table.c.connector, table.c.stream)
    return {one.key: one for one in map(_from_row, conn.execute(query))}


def list_entities(db: Database, tenant_id: str) -> list[StreamEntity]:
    """As ``read_entities``, in a transaction of its own."""
    with db.tenant(tenant_id) as conn:
        return list(read_entities(conn, tenant_id).values())


def list_decided_entities(db: Database, tenant_id: str, connectors: Sequence[str]) -> set[str]:
    """Entities that streams of the connectors fill by a set that holds, or because a person said so."""
    held = {one.entity for one in active_sets(db, tenant_id, connectors).values()}
    with db.tenant(tenant_id) as conn:
        known = read_entities(conn, tenant_id)
    asked = [one for one in known.values() if one.connector in set(connectors)]
    return held | {one.entity for one in asked if one.entity is not None and one.status == CONFIRMED}


def decide_entity(
    db: Database,
    ontology: Ontology,
    tenant_id: str,
    key: StreamKey,
    entity: str | None,
    actor: str,
    reason: str,
) -> StreamEntity:
    """Confirm the stream's entity, choose another one, or say that it has none (``entity`` None).

    Proposals that wait are forgotten: the next question is asked under the entity. UnknownName when the
    stream was never guessed or the ontology has no such entity; MappingRefused where a set holds already.
    """
    chosen = None if entity is None else ontology.entity(entity).name
    with db.tenant(tenant_id) as conn:
        wait_turn(conn, tenant_id)
        before = read_entities(conn, tenant_id).get(key)
        if before is None:
            raise UnknownName(
                f"the entity of {join_name(*key)} is not in question",
                where=f"tenant {tenant_id}",
                remedy="Its config says which it is, or it has not been synced and proposed yet",
            )
        _refuse_held(conn, tenant_id, key, chosen)
        status = CONFIRMED if chosen else NO_ENTITY
        conn.execute(
            update(table)
            .where(table.c.tenant_id == tenant_id, table.c.connector == key[0], table.c.stream == key[1])
            .values(entity=chosen, status=status, decided_by=actor, reason=reason, decided_at=func.now())
        )
        forget_pending(conn, tenant_id, key)
        facts = {"entity": chosen, "status": status, "reason": reason}
        told = {"entity": before.entity, "status": before.status, "confidence": before.confidence}
        record(conn, actor, "entity.decided", join_name(*key), told, facts, tenant_id)
        return read_entities(conn, tenant_id)[key]


def _refuse_held(conn: Connection, tenant_id: str, key: StreamKey, entity: str | None) -> None:
    held = read_holding(conn, tenant_id, key)
    if held is not None and held.entity != entity:
        raise MappingRefused(
            f"a mapping set of {join_name(*key)} fills {held.entity} already",
            where=f"tenant {tenant_id}",
            found=f"set {held.number}",
            remedy="Publish a set whose file says the other entity (aos mapping export, edit, publish); "
            "what was decided under the old one is asked anew",
        )


def _from_row(row: Row[tuple[object, ...]]) -> StreamEntity:
    facts = row._mapping
    ranked = tuple((str(name), float(share)) for name, share in facts["candidates"])
    names = ("connector", "stream", "entity", "confidence", "status", "decided_by", "reason")
    return StreamEntity(**{name: facts[name] for name in names}, candidates=ranked)
