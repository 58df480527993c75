"""``aos config``: are the connector configs right?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.output import Json, console, print_json, print_table
from cli.services import open_mesh

app = typer.Typer(help="Inspect connector configs.", no_args_is_help=True)


@app.command("validate")
def validate(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Config files or folders; the configured ones when absent.", metavar="[PATH]..."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check configs and their baseline mappings; exit 2 when one is broken."""
    from core.baseline import baseline_mappings
    from core.config_reader import ConfigReport, load_configs
    from core.errors import ConfigError

    with open_mesh() as mesh:
        report: ConfigReport = load_configs(paths or mesh.settings.config_paths)
        rows, errors = [], list(report.errors)
        for name, spec in sorted(report.specs.items()):
            mapped = 0
            for stream in spec.streams.values():
                try:
                    mapped += len(baseline_mappings(stream, mesh.ontology))
                except ConfigError as error:
                    errors.append(error)
            rows.append([name, spec.kind, len(spec.streams), mapped])
    if as_json:
        print_json(
            {
                "connectors": [
                    dict(zip(("connector", "kind", "streams", "mappings"), r, strict=True)) for r in rows
                ],
                "errors": [str(broken) for broken in errors],
            }
        )
    else:
        if rows:
            print_table("Connectors", ["connector", "kind", "streams", "mapped fields"], rows)
        for broken in errors:
            console.print("[red]✗[/] ", end="")
            console.print(str(broken), markup=False, highlight=False, soft_wrap=True)
        console.print(f"{len(rows)} usable, {len(errors)} errors")
    if errors:
        raise typer.Exit(2)
