"""The shipped connectors through the loader, over real HTTP: counts reconcile, change is seen."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from core.config_reader import load_configs
from core.connector import ConnectorSpec
from resources.connections import add_connection
from resources.database import Database
from resources.loads import count_quarantine, list_loads
from resources.schema_versions import list_drift
from resources.secrets import SecretStore
from resources.settings import Settings, project_root
from sandbox.server import Sandbox
from tests.loader.conftest import Loading
from tests.loader.fake_kind import FakeSource

ACCOUNT = "acme"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture(scope="module")
def specs() -> dict[str, ConnectorSpec]:
    report = load_configs([project_root() / "connector_configs"])
    quick = {"requests_per_s": 1000.0, "burst": 1000}
    return {
        name: spec.model_copy(update={"limits": spec.limits.model_copy(update=quick)})
        for name, spec in report.specs.items()
    }


def connect(
    settings: Settings, database: Database, tenant: str, sandbox: Sandbox, spec: ConnectorSpec
) -> Loading:
    add_connection(
        database,
        SecretStore(database, settings),
        tenant,
        spec,
        credentials=sandbox.credentials(spec.connector, ACCOUNT),
        base_url=sandbox.base_url(ACCOUNT, spec.connector),
        options=sandbox.options(ACCOUNT, spec.connector),
        actor="tester",
    )
    return Loading(settings, database, tenant, spec, FakeSource())


@pytest.mark.parametrize("connector", ["hubspot", "zendesk", "salesforce", "stripe", "files", "aws_cost"])
def test_what_is_read_is_landed_or_refused_and_read_once(
    connector: str,
    settings: Settings,
    database: Database,
    tenant: str,
    sandbox: Sandbox,
    specs: dict[str, ConnectorSpec],
) -> None:
    loading = connect(settings, database, tenant, sandbox, specs[connector])
    report = loading.load()
    assert report.errors == {}
    for name, stream in report.streams.items():
        assert stream.records == stream.landed + stream.quarantined + stream.unchanged, name
        assert len(loading.rows(name)) == stream.landed, name
    assert sum(one.quarantined for one in report.streams.values()) == sum(
        count_quarantine(database, tenant).values()
    )
    again = loading.load()
    assert {name: one.landed for name, one in again.streams.items() if one.landed} == {}
    assert list_drift(database, tenant) == []
    assert len({one.load_id for one in list_loads(database, tenant)}) == 1


def test_a_changed_vendor_is_seen_once(
    settings: Settings,
    database: Database,
    tenant: str,
    sandbox: Sandbox,
    specs: dict[str, ConnectorSpec],
) -> None:
    loading = connect(settings, database, tenant, sandbox, specs["pipedrive"])
    first = loading.load()
    assert first.errors == {}
    try:
        sandbox.touch(ACCOUNT, "pipedrive", "deals", 3)
        assert loading.load().streams["deals"].landed == 3
        sandbox.mutate(ACCOUNT, "pipedrive", "deals", "rename", "title", to="deal_title", touch=10)
        report = loading.load()
        assert [(one.op, one.path) for one in report.streams["deals"].drift if one.loud] == [
            ("added", "deal_title"),
            ("removed", "title"),
        ]
        assert loading.load().streams["deals"].landed == 0
        statuses = [event.status for event in list_drift(database, tenant, "pipedrive", "deals")]
        assert statuses == ["OPEN"]
    finally:
        sandbox.reset(ACCOUNT)
