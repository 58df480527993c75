"""Locks across processes: Postgres advisory locks, held by a connection and gone with it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import psycopg

from core.errors import LockBusy, StorageUnavailable

_HOLDER = """
    SELECT a.application_name, a.pid, a.backend_start FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND ((l.classid::bigint << 32) | l.objid::bigint) = %s
"""


@dataclass
class HeldLock:
    """A lock in force. ``verify()`` before an irreversible step tells if it was lost with its connection."""

    name: str
    _conn: psycopg.Connection[Any]

    def verify(self) -> None:
        """Raise StorageUnavailable if the server forgot this lock."""
        try:
            self._conn.execute("SELECT 1")
        except psycopg.Error as error:
            raise StorageUnavailable(
                f"the lock on {self.name} was lost with its connection", remedy="Run the same again"
            ) from error


def lock_key(tenant_id: str, name: str) -> int:
    """The signed 64-bit advisory lock key of (tenant, name)."""
    digest = hashlib.blake2b(f"{tenant_id}\0{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


@contextmanager
def hold_lock(conn: psycopg.Connection[Any], tenant_id: str, name: str, wait_s: float) -> Iterator[HeldLock]:
    """Hold (tenant, name) by ``conn`` (autocommit, for this alone). LockBusy names who holds it."""
    key, label = lock_key(tenant_id, name), f"{tenant_id}/{name}"
    started = time.monotonic()
    if not _acquire(conn, key, wait_s):
        raise LockBusy(
            f"another process works on {label}",
            found=_holder(conn, key),
            where=f"waited {time.monotonic() - started:.1f} s",
            remedy="Wait until it is done, or end it, and try again",
        )
    try:
        yield HeldLock(label, conn)
    finally:
        # closing the connection frees it too, but the server takes a moment to notice
        with suppress(psycopg.Error):
            conn.execute("SELECT pg_advisory_unlock(%s)", [key])


def _acquire(conn: psycopg.Connection[Any], key: int, wait_s: float) -> bool:
    if wait_s <= 0:
        row = conn.execute("SELECT pg_try_advisory_lock(%s)", [key]).fetchone()
        return row is not None and bool(row[0])
    limit = f"{max(1, int(wait_s * 1000))}ms"
    conn.execute("SELECT set_config('lock_timeout', %s, false)", [limit])
    try:
        conn.execute("SELECT pg_advisory_lock(%s)", [key])
    except psycopg.errors.LockNotAvailable:
        return False
    return True


def _holder(conn: psycopg.Connection[Any], key: int) -> str | None:
    row = conn.execute(_HOLDER, [key]).fetchone()
    return None if row is None else f"'{row[0]}' (connection {row[1]}) since {row[2]:%Y-%m-%d %H:%M:%S %Z}"
