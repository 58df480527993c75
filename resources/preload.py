"""Libraries that several threads would import at once, imported by one.

Two threads that import modules which import each other can see one of them half-made: Python prefers that
to a deadlock. pandas, pyarrow and duckdb are such a circle.
"""

from __future__ import annotations

import threading
from importlib import import_module

_LOCK = threading.Lock()
_CIRCLE = ("pyarrow", "pandas", "duckdb", "dlt")


def preload() -> None:
    """Import the circle in this thread; other callers wait. Free after the first time."""
    with _LOCK:
        for name in _CIRCLE:
            import_module(name)
