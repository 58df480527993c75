"""What the mapping commands share: their arguments, naming a set, and bringing a change into effect."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.output import console, number_of, print_json, say
from core.errors import FixInput, MeshError, UnknownName
from core.names import GLOBAL_TENANT, join_name

if TYPE_CHECKING:
    from core.mapping import FieldMapping, MappingSet
    from resources.canonical_due import DueReplay
    from resources.mesh import Mesh
    from resources.set_changes import Change

Tenant = Annotated[str, typer.Argument(help="The tenant, or '*' for the global sets.", metavar="TENANT")]
Connector = Annotated[str, typer.Argument(metavar="CONNECTOR")]
Stream = Annotated[str, typer.Argument(metavar="STREAM")]
User = Annotated[str | None, typer.Option(help="Who decides (default: AOS_ACTOR, else your login).")]
Reason = Annotated[str, typer.Option(help="Why; stands in the audit log.")]
Draft = Annotated[bool, typer.Option("--draft", help="Store the set without making it the active one.")]
StreamKey = tuple[str, str]


def check_tenant(mesh: Mesh, tenant: str) -> None:
    """Refuse a tenant that does not exist; ``*`` always does."""
    from resources.tenants import require_tenant

    if tenant != GLOBAL_TENANT:
        require_tenant(mesh.db, tenant)


def find_set(mesh: Mesh, tenant: str, key: StreamKey, name: str) -> MappingSet:
    """The set a person names: ``active``, ``3`` (of the tenant), ``global``, or ``global:3``."""
    from resources.registry import active_set
    from resources.registry_changes import read_numbered
    from resources.registry_rows import open_scope

    owner = GLOBAL_TENANT if name.startswith("global") else tenant
    number = name.removeprefix("global").removeprefix(":")
    if number in ("", "active"):
        found = active_set(mesh.db, owner, *key)
        if found is None:
            raise UnknownName(f"{join_name(*key)} has no active mapping set", where=f"tenant {owner}")
        return found
    if not number.isdecimal():
        raise FixInput(
            "that names no mapping set",
            expected="active, a number, global or global:NUMBER",
            found=repr(name),
        )
    with open_scope(mesh.db, tenant) as conn:
        return read_numbered(conn, owner, key, int(number))


def read_arg(text: str) -> tuple[str, Any]:
    """``key=value`` of an option; the value is JSON, else text."""
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise FixInput("an argument is key=value", found=repr(text))
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def describe_set(one: MappingSet) -> dict[str, Any]:
    """A set as JSON data."""
    return {
        "tenant": one.tenant_id,
        "connector": one.connector,
        "stream": one.stream,
        "number": one.number,
        "set_id": one.set_id,
        "entity": one.entity,
        "fingerprint": one.fingerprint,
        "mappings": [describe_field(mapping) for mapping in one.mappings],
    }


def describe_field(mapping: FieldMapping) -> dict[str, Any]:
    """A mapping as JSON data."""
    return {
        "target": mapping.target,
        "sources": list(mapping.sources),
        "transform": mapping.transform,
        "args": mapping.args,
        "confidence": mapping.confidence,
        "origin": mapping.origin,
    }


def name_set(one: MappingSet | None) -> str:
    """How a sentence names a set."""
    if one is None:
        return "no set"
    return f"{'global ' if one.tenant_id == GLOBAL_TENANT else ''}set {one.number}"


def bring_into_effect(mesh: Mesh, tenant: str, keys: Sequence[StreamKey]) -> list[dict[str, Any]]:
    """Do the replays that a change asked for and advance the views; a list of what came of each stream.

    What cannot be done now (another process holds the lock) stays due, and the next sync does it.
    """
    from resources.replays import hand_out_requests
    from resources.tenants import ACTIVE, list_tenants

    hand_out_requests(mesh.db)
    if tenant != GLOBAL_TENANT:
        return _replay_for(mesh, tenant, keys)
    all_ = [one.tenant_id for one in list_tenants(mesh.db) if one.status == ACTIVE]
    return [row for one in all_ for row in _replay_for(mesh, one, keys)]


def _replay_for(mesh: Mesh, tenant: str, keys: Sequence[StreamKey]) -> list[dict[str, Any]]:
    from resources.canonical_due import replay_one
    from resources.registry import active_set
    from resources.replays import list_replay_requests
    from resources.warehouse import advance_views

    done = []
    for request in list_replay_requests(mesh.db, tenant):
        if (request.connector, request.stream) in keys:
            held = active_set(mesh.db, tenant, request.connector, request.stream)
            done.append(replay_one(mesh, tenant, request, held))
    first = _take_first(mesh, tenant, keys)
    taken = {(one.connector, one.stream) for one in first}
    done = [one for one in done if (one.connector, one.stream) not in taken] + first
    entities = _list_touched(mesh, tenant, done)
    late: str | None = None
    if entities:
        try:
            advance_views(mesh.db, mesh.settings, mesh.ontology, tenant, entities)
        except MeshError as error:
            late = str(error)
    return [
        {
            "tenant": tenant,
            "connector": one.connector,
            "stream": one.stream,
            "replay": "due" if one.error else "done" if one.outcome else "nothing to replay",
            "outcome": vars(one.outcome) if one.outcome else None,
            "error": str(one.error) if one.error else late,
        }
        for one in done
    ]


def _list_touched(mesh: Mesh, tenant: str, done: Sequence[DueReplay]) -> list[str]:
    """Entities whose events changed: those filled now, and those that a stream's records have left."""
    from resources.registry import list_sets

    found = {one.entity for one in done if one.outcome is not None and one.entity is not None}
    for one in done:
        if one.outcome is not None and one.outcome.deleted:
            found |= {held.entity for held in list_sets(mesh.db, tenant, one.connector, one.stream)}
    return sorted(found)


