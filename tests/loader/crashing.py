"""Loads one connection in a process of its own and, if told, dies at a point.

Arguments: home, tenant, records to know, point. Run by ``test_crash.py``.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from core.connector import ConnectorSpec
from resources.connectors.base import KINDS, Page
from tests.loader.fake_kind import SOURCES, FakeSource, Pages, after_cursor, build_spec, pages_of

CONNECTOR = "shop"


def build_source_of(count: int) -> tuple[ConnectorSpec, FakeSource]:
    """A stream that grows, one that is read whole, each with a refused record."""
    records: list[dict[str, Any]] = [{"id": n, "n": n, "text": "x" * 50} for n in range(count)]
    refused = {"id": None, "n": 0, "why": "no key"}
    spec = build_spec(CONNECTOR, new=("grows",), whole=("whole",))
    streams: dict[str, Pages] = {
        "grows": after_cursor([refused, *records[1:]], page_size=500),
        "whole": pages_of(records[: count // 2], [refused]),
    }
    return spec, FakeSource(streams)


def die(*_: Any, **__: Any) -> None:
    """As if the power went."""
    os.kill(os.getpid(), signal.SIGKILL)


def during_extract(source: FakeSource) -> None:
    """Dies after a stream's second page."""
    read = source.streams["grows"]

    def dying(state: dict[str, Any]) -> Iterator[Page]:
        for number, page in enumerate(read(state)):
            if number == 2:
                die()
            yield page

    source.streams["grows"] = dying


def before_normalize(_: FakeSource) -> None:
    """Dies with an extracted package in the working folder."""
    from dlt import Pipeline

    Pipeline.normalize = die


def before_load(_: FakeSource) -> None:
    """Dies with a normalized package in the working folder."""
    from dlt import Pipeline

    Pipeline.load = die


def in_a_file(_: FakeSource) -> None:
    """Dies with half a parquet file in the lake."""
    from dlt.destinations.impl.filesystem.filesystem import FilesystemLoadJob

    def half(job: Any) -> None:
        target = Path(job.make_remote_path())
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(Path(job._file_path).read_bytes()[:100])
        die()

    FilesystemLoadJob.run = half


def before_state(_: FakeSource) -> None:
    """Dies with all files in the lake, neither state nor marker."""
    from dlt.destinations.impl.filesystem.filesystem import FilesystemClient

    FilesystemClient.complete_load = die


def in_the_state(_: FakeSource) -> None:
    """Dies with half a state file."""
    from dlt.destinations.impl.filesystem.filesystem import FilesystemClient

    write = FilesystemClient._write_to_json_file

    def half(client: Any, path: str, data: Any) -> None:
        write(client, path, data)
        if "_dlt_pipeline_state" in path:
            Path(path).write_bytes(Path(path).read_bytes()[:40])
            die()

    FilesystemClient._write_to_json_file = half


def before_marker(_: FakeSource) -> None:
    """Dies with the state saved, but not the marker that makes the load count."""
    from dlt.destinations.impl.filesystem.filesystem import FilesystemClient

    FilesystemClient._store_load = die


def before_settling(_: FakeSource) -> None:
    """Dies with a complete load that Postgres does not know."""
    loader: Any = import_module("resources.loader")
    settle, calls = loader.settle_loads, []

    def second(*args: Any) -> Any:
        calls.append(1)
        return die() if len(calls) == 2 else settle(*args)

    loader.settle_loads = second


def in_settling(_: FakeSource) -> None:
    """Dies inside the transaction that settles."""
    settling: Any = import_module("resources.settling")
    settling.register_quarantine = die


def after_settling(_: FakeSource) -> None:
    """Dies when all is done but said."""
    loader: Any = import_module("resources.loader")
    loader._tell = die


def on_a_full_disk(_: FakeSource) -> None:
    """No file may grow beyond some bytes, as when the disk is full; the error is the process's own."""
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (3_000, 3_000))


def nowhere(_: FakeSource) -> None:
    """Lives."""


POINTS: dict[str, Callable[[FakeSource], None]] = {
    point.__name__: point
    for point in (
        during_extract,
        before_normalize,
        before_load,
        in_a_file,
        before_state,
        in_the_state,
        before_marker,
        before_settling,
        in_settling,
        after_settling,
        on_a_full_disk,
        nowhere,
    )
}


def main(home: str, tenant_id: str, count: str, point: str) -> None:
    """Load once."""
    from resources.database import Database
    from resources.loader import load_connector
    from resources.secrets import SecretStore
    from resources.settings import load_settings

    KINDS["rest"] = "tests.loader.fake_kind"
    spec, source = build_source_of(int(count))
    SOURCES[tenant_id, CONNECTOR] = source
    settings = load_settings(home=Path(home))
    db = Database.open(settings)
    print("ready", flush=True)
    POINTS[point](source)
    report = load_connector(
        settings=settings, db=db, secrets=SecretStore(db, settings), spec=spec, tenant_id=tenant_id
    )
    print(report.errors, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
