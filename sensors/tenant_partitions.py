"""Keeps Dagster's partitions equal to the tenants there are."""

from dagster import (
    DefaultSensorStatus,
    SensorDefinition,
    SensorEvaluationContext,
    SkipReason,
    sensor,
)

from resources.mesh import Mesh
from resources.partitions import reconcile_partitions

EVERY_S = 30


def build_tenant_partitions_sensor() -> SensorDefinition:
    """The reconciler."""

    @sensor(
        name="tenant_partitions",
        minimum_interval_seconds=EVERY_S,
        default_status=DefaultSensorStatus.RUNNING,
        required_resource_keys={"mesh"},
        description="Adds a partition for each new tenant and takes away those of tenants that are gone.",
    )
    def tenant_partitions(context: SensorEvaluationContext) -> SkipReason:
        from resources.tenants import ACTIVE, list_tenants

        mesh: Mesh = context.resources.mesh
        active = [one.tenant_id for one in list_tenants(mesh.db) if one.status == ACTIVE]
        change = reconcile_partitions(context.instance, active)
        said = [f"added {', '.join(change.added)}"] if change.added else []
        said += [f"removed {', '.join(change.removed)}"] if change.removed else []
        return SkipReason("; ".join(said).capitalize() or "Partitions and tenants are the same.")

    return tenant_partitions
