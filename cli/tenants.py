"""``aos tenant``: companies whose data the mesh keeps apart."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.output import Json, say, show_records
from cli.services import open_mesh
from core.errors import FixInput

app = typer.Typer(help="Add, list and remove tenants.", no_args_is_help=True)
Tenant = Annotated[str, typer.Argument(help="The tenant's identifier.", metavar="TENANT")]


@app.command("add")
def add(
    tenant: Tenant,
    title: Annotated[str, typer.Option(help="A name for people.")] = "",
    as_json: Json = False,
) -> None:
    """Add a tenant."""
    from resources.tenants import add_tenant

    with open_mesh() as mesh:
        add_tenant(mesh.db, tenant, title, mesh.settings.actor)
        say(f"Tenant {tenant} is there. Next: aos connection add {tenant} CONNECTOR", as_json=as_json)
        if as_json:
            show_records("Tenants", ["tenant", "title"], [[tenant, title]], as_json=True)


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List the tenants."""
    from resources.connections import list_connections
    from resources.tenants import list_tenants

    with open_mesh() as mesh:
        rows = [
            [t.tenant_id, t.title, t.status, len(list_connections(mesh.db, t.tenant_id))]
            for t in list_tenants(mesh.db)
        ]
    show_records("Tenants", ["tenant", "title", "status", "connections"], rows, as_json=as_json)


@app.command("remove")
def remove(
    tenant: Tenant,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete everything of a tenant: rows, files, partitions. The audit trail stays."""
    from resources.instance import open_instance
    from resources.maintenance import forget_tenant
    from resources.partitions import remove_partition
    from resources.tenants import remove_tenant, require_tenant

    with open_mesh() as mesh:
        require_tenant(mesh.db, tenant, removing=True)
        if not yes and not typer.confirm(f"Delete all data of tenant {tenant}?"):
            raise FixInput("nothing was deleted", remedy="answer yes, or pass --yes")
        with open_instance(mesh.settings) as instance:
            remove_partition(instance, tenant)
            forget_tenant(instance, tenant)
        remove_tenant(mesh.db, mesh.settings, tenant, mesh.settings.actor)
        say(f"Tenant {tenant} is gone.")
