"""What wakes up, tick by tick."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from dagster import (
    DagsterInstance,
    DagsterRunStatus,
    Definitions,
    RunsFilter,
    SensorDefinition,
    build_sensor_context,
)
from dagster._core.definitions.partitions.context import partition_loading_context
from sqlalchemy import text

from core.config_reader import ConfigReport
from definitions import build_definitions
from resources.connections import mark_sync_started, set_status
from resources.instance import open_instance
from resources.maintenance import prune_dagster
from resources.mesh import Mesh
from resources.partitions import TENANT_TAG, add_partition
from resources.settings import Settings
from resources.sync import run_sync
from resources.tenants import add_tenant, remove_tenant
from tests.dagster.vendor import Vendor


@pytest.fixture
def real_instance(settings: Settings) -> Iterator[DagsterInstance]:
    with open_instance(settings) as opened:
        yield opened


@pytest.fixture
def location(mesh: Mesh, vendor: Vendor) -> Definitions:
    """The code location of an installation with one vendor."""
    mesh.offer(configs=ConfigReport({vendor.spec.connector: vendor.spec}))
    return build_definitions(mesh)


Tick = Callable[..., Any]


@pytest.fixture
def tick(location: Definitions, real_instance: DagsterInstance) -> Iterator[Tick]:
    """Evaluates a sensor once."""
    with ExitStack() as stack:

        def run(name: str, cursor: str | None = None) -> Any:
            repository = location.get_repository_def()
            sensor: SensorDefinition = repository.get_sensor_def(name)
            context = stack.enter_context(
                build_sensor_context(
                    real_instance,
                    repository_def=repository,
                    sensor_name=name,
                    cursor=cursor,
                    resources={"mesh": location.resources["mesh"]} if location.resources else {},
                )
            )
            with partition_loading_context(dynamic_partitions_store=real_instance):
                return sensor.evaluate_tick(context)

        yield run


def requests_of(result: Any, tenant: str) -> list[Any]:
    return [request for request in result.run_requests or [] if request.partition_key == tenant]


def test_a_due_connection_is_requested_once(
    tick: Tick, connect: Callable[..., None], vendor: Vendor, tenant: str, mesh: Mesh
) -> None:
    connect(vendor)
    (request,) = requests_of(tick("due_syncs"), tenant)
    keys = {key.to_user_string() for key in request.asset_selection}
    assert {"raw/vendor/contacts", "mappings", "canonical/contact", "views/account"} <= keys
    assert {key.name for key in request.asset_check_keys} == {"schema_drift"}
    assert request.tags[TENANT_TAG] == tenant
    assert request.run_key.startswith(tenant)
    assert requests_of(tick("due_syncs"), tenant) == []
    with mesh.db.tenant(tenant) as conn:
        assert conn.execute(text("SELECT connectors FROM sync_requests")).scalars().all() == [["vendor"]]


def test_not_due_not_active_or_under_way_is_left(
    tick: Tick,
    connect: Callable[..., None],
    vendor: Vendor,
    tenant: str,
    mesh: Mesh,
    location: Definitions,
    real_instance: DagsterInstance,
) -> None:
    connect(vendor)
    set_status(mesh.db, tenant, "vendor", "PAUSED", actor="tester")
    assert requests_of(tick("due_syncs"), tenant) == []
    set_status(mesh.db, tenant, "vendor", "ACTIVE", actor="tester")
    run = real_instance.create_run_for_job(
        location.resolve_job_def("sync"),
        status=DagsterRunStatus.STARTED,
        tags={"dagster/partition": tenant},
    )
    assert requests_of(tick("due_syncs"), tenant) == []
    real_instance.delete_run(run.run_id)
    assert len(requests_of(tick("due_syncs"), tenant)) == 1
    mark_sync_started(mesh.db, tenant, "vendor")
    assert requests_of(tick("due_syncs"), tenant) == []


def test_partitions_follow_tenants(tick: Tick, mesh: Mesh, real_instance: DagsterInstance) -> None:
    add_tenant(mesh.db, "comes-and-goes", "", "tester")
    tick("tenant_partitions")
    assert "comes-and-goes" in real_instance.get_dynamic_partitions("tenants")
    remove_tenant(mesh.db, mesh.settings, "comes-and-goes", "tester")
    tick("tenant_partitions")
    assert "comes-and-goes" not in real_instance.get_dynamic_partitions("tenants")


def test_changed_views_are_checked_once(
    tick: Tick,
    connect: Callable[..., None],
    vendor: Vendor,
    mesh: Mesh,
    location: Definitions,
    real_instance: DagsterInstance,
    tenant: str,
) -> None:
    connect(vendor)
    run_sync(mesh, real_instance, location.resolve_job_def("sync"), tenant)
    first = tick("quality_checks")
    (request,) = requests_of(first, tenant)
    assert {key.to_user_string() for key in request.asset_selection} == {"views/account", "views/contact"}
    assert requests_of(tick("quality_checks", cursor=first.cursor), tenant) == []


WORKER = """
import sys, time
from pathlib import Path
from dagster import AssetSpec, DagsterInstance, Definitions, multi_asset
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run_iterator
from resources.executor import build_threaded_executor
from resources.instance import open_instance
from resources.run_presence import hold_run
from resources.settings import load_settings

