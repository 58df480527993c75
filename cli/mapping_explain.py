"""``aos mapping explain``: what is proposed for a field, how sure that is, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from cli.mapping_common import Connector, Stream, check_tenant, describe_field, name_set
from cli.output import Json, console, print_json, say
from cli.services import open_mesh
from core.errors import UnknownName
from core.mapping_diff import describe_mapping
from core.names import join_name

if TYPE_CHECKING:
    from core.mapper.proposal import Proposal
    from resources.mesh import Mesh

SHOWN = 9
"""Candidates a person can pick by one key."""


def register(app: typer.Typer) -> None:
    """Add this file's commands to ``aos mapping``."""
    app.command("explain")(explain)


def explain(
    tenant: Annotated[str, typer.Argument(metavar="TENANT")],
    connector: Connector,
    stream: Stream,
    field: Annotated[str, typer.Argument(metavar="FIELD", help="The source field.")],
    as_json: Json = False,
) -> None:
    """Why a source field is mapped as it is, or what is proposed for it."""
    from resources.proposals import list_proposals
    from resources.registry import active_set

    with open_mesh() as mesh:
        check_tenant(mesh, tenant)
        key = (connector, stream)
        proposal = next((p for p in list_proposals(mesh.db, tenant, *key) if p.field == field), None)
        held = active_set(mesh.db, tenant, *key)
        source = proposal.source if proposal else field
        mapped = [m for m in held.mappings if source in m.sources] if held else []
        kind = read_types(mesh, tenant, key).get(field)
    if proposal is None and not mapped:
        raise UnknownName(
            f"nothing is known of {join_name(*key)}.{field}", remedy="Sync, or see aos mapping show"
        )
    if as_json:
        facts = {"proposal": describe_proposal(proposal) if proposal else None}
        print_json(facts | {"mapped": [describe_field(m) for m in mapped], "type": kind})
        return
    for one in mapped:
        how = f"{one.target} ← {describe_mapping(one)} (origin {one.origin})"
        say(f"{name_set(held).capitalize()} maps it: {how}")
    if proposal is not None:
        show_proposal(proposal, kind)


def read_types(mesh: Mesh, tenant: str, key: tuple[str, str]) -> dict[str, str]:
    """Source field → what its values look like, without any of them."""
    from resources.schema_versions import latest_version

    found = latest_version(mesh.db, tenant, *key)
    if found is None:
        return {}
    return {
        one.path: f"{' or '.join(one.types)}{', may be empty' if one.nullable else ''}, "
        f"in {one.presence_ratio:.0%} of the records"
        for one in found.schema.fields
    }


def describe_proposal(one: Proposal) -> dict[str, Any]:
    """A proposal as JSON data."""
    facts = vars(one) | {"args": dict(one.args), "evidence": dict(one.evidence), "remarks": list(one.remarks)}
    return facts | {"candidates": [{"field": name, "confidence": sure} for name, sure in one.candidates]}


def show_proposal(one: Proposal, kind: str | None) -> None:
    """A proposal as a person reads it: field, verdict, evidence for and against, runner-ups."""
    from core.mapper.answer import describe_evidence

    console.print(f"[bold]{escape(one.field)}[/] [dim]{escape(kind or '')}[/]")
    target = one.target or "no counterpart"
    args = ", ".join(f"{name}={value}" for name, value in one.args.items())
    how = f"{one.transform}({args})" if args else one.transform
    console.print(
        f"  → [bold cyan]{escape(one.entity)}.{escape(target)}[/] by {escape(how)}, "
        f"[bold]{one.confidence:.2f}[/] sure, {escape(one.method)}, {one.status}"
        + (f" by {escape(one.decided_by)}: {escape(one.reason or '')}" if one.decided_by else "")
    )
    for words, amount in describe_evidence(one.evidence):
        console.print(f"    [{'green' if amount > 0 else 'red'}]{amount:+.1f}[/] {escape(words)}")
    for remark in one.remarks:
        console.print(f"    [yellow]![/] {escape(remark)}")
    for number, (name, sure) in enumerate(one.candidates[:SHOWN], start=1):
        bar = "█" * round(sure * 20)
        console.print(f"    [bold]{number}[/] {escape(name):<32} {sure:.2f} [cyan]{bar}[/]")
