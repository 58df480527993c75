"""What wakes up: due syncs, checks of changed views, stuck runs, tenants' partitions, nightly tidying."""

from dagster import Definitions


def build_defs() -> Definitions:
    """Fresh definitions of all sensors and schedules, with the job only they start."""
    from sensors.due_syncs import build_due_syncs_sensor
    from sensors.maintenance import build_maintenance_job, build_maintenance_schedule
    from sensors.quality_checks import build_quality_sensor
    from sensors.stuck_runs import build_stuck_runs_sensor
    from sensors.tenant_partitions import build_tenant_partitions_sensor

    maintenance = build_maintenance_job()
    return Definitions(
        jobs=[maintenance],
        schedules=[build_maintenance_schedule(maintenance)],
        sensors=[
            build_due_syncs_sensor(),
            build_quality_sensor(),
            build_stuck_runs_sensor(),
            build_tenant_partitions_sensor(),
        ],
    )
