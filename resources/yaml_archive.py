"""The files of a YAML migration on disk: their checksums, and the archive that keeps them with a manifest."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import StorageUnavailable

if TYPE_CHECKING:
    from resources.yaml_migration import Migration

MANIFEST = "manifest.json"


def hash_file(path: Path) -> str | None:
    """SHA-256 (hex) of a file's bytes, None when it is not there."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageUnavailable("a file cannot be read", where=str(path), found=error.strerror) from error


def archive_files(found: Migration) -> Path:
    """Copy the files below ``<folder>/archive-<start>`` with a manifest; returns it. May be repeated."""
    archive = found.folder / f"archive-{found.started_at:%Y%m%dT%H%M%SZ}"
    try:
        for one in found.files:
            _write(archive / one.path, (found.folder / one.path).read_bytes())
        _write(archive / MANIFEST, json.dumps(_describe(found), indent=2, ensure_ascii=False).encode())
    except OSError as error:
        raise StorageUnavailable(
            "the files cannot be archived", where=str(archive), found=error.strerror
        ) from error
    wrong = [one.path for one in found.files if hash_file(archive / one.path) != one.sha256]
    if wrong:
        raise StorageUnavailable("an archived file is not as it was", where=str(archive), found=wrong[0])
    return archive


def remove_originals(found: Migration) -> None:
    """Delete the files that the archive holds as they are; others stay. May be repeated."""
    if found.archive is None:
        return
    for one in found.files:
        if hash_file(found.archive / one.path) == one.sha256 == hash_file(found.folder / one.path):
            (found.folder / one.path).unlink()


def _describe(found: Migration) -> dict[str, Any]:
    return {
        "tenant": found.tenant_id,
        "folder": str(found.folder),
        "started_by": found.started_by,
        "started_at": found.started_at.isoformat(),
        "files": [vars(one) for one in found.files],
    }


def _write(path: Path, content: bytes) -> None:
    """Write a file that survives a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
