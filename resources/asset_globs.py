"""Lets ``dagster asset materialize --select 'raw/hubspot/*'`` mean what it says.

Dagster writes that ``key:"raw/hubspot/*"``; without ``key:`` it reads a key ``raw/hubspot/`` with all that
is downstream, a key nothing can have. Only such texts, which would be an error, are read differently.
"""

from __future__ import annotations

import re
from typing import Any

from dagster import AssetSelection

_GLOB = re.compile(r"^[\w.-]+(/[\w.-]+)*/\*$")


def accept_globs() -> None:
    """Teach this process's ``AssetSelection`` the short form; repeating it changes nothing."""
    original: Any = AssetSelection.from_string.__func__  # type: ignore[attr-defined]
    if getattr(original, "accepts_globs", False):
        return

    def from_string(cls: type[AssetSelection], string: str, include_sources: bool = False) -> AssetSelection:
        text = f'key:"{string}"' if _GLOB.match(string) else string
        selection: AssetSelection = original(cls, text, include_sources)
        return selection

    from_string.accepts_globs = True  # type: ignore[attr-defined]
    AssetSelection.from_string = classmethod(from_string)  # type: ignore[assignment, method-assign]
