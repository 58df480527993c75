"""``aos sync`` and ``aos status``: moving data, and how it stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from cli.output import (
    Json,
    console,
    errors,
    first_line,
    number_of,
    print_json,
    print_table,
    say,
    show_records,
)
from cli.services import open_mesh

if TYPE_CHECKING:
    from dagster import DagsterEvent

    from resources.mesh import Mesh
    from resources.sync_result import StreamResult, SyncResult

Tenant = Annotated[str, typer.Argument(metavar="TENANT")]


def register(app: typer.Typer) -> None:
    """Add this file's commands to ``aos``."""
    app.command("sync")(sync)
    app.command("status")(status)


def sync(
    tenant: Tenant,
    connector: Annotated[list[str] | None, typer.Option(help="Only this one; may be repeated.")] = None,
    as_json: Json = False,
) -> None:
    """Bring a tenant up to date: sources, mappings, canonical events, views. Exit 1 when a part failed."""
    with open_mesh() as mesh, quiet_dagster():
        result = sync_tenant(mesh, tenant, connector, show=not as_json)
    if as_json:
        print_json(asdict(result) | {"success": result.success})
    elif not result.interrupted:
        show_sync(result)
    if result.interrupted:
        errors.print("Interrupted: what has landed stays, the next sync goes on from there.")
        raise typer.Exit(130)
    if not result.success:
        raise typer.Exit(1)


def sync_tenant(mesh: Mesh, tenant: str, connectors: Sequence[str] | None, *, show: bool) -> SyncResult:
    """Run the sync job here, with a line of progress."""
    from definitions import build_definitions
    from resources.instance import open_instance
    from resources.sync import run_sync
    from resources.tenants import require_tenant

    require_tenant(mesh.db, tenant)
    with open_instance(mesh.settings) as instance, _progress(tenant, show=show) as heard:
        job = build_definitions(mesh).resolve_job_def("sync")
        return run_sync(mesh, instance, job, tenant, connectors, progress=heard)


@contextmanager
def quiet_dagster() -> Iterator[None]:
    """Dagster's own log lines stay in its event log; a person gets progress and tables."""
    import logging

    logger = logging.getLogger("dagster")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


@contextmanager
def _progress(tenant: str, *, show: bool) -> Iterator[Any]:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=errors, transient=True, disable=not show) as progress:
        task = progress.add_task(f"Syncing {tenant}", total=None)
        running: set[str] = set()

        def hear(event: DagsterEvent) -> None:
            if event.step_key is None:
                return
            if event.event_type_value == "STEP_START":
                running.add(event.step_key)
            elif event.event_type_value in ("STEP_SUCCESS", "STEP_FAILURE"):
                running.discard(event.step_key)
            names = ", ".join(sorted(key.removeprefix("raw_") for key in running))
            progress.update(task, description=f"Syncing {tenant}: {names}"[:100])

        yield hear


def show_sync(result: SyncResult) -> None:
    """What a sync did, per stream and per view; failures last, where they are seen."""
    rows = [_show_stream(stream, result.refused) for stream in result.streams]
    news = [row for row in rows if row[2] or row[4]]
    if news:
        columns = ["stream", "read", "landed", "unchanged", "refused", "mapped", "unknown"]
        print_table(f"{result.tenant_id}: streams with news", columns, news)
    changed = {entity: facts for entity, facts in result.views.items() if facts.get("new events")}
    if changed:
        print_table(
            f"{result.tenant_id}: views that changed",
            ["view", "rows"],
            [[entity, facts.get("dagster/row_count")] for entity, facts in sorted(changed.items())],
        )
    for stream in result.streams:
        if stream.drift:
            say(f"drift in {stream.connector}/{stream.stream}: {stream.drift}")
    for warning in result.warnings:
        console.print("[bold yellow]![/] ", end="")
        console.print(warning, style="yellow", markup=False, highlight=False, soft_wrap=True)
    for step, reason in result.failures.items():
        console.print(f"[red]✗ {step}[/] ", end="")
        console.print(reason, markup=False, highlight=False)
    landed = result.total("landed")
    unknown = sum(stream.unknown for stream in result.streams)
    if news and unknown:
        told = f"{number_of(unknown, 'field')} without a mapping"
        say(f"{told}: aos mapping review {result.tenant_id} (or propose, where nothing was asked yet)")
    say(
        f"{number_of(landed, 'record')} landed in {result.seconds:.1f} s"
        if landed
        else f"Nothing new ({result.seconds:.1f} s)"
    )


def _show_stream(stream: StreamResult, refused: Mapping[str, int]) -> list[Any]:
    """Refused: before landing, and by the canonical step."""
    name = f"{stream.connector}/{stream.stream}"
    bad = stream.quarantined + refused.get(name, 0)
    return [name, stream.records, stream.landed, stream.unchanged, bad, stream.mapped, stream.unknown]


def status(as_json: Json = False) -> None:
    """Every tenant's connections: state, last sync, records, quarantine."""
    from resources.connections import list_connections
    from resources.loads import count_quarantine
    from resources.tenant_models import suggest_training
    from resources.tenants import list_tenants

    rows, suggested = [], []
    with open_mesh() as mesh:
        for tenant in list_tenants(mesh.db):
            training = suggest_training(mesh.db, tenant.tenant_id)
            suggested += [f"{tenant.tenant_id}: {training}"] if training else []
            refused: dict[str, int] = {}
            for (connector, *_), count in count_quarantine(mesh.db, tenant.tenant_id).items():
                refused[connector] = refused.get(connector, 0) + count
            rows += [
                [
                    tenant.tenant_id,
                    c.connector,
                    c.status,
                    c.last_sync_finished_at,
                    c.next_due_at,
                    refused.get(c.connector, 0),
                    c.last_error if as_json else first_line(c.last_error),
                ]
                for c in list_connections(mesh.db, tenant.tenant_id)
            ]
    columns = ["tenant", "connector", "status", "last sync", "next due", "quarantined", "last error"]
    if as_json:
        show_records("Connections", columns, rows, as_json=True)
        return
    narrow = [[f"{row[0]}/{row[1]}", row[2], row[3], *row[5:]] for row in rows]
    show_records("Connections", ["connection", *columns[2:4], *columns[5:]], narrow, as_json=False)
    for one in suggested:
        say(one)
