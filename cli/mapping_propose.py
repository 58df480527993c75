"""``aos mapping propose``: ask the mapper now, about a tenant's streams or about a file of fields."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import mapping_model
from cli.mapping_card import describe_proposal
from cli.mapping_common import bring_into_effect, check_tenant, show_replays
from cli.output import Json, console, number_of, print_json, say, show_records
from cli.services import find_spec, open_mesh
from core.errors import FixInput, UnknownName
from core.names import join_name

if TYPE_CHECKING:
    from resources.mapper import MapperReport
    from resources.mesh import Mesh


def register(app: typer.Typer) -> None:
    """Add this file's command to ``aos mapping``."""
    app.command("propose")(propose)


def propose(
    tenant: Annotated[str | None, typer.Argument(metavar="[TENANT]")] = None,
    connector: Annotated[str | None, typer.Argument(metavar="[CONNECTOR]")] = None,
    stream: Annotated[str | None, typer.Argument(metavar="[STREAM]")] = None,
    fields: Annotated[
        Path | None,
        typer.Option(
            help="Instead of a tenant, a CSV: source_system, source_entity, source_field, canonical_entity "
            "(may be empty), optionally type, description, profile."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="With --fields: where the answers are written.")] = None,
    lexical: Annotated[
        bool, typer.Option("--lexical", help="With --fields: without embeddings, as if no model were there.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Ask the mapper about every unmapped field of a tenant, or about the fields of a file.

    What is sure applies by itself; the rest waits for review. A stream narrows what is shown.
    """
    if fields is not None and tenant is None:
        if out is None:
            raise FixInput("nowhere to write the answers", remedy="Add --out FILE")
        mapping_model.propose(fields, out, lexical, as_json)
    elif tenant is not None and fields is None:
        _propose_for(tenant, connector, stream, as_json=as_json)
    else:
        raise FixInput("nothing to ask about", expected="a tenant, or --fields FILE --out FILE")


def _propose_for(tenant: str, connector: str | None, stream: str | None, *, as_json: bool) -> None:
    from resources.proposals import list_proposals

    with open_mesh() as mesh:
        check_tenant(mesh, tenant)
        check_stream(mesh, connector, stream)
        report = ask_mapper(mesh, tenant)
        low = mesh.settings.review_confidence
        changed = [(one.connector, one.stream) for one in report.sets]
        replays = bring_into_effect(mesh, tenant, changed)
        shown = list_proposals(mesh.db, tenant, connector, stream)
    open_ones = [one for one in shown if one.status in ("pending", "applied")]
    if as_json:
        facts = {
            name: getattr(report, name) for name in ("asked", "applied", "review", "unknown", "warnings")
        }
        proposals = [describe_proposal(one) for one in open_ones]
        print_json(facts | {"methods": dict(report.methods), "proposals": proposals, "replays": replays})
        return
    for warning in report.warnings:
        console.print(warning, style="yellow", markup=False)
    columns = ["stream", "field", "canonical field", "confidence", "method", "status"]
    rows = [
        [join_name(*one.key), one.field, one.target, one.confidence, one.method, one.status]
        for one in open_ones
    ]
    show_records(f"Proposals of {tenant}", columns, rows, as_json=False)
    show_replays(replays)
    pending = [one.confidence for one in shown if one.status == "pending"]
    waiting = sum(sure >= low for sure in pending)
    asked = (
        f"{number_of(report.asked, 'field')} asked, {report.applied:,} applied"
        if report.asked
        else "Nothing new to ask"
    )
    told = f"{waiting:,} for review, {len(pending) - waiting:,} unknown"
    say(f"{asked}; {told}" + (f": aos mapping review {tenant}" if pending else "."))


def check_stream(mesh: Mesh, connector: str | None, stream: str | None) -> None:
    """Refuse a connector or stream that no config names; nothing to say about it would look like all done."""
    if connector is None:
        return
    streams = find_spec(mesh, connector).streams
    if stream is not None and stream not in streams:
        raise UnknownName(f"{connector} has no stream {stream!r}", expected=f"one of {', '.join(streams)}")


def ask_mapper(mesh: Mesh, tenant: str) -> MapperReport:
    """As a sync does: all of the tenant's connectors in one batch, since they share what was learned."""
    from resources.loads import list_landed
    from resources.mapper_run import run_mapper

    return run_mapper(
        mesh, tenant, [mesh.specs[one] for one in list_landed(mesh.db, tenant) if one in mesh.specs]
    )
