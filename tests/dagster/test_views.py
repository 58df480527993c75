"""View assets: checks run in the job quality and only there."""

from __future__ import annotations

from collections.abc import Callable

from dagster import AssetCheckKey, AssetKey, DagsterInstance

from core.config_reader import ConfigReport
from definitions import build_definitions
from resources.mesh import Mesh
from resources.partitions import add_partition
from tests.dagster.vendor import Vendor


def test_checks_judge_the_views(
    mesh: Mesh, vendor: Vendor, connect: Callable[..., None], instance: DagsterInstance, tenant: str
) -> None:
    connect(vendor)
    vendor.data["/contacts"][0]["mail"] = "nobody at all"
    mesh.offer(configs=ConfigReport({vendor.spec.connector: vendor.spec}))
    location = build_definitions(mesh)
    add_partition(instance, tenant)
    synced = location.resolve_job_def("sync").execute_in_process(instance=instance, partition_key=tenant)
    assert {one.check_name for one in synced.get_asset_check_evaluations()} == {"schema_drift"}
    checked = location.resolve_job_def("quality").execute_in_process(instance=instance, partition_key=tenant)
    assert checked.success
    found = {one.asset_check_key: one for one in checked.get_asset_check_evaluations()}
    contact = AssetKey(["views", "contact"])
    assert found[AssetCheckKey(contact, "id_required")].passed
    email = found[AssetCheckKey(contact, "email_format")]
    assert not email.passed
    assert email.severity.name == "WARN"
    assert email.partition == tenant
    assert email.metadata["unexpected"].value == 1
    assert "nobody" not in str(email.metadata)
