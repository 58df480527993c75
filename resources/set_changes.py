"""What a steward does to the sets of a stream: change one mapping, publish a file, go back.

Each is one transaction with its audit entry and its request for a replay; ``resources/replays.py`` says
how the replay comes about.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from core.errors import MappingRefused, UnknownName
from core.mapping import FieldMapping, MappingSet
from core.mapping_yaml import SetFile
from core.names import GLOBAL_TENANT, join_name
from core.ontology import Ontology
from resources.database import Database
from resources.registry_changes import activate_in, follow_in, publish_in, read_holding, read_numbered
from resources.registry_rows import StreamKey, open_scope, read_active_number, wait_turn
from resources.replays import request_replay
from resources.tables import audit_log

_ENDED = "mapping_set.override_ended"
_SWITCHES = ("mapping_set.published", "mapping_set.activated", _ENDED)
"""What the audit log says where another set of a stream holds from then on."""


@dataclass(frozen=True)
class Change:
    """What held before and what holds after. ``draft``: the set is stored and holds for nobody."""

    before: MappingSet | None
    after: MappingSet | None
    draft: bool = False


def change_mappings(
    db: Database,
    ontology: Ontology,
    tenant_id: str,
    key: StreamKey,
    change: Callable[[tuple[FieldMapping, ...]], Sequence[FieldMapping]],
    actor: str,
    reason: str,
    *,
    draft: bool = False,
) -> Change:
    """Publish what ``change`` makes of the mappings that hold; nobody can publish in between.

    For a tenant that follows the global set this makes a set of its own. Raises UnknownName when nothing
    holds yet, MappingRefused.
    """
    with open_scope(db, tenant_id) as conn:
        wait_turn(conn, tenant_id)
        held = read_holding(conn, tenant_id, key)
        if held is None:
            raise UnknownName(
                f"{join_name(*key)} has no active mapping set",
                where=_owner(tenant_id),
                remedy="Publish one: aos mapping publish",
            )
        entity = ontology.entity(held.entity)
        mappings = change(held.mappings)
        made = publish_in(conn, tenant_id, key, entity, mappings, actor, reason, activate=not draft)
    return Change(held, made, draft)


def put_mapping(
    mapping: FieldMapping,
) -> Callable[[tuple[FieldMapping, ...]], Sequence[FieldMapping]]:
    """The change that fills one canonical field by this mapping, whatever filled it before."""
    return lambda held: [*(one for one in held if one.target != mapping.target), mapping]


def drop_mapping(target: str) -> Callable[[tuple[FieldMapping, ...]], Sequence[FieldMapping]]:
    """The change that leaves a canonical field without source."""

    def change(held: tuple[FieldMapping, ...]) -> Sequence[FieldMapping]:
        left = [one for one in held if one.target != target]
        if len(left) == len(held):
            raise UnknownName(f"no mapping fills {target!r}")
        return left

    return change


def publish_files(
    db: Database,
    tenant_id: str,
    files: Sequence[tuple[SetFile, str]],
    actor: str,
    *,
    draft: bool = False,
) -> list[Change]:
    """Publish the sets of files, each with its reason, for a tenant (or all: ``*``); all of them or none."""
    done = []
    with open_scope(db, tenant_id) as conn:
        wait_turn(conn, tenant_id)
        for one, reason in files:
            held = read_holding(conn, tenant_id, one.key)
            made = publish_in(
                conn, tenant_id, one.key, one.entity, one.mappings, actor, reason, activate=not draft
            )
            done.append(Change(held, made, draft))
    return done


def roll_back(
    db: Database,
    tenant_id: str,
    key: StreamKey,
    actor: str,
    reason: str,
    *,
    to: int | None = None,
    to_global: bool = False,
) -> Change:
    """Make an earlier set hold: number ``to``, the global one, or the one before the active.

    A tenant whose first own set is active goes back to the global one. Asking for what holds already asks
    for the replay again. Raises UnknownName, or MappingRefused when there is nothing before.
    """
    with open_scope(db, tenant_id) as conn:
        wait_turn(conn, tenant_id)
        held = read_holding(conn, tenant_id, key)
        number = to
        if to is None and not to_global:
            number = _find_previous(conn, tenant_id, key)
        if number is None:
            _check_global(conn, tenant_id, key)
            follow_in(conn, tenant_id, key, actor, reason)
        else:
            read_numbered(conn, tenant_id, key, number)
            activate_in(conn, tenant_id, key, number, actor, reason)
        request_replay(conn, tenant_id, key, actor, "rollback")
        return Change(held, read_holding(conn, tenant_id, key))


def _find_previous(conn: Connection, tenant_id: str, key: StreamKey) -> int | None:
    """Number of the owner's set that held before the active one, None when there is none."""
    active = read_active_number(conn, tenant_id, key)
    if active is None:
        raise MappingRefused(
            "the stream follows the global set" if tenant_id != GLOBAL_TENANT else "no set is active",
            where=f"{_owner(tenant_id)}, {join_name(*key)}",
            remedy="Name the set: --to NUMBER",
        )
    return _read_parents(conn, tenant_id, key).get(active)


def _read_parents(conn: Connection, tenant_id: str, key: StreamKey) -> dict[int, int | None]:
    """By number of the owner's sets: which one held when it first became the active one.

    By the audit log, as numbers alone do not tell: drafts never held, and after a rollback comes a newer set.
    """
    log, name = audit_log.c, join_name(*key)
    number = func.coalesce(log.after["number"].as_integer(), log.after[name]["number"].as_integer())
    own = (log.subject == name) & log.action.in_(_SWITCHES)
    baseline = (log.action == "mapping_sets.published") & log.after.has_key(name)
    query = select(log.action, number).where(log.tenant_id == tenant_id, own | baseline).order_by(log.seq)
    held: int | None = None
    parents: dict[int, int | None] = {}
    for action, found in conn.execute(query):
        if action != _ENDED:
            parents.setdefault(found, held)
        held = None if action == _ENDED else found
    return parents


def _check_global(conn: Connection, tenant_id: str, key: StreamKey) -> None:
    if tenant_id == GLOBAL_TENANT or read_active_number(conn, GLOBAL_TENANT, key) is None:
        raise MappingRefused(
            "there is nothing to go back to", where=f"{_owner(tenant_id)}, {join_name(*key)}"
        )


def _owner(tenant_id: str) -> str:
    return "all tenants" if tenant_id == GLOBAL_TENANT else f"tenant {tenant_id}"
