"""``aos connection``: which tenant uses which connector, with what credentials and when."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.credentials import read_credentials
from cli.output import Json, first_line, print_json, print_table, say, show_records
from cli.services import find_spec, open_mesh
from core.errors import FixInput, MeshError

if TYPE_CHECKING:
    from resources.connections import Connection
    from resources.mesh import Mesh

app = typer.Typer(help="Connect tenants to sources.", no_args_is_help=True)
Tenant = Annotated[str, typer.Argument(metavar="TENANT")]
Connector = Annotated[str, typer.Argument(metavar="CONNECTOR")]
CredentialFile = Annotated[
    str | None,
    typer.Option(
        "--credentials",
        help="File with credentials (JSON object or name=value lines); '-' is standard input; else prompts.",
    ),
]
DURATION = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@app.command("add")
def add(
    tenant: Tenant,
    connector: Connector,
    credentials: CredentialFile = None,
    base_url: Annotated[str | None, typer.Option(help="Where this tenant's source is.")] = None,
    option: Annotated[list[str] | None, typer.Option(help="name=value, e.g. path=/data/drop.")] = None,
    every: Annotated[str | None, typer.Option(help="Sync every 30m, 6h, 1d …")] = None,
    cron: Annotated[str | None, typer.Option(help="Sync by cron expression (UTC).")] = None,
    check: Annotated[bool, typer.Option(help="Ask the source whether the credentials work.")] = True,
    as_json: Json = False,
) -> None:
    """Connect a tenant to a source. Credentials come from a prompt, a file or standard input."""
    from core.connector import Schedule
    from resources.connections import add_connection
    from resources.tenants import require_tenant

    with open_mesh() as mesh:
        require_tenant(mesh.db, tenant)
        spec = find_spec(mesh, connector)
        schedule = _read_schedule(every, cron)
        connection = add_connection(
            mesh.db,
            mesh.secrets,
            tenant,
            spec,
            credentials=read_credentials(spec, credentials),
            base_url=base_url,
            options=_read_options(option or []),
            schedule=Schedule(**schedule) if schedule else None,
            actor=mesh.settings.actor,
        )
        if check:
            connection = _activate_checked(mesh, tenant, connector)
        say(f"{tenant} is connected to {spec.title}. Next: aos sync {tenant}", as_json=as_json)
        if as_json:
            print_json(_as_dict(connection))


def _activate_checked(mesh: Mesh, tenant: str, connector: str) -> Connection:
    """ACTIVE once the source has answered; a connection that does not work is taken back."""
    from resources.connections import remove_connection, set_status
    from resources.connectors.base import check_source
    from resources.loader import describe_source

    try:
        check_source(describe_source(mesh.db, mesh.secrets, find_spec(mesh, connector), tenant))
    except MeshError as error:
        remove_connection(mesh.db, tenant, connector, actor=mesh.settings.actor)
        error.add_note("The connection was not added; --no-check adds it without asking the source.")
        raise
    return set_status(mesh.db, tenant, connector, "ACTIVE", actor=mesh.settings.actor)


@app.command("list")
def list_(tenant: Tenant, as_json: Json = False) -> None:
    """List a tenant's connections."""
    from resources.connections import list_connections
    from resources.tenants import require_tenant

    with open_mesh() as mesh:
        require_tenant(mesh.db, tenant)
        rows = [
            [
                c.connector,
                c.status,
                _schedule_text(c),
                c.last_sync_finished_at,
                c.next_due_at,
                c.last_error if as_json else first_line(c.last_error),
            ]
            for c in list_connections(mesh.db, tenant)
        ]
    columns = ["connector", "status", "schedule", "last sync", "next due", "last error"]
    show_records(f"Connections of {tenant}", columns, rows, as_json=as_json)


@app.command("show")
def show(tenant: Tenant, connector: Connector, as_json: Json = False) -> None:
    """Show one connection; credentials by name only."""
    from resources.connections import get_connection

    with open_mesh() as mesh:
        connection = get_connection(mesh.db, tenant, connector)
        facts = _as_dict(connection)
        facts["credentials"] = sorted(mesh.secrets.read(tenant, connector))
    if as_json:
        print_json(facts)
    else:
        print_table(f"{tenant}/{connector}", ["what", "value"], [[k, v] for k, v in facts.items()])


@app.command("pause")
def pause(tenant: Tenant, connector: Connector) -> None:
    """Stop syncing a connection; what it has landed stays."""
    _set_status(tenant, connector, "PAUSED")


@app.command("resume")
def resume(tenant: Tenant, connector: Connector) -> None:
    """Sync a paused or failed connection again."""
    _set_status(tenant, connector, "ACTIVE")


def _set_status(tenant: str, connector: str, status: str) -> None:
    from resources.connections import set_status

    with open_mesh() as mesh:
        set_status(mesh.db, tenant, connector, status, actor=mesh.settings.actor)
        say(f"{tenant}/{connector} is {status}.")


@app.command("rotate")
def rotate(tenant: Tenant, connector: Connector, credentials: CredentialFile = None) -> None:
    """Store new credentials as the next version; the next sync uses them."""
    from resources.connections import get_connection

    with open_mesh() as mesh:
        get_connection(mesh.db, tenant, connector)
        values = read_credentials(find_spec(mesh, connector), credentials)
        version = mesh.secrets.rotate(tenant, connector, values, actor=mesh.settings.actor)
        say(f"{tenant}/{connector} uses credentials version {version}.")


@app.command("remove")
def remove(
    tenant: Tenant,
    connector: Connector,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove a connection and its credentials; landed data stays until the tenant is removed."""
    from resources.connections import get_connection, remove_connection

    with open_mesh() as mesh:
        get_connection(mesh.db, tenant, connector)
        if not yes and not typer.confirm(f"Remove {tenant}/{connector} and its credentials?"):
            raise FixInput("nothing was removed", remedy="answer yes, or pass --yes")
        remove_connection(mesh.db, tenant, connector, actor=mesh.settings.actor)
        say(f"{tenant}/{connector} is removed.")


def _read_options(pairs: list[str]) -> dict[str, str]:
    options = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator or not name:
            raise FixInput("unusable --option", expected="name=value", found=repr(pair))
        options[name] = value
    return options


def _read_schedule(every: str | None, cron: str | None) -> dict[str, Any]:
    if every and cron:
        raise FixInput("a connection has one schedule", expected="--every or --cron", found="both")
    if cron:
        return {"cron": cron}
    if not every:
        return {}
    match = re.fullmatch(r"(\d+)\s*([smhd])", every)
    if match is None or int(match[1]) * DURATION[match[2]] < 60:
        raise FixInput(
            "unusable --every", expected="a duration of a minute or more, as 30m, 6h, 1d", found=every
        )
    return {"every_s": int(match[1]) * DURATION[match[2]]}


def _schedule_text(connection: Connection) -> str:
    return connection.schedule_cron or f"every {connection.schedule_every_s or 0:,} s"


def _as_dict(connection: Connection) -> dict[str, Any]:
    return {name: value for name, value in vars(connection).items() if not name.startswith("_")}
