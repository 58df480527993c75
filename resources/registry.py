"""The registry of mapping sets: immutable numbered sets in Postgres, and which of them is active.

A set belongs to a tenant or to everyone (``*``); a tenant's own active set overrides the global one.
What a mapping may say is checked by ``core/baseline.py``; the database refuses to change a stored set;
its rows are ``resources/registry_rows.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select

from core.baseline import baseline_mappings
from core.connector import ConnectorSpec
from core.errors import ConfigError, UnknownName
from core.mapping import FieldMapping, MappingSet, fingerprint_mappings
from core.names import GLOBAL_TENANT, join_name
from core.ontology import Entity, Ontology
from resources.audit import record
from resources.database import Database
from resources.registry_changes import activate_in, describe_set, follow_in, publish_in, read_all_holding
from resources.registry_rows import (
    StreamKey,
    insert_sets,
    number_set,
    open_scope,
    point_at,
    read_newest_numbers,
    read_sets,
    select_active,
    wait_turn,
)
from resources.replays import request_replays
from resources.tables import active_mapping_sets as active
from resources.tables import field_mappings as fields
from resources.tables import mapping_sets as sets

BASELINE = "baseline of the connector config"
"""``reason`` of the sets that ``publish_baselines`` made; how it knows its own."""

_Wanted = dict[StreamKey, tuple[str, tuple[FieldMapping, ...]]]


@dataclass(frozen=True)
class SetSummary:
    """One line of a listing. ``tenant_id`` is ``*`` for a global set; ``fields`` is a count."""

    tenant_id: str
    set_id: str
    connector: str
    stream: str
    number: int
    entity: str
    fingerprint: str
    created_by: str
    reason: str
    created_at: datetime
    fields: int
    active: bool


@dataclass(frozen=True)
class BaselineReport:
    """What ``publish_baselines`` did; a stream named in ``errors`` kept the set it had."""

    published: tuple[MappingSet, ...]
    unchanged: int
    errors: tuple[ConfigError, ...]


def publish_set(
    database: Database,
    tenant_id: str,
    connector: str,
    stream: str,
    entity: Entity,
    mappings: Sequence[FieldMapping],
    actor: str,
    reason: str = "",
) -> MappingSet:
    """Store the next numbered set and make it the active one, in one transaction.

    When the active set says the same, it is returned and nothing changes. Raises MappingRefused.
    """
    with open_scope(database, tenant_id) as conn:
        return publish_in(conn, tenant_id, (connector, stream), entity, mappings, actor, reason)


def publish_baselines(
    database: Database, specs: Iterable[ConnectorSpec], ontology: Ontology, actor: str
) -> BaselineReport:
    """Publish the global set of each stream whose config says something new; the rest stays.

    Compared is what the config said last time, so that a rollback, or a set published by a person,
    holds until the config changes. The number of round trips does not grow with the streams; a stream
    whose mappings are wrong is reported and leaves the others.
    """
    wanted, errors = _read_wanted(specs, ontology)
    with database.operator() as conn:
        changed = _find_changed(conn, wanted)
        if changed:
            wait_turn(conn, GLOBAL_TENANT)
            changed = _find_changed(conn, wanted)  # another process may have done it meanwhile
        made = _publish_changed(conn, changed, actor) if changed else []
    return BaselineReport(tuple(made), len(wanted) - len(made), tuple(errors))


def activate_set(
    database: Database, tenant_id: str, connector: str, stream: str, number: int, actor: str, reason: str = ""
) -> MappingSet:
    """Make a stored set the active one (rollback is activating an older one); UnknownName if absent."""
    with open_scope(database, tenant_id) as conn:
        return activate_in(conn, tenant_id, (connector, stream), number, actor, reason)


def follow_global(database: Database, tenant_id: str, connector: str, stream: str, actor: str) -> None:
    """End a tenant's override, so that the global set holds again; its own sets stay stored."""
    with database.tenant(tenant_id) as conn:
        follow_in(conn, tenant_id, (connector, stream), actor)


def active_set(database: Database, tenant_id: str, connector: str, stream: str) -> MappingSet | None:
    """The set that holds for the tenant's stream: its own, else the global one, else None."""
    only = (active.c.connector == connector, active.c.stream == stream)
    with open_scope(database, tenant_id) as conn:
        found = read_sets(conn, select_active(tenant_id).where(*only))
    return max(found, key=_is_own, default=None)


