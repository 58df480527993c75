"""Which of a step's assets to materialize: those with news.

A materialization says that the data changed. One that only repeats the last would make the results of
the data-quality checks look out of date, and fill the event log.
"""

from __future__ import annotations

from collections.abc import Mapping

from dagster import AssetExecutionContext, AssetKey, AssetRecordsFilter, DagsterEventType


def pick_news(context: AssetExecutionContext, changed: Mapping[AssetKey, bool]) -> set[AssetKey]:
    """The assets that changed, and those never materialized for the partition.

    All of them once a step of the run failed: in a failed run Dagster counts what was planned and not
    materialized as failed.
    """
    if _has_failed_step(context):
        return set(changed)
    return {key for key, news in changed.items() if news or not _was_materialized(context, key)}


def _has_failed_step(context: AssetExecutionContext) -> bool:
    of_type = {DagsterEventType.STEP_FAILURE}
    return bool(context.instance.get_records_for_run(context.run_id, of_type=of_type, limit=1).records)


def _was_materialized(context: AssetExecutionContext, key: AssetKey) -> bool:
    here = AssetRecordsFilter(asset_key=key, asset_partitions=[context.partition_key])
    return bool(context.instance.fetch_materializations(here, limit=1).records)
