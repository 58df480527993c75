"""Garbage collection, held back while much is built that stays: it would look through all of it, often."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

RARELY = 200_000
"""New objects between two collections."""
_lock = threading.Lock()
_held: list[tuple[int, int, int]] = []


@contextmanager
def collect_rarely() -> Iterator[None]:
    """Collect seldom inside the block, in the whole process; blocks may overlap."""
    with _lock:
        _held.append(_held[0] if _held else gc.get_threshold())
        gc.set_threshold(RARELY, *_held[0][1:])
    try:
        yield
    finally:
        with _lock:
            before = _held.pop()
            if not _held:
                gc.set_threshold(*before)