def active_sets(
    database: Database, tenant_id: str, connectors: Iterable[str] | None = None
) -> dict[StreamKey, MappingSet]:
    """The set that holds for each (connector, stream), optionally of some connectors only."""
    query = select_active(tenant_id)
    if connectors is not None:
        query = query.where(active.c.connector.in_(list(connectors)))
    with open_scope(database, tenant_id) as conn:
        found = read_sets(conn, query)
    return {(one.connector, one.stream): one for one in sorted(found, key=_is_own)}


def read_set(database: Database, tenant_id: str, set_id: str) -> MappingSet:
    """The set an event names, active or not; UnknownName when the tenant sees none such."""
    query = select(sets).where(sets.c.set_id == set_id, sets.c.tenant_id.in_({tenant_id, GLOBAL_TENANT}))
    with open_scope(database, tenant_id) as conn:
        found = read_sets(conn, query)
    if not found:
        raise UnknownName(f"no mapping set {set_id}", where=f"tenant {tenant_id}")
    return found[0]


def list_sets(
    database: Database, tenant_id: str, connector: str | None = None, stream: str | None = None
) -> list[SetSummary]:
    """The tenant's own and the global sets, by stream, own before global, newest first."""
    count = select(func.count()).where(_same_set(fields))
    is_active = select(active.c.set_id).where(_same_set(active)).exists()
    query = select(sets, count.scalar_subquery().label("fields"), is_active.label("active"))
    query = query.where(sets.c.tenant_id.in_({tenant_id, GLOBAL_TENANT}))
    if connector is not None:
        query = query.where(sets.c.connector == connector)
    if stream is not None:
        query = query.where(sets.c.stream == stream)
    own_first = sets.c.tenant_id == GLOBAL_TENANT
    query = query.order_by(sets.c.connector, sets.c.stream, own_first, sets.c.number.desc())
    with open_scope(database, tenant_id) as conn:
        return [_summarise(row) for row in conn.execute(query)]


def _read_wanted(specs: Iterable[ConnectorSpec], ontology: Ontology) -> tuple[_Wanted, list[ConfigError]]:
    wanted: _Wanted = {}
    errors: list[ConfigError] = []
    for spec in specs:
        for name, stream in spec.streams.items():
            try:
                mappings = baseline_mappings(stream, ontology, join_name(spec.connector, name))
            except ConfigError as error:
                errors.append(error)
                continue
            if mappings and stream.entity is not None:
                wanted[spec.connector, name] = (stream.entity, mappings)
    return wanted, errors


def _find_changed(conn: Connection, wanted: _Wanted) -> _Wanted:
    """What differs from the last set that came from a config."""
    stream = (sets.c.connector, sets.c.stream)
    latest = select(*stream, sets.c.fingerprint).distinct(*stream)
    latest = latest.where(sets.c.tenant_id == GLOBAL_TENANT, sets.c.reason == BASELINE)
    rows = conn.execute(latest.order_by(*stream, sets.c.number.desc()))
    known = {(connector, name): fingerprint for connector, name, fingerprint in rows}
    return {key: said for key, said in wanted.items() if known.get(key) != fingerprint_mappings(*said)}


def _publish_changed(conn: Connection, changed: _Wanted, actor: str) -> list[MappingSet]:
    newest = read_newest_numbers(conn, GLOBAL_TENANT)
    made = [
        number_set(GLOBAL_TENANT, key, newest.get(key, 0) + 1, entity, mappings)
        for key, (entity, mappings) in changed.items()
    ]
    held = read_all_holding(conn, GLOBAL_TENANT, changed.keys())
    insert_sets(conn, made, actor, BASELINE)
    point_at(conn, made, actor)
    request_replays(conn, GLOBAL_TENANT, held, actor, "the connector's config says something new")
    after = {join_name(one.connector, one.stream): describe_set(one) for one in made}
    record(conn, actor, "mapping_sets.published", "baselines", None, after, GLOBAL_TENANT)
    return made


def _same_set(table: Any) -> Any:
    return (table.c.tenant_id == sets.c.tenant_id) & (table.c.set_id == sets.c.set_id)


def _summarise(row: Row[Any]) -> SetSummary:
    return SetSummary(**row._mapping)


def _is_own(found: MappingSet) -> bool:
    return found.tenant_id != GLOBAL_TENANT
