"""``aos mapping entity``: which canonical entity a stream is, where its config does not say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.mapping_common import Reason, User, check_tenant
from cli.output import Json, print_json, say, show_records
from cli.services import open_mesh
from core.errors import FixInput
from core.names import join_name

if TYPE_CHECKING:
    from resources.stream_entities import StreamEntity


def register(app: typer.Typer) -> None:
    """Add this file's command to ``aos mapping``."""
    app.command("entity")(entity)


def entity(
    tenant: Annotated[str, typer.Argument(metavar="TENANT")],
    connector: Annotated[str | None, typer.Argument(metavar="[CONNECTOR]")] = None,
    stream: Annotated[str | None, typer.Argument(metavar="[STREAM]")] = None,
    name: Annotated[
        str | None,
        typer.Argument(metavar="[ENTITY]", help="Confirm this one; see aos mapping entity TENANT."),
    ] = None,
    none: Annotated[bool, typer.Option("--none", help="It is no canonical entity: it stays raw.")] = False,
    user: User = None,
    reason: Reason = "confirmed",
    as_json: Json = False,
) -> None:
    """List what undeclared streams are taken for; with an entity (or --none), decide one of them.

    Once it is confirmed, run `aos mapping propose TENANT`: what is sure of its fields applies by itself.
    """
    deciding = name is not None or none
    if (name is not None and none) or (deciding and stream is None):
        raise FixInput("that decides nothing", expected="TENANT CONNECTOR STREAM, then ENTITY or --none")
    with open_mesh() as mesh:
        check_tenant(mesh, tenant)
        if connector is not None and stream is not None and deciding:
            from resources.stream_entities import decide_entity

            actor = user or mesh.settings.actor
            found = decide_entity(mesh.db, mesh.ontology, tenant, (connector, stream), name, actor, reason)
            _tell(found, tenant, as_json=as_json)
            return
        from resources.stream_entities import list_entities

        known = list_entities(mesh.db, tenant)
    shown = [one for one in known if connector in (None, one.connector) and stream in (None, one.stream)]
    if as_json:
        print_json([_describe(one) for one in shown])
        return
    columns = ["stream", "entity", "confidence", "or", "status", "by"]
    rows = [
        [join_name(*one.key), one.entity, one.confidence, _name_others(one), one.status, one.decided_by]
        for one in shown
    ]
    show_records(f"Entities of {tenant}", columns, rows, as_json=False)


def _tell(one: StreamEntity, tenant: str, *, as_json: bool) -> None:
    if as_json:
        print_json(_describe(one))
    elif one.entity is None:
        say(f"{join_name(*one.key)} stays raw; it is not asked about again.")
    else:
        say(f"{join_name(*one.key)} is {one.entity}. Its fields are asked by: aos mapping propose {tenant}")


def _name_others(one: StreamEntity) -> str:
    others = [pair for pair in one.candidates if pair[0] != one.entity][:3]
    return ", ".join(f"{name} {share:.2f}" for name, share in others)


def _describe(one: StreamEntity) -> dict[str, Any]:
    return {
        "connector": one.connector,
        "stream": one.stream,
        "entity": one.entity,
        "confidence": one.confidence,
        "candidates": [{"entity": name, "confidence": share} for name, share in one.candidates],
        "status": one.status,
        "decided_by": one.decided_by,
        "reason": one.reason,
    }