def _take_first(mesh: Mesh, tenant: str, keys: Sequence[StreamKey]) -> list[DueReplay]:
    """Loads that waited for their stream's first set: there is no history to replay, they go under it now."""
    from resources.canonical import advance_canonical
    from resources.canonical_due import DueReplay
    from resources.canonical_replay import ReplayOutcome
    from resources.loads import list_unconsumed
    from resources.registry import active_sets

    landed = sorted(key for key in set(keys) if list_unconsumed(mesh.db, tenant, *key))
    sets = active_sets(mesh.db, tenant, {connector for connector, _ in landed}) if landed else {}
    waiting = [key for key in landed if key in sets]
    if not waiting:
        return []
    entities = {sets[key].entity for key in waiting}
    parts = (mesh.db, mesh.lake, mesh.settings, mesh.ontology, mesh.specs, tenant)
    try:
        report = advance_canonical(*parts, entities)
    except MeshError as error:
        return [DueReplay(*key, sets[key].entity, error=error) for key in waiting]
    return [
        DueReplay(
            one.connector, one.stream, one.entity,
            ReplayOutcome(one.set_number, one.loads, one.events, one.deleted, one.unchanged, one.refused),
            one.error,
        )
        for one in report.streams
    ]  # fmt: skip


def show_replays(replays: Sequence[dict[str, Any]]) -> None:
    """Say what came of the replays."""
    for one in replays:
        name, outcome = f"{one['tenant']}: {join_name(one['connector'], one['stream'])}", one["outcome"]
        if outcome:
            say(
                f"{name}: {number_of(outcome['loads'], 'load')} replayed, "
                f"{number_of(outcome['upserts'], 'record')} changed, "
                f"{outcome['unchanged']:,} unchanged, {outcome['deleted']:,} deleted, "
                f"{outcome['refused']:,} refused"
            )
        if one["error"]:
            console.print(f"[yellow]{name}: not finished, the next sync goes on:[/] ", end="")
            say(one["error"])


def show_warnings(warnings: Sequence[str]) -> None:
    """A line each."""
    for one in warnings:
        console.print("warning: ", style="yellow", end="")
        say(one)


def show_change(
    change: Change, replays: Sequence[dict[str, Any]], *, as_json: bool, warnings: Sequence[str] = ()
) -> None:
    """What a change of the registry did."""
    after = change.after
    if as_json:
        held = None if change.before is None else change.before.set_id
        facts = None if after is None else describe_set(after)
        changed = after is not None and after.set_id != held
        print_json(
            {
                "before": held,
                "after": facts,
                "changed": changed,
                "draft": change.draft,
                "replays": list(replays),
                "warnings": list(warnings),
            }
        )
        return
    if change.draft:
        say(f"{name_set(after).capitalize()} is stored as a draft; {name_set(change.before)} holds.")
    elif after is not None and change.before is not None and after.set_id == change.before.set_id:
        say(f"Nothing changes: {name_set(after)} says the same already.")
    else:
        say(f"{name_set(after).capitalize()} holds now (before: {name_set(change.before)}).")
    show_warnings(warnings)
    show_replays(replays)
