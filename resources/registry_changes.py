"""Changes of the registry inside a caller's transaction, so that they commit with what caused them.

The same with a transaction of their own, and reading, is ``resources/registry.py``; the rows are
``resources/registry_rows.py``. A change of what holds for a stream asks for a replay of its history
(``resources/replays.py``) in the same transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, func, select, update

from core.baseline import check_mappings
from core.errors import UnknownName
from core.mapping import FieldMapping, MappingSet, fingerprint_mappings
from core.names import GLOBAL_TENANT, check_identifier, join_name
from core.ontology import Entity
from resources.audit import record, record_all
from resources.registry_rows import (
    StreamKey,
    insert_sets,
    number_set,
    of_stream,
    point_at,
    read_active_number,
    read_newest_numbers,
    read_sets,
    select_active,
    wait_turn,
)
from resources.replays import request_replay
from resources.tables import active_mapping_sets as active
from resources.tables import mapping_sets as sets
from resources.tables import proposals, stream_entities

_MOST = 2**31 - 1
"""The highest number the database can hold."""


def publish_in(
    conn: Connection,
    tenant_id: str,
    key: StreamKey,
    entity: Entity,
    mappings: Sequence[FieldMapping],
    actor: str,
    reason: str = "",
    *,
    activate: bool = True,
) -> MappingSet:
    """Store the next numbered set of the owner's stream; ``activate``: make it the one that holds.

    When the active set (a draft: the newest) says the same, it is returned and nothing changes. ``conn``
    is in the owner's scope. Raises MappingRefused.
    """
    key = (check_identifier(key[0], "connector"), check_identifier(key[1], "stream"))
    check_mappings(mappings, entity, join_name(*key))
    wait_turn(conn, tenant_id)
    before = read_active_number(conn, tenant_id, key)
    newest = read_newest_numbers(conn, tenant_id, key).get(key, 0)
    compared = before if activate else newest or None
    if compared is not None:
        current = read_numbered(conn, tenant_id, key, compared)
        if current.fingerprint == fingerprint_mappings(entity.name, tuple(mappings)):
            return current
    made = number_set(tenant_id, key, newest + 1, entity.name, mappings)
    held = read_holding(conn, tenant_id, key)
    insert_sets(conn, [made], actor, reason)
    if activate:
        point_at(conn, [made], actor)
        _reopen(conn, tenant_id, key, held, made, actor)
        _ask_replay(conn, tenant_id, key, held, actor, f"mapping set {made.number} published")
    action = "mapping_set.published" if activate else "mapping_set.stored"
    write_audit(conn, actor, action, tenant_id, key, before, made, reason)
    return made


def publish_all_in(
    conn: Connection,
    tenant_id: str,
    wanted: Mapping[StreamKey, tuple[Entity, Sequence[FieldMapping]]],
    held: Mapping[StreamKey, MappingSet],
    actor: str,
    reason: str,
) -> dict[StreamKey, MappingSet]:
    """As ``publish_in`` for many streams of one owner, in a number of statements that does not grow.

    ``held``: what holds for them, read after ``wait_turn`` in the same transaction.
    """
    newest = read_newest_numbers(conn, tenant_id) if wanted else {}
    made: dict[StreamKey, MappingSet] = {}
    found: dict[StreamKey, MappingSet] = {}
    for key, (entity, mappings) in wanted.items():
        check_identifier(key[0], "connector")
        check_identifier(key[1], "stream")
        check_mappings(mappings, entity, join_name(*key))
        before = held.get(key)
        own = before if before is not None and before.tenant_id == tenant_id else None
        if own is not None and own.fingerprint == fingerprint_mappings(entity.name, tuple(mappings)):
            found[key] = own
            continue
        made[key] = number_set(tenant_id, key, newest.get(key, 0) + 1, entity.name, mappings)
    insert_sets(conn, list(made.values()), actor, reason)
    point_at(conn, list(made.values()), actor)
    facts = []
    for key, one in made.items():
        before = held.get(key)
        _ask_replay(conn, tenant_id, key, before, actor, f"mapping set {one.number} published")
        was = {"number": before.number} if before is not None and before.tenant_id == tenant_id else None
        facts.append(("mapping_set.published", join_name(*key), was, describe_set(one) | {"reason": reason}))
    record_all(conn, actor, facts, tenant_id)
    return found | made


def activate_in(
    conn: Connection, tenant_id: str, key: StreamKey, number: int, actor: str, reason: str = ""
) -> MappingSet:
    """Make a stored set of the owner the one that holds; UnknownName if there is none of that number."""
    wait_turn(conn, tenant_id)
    chosen = read_numbered(conn, tenant_id, key, number)
    before = read_active_number(conn, tenant_id, key)
    if before != number:
        held = read_holding(conn, tenant_id, key)
        point_at(conn, [chosen], actor)
        _reopen(conn, tenant_id, key, held, chosen, actor)
        _ask_replay(conn, tenant_id, key, held, actor, f"mapping set {number} activated")
        write_audit(conn, actor, "mapping_set.activated", tenant_id, key, before, chosen, reason)
    return chosen


def follow_in(conn: Connection, tenant_id: str, key: StreamKey, actor: str, reason: str = "") -> None:
    """End a tenant's override, so that the global set holds again; its own sets stay stored."""
    wait_turn(conn, tenant_id)
    before = read_active_number(conn, tenant_id, key)
    if before is not None:
        held = read_holding(conn, tenant_id, key)
        conn.execute(delete(active).where(*of_stream(active, tenant_id, *key)))
        _ask_replay(conn, tenant_id, key, held, actor, "the global mapping set holds again")
        write_audit(conn, actor, "mapping_set.override_ended", tenant_id, key, before, None, reason)


