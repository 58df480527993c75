"""A tenant with a running vendor, and runs of the real assets against it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from dagster import DagsterInstance

from resources.connections import add_connection
from resources.database import Database
from resources.mesh import Mesh
from resources.settings import Settings
from tests.dagster.vendor import Vendor, run_vendor


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    """An instance in memory."""
    with DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


@pytest.fixture
def mesh(settings: Settings, database: Database) -> Iterator[Mesh]:
    """The services every asset uses."""
    opened = Mesh(settings, database)
    yield opened
    opened.close()


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    """A vendor that answers."""
    with run_vendor() as running:
        yield running


@pytest.fixture
def connect(mesh: Mesh, tenant: str) -> Callable[..., None]:
    """Connects the tenant to a vendor."""

    def do(vendor: Vendor, **credentials: str) -> None:
        add_connection(
            mesh.db,
            mesh.secrets,
            tenant,
            vendor.spec,
            credentials=credentials or vendor.credentials,
            base_url=vendor.url,
            actor="tester",
        )

    return do
