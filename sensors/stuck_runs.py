"""Ends the runs nobody executes any more, so that their tenants are not kept from syncing."""

from dagster import (
    DefaultSensorStatus,
    SensorDefinition,
    SensorEvaluationContext,
    SkipReason,
    sensor,
)

from resources.mesh import Mesh

EVERY_S = 30


def build_stuck_runs_sensor() -> SensorDefinition:
    """The reaper."""

    @sensor(
        name="stuck_runs",
        minimum_interval_seconds=EVERY_S,
        default_status=DefaultSensorStatus.RUNNING,
        required_resource_keys={"mesh"},
        description="Ends runs whose process is gone, and runs that take longer than AOS_RUN_MAX_S.",
    )
    def stuck_runs(context: SensorEvaluationContext) -> SkipReason:
        from resources.stuck_runs import reap_stuck_runs

        mesh: Mesh = context.resources.mesh
        ended = reap_stuck_runs(mesh.db, context.instance, mesh.settings.run_max_s)
        return SkipReason(f"Ended {', '.join(ended)}" if ended else "No run is stuck.")

    return stuck_runs
