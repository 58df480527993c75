"""Once a day: forget Dagster's old history."""

from dagster import (
    DefaultScheduleStatus,
    JobDefinition,
    OpExecutionContext,
    ScheduleDefinition,
    job,
    op,
)

KEEP_DAYS = 30
AT = "40 3 * * *"


def build_maintenance_job() -> JobDefinition:
    """Prunes runs, events, logs and check results older than ``KEEP_DAYS``."""

    @op(description=f"Deletes finished runs older than {KEEP_DAYS} days that no asset's newest state needs.")
    def prune(context: OpExecutionContext) -> None:
        from resources.maintenance import prune_dagster

        report = prune_dagster(context.instance, KEEP_DAYS)
        context.log.info(f"deleted {report.runs} runs and {report.checks} check results")
        if not report.finished:
            context.log.info("time was over before the work was; the rest is left for tomorrow")

    @job(name="maintenance", description="Keeps Dagster's own history from growing without limit.")
    def maintenance() -> None:
        prune()

    return maintenance


def build_maintenance_schedule(maintenance: JobDefinition) -> ScheduleDefinition:
    """Every night."""
    return ScheduleDefinition(
        name="maintenance",
        job=maintenance,
        cron_schedule=AT,
        default_status=DefaultScheduleStatus.RUNNING,
        description="Every night.",
    )
