"""A home of one's own for a benchmark: embedded Postgres, lake and warehouse in a temporary folder."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from resources.database import Database
from resources.settings import Settings, load_settings
from resources.tenants import add_tenant

TENANT = "bench"


@dataclass(frozen=True)
class Workspace:
    """An empty installation with the tenant ``bench``."""

    settings: Settings
    db: Database


def open_settings(home: Path) -> Settings:
    """Settings of a home, whatever the environment says."""
    return load_settings(home=home, actor="bench", database_url=None, lake_url=None, master_key=None)


@contextmanager
def open_workspace() -> Iterator[Workspace]:
    """Make one; it goes away afterwards."""
    home = Path(tempfile.mkdtemp(prefix="aos-bench-"))
    try:
        settings = open_settings(home)
        db = Database.open(settings)
        try:
            add_tenant(db, TENANT, "Bench", "bench")
            yield Workspace(settings, db)
        finally:
            db.close()
    finally:
        shutil.rmtree(home, ignore_errors=True)
