"""``aos query``, ``lineage``, ``check``: reading what the mesh knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.tree import Tree

from cli.output import Json, console, number_of, print_down, print_json, print_table, say, tell_apart
from cli.services import open_mesh

if TYPE_CHECKING:
    from resources.quality import CheckResult

_NARROWEST = 8
"""Columns of the terminal below which a table's column cannot be read."""

Tenant = Annotated[str, typer.Argument(metavar="TENANT")]


def register(app: typer.Typer) -> None:
    """Add this file's commands to ``aos``."""
    app.command("query")(query)
    app.command("lineage")(lineage)
    app.command("check")(check)


def query(
    tenant: Tenant,
    sql: Annotated[str, typer.Argument(help="One SELECT over the canonical views.")],
    limit: Annotated[int, typer.Option(help="Most rows to print.", min=1)] = 1000,
    timeout_s: Annotated[float, typer.Option(help="Longest run, in seconds.", min=0.1)] = 60.0,
    as_json: Json = False,
) -> None:
    """Read the tenant's canonical views with SQL (read-only)."""
    from resources.query import run_query
    from resources.tenants import require_tenant

    with open_mesh() as mesh:
        require_tenant(mesh.db, tenant)
        result = run_query(mesh.settings, tenant, sql, max_rows=limit, timeout_s=timeout_s)
    if as_json:
        names = tell_apart(result.columns)
        print_json([dict(zip(names, row, strict=True)) for row in result.rows])
        return
    if len(result.columns) * _NARROWEST > console.width:
        print_down(result.columns, result.rows)
    else:
        print_table("", result.columns, result.rows)
    more = " (more exist; raise --limit)" if result.truncated else ""
    say(f"{number_of(len(result.rows), 'row')}{more} in {result.seconds:.2f} s")


def lineage(
    tenant: Tenant,
    field: Annotated[
        str, typer.Argument(help="views.account.annual_revenue, canonical.account, raw.hubspot.companies…")
    ],
    as_json: Json = False,
) -> None:
    """Where a column comes from, back to every source field, and what it feeds."""
    from resources.lineage import trace
    from resources.tenants import require_tenant

    with open_mesh() as mesh:
        require_tenant(mesh.db, tenant)
        tree = trace(mesh.db, tenant, field)
    if as_json:
        print_json(tree.to_json())
        return
    for title, branches in (("comes from", tree.upstream), ("feeds", tree.downstream)):
        root = Tree(f"[bold]{tree.root.name}[/] {title}")
        for branch in branches:
            branch.grow(root)
        console.print(root)


def check(tenant: Tenant, as_json: Json = False) -> None:
    """Run the data-quality checks of the ontology; exit 1 when one fails. Made for CI."""
    from resources.quality import run_checks
    from resources.tenants import require_tenant

    with open_mesh() as mesh:
        require_tenant(mesh.db, tenant)
        with console.status(f"Checking the views of {tenant} …"):
            results = run_checks(mesh.settings, mesh.ontology, tenant)
    failed = [r for r in results if not r.passed and r.severity == "error"]
    if as_json:
        print_json({"passed": not failed, "checks": [vars(r) for r in results]})
    else:
        _show_checks(tenant, results)
    if failed:
        raise typer.Exit(1)


def _show_checks(tenant: str, results: list[CheckResult]) -> None:
    bad = [r for r in results if not r.passed]
    if bad:
        print_table(
            f"Checks of {tenant} that found something",
            ["view", "check", "severity", "unexpected", "of", "examples"],
            [
                [
                    r.entity,
                    r.description,
                    r.severity,
                    r.unexpected_count,
                    r.checked_count,
                    ", ".join(map(str, r.examples)),
                ]
                for r in bad
            ],
        )
    errors = sum(r.severity == "error" for r in bad)
    say(f"{len(results) - len(bad):,} checks passed, {len(bad) - errors} warnings, {errors} failed")
