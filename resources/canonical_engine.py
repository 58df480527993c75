"""The DuckDB that transforms loads: in memory, bounded, spilling into the home; one an advance."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import StorageUnavailable
from core.names import quote_literal
from resources.settings import Settings

if TYPE_CHECKING:
    import duckdb

MEMORY_LIMIT = "448MB"
STREAMING_BUFFER = "16MB"
"""How far DuckDB works ahead while Postgres takes what it has made."""
THREADS_MAX = 4


@contextmanager
def open_engine(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty DuckDB whose session speaks UTC; its spill folder goes away with it."""
    import duckdb

    spill = _make_spill_folder(settings)
    try:
        with duckdb.connect(":memory:") as engine:
            engine.execute(
                f"SET TimeZone = 'UTC'; SET memory_limit = '{MEMORY_LIMIT}'; "
                f"SET temp_directory = {quote_literal(str(spill))}; "
                f"SET threads = {min(THREADS_MAX, os.cpu_count() or 1)}; "
                f"SET streaming_buffer_size = '{STREAMING_BUFFER}'; SET preserve_insertion_order = false"
            )
            if "://" in settings.lake:
                _reach_lake(engine, settings.lake)
            yield engine
    finally:
        shutil.rmtree(spill, ignore_errors=True)


def _make_spill_folder(settings: Settings) -> Path:
    """A folder of this process alone; those of processes that died are removed."""
    parent = settings.home / "spill"
    try:
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for leftover in parent.glob("canonical-*"):
            if not _is_alive(leftover.name.split("-")[1]):
                shutil.rmtree(leftover, ignore_errors=True)
        return Path(tempfile.mkdtemp(prefix=f"canonical-{os.getpid()}-", dir=parent))
    except OSError as error:
        raise StorageUnavailable(
            "no folder for temporary files can be made", where=str(parent), found=error.strerror
        ) from error


def _is_alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        pass
    return True


def _reach_lake(engine: duckdb.DuckDBPyConnection, url: str) -> None:
    import fsspec

    engine.register_filesystem(fsspec.core.url_to_fs(url)[0])


def open_load(engine: duckdb.DuckDBPyConnection, files: Sequence[str]) -> list[str]:
    """Make the view ``load`` of a load's parquet files; returns its columns in order."""
    if not files:
        engine.execute("CREATE OR REPLACE TEMP VIEW load AS SELECT NULL AS _aos_row WHERE false")
    else:
        names = ", ".join(map(quote_literal, files))
        engine.execute(
            "CREATE OR REPLACE TEMP VIEW load AS "
            f"SELECT * FROM read_parquet([{names}], union_by_name = true, hive_partitioning = false)"
        )
    return [row[0] for row in engine.execute("DESCRIBE load").fetchall()]
