"""``aos mapping approve|reject``: deciding on proposals from a script."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.mapping_common import (
    Connector,
    Reason,
    Stream,
    User,
    bring_into_effect,
    check_tenant,
    read_arg,
    show_change,
)
from cli.output import Json, errors, plain, print_json, say
from cli.services import open_mesh
from core.errors import FixInput
from core.names import join_name

if TYPE_CHECKING:
    from resources.approvals import Choice
    from resources.mesh import Mesh

Tenant = Annotated[str, typer.Argument(metavar="TENANT")]
Fields = Annotated[list[str], typer.Argument(metavar="FIELD...", help="Source fields with a proposal.")]


def register(app: typer.Typer) -> None:
    """Add this file's commands to ``aos mapping``."""
    app.command("approve")(approve)
    app.command("reject")(reject)


def approve(
    tenant: Tenant,
    connector: Connector,
    stream: Stream,
    fields: Fields,
    target: Annotated[str | None, typer.Option(help="Another canonical field than the proposed.")] = None,
    transform: Annotated[str | None, typer.Option(help="One of the closed list.")] = None,
    arg: Annotated[list[str] | None, typer.Option(help="key=value; may be repeated.")] = None,
    overrule: Annotated[bool, typer.Option("--overrule", help="Earlier decisions give way.")] = False,
    user: User = None,
    reason: Reason = "approved",
    as_json: Json = False,
) -> None:
    """Accept proposals: one new set with all these fields, published, and its history replayed."""
    from resources.approvals import Choice, approve_fields
    from resources.set_changes import Change

    if len(fields) > 1 and (target or transform or arg):
        raise FixInput("a target, transform or argument is for one field", found=f"{len(fields)} fields")
    args = dict(map(read_arg, arg)) if arg else None
    with open_mesh() as mesh:
        check_tenant(mesh, tenant)
        key, actor = (connector, stream), user or mesh.settings.actor
        choices = [Choice(one, target, transform, args) for one in fields]
        if target is not None and transform is None and args is None:
            choices = [_fit_transform(mesh, tenant, key, choices[0])]
        before, after = approve_fields(
            mesh.db, mesh.ontology, tenant, key, choices, actor, reason, overrule=overrule
        )
        replays = bring_into_effect(mesh, tenant, [key])
    show_change(Change(before, after), replays, as_json=as_json)


def _fit_transform(mesh: Mesh, tenant: str, key: tuple[str, str], choice: Choice) -> Choice:
    """The choice with the transform that the values need, where the target is not the proposed one."""
    from cli.mapping_explain import read_types
    from resources.approvals import Choice
    from resources.mapper_transforms import Looker, choose_for
    from resources.proposals import read_proposal
    from resources.registry import active_set

    one = read_proposal(mesh.db, tenant, key, choice.field)
    if choice.target is None or choice.target == one.target:
        return choice
    kind = read_types(mesh, tenant, key)[1].get(choice.field, "")
    held, looker = active_set(mesh.db, tenant, *key), Looker(mesh.db, mesh.lake, tenant)
    found = choose_for(mesh.ontology, one, choice.target, kind, held, looker)
    if found.doubt:
        errors.print(plain(f"look at the transform {found.transform}: {found.doubt}"), style="yellow")
    return Choice(choice.field, choice.target, found.transform, found.args)


def reject(
    tenant: Tenant,
    connector: Connector,
    stream: Stream,
    fields: Fields,
    no_counterpart: Annotated[
        bool, typer.Option("--no-counterpart", help="And no canonical field fits at all.")
    ] = False,
    user: User = None,
    reason: Reason = "rejected",
    as_json: Json = False,
) -> None:
    """Refuse proposals, all of them or none; they are not made again."""
    from resources.proposals import reject_proposals

    with open_mesh() as mesh:
        check_tenant(mesh, tenant)
        key, actor = (connector, stream), user or mesh.settings.actor
        reject_proposals(
            mesh.db, mesh.ontology, tenant, key, fields, actor, reason, no_counterpart=no_counterpart
        )
    if as_json:
        print_json({"rejected": fields, "no_counterpart": no_counterpart})
    else:
        say(f"{join_name(*key)}: rejected {', '.join(fields)}")
