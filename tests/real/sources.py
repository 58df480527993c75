"""What the sources hold, counted without the mesh: by csv, and by asking Postgres."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from core.connector import ConnectorSpec, StreamSpec
from resources.mesh import Mesh
from sandbox.real import DUMPS, SEEDS


def read_rows(path: Path) -> list[dict[str, str]]:
    """The records of a CSV file."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def list_files(rows: Path) -> Iterator[tuple[str, Path]]:
    """Connectors that read files, and their folders."""
    yield "crm_sales", rows / "crm_sales_opportunities"
    for vendor in SEEDS:
        yield f"seed_{vendor}", rows / "fivetran" / vendor


def count_files(spec: ConnectorSpec, folder: Path) -> dict[str, int]:
    """Stream → records in its files."""
    return {
        name: sum(len(read_rows(path)) for path in folder.glob(_pattern(stream)))
        for name, stream in spec.streams.items()
    }


def count_tables(mesh: Mesh, spec: ConnectorSpec) -> dict[str, int]:
    """Stream → rows in its table."""
    with open_source(mesh, spec.connector) as source:
        return {
            name: _count(source, stream.table.name)
            for name, stream in spec.streams.items()
            if stream.table is not None
        }


def _count(source: psycopg.Connection[tuple[Any, ...]], table: str) -> int:
    query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
    return sum(row[0] for row in source.execute(query))


def open_source(mesh: Mesh, connector: str) -> psycopg.Connection[tuple[Any, ...]]:
    """A connection to one of the two loaded databases."""
    return psycopg.connect(mesh.secrets.read("shops", connector)["url"])


def count_records(mesh: Mesh, rows: Path) -> dict[tuple[str, str], int]:
    """(connector, stream) → records its source holds; streams of aws_cost without files hold none."""
    counts = {("aws_cost", name): 0 for name in mesh.specs["aws_cost"].streams}
    counts[("aws_cost", "focus")] = len(read_rows(rows / "focus" / "focus_sample.csv"))
    found = {name: count_files(mesh.specs[name], folder) for name, folder in list_files(rows)}
    found |= {name: count_tables(mesh, mesh.specs[name]) for name in DUMPS}
    return counts | {(name, stream): n for name, streams in found.items() for stream, n in streams.items()}


def _pattern(stream: StreamSpec) -> str:
    return stream.files.pattern if stream.files is not None else ""
