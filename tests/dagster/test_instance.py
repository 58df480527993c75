"""The Dagster instance: storage in the mesh's Postgres, tenants as partitions."""

from __future__ import annotations

from dagster import DagsterInstance

from resources.dagster_home import prepare_home
from resources.database import Database
from resources.instance import open_instance
from resources.partitions import PartitionChange, add_partition, reconcile_partitions, remove_partition
from resources.settings import Settings


def test_partitions_follow_the_tenants() -> None:
    with DagsterInstance.ephemeral() as instance:
        assert reconcile_partitions(instance, ["acme", "globex"]) == PartitionChange(("acme", "globex"), ())
        assert reconcile_partitions(instance, ["globex", "umbrella"]) == PartitionChange(
            ("umbrella",), ("acme",)
        )
        assert reconcile_partitions(instance, ["globex", "umbrella"]) == PartitionChange((), ())
        add_partition(instance, "globex")
        remove_partition(instance, "umbrella")
        remove_partition(instance, "umbrella")
        assert instance.get_dynamic_partitions("tenants") == ["globex"]


def test_the_instance_lives_in_our_postgres(settings: Settings, database: Database) -> None:
    with open_instance(settings) as instance:
        add_partition(instance, "of-the-instance")
        assert instance.run_coordinator.__class__.__name__ == "QueuedRunCoordinator"
        assert instance.telemetry_enabled is False
        assert instance.run_monitoring_enabled
    with open_instance(settings) as instance:
        assert "of-the-instance" in instance.get_dynamic_partitions("tenants")
        remove_partition(instance, "of-the-instance")
    with database.owner() as conn:
        found = conn.exec_driver_sql("SELECT count(*) FROM dagster.dynamic_partitions").scalar_one()
    assert found == 0


def test_an_instance_is_reopened_from_its_ref(settings: Settings, database: Database) -> None:
    """As a code server or run worker does."""
    with open_instance(settings) as instance:
        ref = instance.get_ref()
        with DagsterInstance.from_ref(ref) as other:
            add_partition(other, "seen-by-both")
            assert "seen-by-both" in instance.get_dynamic_partitions("tenants")
            remove_partition(other, "seen-by-both")


def test_an_edited_dagster_yaml_stays(settings: Settings) -> None:
    prepare_home(settings)
    target = settings.home / "dagster.yaml"
    original = target.read_text()
    target.write_text(original + "# mine\n")
    prepare_home(settings)
    assert target.read_text().endswith("# mine\n")
    target.write_text(original)
