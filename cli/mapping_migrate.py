"""``aos mapping migrate``: from YAML files kept outside to the registry, in three phases."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.mapping_common import Reason, User, bring_into_effect, show_replays
from cli.mapping_sets import find_files, read_files
from cli.output import Json, print_json, print_table, say
from cli.services import open_mesh
from core.canary import read_percent
from core.names import join_name

if TYPE_CHECKING:
    from resources.mesh import Mesh
    from resources.yaml_migration import Discrepancy, Migration

app = typer.Typer(help="Move mappings from YAML files to the registry, step by step.", no_args_is_help=True)
Tenant = Annotated[str, typer.Option(help="The tenant whose mappings the files hold.")]
Loads = Annotated[int | None, typer.Option(min=1, help="Compare the newest loads only; default: all.")]


def register(parent: typer.Typer) -> None:
    """Add this file's commands to ``aos mapping``."""
    parent.add_typer(app, name="migrate")


@app.command("start")
def start(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", exists=True, file_okay=False)],
    tenant: Tenant,
    loads: Loads = None,
    user: User = None,
    as_json: Json = False,
) -> None:
    """Shadow: the files hold the truth, the registry's sets run beside, discrepancies are reported.

    Again with the same folder: take up what has changed in the files.
    """
    from resources.tenants import require_tenant
    from resources.yaml_migration import start_migration

    with open_mesh() as mesh:
        require_tenant(mesh.db, tenant)
        actor, place = user or mesh.settings.actor, folder.resolve()
        files = read_files(mesh, find_files([place]))
        made = start_migration(mesh, tenant, place, files, actor)
        _finish(mesh, made, actor, loads=loads, as_json=as_json)


@app.command("canary")
def canary(
    tenant: Tenant,
    percent: Annotated[float, typer.Option(help="Share of the records under the registry's sets, 0 to 100.")],
    user: User = None,
    as_json: Json = False,
) -> None:
    """Put a share of the records, by stable hash, under the registry's sets."""
    from resources.yaml_migration import grow_canary

    with open_mesh() as mesh:
        actor = user or mesh.settings.actor
        made = grow_canary(mesh.db, tenant, read_percent(percent), actor)
        _finish(mesh, made, actor, as_json=as_json)


@app.command("cut-over")
def cut_over(
    tenant: Tenant,
    accept: Annotated[
        bool, typer.Option("--accept-discrepancies", help="Although the two still differ.")
    ] = False,
    keep_files: Annotated[bool, typer.Option("--keep-files", help="Leave the originals in place.")] = False,
    user: User = None,
    as_json: Json = False,
) -> None:
    """The registry is the truth; the files go to an archive beside them, with manifest and checksums."""
    from resources import yaml_migration

    with open_mesh() as mesh:
        actor = user or mesh.settings.actor
        made = yaml_migration.cut_over(mesh, tenant, actor, accept=accept, keep_files=keep_files)
        _finish(mesh, made, actor, as_json=as_json)


@app.command("abort")
def abort(tenant: Tenant, user: User = None, reason: Reason = "", as_json: Json = False) -> None:
    """Give up: the registry's sets hold for all records, the files stay."""
    from resources.yaml_migration import abort_migration

    with open_mesh() as mesh:
        actor = user or mesh.settings.actor
        made = abort_migration(mesh.db, tenant, actor, reason)
        _finish(mesh, made, actor, as_json=as_json)


@app.command("status")
def status(tenant: Tenant, loads: Loads = None, as_json: Json = False) -> None:
    """How far it is, and where the files and the registry differ; exit 1 when they do."""
    from resources.tenants import require_tenant
    from resources.yaml_migration import find_migration

    with open_mesh() as mesh:
        require_tenant(mesh.db, tenant)
        found = find_migration(mesh.db, tenant)
        differs = _show(mesh, found, [], loads=loads, as_json=as_json)
    if differs:
        raise typer.Exit(1)


def _finish(mesh: Mesh, made: Migration, actor: str, *, as_json: bool, loads: int | None = None) -> None:
    replays = bring_into_effect(mesh, made.tenant_id, [one.key for one in made.files])
    _show(mesh, made, replays, loads=loads, as_json=as_json)


def _show(
    mesh: Mesh, found: Migration, replays: list[dict[str, Any]], *, as_json: bool, loads: int | None = None
) -> bool:
    """Print where a migration stands; whether anything differs."""
    from resources.yaml_migration import list_discrepancies

    report = list_discrepancies(mesh, found, loads) if found.running else []
    changed = found.list_changed() if found.running else []
    rows = [_describe(one) for one in report]
    differs = bool(changed) or any(one.differs for one in report)
    if as_json:
        print_json(_as_dict(found) | {"changed_files": changed, "streams": rows, "replays": replays})
        return differs
    moved = f"{found.ratio * 100:g} % under the registry's sets"
    say(f"YAML migration of {found.tenant_id}: {found.phase}, {moved}")
    if found.archive is not None:
        say(f"The files are in {found.archive}")
    for path in changed:
        say(f"{path} has changed: run aos mapping migrate start again")
    columns = ["stream", "records", "differ", "refused", "fields"]  # what fits 80 columns
    table = [[row["stream"], row["records"], row["differ"], _say_refused(row), row["fields"]] for row in rows]
    if table:
        print_table("Files against registry", columns, table)
    for row in rows:
        if row["problem"]:
            say(f"{row['stream']} cannot be compared: {row['problem']}")
    show_replays(replays)
    return differs


def _say_refused(row: dict[str, Any]) -> str | None:
    """How many records each side refuses."""
    file, registry = row["refused_by_file"], row["refused_by_registry"]
    if file or registry:
        return f"{file:,} by file, {registry:,} by registry"
    return None if file is None else "0"


def _as_dict(found: Migration) -> dict[str, Any]:
    facts = vars(found) | {"files": [vars(one) for one in found.files], "folder": str(found.folder)}
    return facts | {"archive": str(found.archive) if found.archive else None}


def _describe(one: Discrepancy) -> dict[str, Any]:
    from resources.compare import list_differing

    found = one.comparison
    fields = [] if found is None else [f"{f.target} ({f.changed})" for f in list_differing(found)]
    return {
        "stream": join_name(*one.file.key),
        "file": one.file.path,
        "agrees": not one.differs,
        "records": found.records if found else None,
        "differ": found.changed if found else None if one.problem else 0,
        "refused_by_file": found.refused_a if found else None,
        "refused_by_registry": found.refused_b if found else None,
        "fields": ", ".join(fields),
        "problem": one.problem,
    }
