"""A whole sync through the real job, executor and Dagster instance."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from dagster import (
    AssetKey,
    DagsterEvent,
    DagsterEventType,
    DagsterInstance,
    DagsterRunStatus,
    JobDefinition,
)

from core.config_reader import ConfigReport
from core.errors import LockBusy, UnknownName
from definitions import build_definitions
from resources.command_runs import ORIGIN_TAG
from resources.connections import set_status
from resources.instance import open_instance
from resources.mesh import Mesh
from resources.run_presence import hold_run
from resources.settings import Settings
from resources.sync import run_sync
from resources.sync_result import SyncResult
from tests.dagster.vendor import Vendor, run_vendor

Sync = Callable[..., SyncResult]


@pytest.fixture
def other_vendor() -> Iterator[Vendor]:
    with run_vendor("other") as running:
        yield running


@pytest.fixture
def real_instance(settings: Settings) -> Iterator[DagsterInstance]:
    """The instance in Postgres."""
    with open_instance(settings) as opened:
        yield opened


@pytest.fixture
def job(mesh: Mesh, vendor: Vendor, other_vendor: Vendor) -> JobDefinition:
    """The sync job of an installation with the two vendors."""
    specs = {one.spec.connector: one.spec for one in (vendor, other_vendor)}
    mesh.offer(configs=ConfigReport(specs))
    return build_definitions(mesh).resolve_job_def("sync")


@pytest.fixture
def sync(mesh: Mesh, real_instance: DagsterInstance, job: JobDefinition, tenant: str) -> Sync:
    """Runs the tenant's sync."""

    def run(*connectors: str, progress: Callable[[DagsterEvent], None] | None = None) -> SyncResult:
        return run_sync(mesh, real_instance, job, tenant, list(connectors) or None, progress=progress)

    return run


def test_from_source_to_view(
    sync: Sync, connect: Callable[..., None], vendor: Vendor, other_vendor: Vendor
) -> None:
    connect(vendor)
    connect(other_vendor)
    result = sync()
    assert result.success, result.failures
    assert result.total("landed") == 8
    contacts = next(s for s in result.streams if (s.connector, s.stream) == ("vendor", "contacts"))
    assert (contacts.mapped, contacts.unknown, contacts.schema_version) == (3, 1, 1)
    assert result.canonical["contact"]["new events"] == 4
    assert result.views["contact"]["dagster/row_count"] == 4
    assert result.views["account"]["dagster/row_count"] == 2
    again = sync()
    assert again.success, again.failures
    assert again.total("landed") == 0
    assert again.canonical["contact"]["new events"] == 0
    assert again.canonical["contact"]["dagster/row_count"] == 4
    assert again.views["contact"]["dagster/row_count"] == 4


def test_a_failing_connector_leaves_the_others_to_the_views(
    sync: Sync, connect: Callable[..., None], vendor: Vendor, other_vendor: Vendor
) -> None:
    connect(vendor, token="wrong")
    connect(other_vendor)
    vendor.broken.update(vendor.data)
    result = sync()
    assert not result.success
    assert list(result.failures) == ["raw_vendor"]
    assert {s.stream for s in result.streams if s.error} == {"contacts", "companies", "notes"}
    assert result.views["contact"]["dagster/row_count"] == 2


def test_what_is_not_new_is_neither_materialized_nor_failed(
    sync: Sync,
    connect: Callable[..., None],
    vendor: Vendor,
    other_vendor: Vendor,
    real_instance: DagsterInstance,
    tenant: str,
) -> None:
    connect(vendor)
    connect(other_vendor)
    sync()
    vendor.broken.update(vendor.data)
    other_vendor.data["/contacts"].append({"id": 3, "name": "Grace Hopper", "mail": "grace@acme.test"})
    result = sync()
    assert not result.success
    records = real_instance.get_records_for_run(result.run_id, of_type=DagsterEventType.ASSET_MATERIALIZATION)
    made = {record.asset_key.to_user_string() for record in records.records if record.asset_key}
    assert {"canonical/contact", "views/contact"} <= made
    assert not {"canonical/account", "views/account"} & made
    storage = real_instance.event_log_storage
    attempts = storage.get_latest_asset_partition_materialization_attempts_without_materializations
    assert tenant not in attempts(AssetKey(["views", "account"]))
    assert tenant in attempts(AssetKey(["raw", "vendor", "contacts"]))
    assert result.views["account"]["dagster/row_count"] == 2


def test_only_the_named_connector(
    sync: Sync, connect: Callable[..., None], vendor: Vendor, other_vendor: Vendor
) -> None:
    connect(vendor)
    connect(other_vendor)
    result = sync("other")
    assert {stream.connector for stream in result.streams} == {"other"}


def test_paused_connections_are_left_out(
    sync: Sync,
    connect: Callable[..., None],
    vendor: Vendor,
    other_vendor: Vendor,
    mesh: Mesh,
    tenant: str,
) -> None:
    connect(vendor)
    connect(other_vendor)
    set_status(mesh.db, tenant, "vendor", "PAUSED", actor="tester")
    result = sync()
    assert result.success
    assert {stream.connector for stream in result.streams} == {"other"}


def test_unknown_names_are_told(
    sync: Sync, mesh: Mesh, real_instance: DagsterInstance, job: JobDefinition
) -> None:
    with pytest.raises(UnknownName, match="no connection to sync"):
        sync()
    with pytest.raises(UnknownName, match="nowhere"):
        sync("nowhere")
    with pytest.raises(UnknownName, match="nobody"):
        run_sync(mesh, real_instance, job, "nobody")


def start_run(instance: DagsterInstance, job: JobDefinition, tenant: str, **tags: str) -> str:
    """A run that counts as started and that no process executes."""
    run = instance.create_run_for_job(job, tags={"dagster/partition": tenant, **tags})
    started = DagsterEvent(DagsterEventType.RUN_START.value, job.name)
    instance.report_dagster_event(started, run.run_id)
    return run.run_id


def test_a_killed_command_does_not_hold_up_the_next(
    sync: Sync,
    connect: Callable[..., None],
    vendor: Vendor,
    real_instance: DagsterInstance,
    job: JobDefinition,
    tenant: str,
) -> None:
    connect(vendor)
    dead = start_run(real_instance, job, tenant, **{ORIGIN_TAG: "command"})
    assert sync().success
    left = real_instance.get_run_by_id(dead)
    assert left is not None
    assert left.status == DagsterRunStatus.FAILURE


def test_a_run_at_work_is_waited_for(
    connect: Callable[..., None],
    vendor: Vendor,
    mesh: Mesh,
    real_instance: DagsterInstance,
    job: JobDefinition,
    tenant: str,
) -> None:
    connect(vendor)
    run_id = start_run(real_instance, job, tenant)
    impatient = Mesh(mesh.settings.model_copy(update={"lock_wait_s": 0.5}), mesh.db)
    impatient.offer(configs=mesh.configs)
    with hold_run(real_instance, run_id), pytest.raises(LockBusy, match=run_id):
        run_sync(impatient, real_instance, job, tenant)


def test_progress_is_heard(sync: Sync, connect: Callable[..., None], vendor: Vendor) -> None:
    connect(vendor)
    heard: list[str] = []
    sync(progress=lambda event: heard.append(str(event.step_key)) if event.is_step_success else None)
    assert heard[0] == "raw_vendor"
    assert heard[-1] in ("views", "lineage_graph")
