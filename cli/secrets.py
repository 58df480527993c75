"""``aos secrets``: the key under which credentials are stored."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.output import say
from cli.services import open_mesh

app = typer.Typer(help="Manage the master key.", no_args_is_help=True)


@app.command("rekey")
def rekey(
    new_key_file: Annotated[
        Path | None, typer.Option(help="File with the new key (base64, 32 bytes); made when absent.")
    ] = None,
) -> None:
    """Encrypt all credentials again under a new master key."""
    with open_mesh() as mesh:
        count = mesh.secrets.rekey(new_key_file, actor=mesh.settings.actor)
    say(f"{count} secrets are encrypted under the new key.")
