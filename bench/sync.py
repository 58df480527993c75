"""Syncing nine sandbox sources: against bare dlt pipelines over the same pages, and when nothing is new.

Bare means: the same readers ask the same sandbox, and their pages go straight into ``dlt.pipeline`` with
the filesystem destination, nested values kept as JSON. No guard, no schema version, no settling.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from bench.measure import Measure, compare
from bench.sources import ACCOUNT, Sources, running_sources
from bench.workspace import Workspace, open_workspace
from resources.connectors.base import open_reader
from resources.loader import LoadReport, load_connector
from resources.secrets import SecretStore

ROUNDS = 3
LOADS = 50
CHANGING = ("pipedrive", "deals")
"""Connector and stream that has a change before each of the loads."""


def measure_against_dlt() -> Iterator[Measure]:
    """Median wall time of a first sync of the nine sources, by turns with the bare pipelines."""
    with open_workspace() as workspace, running_sources(workspace) as sources:
        ours: list[float] = []
        bare: list[float] = []
        records = 0
        for turn in range(ROUNDS + 1):
            sources.connect(workspace, f"turn{turn}")
            bare.append(_time(partial(_sync_bare, workspace, sources, f"bare{turn}")))
            started = time.perf_counter()
            reports = _sync(workspace, sources, f"turn{turn}")
            ours.append(time.perf_counter() - started)
            records = sum(one.records for report in reports for one in report.streams.values())
        yield compare(
            "sync_vs_dlt",
            median(ours[1:]),  # the first turn warms imports and the sandbox's worlds
            median(bare[1:]),
            "s",
            f"first sync of {len(sources.specs)} sources, {records} records, "
            f"{workspace.settings.sync_threads} threads, against bare dlt pipelines; hold <= 1.5",
        )


def measure_noop() -> Iterator[Measure]:
    """A sync that finds nothing new: all nine against their first sync; one after 1 and after 50 loads."""
    with open_workspace() as workspace, running_sources(workspace) as sources:
        sources.connect(workspace, "noop")
        first = _time(lambda: _sync(workspace, sources, "noop"))
        nine = median(_time(lambda: _sync(workspace, sources, "noop")) for _ in range(ROUNDS))
        yield compare(
            "noop_sync_nine", nine, first, "s", "nothing new in 9 sources, against their first sync"
        )
        connector, stream = CHANGING
        after_one = _time_noop(workspace, sources, connector)
        for _ in range(LOADS - 1):
            sources.switch("changes", tenant=ACCOUNT, vendor=connector, stream=stream, op="touch", count=1)
            _load(workspace, sources, "noop", connector)
        after_many = _time_noop(workspace, sources, connector)
        note = f"nothing new in {connector}, after {LOADS} loads against after 1"
        yield compare("noop_sync", after_many, after_one, "s", note)


def _time(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _time_noop(workspace: Workspace, sources: Sources, connector: str) -> float:
    return median(_time(lambda: _load(workspace, sources, "noop", connector)) for _ in range(5))


# --- the mesh ---------------------------------------------------------------------------------


def _sync(workspace: Workspace, sources: Sources, tenant: str) -> list[LoadReport]:
    with ThreadPoolExecutor(workspace.settings.sync_threads) as pool:
        return list(pool.map(lambda name: _load(workspace, sources, tenant, name), sources.specs))


def _load(workspace: Workspace, sources: Sources, tenant: str, connector: str) -> LoadReport:
    report = load_connector(
        settings=workspace.settings,
        db=workspace.db,
        secrets=SecretStore(workspace.db, workspace.settings),
        spec=sources.specs[connector],
        tenant_id=tenant,
    )
    if report.errors:
        raise RuntimeError(f"{connector}: {report.errors}")
    return report


# --- bare dlt ---------------------------------------------------------------------------------


def _sync_bare(workspace: Workspace, sources: Sources, name: str) -> None:
    folder = workspace.settings.home / name
    with ThreadPoolExecutor(workspace.settings.sync_threads) as pool:
        list(pool.map(lambda connector: _load_bare(sources, connector, folder), sources.specs))
    shutil.rmtree(folder)


def _load_bare(sources: Sources, connector: str, folder: Path) -> None:
    import dlt

    logging.getLogger("dlt").setLevel(logging.ERROR)  # it warns of every column that is all null
    reader = open_reader(sources.context("bare", connector))

    def resource(stream: str) -> Any:
        def rows() -> Iterator[Any]:
            for page in reader.read(stream, {}):
                yield page.records

        return dlt.resource(rows, name=stream, write_disposition="append", max_table_nesting=0)

    pipeline = dlt.pipeline(
        connector,
        pipelines_dir=str(folder / "work" / connector),
        destination=dlt.destinations.filesystem(str(folder / "lake"), warn_unsafe_layout_separators=False),
        dataset_name=connector,
    )
    pipeline.run(
        [resource(stream) for stream in sources.specs[connector].streams], loader_file_format="parquet"
    ).raise_on_failed_jobs()
    reader.close()
