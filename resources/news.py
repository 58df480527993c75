"""Which of a step's assets to materialize: those with news.

A materialization says that the data changed. One that only repeats the last would make the results of
the data-quality checks look out of date, and fill the event log.
"""

from __future__ import annotations

from collections.abc import Mapping

from dagster import AssetExecutionContext, AssetKey, AssetRecordsFilter


def pick_news(context: AssetExecutionContext, changed: Mapping[AssetKey, bool]) -> set[AssetKey]:
    """The assets that changed, and those never materialized for the partition.

    The others are no longer planned in this run: should it fail for another reason, Dagster would count
    what was planned and not materialized as failed.
    """
    from resources.dagster_storage import MeshEventLog

    news = {key for key, is_new in changed.items() if is_new or not _was_materialized(context, key)}
    storage = context.instance.event_log_storage
    if isinstance(storage, MeshEventLog):
        storage.forget_planned(context.run_id, changed.keys() - news)
    return news


def _was_materialized(context: AssetExecutionContext, key: AssetKey) -> bool:
    here = AssetRecordsFilter(asset_key=key, asset_partitions=[context.partition_key])
    return bool(context.instance.fetch_materializations(here, limit=1).records)
