"""Raw assets: what lands, what Dagster shows of it, and what a failure leaves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from dagster import (
    AssetCheckKey,
    AssetKey,
    AssetSelection,
    DagsterInstance,
    Definitions,
    ExecuteInProcessResult,
    define_asset_job,
)

from aam_assets.raw import build_raw_assets, op_name
from resources.connections import get_connection, set_status
from resources.mesh import Mesh, build_mesh_resource
from resources.partitions import add_partition
from tests.dagster.vendor import Vendor, build_spec

Load = Callable[..., ExecuteInProcessResult]


@pytest.fixture
def load(mesh: Mesh, tenant: str, instance: DagsterInstance, vendor: Vendor) -> Load:
    """Materializes the vendor's streams, all or the given ones, for the tenant."""
    add_partition(instance, tenant)
    everything = define_asset_job("load", selection=AssetSelection.all())
    defs = Definitions(
        assets=build_raw_assets([vendor.spec]),
        jobs=[everything],
        resources={"mesh": build_mesh_resource(mesh)},
    )

    def run(*streams: str) -> ExecuteInProcessResult:
        return defs.resolve_job_def("load").execute_in_process(
            instance=instance,
            partition_key=tenant,
            asset_selection=[AssetKey(["raw", "vendor", name]) for name in streams] or None,
            raise_on_error=False,
        )

    return run


def metadata_of(result: ExecuteInProcessResult, stream: str) -> dict[str, Any]:
    for event in result.get_asset_materialization_events():
        if event.asset_key == AssetKey(["raw", "vendor", stream]):
            return {name: value.value for name, value in event.materialization.metadata.items()}
    raise AssertionError(f"{stream} was not materialized")


def test_streams_land_and_tell_what_they_are(
    load: Load, connect: Callable[..., None], vendor: Vendor, mesh: Mesh, tenant: str
) -> None:
    connect(vendor)
    result = load()
    assert result.success
    shown = metadata_of(result, "contacts")
    assert (shown["dagster/row_count"], shown["records"], shown["landed"]) == (2, 2, 2)
    assert shown["schema version"] == 1
    columns = {column.name: column.type for column in shown["dagster/column_schema"].columns}
    assert columns == {"id": "integer", "mail": "string", "name": "string", "shoe_size": "integer"}
    connection = get_connection(mesh.db, tenant, "vendor")
    assert (connection.status, connection.last_error) == ("ACTIVE", None)
    assert all(evaluation.passed for evaluation in result.get_asset_check_evaluations())


def test_nothing_new_lands_nothing(load: Load, connect: Callable[..., None], vendor: Vendor) -> None:
    connect(vendor)
    load()
    again = load()
    assert again.success
    shown = metadata_of(again, "contacts")
    assert (shown["dagster/row_count"], shown["landed"], shown["unchanged"]) == (2, 0, 2)
    assert "load" not in shown


def test_a_selection_loads_only_that(load: Load, connect: Callable[..., None], vendor: Vendor) -> None:
    connect(vendor)
    result = load("notes")
    assert result.success
    assert [event.asset_key for event in result.get_asset_materialization_events()] == [
        AssetKey(["raw", "vendor", "notes"])
    ]
    assert [check.asset_check_key for check in result.get_asset_check_evaluations()] == [
        AssetCheckKey(AssetKey(["raw", "vendor", "notes"]), "schema_drift")
    ]


def test_a_failed_stream_leaves_the_others(
    load: Load, connect: Callable[..., None], vendor: Vendor, mesh: Mesh, tenant: str
) -> None:
    connect(vendor)
    vendor.broken.add("/companies")
    result = load()
    assert not result.success
    assert metadata_of(result, "contacts")["landed"] == 2
    assert metadata_of(result, "notes")["landed"] == 1
    with pytest.raises(AssertionError):
        metadata_of(result, "companies")
    description = describe_failure(result)
    assert description.count("vendor/companies") == 1
    assert "contacts" not in description
    assert vendor.credentials["token"] not in description
    assert get_connection(mesh.db, tenant, "vendor").last_error == description


def describe_failure(result: ExecuteInProcessResult) -> str:
    failure = result.failure_data_for_node(op_name("vendor"))
    assert failure is not None
    assert failure.user_failure_data is not None
    return str(failure.user_failure_data.description)


def test_without_a_connection_the_remedy_is_told(load: Load, tenant: str) -> None:
    result = load()
    assert not result.success
    assert f"aos connection add {tenant} vendor" in describe_failure(result)


def test_a_paused_connection_is_not_read(
    load: Load, connect: Callable[..., None], vendor: Vendor, mesh: Mesh, tenant: str
) -> None:
    connect(vendor)
    set_status(mesh.db, tenant, "vendor", "PAUSED", actor="tester")
    result = load()
    assert "aos connection resume" in describe_failure(result)
    assert get_connection(mesh.db, tenant, "vendor").last_sync_started_at is None


def test_drift_warns_until_it_is_dealt_with(load: Load, connect: Callable[..., None], vendor: Vendor) -> None:
    connect(vendor)
    load()
    vendor.data["/contacts"][0]["nickname"] = "Countess"
    changed = load("contacts")
    assert changed.success
    assert "field nickname was added" in metadata_of(changed, "contacts")["drift"]
    for result in (changed, load("contacts")):
        (check,) = result.get_asset_check_evaluations()
        assert not check.passed
        assert check.severity.name == "WARN"
        assert "nickname" in str(check.description)


def test_op_names_are_taken_by_dagster_and_unique() -> None:
    names = {op_name(connector) for connector in ("a-b", "a_b", "a--b", "0x", "aws_cost")}
    assert len(names) == 5
    assert len(build_raw_assets([build_spec("a-b"), build_spec("a_b"), build_spec("0x")])) == 3
