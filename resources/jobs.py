"""The jobs: few, whatever the number of connectors. Runs narrow them by asset selection."""

from __future__ import annotations

from dagster import AssetSelection, define_asset_job
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from resources.partitions import TENANTS

SYNC = "sync"


def build_sync_job() -> UnresolvedAssetJobDefinition:
    """Everything from the sources to the lineage graph, one tenant a run."""
    return define_asset_job(
        SYNC,
        selection=AssetSelection.all(),
        partitions_def=TENANTS,
        description="Brings one tenant up to date: loads, mappings, canonical events, views, lineage.",
    )
