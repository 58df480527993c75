"""Kernel locks on files: shared or exclusive, and gone when the process that holds one dies."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from core.errors import StorageUnavailable

SHARED = fcntl.LOCK_SH
EXCLUSIVE = fcntl.LOCK_EX


def open_locked(path: Path, mode: int, wait_s: float) -> int:
    """An open file descriptor that holds the lock until it is closed.

    Raises StorageUnavailable when the file cannot be made or the lock is not free within ``wait_s``.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StorageUnavailable(
            "the folder of the embedded Postgres cannot be written",
            where=str(path.parent),
            found=error.strerror,
            remedy="Run as the user who made it, or set AOS_HOME to a folder of yours",
        ) from error
    deadline = time.monotonic() + wait_s
    while not try_lock(handle, mode):
        if time.monotonic() > deadline:
            os.close(handle)
            raise StorageUnavailable(
                "another process is starting or stopping the embedded Postgres and does not finish",
                where=str(path),
                remedy="End that process and try again",
            )
        time.sleep(0.02)
    return handle


def try_lock(handle: int, mode: int) -> bool:
    """Take the lock if it is free."""
    try:
        fcntl.flock(handle, mode | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
