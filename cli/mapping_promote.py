"""``aos mapping promote``: what one tenant's people decided, for everybody; by a second person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.mapping_common import (
    Connector,
    Stream,
    Tenant,
    User,
    bring_into_effect,
    check_tenant,
    describe_field,
    name_set,
    show_replays,
)
from cli.output import Json, console, print_json, print_table, say
from cli.services import open_mesh
from core.errors import FixInput
from core.mapping_diff import describe_mapping
from core.names import GLOBAL_TENANT, join_name

if TYPE_CHECKING:
    from core.mapping import MappingSet
    from resources.mesh import Mesh
    from resources.promotions import Promotion


def register(app: typer.Typer) -> None:
    """Add this file's command to ``aos mapping``."""
    app.command("promote")(promote)


def promote(
    tenant: Tenant,
    connector: Connector,
    stream: Stream,
    fields: Annotated[
        list[str] | None, typer.Argument(metavar="[FIELD]...", help="Default: all that people decided.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why; stands in the audit log.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; needed by scripts.")] = False,
    overrule: Annotated[bool, typer.Option("--overrule", help="What held for everybody gives way.")] = False,
    user: User = None,
    as_json: Json = False,
) -> None:
    """Promote decided mappings to all tenants, by another person than decided; shows the difference first.

    Names and structure only: lists of values and constants stay with the tenant. With --json and without
    --yes nothing is changed.
    """
    from resources.promotions import plan_promotion, refuse_conflicts

    if tenant == GLOBAL_TENANT:
        raise FixInput("the global sets are nobody's to promote", expected="a tenant")
    with open_mesh() as mesh:
        check_tenant(mesh, tenant)
        key, actor = (connector, stream), user or mesh.settings.actor
        plan = plan_promotion(mesh.db, mesh.ontology, tenant, key, fields or [], actor)
        if as_json and not yes:
            print_json({"promoted": False} | _describe(plan))
            return
        if not as_json:
            _show(plan, tenant)
        if not reason.strip():
            raise FixInput("a promotion needs a reason", remedy="Add --reason")
        if not overrule:
            refuse_conflicts(plan)
        if not yes and not typer.confirm("Promote to all tenants?"):
            say("Nothing was promoted.")
            raise typer.Exit(1)
        made, replays = _promote(mesh, tenant, plan, actor, reason, overrule=overrule)
    if as_json:
        number = None if made is None else made.number
        print_json({"promoted": True} | _describe(plan) | {"number": number, "replays": replays})
        return
    names = ", ".join(one.field for one in plan.promoted)
    say(f"Promoted: {names}. " + (f"{name_set(made).capitalize()} holds for all." if made else "Names only."))
    show_replays(replays)


def _promote(
    mesh: Mesh, tenant: str, plan: Promotion, actor: str, reason: str, *, overrule: bool
) -> tuple[MappingSet | None, list[dict[str, Any]]]:
    from resources.promotions import promote as do_promote

    made = do_promote(mesh.db, mesh.ontology, tenant, plan, actor, reason, overrule=overrule)
    changed = made is not None and (plan.before is None or plan.before.set_id != made.set_id)
    return made, bring_into_effect(mesh, GLOBAL_TENANT, [plan.key]) if changed else []


def _show(plan: Promotion, tenant: str) -> None:
    columns = ["field", "canonical field", "decided by", "enters the global set as"]
    rows = [
        [one.field, one.target, one.decided_by, one.stays or describe_mapping(one.mapping)]
        for one in plan.promoted
    ]
    print_table(f"{join_name(*plan.key)} of {tenant}, to all tenants", columns, rows)
    changes = _list_changes(plan)
    if changes:
        held = name_set(plan.before)
        rows = [[one["change"], one["target"], one["before"], one["after"]] for one in changes]
        print_table(f"Against {held}", ["change", "canonical field", "before", "after"], rows)
    else:
        console.print("No global set changes: names only. ", end="")
        say(plan.stays or "It says the same already.")
    for conflict in plan.conflicts:
        console.print("conflict: ", style="yellow", end="")
        say(conflict)


def _list_changes(plan: Promotion) -> list[dict[str, Any]]:
    if plan.after is None:
        return []
    old = {one.target: one for one in (plan.before.mappings if plan.before else ())}
    new = {one.target: one for one in plan.after}
    found = []
    for target in sorted(old | new):
        before, after = old.get(target), new.get(target)
        if before is not None and after is not None and before.facts() == after.facts():
            continue
        kind = "added" if before is None else "removed" if after is None else "changed"
        told = {"before": describe_mapping(before), "after": describe_mapping(after)}
        found.append({"change": kind, "target": target, **told})
    return found


def _describe(plan: Promotion) -> dict[str, Any]:
    return {
        "connector": plan.key[0],
        "stream": plan.key[1],
        "entity": plan.entity,
        "global_set": None if plan.before is None else plan.before.number,
        "fields": [
            {
                "field": one.field,
                "target": one.target,
                "decided_by": one.decided_by,
                "mapping": describe_field(one.mapping) if one.mapping else None,
                "stays": one.stays,
            }
            for one in plan.promoted
        ],
        "changes": _list_changes(plan),
        "conflicts": list(plan.conflicts),
        "names_only": plan.stays,
    }
