"""Canaries: a mapping set on trial for a share of a stream's records, the active set for the rest.

Which records those are is ``core/canary.py``; the canonical step and replays ask ``read_trials``. Each
change asks for a replay in its own transaction, so that the share holds for the history too.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from core.canary import write_share
from core.errors import FixInput, MappingRefused, UnknownName
from core.mapping import MappingSet
from core.names import GLOBAL_TENANT, join_name
from core.ontology import Ontology
from resources.audit import record
from resources.database import Database
from resources.registry_changes import activate_in, describe_set, publish_in, read_holding
from resources.registry_rows import StreamKey, of_stream, read_sets, wait_turn
from resources.replays import request_replay
from resources.tables import mapping_canaries as canaries
from resources.tables import mapping_sets as sets
from resources.tables import quarantine

CANARY, YAML = "canary", "yaml"
"""Purposes: a steward's trial, or files outside that still hold the truth (``yaml_migration.py``)."""


@dataclass(frozen=True)
class Canary:
    """A trial as it stands. ``ratio``: share of records (0 to 1) under ``set_id``."""

    connector: str
    stream: str
    base_id: str
    set_id: str
    ratio: float
    purpose: str
    started_by: str
    reason: str
    started_at: datetime
    changed_at: datetime

    @property
    def key(self) -> StreamKey:
        """(connector, stream)."""
        return self.connector, self.stream


@dataclass(frozen=True)
class Trial:
    """What the canonical step needs of a canary: the set, and the SQL condition of its records."""

    mapping_set: MappingSet
    share: str


_COLUMNS = [canaries.c[name] for name in Canary.__dataclass_fields__]
_STANDING = text(
    "SELECT set_id::text, count(*) FROM (SELECT DISTINCT ON (record_id) set_id, op FROM canonical_streams "
    "WHERE tenant_id = :tenant AND entity = :entity AND connector = :connector AND stream = :stream "
    "ORDER BY record_id, seq DESC) newest WHERE op = 'upsert' GROUP BY set_id"
)


def put_on_trial(
    conn: Connection,
    tenant_id: str,
    key: StreamKey,
    trial: MappingSet,
    ratio: float,
    actor: str,
    reason: str,
    purpose: str = CANARY,
) -> Canary:
    """Put a share of records under a stored set; for one already on trial, change its share.

    In the caller's transaction, in the tenant's scope. Raises MappingRefused when the set cannot stand
    beside the active one.
    """
    base, running = read_holding(conn, tenant_id, key), find_canary(conn, tenant_id, key)
    _check_trial(key, base, trial, running, purpose)
    assert base is not None
    facts = {"set_id": trial.set_id, "ratio": ratio}
    base_id = base.set_id if running is None or running.set_id != trial.set_id else running.base_id
    new = {**facts, "base_id": base_id, "purpose": purpose, "started_by": actor, "reason": reason}
    row = insert(canaries).values(tenant_id=tenant_id, connector=key[0], stream=key[1], **new)
    conn.execute(
        row.on_conflict_do_update(
            index_elements=["tenant_id", "connector", "stream"],
            set_=facts | {"base_id": base_id, "changed_at": func.now()},
        )
    )
    before = None if running is None else {"set_id": running.set_id, "percent": _percent(running.ratio)}
    after = describe_set(trial) | {"percent": _percent(ratio), "reason": reason, "purpose": purpose}
    action = "canary.started" if running is None else "canary.changed"
    record(conn, actor, action, join_name(*key), before, after, tenant_id)
    request_replay(conn, tenant_id, key, actor, f"{_percent(ratio)} % of records under set {trial.number}")
    found = find_canary(conn, tenant_id, key)
    assert found is not None
    return found


def _check_trial(
    key: StreamKey, base: MappingSet | None, trial: MappingSet, running: Canary | None, purpose: str
) -> None:
    where = join_name(*key)
    if base is None:
        raise MappingRefused("no set is active to try another one against", where=where)
    if base.entity != trial.entity:
        raise MappingRefused(
            "both sets of a canary fill the same entity",
            expected=base.entity,
            found=trial.entity,
            where=where,
            remedy="Compare them instead, then activate the set",
        )
    if purpose == CANARY and base.set_id == trial.set_id:
        raise MappingRefused(f"set {trial.number} is the active one", where=where)
    if running is not None and (running.purpose != purpose or _is_another(running, trial, purpose)):
        ends = "Promote or abort it" if running.purpose == CANARY else "End the YAML migration"
        raise MappingRefused(
            "another set is on trial for this stream",
            where=where,
            remedy=f"{ends} first",
        )


def _is_another(running: Canary, trial: MappingSet, purpose: str) -> bool:
    return purpose == CANARY and running.set_id != trial.set_id


def promote_canary(
    db: Database, ontology: Ontology, tenant_id: str, key: StreamKey, actor: str, reason: str = ""
) -> MappingSet:
    """Make the set on trial the active one, for all records; what else was published since is not lost.

    Raises MappingRefused when the active set has changed since the trial began.
    """
    with db.tenant(tenant_id) as conn:
        wait_turn(conn, tenant_id)
        running = _require(conn, tenant_id, key)
        base = read_holding(conn, tenant_id, key)
        if base is None or base.set_id != running.base_id:
            raise MappingRefused(
                "the active set has changed since the canary began",
                where=join_name(*key),
                remedy="Abort the canary, and start one with a set that has the change as well",
            )
        chosen = read_trial_set(conn, tenant_id, running)
        end_trial(conn, tenant_id, running, "canary.promoted", actor, reason)
        return hold_set(conn, ontology, tenant_id, key, chosen, actor, reason or "canary promoted")


