"""Data that is not asked over HTTP: export files in folders, and a shop's tables in Postgres."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from sandbox.seed_aws import aws_files
from sandbox.seed_office import office_files
from sandbox.world import open_world

Writer = Callable[[Path], None]


def write_files(folder: Path | str, tenant: str, *, seed: int = 0) -> list[Path]:
    """Write a tenant's exports below ``folder``: ``files/…`` and ``aws_cost/…``; returns what was written.

    Files that are there already are left alone, so that a second call brings nothing new.
    """
    world = open_world(tenant, seed)
    home = Path(folder)
    wanted: dict[str, Writer] = {f"files/{name}": write for name, write in office_files(world).items()}
    wanted |= {f"aws_cost/{name}": write for name, write in aws_files(world).items()}
    return _write_missing(home, wanted)


def add_files(folder: Path | str, tenant: str, *, seed: int = 0, month: int = 7) -> list[Path]:
    """Drop the next month's expenses beside the others, as people do; returns what was written."""
    world = open_world(tenant, seed)
    name = f"expenses_2025-{month:02}.csv"
    return _write_missing(Path(folder), {f"files/{name}": office_files(world, months=12)[name]})


def load_postgres(url: str, tenant: str, *, seed: int = 0, replace: bool = False) -> dict[str, str]:
    """Create schema ``shop_<tenant>`` with a shop's tables in the database at ``url``.

    A schema that is there already is left alone unless ``replace``. Returns the credentials of connector
    postgres: the same URL with the schema as search path.
    """
    from sandbox.seed_shop import load_shop

    return {"url": load_shop(url, open_world(tenant, seed), replace=replace)}


def _write_missing(home: Path, wanted: Mapping[str, Writer]) -> list[Path]:
    written = []
    for name, write in wanted.items():
        path = home / name
        if path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        # Under another name until whole: a reader never sees half a file.
        partial = path.with_name(f".{path.name}.partial")
        write(partial)
        partial.replace(path)
        written.append(path)
    return written
