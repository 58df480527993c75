"""How long views take: a million records from nothing, and ten thousand new events on top of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from sqlalchemy import text

from bench.measure import Measure, compare
from bench.workspace import TENANT, Workspace, open_workspace
from core.names import quote_literal
from core.ontology import load_ontology
from resources.view_files import find_registry
from resources.warehouse import ViewReport, advance_views, rebuild_views

RECORDS = 1_000_000
NEW_EVENTS = 10_000

_WRITE = text(
    """
    INSERT INTO canonical_streams (tenant_id, event_id, entity, connector, stream, record_id, op, data,
                                   unknown_fields, content_hash, set_id, load_id)
    SELECT :tenant, gen_random_uuid(), 'account', 'hubspot', 'companies', 'rec-' || n, 'upsert',
           jsonb_build_object(
               'id', 'rec-' || n, 'name', 'Company number ' || n || :suffix,
               'domain', 'company' || n || '.example.com', 'industry', 'technology',
               'annual_revenue', (random() * 1e7)::numeric(12, 2), 'employee_count', n % 5000,
               'is_deleted', false, 'created_at', '2024-01-01T00:00:00Z',
               'updated_at', '2024-05-01T12:34:56.789Z', 'address_city', 'Springfield ' || n % 1000),
           CASE WHEN n % 2 = 0 THEN jsonb_build_object('properties.note', 'unmapped ' || n) END,
           md5(n || :suffix), '00000000-0000-0000-0000-000000000001', '1'
    FROM generate_series(1, :records, :step) n
    """
)


def measure_full(records: int = RECORDS) -> Iterator[Measure]:
    """Build a view from its first event; baseline: DuckDB loading the same typed rows."""
    with open_workspace() as workspace:
        _write(workspace, records)
        value = _time(lambda: _rebuild(workspace))
        baseline = _time_plain_load(find_registry(workspace.settings, TENANT), workspace.settings.home)
    note = (
        f"{records:,} events in Postgres to a published file; baseline: DuckDB loading the same rows; "
        "limit 10 s"
    )
    yield compare("views_full", value, baseline, "s", note)


def measure_delta(records: int = RECORDS, new_events: int = NEW_EVENTS) -> Iterator[Measure]:
    """Bring new events into a large view and publish it; baseline: building all from nothing."""
    with open_workspace() as workspace:
        _write(workspace, records)
        baseline = _time(lambda: _rebuild(workspace))
        _write(workspace, records, step=records // new_events, suffix=" again")
        value = _time(lambda: advance_views(workspace.db, workspace.settings, load_ontology(), TENANT))
    note = f"{new_events:,} new events on {records:,} records; baseline: all from nothing"
    yield compare("views_delta", value, baseline, "s", note)


def _write(workspace: Workspace, records: int, *, step: int = 1, suffix: str = "") -> None:
    with workspace.db.tenant(TENANT) as conn:
        conn.execute(_WRITE, {"tenant": TENANT, "records": records, "step": step, "suffix": suffix})


def _rebuild(workspace: Workspace) -> ViewReport:
    return rebuild_views(workspace.db, workspace.settings, load_ontology(), TENANT)


def _time(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _time_plain_load(path: Path, folder: Path) -> float:
    import duckdb

    parquet, copy = folder / "rows.parquet", folder / "plain.duckdb"
    with duckdb.connect(str(path), read_only=True) as conn:
        conn.execute(f"COPY account TO {quote_literal(str(parquet))} (FORMAT parquet)")

    def load() -> None:
        with duckdb.connect(str(copy), config={"threads": 2}) as conn:
            conn.execute(f"CREATE TABLE account AS FROM read_parquet({quote_literal(str(parquet))})")

    return _time(load)
