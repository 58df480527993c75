"""What a command works with: the mesh, opened when first used and closed at the end of the command."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from cli.output import errors
from core.connector import ConnectorSpec
from core.errors import UnknownName
from resources.mesh import Mesh
from resources.settings import load_settings


@contextmanager
def open_mesh(**overrides: Any) -> Iterator[Mesh]:
    """The mesh of this installation, for one command; ``overrides`` are settings."""
    with closing(Mesh(load_settings(**overrides))) as mesh:
        try:
            yield mesh
        except KeyboardInterrupt:  # typer turns it into an exit code without a word
            errors.print("\nInterrupted.")
            raise
        except RuntimeError as error:
            if str(error) != "Query interrupted":  # DuckDB's word for Ctrl-C
                raise
            errors.print("\nInterrupted.")
            raise KeyboardInterrupt from None


def find_spec(mesh: Mesh, connector: str) -> ConnectorSpec:
    """The config of a connector; raises what is wrong with it, or UnknownName with near names."""
    if connector in mesh.specs:
        return mesh.specs[connector]
    file = mesh.configs.files.get(connector)
    for error in mesh.configs.errors:
        if file is not None and str(file) in str(error.where):
            raise error
    near = difflib.get_close_matches(connector, mesh.specs, n=3)
    raise UnknownName(
        f"no connector {connector!r}",
        expected="one of " + ", ".join(near or sorted(mesh.specs)),
        remedy="`aos config validate` lists the configs",
    )
