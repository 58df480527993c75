"""``aos quarantine``: what was refused, and why."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.output import Json, print_json, show_records
from cli.services import open_mesh

app = typer.Typer(help="Look at refused records.", no_args_is_help=True)


@app.command("list")
def list_(
    tenant: Annotated[str, typer.Argument(metavar="TENANT")],
    connector: Annotated[str | None, typer.Option(help="Only this connector.")] = None,
    limit: Annotated[int, typer.Option(min=1)] = 50,
    as_json: Json = False,
) -> None:
    """The latest quarantined records with their reasons."""
    from resources.loads import list_quarantine
    from resources.tenants import require_tenant

    with open_mesh() as mesh:
        require_tenant(mesh.db, tenant)
        found = list_quarantine(mesh.db, tenant, connector=connector, limit=limit)
    if as_json:
        print_json([vars(one) for one in found])
        return
    rows = [[f"{one.connector}/{one.stream}", one.record_id, one.reason] for one in found]
    show_records(f"Quarantine of {tenant}", ["stream", "record", "reason"], rows, as_json=False)