def _reopen(
    conn: Connection, tenant_id: str, key: StreamKey, held: MappingSet | None, made: MappingSet, actor: str
) -> None:
    """A stream that is another entity now: what was proposed and decided under the old one is asked anew."""
    if held is None or held.entity == made.entity or tenant_id == GLOBAL_TENANT:
        return
    conn.execute(
        update(proposals)
        .where(*of_stream(proposals, tenant_id, *key), proposals.c.entity != made.entity)
        .values(status="expired", decided_at=func.now())
    )
    facts = {"entity": made.entity, "status": "confirmed", "decided_by": actor, "decided_at": func.now()}
    told = f"mapping set {made.number} says so"
    conn.execute(
        update(stream_entities)
        .where(*of_stream(stream_entities, tenant_id, *key))
        .values(**facts, reason=told)
    )


def read_holding(conn: Connection, tenant_id: str, key: StreamKey) -> MappingSet | None:
    """The set that holds for the stream: the owner's own, else the global one, else None."""
    query = select_active(tenant_id).where(active.c.connector == key[0], active.c.stream == key[1])
    return max(read_sets(conn, query), key=lambda one: one.tenant_id != GLOBAL_TENANT, default=None)


def read_all_holding(
    conn: Connection, tenant_id: str, keys: Collection[StreamKey]
) -> dict[StreamKey, MappingSet]:
    """``read_holding`` for many streams at once; those without a set are absent."""
    query = select_active(tenant_id).where(active.c.connector.in_({connector for connector, _ in keys}))
    found = sorted(read_sets(conn, query), key=lambda one: one.tenant_id != GLOBAL_TENANT)
    return {key: one for one in found if (key := (one.connector, one.stream)) in keys}


def read_numbered(conn: Connection, tenant_id: str, key: StreamKey, number: int) -> MappingSet:
    """A stored set of the owner by its number; UnknownName if there is none."""
    query = select(sets).where(*of_stream(sets, tenant_id, *key), sets.c.number == number)
    found = read_sets(conn, query) if number <= _MOST else []
    if not found:
        raise UnknownName(
            f"{join_name(*key)} has no mapping set number {number}",
            where="all tenants" if tenant_id == GLOBAL_TENANT else f"tenant {tenant_id}",
        )
    return found[0]


def write_audit(
    conn: Connection,
    actor: str,
    action: str,
    tenant_id: str,
    key: StreamKey,
    before: int | None,
    after: MappingSet | None,
    reason: str,
) -> None:
    """Say in the audit log which set held before and which after, and why."""
    was = None if before is None else {"number": before}
    now: dict[str, Any] | None = None if after is None else describe_set(after)
    if now is not None or reason:
        now = (now or {}) | {"reason": reason}
    record(conn, actor, action, join_name(*key), was, now, tenant_id)


def describe_set(made: MappingSet) -> dict[str, Any]:
    """What the audit log says of a set."""
    return {"number": made.number, "set_id": made.set_id, "entity": made.entity, "fields": len(made.mappings)}


def _ask_replay(
    conn: Connection, tenant_id: str, key: StreamKey, held: MappingSet | None, actor: str, reason: str
) -> None:
    """A stream that had no set until now has no history to bring up to date."""
    if held is not None:
        request_replay(conn, tenant_id, key, actor, reason)