def hold_set(
    conn: Connection,
    ontology: Ontology,
    tenant_id: str,
    key: StreamKey,
    chosen: MappingSet,
    actor: str,
    reason: str,
) -> MappingSet:
    """Make a stored set hold for the tenant; of a global one it gets a copy of its own."""
    if chosen.tenant_id == tenant_id:
        return activate_in(conn, tenant_id, key, chosen.number, actor, reason)
    entity = ontology.entity(chosen.entity)
    return publish_in(conn, tenant_id, key, entity, chosen.mappings, actor, reason)


def abort_canary(db: Database, tenant_id: str, key: StreamKey, actor: str, reason: str = "") -> Canary:
    """End the trial: all records go under the active set again."""
    with db.tenant(tenant_id) as conn:
        wait_turn(conn, tenant_id)
        running = _require(conn, tenant_id, key)
        end_trial(conn, tenant_id, running, "canary.aborted", actor, reason)
        return running


def _require(conn: Connection, tenant_id: str, key: StreamKey) -> Canary:
    running = find_canary(conn, tenant_id, key)
    if running is None:
        raise UnknownName(f"no canary runs for {join_name(*key)}", where=f"tenant {tenant_id}")
    if running.purpose != CANARY:
        raise FixInput(
            "the set on trial is that of a YAML migration",
            where=join_name(*key),
            remedy="Use aos mapping migrate cut-over or abort",
        )
    return running


def end_trial(
    conn: Connection, tenant_id: str, running: Canary, action: str, actor: str, reason: str
) -> None:
    """Take a trial away, say so in the audit log, and ask for the replay."""
    conn.execute(delete(canaries).where(*of_stream(canaries, tenant_id, *running.key)))
    before = {"set_id": running.set_id, "percent": _percent(running.ratio), "purpose": running.purpose}
    record(conn, actor, action, join_name(*running.key), before, {"reason": reason}, tenant_id)
    request_replay(conn, tenant_id, running.key, actor, action.replace(".", " "))


def change_ratio(conn: Connection, tenant_id: str, running: Canary, ratio: float, actor: str) -> None:
    """Give a trial another share of records."""
    of = of_stream(canaries, tenant_id, *running.key)
    conn.execute(update(canaries).where(*of).values(ratio=ratio, changed_at=func.now()))
    before, after = {"percent": _percent(running.ratio)}, {"percent": _percent(ratio)}
    record(conn, actor, "canary.changed", join_name(*running.key), before, after, tenant_id)
    request_replay(conn, tenant_id, running.key, actor, f"{_percent(ratio)} % of records on trial")


def find_canary(conn: Connection, tenant_id: str, key: StreamKey) -> Canary | None:
    """The trial of a stream, if one runs."""
    query = select(*_COLUMNS).where(*of_stream(canaries, tenant_id, *key))
    row = conn.execute(query).mappings().first()
    return None if row is None else Canary(**row)


def list_canaries(db: Database, tenant_id: str) -> list[Canary]:
    """All trials of a tenant, by stream."""
    with db.tenant(tenant_id) as conn:
        return _list(conn, tenant_id)


def _list(conn: Connection, tenant_id: str) -> list[Canary]:
    query = select(*_COLUMNS).where(canaries.c.tenant_id == tenant_id)
    rows = conn.execute(query.order_by(canaries.c.connector, canaries.c.stream)).mappings()
    return [Canary(**row) for row in rows]


def read_trials(db: Database, tenant_id: str) -> dict[StreamKey, Trial]:
    """The trials of a tenant's streams, as the canonical step takes them."""
    with db.tenant(tenant_id) as conn:
        return {one.key: _read_trial(conn, tenant_id, one) for one in _list(conn, tenant_id)}


def _read_trial(conn: Connection, tenant_id: str, one: Canary) -> Trial:
    salt = "/".join((tenant_id, one.connector, one.stream, one.set_id))
    if one.purpose == YAML:  # the files may change while they are tried; their records stay the same
        salt = "/".join((tenant_id, one.connector, one.stream, YAML))
    return Trial(read_trial_set(conn, tenant_id, one), write_share(salt, one.ratio))


def read_trial_set(conn: Connection, tenant_id: str, one: Canary) -> MappingSet:
    """The set that is on trial."""
    query = select(sets).where(sets.c.set_id == one.set_id, sets.c.tenant_id.in_({tenant_id, GLOBAL_TENANT}))
    return read_sets(conn, query)[0]


def count_standing(
    conn: Connection, tenant_id: str, key: StreamKey, entity: str
) -> dict[str, tuple[int, int]]:
    """set_id → (records whose newest event was made under it, records it refused)."""
    facts: dict[str, Any] = {"tenant": tenant_id, "entity": entity, "connector": key[0], "stream": key[1]}
    newest = {str(row[0]): int(row[1]) for row in conn.execute(_STANDING, facts)}
    table = quarantine.c
    ids = func.count(func.distinct(table.record_id))
    query = select(table.set_id, ids).where(
        *of_stream(quarantine, tenant_id, *key), table.set_id.is_not(None)
    )
    refused = {str(row[0]): int(row[1]) for row in conn.execute(query.group_by(table.set_id))}
    return {one: (newest.get(one, 0), refused.get(one, 0)) for one in newest | refused}


def _percent(ratio: float) -> str:
    return f"{ratio * 100:g}"