@multi_asset(specs=[AssetSpec("slow")])
def slow():
    print("at work", flush=True)
    time.sleep(60)

with open_instance(load_settings(home=Path(sys.argv[1]))) as instance:
    defs = Definitions(assets=[slow], executor=build_threaded_executor(2, hold_run))
    job = defs.resolve_implicit_global_asset_job_def()
    config = {"execution": {"config": {"capture_logs": False}}}
    run = instance.create_run_for_job(job, run_config=config, tags={"dagster/partition": sys.argv[2]})
    print(run.run_id, flush=True)
    list(execute_run_iterator(InMemoryJob(job), run, instance))
"""


@pytest.mark.crash
def test_a_run_whose_process_was_killed_is_ended(
    tick: Tick,
    settings: Settings,
    real_instance: DagsterInstance,
    tenant: str,
    project_root: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(settings.home), tenant],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"PYTHONPATH": str(project_root)},
    )
    assert worker.stdout is not None
    run_id = worker.stdout.readline().strip()
    assert worker.stdout.readline().strip() == "at work"
    monkeypatch.setattr("resources.stuck_runs.GRACE_S", 0.0)
    monkeypatch.setattr("resources.stuck_runs.reap_dead_runs.__defaults__", (0.0,))
    tick("stuck_runs")
    assert status_of(real_instance, run_id) == DagsterRunStatus.STARTED
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    deadline = time.monotonic() + 20
    while status_of(real_instance, run_id) != DagsterRunStatus.FAILURE and time.monotonic() < deadline:
        tick("stuck_runs")
        time.sleep(0.2)
    assert status_of(real_instance, run_id) == DagsterRunStatus.FAILURE


def status_of(instance: DagsterInstance, run_id: str) -> DagsterRunStatus:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status


def test_old_history_goes_but_not_what_the_assets_show(
    connect: Callable[..., None],
    vendor: Vendor,
    mesh: Mesh,
    location: Definitions,
    real_instance: DagsterInstance,
    tenant: str,
) -> None:
    connect(vendor)
    add_partition(real_instance, tenant)
    job = location.resolve_job_def("sync")
    first, second, third = (run_sync(mesh, real_instance, job, tenant).run_id for _ in range(3))
    report = prune_dagster(real_instance, older_than_days=-1)
    assert report.finished
    assert report.runs >= 1
    left = {run.run_id for run in real_instance.get_runs(RunsFilter(tags={"dagster/partition": tenant}))}
    assert left == {first, third}  # the first made views and events, the third looked at the sources last
    assert second not in left
    assert prune_dagster(real_instance, older_than_days=-1).runs == 0
