"""The real input, connected and synced once for all tests here, on a server of its own."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from dagster import DagsterInstance

from cli.real import connect_real
from definitions import build_definitions
from resources.database import Database
from resources.instance import open_instance
from resources.mesh import Mesh
from resources.query import run_query
from resources.settings import load_settings
from resources.sync import run_sync
from resources.sync_result import SyncResult
from sandbox.real import TENANTS

Sync = Callable[[str], SyncResult]
Ask = Callable[[str, str], list[tuple[Any, ...]]]


@pytest.fixture(scope="package")
def rows(shared_data: Path) -> Path:
    """The folder of rows."""
    return shared_data / "rows"


@pytest.fixture(scope="package")
def mesh(shared_data: Path) -> Iterator[Mesh]:
    """A mesh with the real input connected; apart from other tests, as the tenants have fixed names."""
    home = Path(tempfile.mkdtemp(prefix="aos-real-"))
    settings = load_settings(home=home, actor="tester", mapper_enabled=False)
    database = Database.open(settings)
    opened = Mesh(settings, database)
    connect_real(opened, shared_data)
    yield opened
    opened.close()
    database.close()
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="package")
def instance(mesh: Mesh) -> Iterator[DagsterInstance]:
    """The Dagster instance in Postgres."""
    with open_instance(mesh.settings) as opened:
        yield opened


@pytest.fixture(scope="package")
def sync(mesh: Mesh, instance: DagsterInstance) -> Sync:
    """Runs a tenant's sync through the real job."""
    job = build_definitions(mesh).resolve_job_def("sync")
    return lambda tenant: run_sync(mesh, instance, job, tenant)


@pytest.fixture(scope="package")
def synced(sync: Sync) -> dict[str, SyncResult]:
    """What the first sync of every tenant did."""
    return {tenant: sync(tenant) for tenant in TENANTS}


@pytest.fixture(scope="package")
def ask(mesh: Mesh, synced: dict[str, SyncResult]) -> Ask:
    """Asks a tenant's views."""
    return lambda tenant, sql: run_query(mesh.settings, tenant, sql).rows
