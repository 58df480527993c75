"""The real input: which folders and databases of the evaluation data feed which tenant.

Nothing here knows the mesh. The two SQL dumps are loaded into schemas of a database that is handed in, the
cloud bill is laid into a drop folder as its vendor would, all else is read where it lies.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url

from core.errors import ConfigError, StorageUnavailable

CONFIGS = Path(__file__).resolve().parent / "real_configs"
"""Connector configs of the real input; the bill is read by the shipped connector aws_cost."""
TENANTS = {
    "crm": "A hardware maker's sales pipeline",
    "cloud": "A company's cloud bill",
    "shops": "A food importer and a music shop",
    "saas": "A software company's SaaS tables",
}
SEEDS = ("salesforce", "hubspot", "stripe", "zendesk", "xero", "github")
DUMPS = {"northwind": "northwind.sql", "chinook": "chinook_postgres.sql"}
_BILL = "focus/focus_sample.csv"

_NOT_HERE = re.compile(
    r"^(\\.*|(DROP|CREATE) DATABASE\b.*|SET default_with_oids\b.*)$", re.MULTILINE | re.IGNORECASE
)
"""What psql would do besides filling tables, and a setting newer servers do not have."""


@dataclass(frozen=True)
class RealConnection:
    """A connection to be made: a connector, where its source is, and what opens it."""

    tenant: str
    connector: str
    options: Mapping[str, str] = field(default_factory=dict)
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)


def prepare_real(data: Path, database_url: str, drop_folder: Path) -> list[RealConnection]:
    """Make the sources ready and say how to connect to them. A second call changes nothing.

    ``data`` holds ``rows/``; ``database_url`` is a Postgres database whose user may create schemas in it.
    Raises ConfigError for what ``data`` lacks, before anything is made, and StorageUnavailable.
    """
    rows = _find_rows(data)
    _lay_down(rows / _BILL, drop_folder / _BILL)
    return [
        RealConnection("crm", "crm_sales", {"path": str(rows / "crm_sales_opportunities")}),
        RealConnection("cloud", "aws_cost", {"path": str(drop_folder)}),
        *_load_dumps(rows / "postgres", database_url),
        *(
            RealConnection("saas", f"seed_{vendor}", {"path": str(rows / "fivetran" / vendor)})
            for vendor in SEEDS
        ),
    ]


def _find_rows(data: Path) -> Path:
    """The folder of rows, complete; ``data`` itself may be it."""
    folder = data.expanduser().resolve()
    rows = folder if folder.name == "rows" else folder / "rows"
    needed = ["crm_sales_opportunities", *(f"fivetran/{vendor}" for vendor in SEEDS), _BILL]
    needed += [f"postgres/{name}" for name in DUMPS.values()]
    missing = [name for name in needed if not (rows / name).exists()]
    if missing:
        raise ConfigError(
            "the folder does not hold the real input",
            expected="rows/ with " + ", ".join(missing),
            found=str(rows) if rows.is_dir() else f"no folder {rows}",
            remedy="Give the folder of evaluation data: aos demo --real ../shared/data",
        )
    return rows


def _lay_down(file: Path, target: Path) -> None:
    """Copy a file with its times, so that an unchanged one is not taken for a new delivery."""
    if target.exists() and target.stat().st_mtime_ns == file.stat().st_mtime_ns:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    shutil.copy2(file, partial)
    partial.replace(target)


def _load_dumps(folder: Path, database_url: str) -> Iterator[RealConnection]:
    url = make_url(database_url).set(drivername="postgresql")
    for schema, name in DUMPS.items():
        try:
            with psycopg.connect(url.render_as_string(hide_password=False)) as connection:
                _load_dump(connection, schema, folder / name)
        except psycopg.OperationalError as error:
            raise StorageUnavailable(
                f"the database for {schema} does not answer", found=str(error).strip(), where=str(url)
            ) from None
        read = url.update_query_dict({"options": f"-csearch_path={schema}"})
        yield RealConnection("shops", schema, {}, {"url": read.render_as_string(hide_password=False)})


def _load_dump(connection: psycopg.Connection[Any], schema: str, file: Path) -> None:
    """Create the schema and fill it from a dump, in one transaction; a schema that is there stays."""
    exists = "SELECT FROM information_schema.schemata WHERE schema_name = %s"
    if connection.execute(exists, (schema,)).rowcount:
        return
    name = sql.Identifier(schema)
    connection.execute(sql.SQL("CREATE SCHEMA {}").format(name))
    connection.execute(sql.SQL("SET LOCAL search_path TO {}").format(name))
    connection.execute(_NOT_HERE.sub("", file.read_text(encoding="utf-8")).encode())
