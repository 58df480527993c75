"""The files of the views: where they stand, the folder a new one is built in, and its publication."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import StorageUnavailable
from core.names import check_identifier
from resources.settings import Settings
from resources.view_builder import ViewState, read_states

_WORK = ".work-"


def find_registry(settings: Settings, tenant_id: str) -> Path:
    """Where the tenant's published file stands, or will."""
    check_identifier(tenant_id, "tenant")
    return settings.warehouse_dir / tenant_id / f"registry_{tenant_id}.duckdb"


@contextmanager
def open_work_folder(path: Path) -> Iterator[Path]:
    """A folder beside ``path``, gone afterwards; under the lock, so those of killed builders go too."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for leftover in path.parent.glob(f"{_WORK}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    work = path.parent / f"{_WORK}{uuid.uuid4().hex}"
    work.mkdir()
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


@contextmanager
def explain_storage(path: Path) -> Iterator[None]:
    """Turn a full disk or too little memory into StorageUnavailable that names the file."""
    import duckdb

    try:
        yield
    except (duckdb.IOException, duckdb.OutOfMemoryException, OSError) as error:
        raise StorageUnavailable(
            "the views cannot be built; the published ones stay as they are",
            found=str(error).splitlines()[0],
            where=str(path.parent),
            remedy="Make room on the disk or in memory, and run the same again",
        ) from error


def read_published(path: Path, work: Path) -> dict[str, ViewState] | None:
    """State of every view of the published file, or None when there is none that can be read."""
    import duckdb

    if not path.exists():
        return None
    try:
        return read_states(path)
    except duckdb.Error:
        # somebody may have it open for writing, whose lock a copy does not know
        copy = work / "probe.duckdb"
        shutil.copyfile(path, copy)
    try:
        return read_states(copy)
    except duckdb.Error:
        return None


def publish(built: Path, path: Path) -> None:
    """Put ``built`` in the place of ``path`` in one step; who reads the old file goes on reading it."""
    built.chmod(0o444)  # an editor's write-ahead log would outlive the file it belongs to
    _sync(built)
    path.with_name(f"{path.name}.wal").unlink(missing_ok=True)
    built.replace(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
