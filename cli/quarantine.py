"""``aos quarantine``: what was refused, and why."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.output import Json, show_records
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
        rows = [
            [q.connector, q.stream, q.stage, q.record_id, q.code, q.reason, q.quarantined_at]
            for q in list_quarantine(mesh.db, tenant, connector=connector, limit=limit)
        ]
    columns = ["connector", "stream", "stage", "record", "code", "reason", "when"]
    show_records(f"Quarantine of {tenant}", columns, rows, as_json=as_json)
