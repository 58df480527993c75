"""Fixtures every test may use: settings in a throw-away home, a real database, a tenant of one's own."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert

from resources.database import Database
from resources.settings import Settings, load_settings
from resources.settings import project_root as find_project_root
from resources.tables import tenants


@pytest.fixture(scope="session")
def project_root() -> Path:
    return find_project_root()


@pytest.fixture(scope="module")
def settings() -> Iterator[Settings]:
    """Settings whose home is new and goes away with the file of tests; not under pytest's own 0700 folder."""
    home = Path(tempfile.mkdtemp(prefix="aos-test-"))
    yield load_settings(home=home, actor="tester", database_url=None, lake_url=None, master_key=None)
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="module")
def database(settings: Settings) -> Iterator[Database]:
    """The embedded Postgres, migrated; one server a file of tests: some rows are global."""
    opened = Database.open(settings)
    yield opened
    opened.close()


@pytest.fixture
def tenant(database: Database) -> str:
    """The id of a tenant nobody else uses."""
    tenant_id = f"t-{uuid.uuid4().hex[:12]}"
    with database.tenant(tenant_id) as conn:
        conn.execute(insert(tenants).values(tenant_id=tenant_id, title="Test"))
    return tenant_id


@pytest.fixture(scope="session")
def shared_data(project_root: Path) -> Path:
    """The folder of evaluation data (AOS_SHARED_DATA, or ``../shared/data``); skips where there is none."""
    given = load_settings().shared_data
    folder = given if given is not None else project_root.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no evaluation data: set AOS_SHARED_DATA to its folder")
    return folder
