"""``python -m tests.canonical.crashing HOME TENANT POINT``: advance a tenant and be killed at a point.

``POINT`` is ``module.function:when``: SIGKILL before the first, or after the n-th, call of it. ``none``
runs through. Prints the events written, as the last line.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from core.ontology import load_ontology
from resources.canonical import advance_canonical
from resources.database import Database
from resources.lake import Lake
from resources.settings import load_settings
from tests.canonical.conftest import build_spec


def arm(point: str) -> None:
    """Replace a function of the product by one that works and then kills."""
    place, when = point.split(":")
    module_name, *owner, name = place.split("/")
    holder: Any = import_module(module_name)
    for part in owner:
        holder = getattr(holder, part)
    setattr(holder, name, kill_at(getattr(holder, name), when))


def kill_at(function: Callable[..., Any], when: str) -> Callable[..., Any]:
    calls = 0

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        if when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = function(*args, **kwargs)
        calls += 1
        if calls == int(when):
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return wrapped


def main(home: str, tenant_id: str, point: str) -> None:
    settings = load_settings(
        home=Path(home), actor="tester", database_url=None, lake_url=None, master_key=None
    )
    db = Database.open(settings)
    if point != "none":
        arm(point)
    specs = {"shop": build_spec(deletion={"type": "snapshot"})}
    report = advance_canonical(db, Lake(settings), settings, load_ontology(), specs, tenant_id)
    for error in report.errors:
        raise error
    print(report.events)


if __name__ == "__main__":
    main(*sys.argv[1:])
