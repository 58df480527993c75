"""``aos mapping``: the registry of mapping sets, looked at. Changing it is in the files beside this one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import (
    mapping_canary,
    mapping_decide,
    mapping_entity,
    mapping_explain,
    mapping_migrate,
    mapping_model,
    mapping_promote,
    mapping_propose,
    mapping_review,
    mapping_sets,
)
from cli.mapping_card import write_transform
from cli.mapping_common import (
    Connector,
    Stream,
    Tenant,
    check_tenant,
    describe_field,
    describe_set,
    find_set,
    name_set,
)
from cli.output import Json, print_json, print_table, say, show_records
from cli.services import open_mesh
from core.mapping_diff import describe_mapping, diff_sets
from core.names import GLOBAL_TENANT, join_name

if TYPE_CHECKING:
    from core.mapping_diff import SetDiff
    from resources.audit import AuditEntry
    from resources.mesh import Mesh

app = typer.Typer(help="Mapping sets: look, decide, publish, try, roll back.", no_args_is_help=True)
for module in (
    mapping_propose,
    mapping_review,
    mapping_decide,
    mapping_entity,
    mapping_explain,
    mapping_model,
    mapping_promote,
    mapping_sets,
    mapping_canary,
    mapping_migrate,
):
    module.register(app)

SetName = Annotated[str, typer.Option("--set", help="active, a number, global or global:NUMBER.")]
_ACTIONS = ("mapping_set", "decision.", "canary.", "stream.replayed", "proposal", "entity.", "yaml_migration")


@app.command("list")
def list_(
    tenant: Tenant,
    connector: Annotated[str | None, typer.Argument(metavar="[CONNECTOR]")] = None,
    stream: Annotated[str | None, typer.Argument(metavar="[STREAM]")] = None,
    as_json: Json = False,
) -> None:
    """List the mapping sets a tenant sees, by stream; the one that holds is marked."""
    from resources.registry import active_sets, list_sets
    from resources.tenant_models import suggest_training

    with open_mesh() as mesh:
        check_tenant(mesh, tenant)
        found = list_sets(mesh.db, tenant, connector, stream)
        holding = {one.set_id for one in active_sets(mesh.db, tenant).values()}
        training = None if tenant == GLOBAL_TENANT else suggest_training(mesh.db, tenant)
    rows = [
        [
            one.connector,
            one.stream,
            "global" if one.tenant_id == "*" else one.tenant_id,
            one.number,
            one.set_id in holding,
            one.entity,
            one.fields,
            one.created_by,
            one.created_at,
            one.reason,
        ]
        for one in found
    ]
    columns = ["connector", "stream", "owner", "number", "holds", "entity", "fields", "by", "at", "reason"]
    title = f"Mapping sets of {tenant}"
    if not as_json:  # what fits 80 columns; who and why is in `aos mapping history`
        columns = ["stream", "set", "holds", "entity", "fields", "at"]
        rows = [
            [
                join_name(one.connector, one.stream),
                f"{'global ' if one.tenant_id == GLOBAL_TENANT else ''}{one.number}",
                one.set_id in holding,
                one.entity,
                one.fields,
                f"{one.created_at:%Y-%m-%d %H:%M}",
            ]
            for one in found
        ]
    show_records(title, columns, rows, as_json=as_json)
    if training:
        say(training, as_json=as_json)


@app.command("show")
def show(
    tenant: Tenant, connector: Connector, stream: Stream, name: SetName = "active", as_json: Json = False
) -> None:
    """Show one mapping set: what fills each canonical field, how sure, and where that comes from."""
    from core.mapper.describe import describe_profile

    with open_mesh() as mesh:
        check_tenant(mesh, tenant)
        one = find_set(mesh, tenant, (connector, stream), name)
        profiles = _read_profiles(mesh, tenant, (connector, stream))
    if as_json:
        print_json(describe_set(one) | {"profiles": profiles})
        return
    columns = ["canonical field", "from", "by", "values", "sure", "origin"]
    rows = [
        [m.target, ", ".join(m.sources), write_transform(m.transform, m.args),
         " · ".join(describe_profile(profiles.get(m.sources[0], {}) if m.sources else {})[:3]),
         m.confidence, m.origin]
        for m in one.mappings
    ]  # fmt: skip
    print_table(f"{join_name(connector, stream)} → {one.entity}, {name_set(one)}", columns, rows)


@app.command("history")
def history(
    tenant: Tenant,
    connector: Annotated[str | None, typer.Argument(metavar="[CONNECTOR]")] = None,
    stream: Annotated[str | None, typer.Argument(metavar="[STREAM]")] = None,
    limit: Annotated[int, typer.Option(min=1)] = 50,
    as_json: Json = False,
) -> None:
    """Who changed which mappings and when, from the audit log; newest first."""
    from resources.audit import read_audit

    with open_mesh() as mesh:
        check_tenant(mesh, tenant)
        entries = read_audit(mesh.db, tenant, limit=100_000)
    chosen = [one for one in entries if _concerns(one, connector, stream)][:limit]
    rows = [
        [one.at, one.actor, one.action, one.subject, _number(one.before), _number(one.after), _why(one.after)]
        for one in chosen
    ]
    columns = ["at", "by", "action", "subject", "before", "after", "reason"]
    if not as_json:  # what fits 80 columns
        columns = ["at", "by", "action", "subject", "sets", "reason"]
        rows = [[*row[:4], " → ".join(filter(None, row[4:6])) or None, row[6]] for row in rows]
    show_records(f"Mapping history of {tenant}", columns, rows, as_json=as_json)


@app.command("diff")
def diff(
    tenant: Tenant,
    connector: Connector,
    stream: Stream,
    before: Annotated[str, typer.Option("--from", help="active, a number, global or global:NUMBER.")],
    after: Annotated[str, typer.Option("--to", help="As --from.")] = "active",
    as_json: Json = False,
) -> None:
    """What differs between two mapping sets of a stream."""
    with open_mesh() as mesh:
        check_tenant(mesh, tenant)
        key = (connector, stream)
        found = diff_sets(find_set(mesh, tenant, key, before), find_set(mesh, tenant, key, after))
    if as_json:
        print_json(_diff_as_dict(found))
        return
    if found.entity_changed:
        say(f"The entity changes: {found.before.entity} → {found.after.entity}")
    rows = [
        [one.kind, one.target, describe_mapping(one.before), describe_mapping(one.after)]
        for one in found.changes
    ]
    title = f"{join_name(*key)}: {name_set(found.before)} → {name_set(found.after)}"
    show_records(title, ["change", "canonical field", "before", "after"], rows, as_json=False)


def _diff_as_dict(found: SetDiff) -> dict[str, Any]:
    return {
        "before": {
            "number": found.before.number,
            "owner": found.before.tenant_id,
            "entity": found.before.entity,
        },
        "after": {"number": found.after.number, "owner": found.after.tenant_id, "entity": found.after.entity},
        "changes": [
            {
                "change": one.kind,
                "target": one.target,
                "what": list(one.what),
                "before": describe_field(one.before) if one.before else None,
                "after": describe_field(one.after) if one.after else None,
            }
            for one in found.changes
        ],
    }


def _concerns(entry: AuditEntry, connector: str | None, stream: str | None) -> bool:
    if not entry.action.startswith(_ACTIONS):
        return False
    if connector is None:
        return True
    name = join_name(connector, stream) if stream else f"{connector}/"
    if stream is None:
        return entry.subject.startswith(name)
    return entry.subject == name or entry.subject.startswith(f"{name}.")  # a decision on one field


def _number(facts: Any) -> Any:
    if not isinstance(facts, dict):
        return None
    parts = [f"set {facts['number']}"] if "number" in facts else []
    parts += [f"{facts['percent']} %"] if "percent" in facts else []
    return ", ".join(parts) or None


def _why(facts: Any) -> Any:
    return facts.get("reason") or None if isinstance(facts, dict) else None


def _read_profiles(mesh: Mesh, tenant: str, key: tuple[str, str]) -> dict[str, dict[str, float]]:
    """Shares of the values by source path, as they were measured when the field was proposed."""
    from resources.proposals import list_proposals

    if tenant == GLOBAL_TENANT:
        return {}
    return {one.source: dict(one.profile) for one in list_proposals(mesh.db, tenant, *key) if one.profile}
