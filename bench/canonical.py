"""The canonical step: a load of 1,000,000 records × 10 fields, from parquet to committed events.

Baseline: COPY of the very same bytes into the same emptied table, with the same indexes. The step runs in
a process of its own, whose peak memory is measured.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import duckdb
from sqlalchemy import text

from bench.measure import Measure, compare
from bench.workspace import TENANT, Workspace, open_workspace
from core.compile import compile_projection
from core.connector import ConnectorSpec
from core.event_sql import EventSource, select_outcomes
from core.mapping import FieldMapping, MappingSet
from core.ontology import load_ontology
from resources.canonical_copy import copy_events
from resources.canonical_work import stream_lines
from resources.lake import ManifestRow
from resources.loads import register_load
from resources.registry import publish_set

RECORDS = 1_000_000
ROUNDS = 3
LOAD_ID = "1763600000.5"
ENTITY = "account"
CONNECTOR, STREAM = "crm", "accounts"
COLUMNS = {
    "Id": "'001' || lpad(i::VARCHAR, 12, '0')",
    "Name": "'Company ' || i || ' \"North\" GmbH'",
    "Domain": "'company' || i || '.example.com'",
    "Industry": "['software', 'retail', 'energy', 'finance'][1 + i % 4]",
    "AnnualRevenue": "(i * 1000.5)::DECIMAL(18, 2)::VARCHAR",
    "Employees": "(i % 5000)::VARCHAR",
    "Phone": "'+49 30 ' || (1000000 + i)",
    "IsDeleted": "'false'",
    "CreatedDate": "'2024-01-0' || (1 + i % 9) || 'T08:00:00.000+0000'",
    "SystemModstamp": "'2024-05-01T10:00:00.' || lpad((i % 1000)::VARCHAR, 3, '0') || 'Z'",
}
MAPPINGS = (
    FieldMapping("id", ("Id",)),
    FieldMapping("name", ("Name",)),
    FieldMapping("domain", ("Domain",), "lower"),
    FieldMapping("industry", ("Industry",)),
    FieldMapping("annual_revenue", ("AnnualRevenue",), "cast"),
    FieldMapping("employee_count", ("Employees",), "cast"),
    FieldMapping("phone", ("Phone",), "trim"),
    FieldMapping("is_deleted", ("IsDeleted",), "cast"),
    FieldMapping("created_at", ("CreatedDate",), "parse_datetime"),
    FieldMapping("updated_at", ("SystemModstamp",), "parse_datetime"),
)
SPEC = ConnectorSpec.model_validate(
    {
        "connector": CONNECTOR,
        "title": "CRM",
        "kind": "sql",
        "streams": {STREAM: {"primary_key": ["Id"], "entity": ENTITY, "table": {"name": "accounts"}}},
    },
    strict=False,
)


@dataclass(frozen=True)
class Figures:
    """Best of the rounds: seconds of the step and of the bare COPY; peak resident memory in MiB."""

    step_s: float
    copy_s: float
    rss_mib: float


def measure_throughput() -> Iterator[Measure]:
    """Events a second, from the load's parquet to the commit."""
    yield Measure(
        "canonical_throughput",
        RECORDS / _measure().step_s,
        "events/s",
        note=f"{RECORDS} records x {len(COLUMNS)} fields; hold >= 100000",
    )


def measure_against_copy() -> Iterator[Measure]:
    """The step's time against COPY of the same bytes alone."""
    found = _measure()
    yield compare("canonical_vs_copy", found.step_s, found.copy_s, "s", "same bytes, same table; hold <= 1.3")


def measure_memory() -> Iterator[Measure]:
    """Peak resident memory of the process that runs the step."""
    yield Measure("canonical_rss", _measure().rss_mib, "MiB", note="peak of the process; hold <= 1024")


@cache
def _measure() -> Figures:
    with open_workspace() as workspace:
        _land(workspace)
        lines = workspace.settings.home / "events.copy"
        made = _publish(workspace)
        _write_lines(workspace, made, lines)
        steps, copies = [], []
        for _ in range(ROUNDS):
            _empty(workspace)
            steps.append(_run_step(workspace))
            _empty(workspace)
            copies.append(_copy_lines(workspace, lines))
    return Figures(min(s for s, _ in steps), min(copies), max(mib for _, mib in steps))


def _load_file(workspace: Workspace) -> Path:
    folder = Path(workspace.settings.lake) / TENANT / CONNECTOR / STREAM
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{LOAD_ID}.0.parquet"


def _land(workspace: Workspace) -> None:
    items = ", ".join(f'{sql} AS "{name}"' for name, sql in COLUMNS.items())
    with duckdb.connect() as engine:
        engine.execute(
            f"COPY (SELECT {items}, i::VARCHAR AS _aos_row, false AS _aos_deleted "
            f"FROM range({RECORDS}) rows(i)) TO '{_load_file(workspace)}' (FORMAT parquet)"
        )
    row = ManifestRow(STREAM, "incremental", RECORDS, RECORDS, 0, False, "[]", "{}")
    with workspace.db.tenant(TENANT) as conn:
        register_load(conn, TENANT, CONNECTOR, LOAD_ID, row, 1)


def _publish(workspace: Workspace) -> MappingSet:
    entity = load_ontology().entity(ENTITY)
    return publish_set(workspace.db, "*", CONNECTOR, STREAM, entity, MAPPINGS, "bench")


def _write_lines(workspace: Workspace, made: MappingSet, path: Path) -> None:
    """The bytes the step sends, for the bare COPY."""
    projection = compile_projection(
        made,
        load_ontology().entity(ENTITY),
        [*COLUMNS, "_aos_row", "_aos_deleted"],
        primary_key=("Id",),
        source=f"read_parquet('{_load_file(workspace)}')",
    )
    records = f"SELECT *, NULL::VARCHAR AS prior FROM ({projection.sql})"
    source = EventSource(TENANT, ENTITY, CONNECTOR, STREAM, made.set_id, LOAD_ID)
    with duckdb.connect() as engine, path.open("wb") as file:
        engine.execute("SET TimeZone = 'UTC'")
        for chunk in stream_lines(engine, select_outcomes(source, records), Counter()):
            file.write(chunk)


def _empty(workspace: Workspace) -> None:
    with workspace.db.owner() as conn:
        conn.execute(text("TRUNCATE canonical_streams"))
    with workspace.db.tenant(TENANT) as conn:
        conn.execute(text("UPDATE loads SET consumed_at = NULL"))


def _run_step(workspace: Workspace) -> tuple[float, float]:
    """Seconds and MiB of one run in a new process."""
    command = [sys.executable, "-m", "bench.canonical_step", str(workspace.settings.home)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    if found["events"] != RECORDS:
        raise AssertionError(f"expected {RECORDS} events, found {found['events']}")
    return found["seconds"], found["rss_mib"]


def _copy_lines(workspace: Workspace, path: Path) -> float:
    started = time.perf_counter()
    with workspace.db.tenant(TENANT) as conn, path.open("rb") as file:
        copy_events(conn, TENANT, iter(lambda: file.read(1 << 20), b""))
    return time.perf_counter() - started
