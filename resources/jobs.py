"""The jobs: few, whatever the number of connectors. Runs narrow them by asset selection."""

from __future__ import annotations

from dagster import AssetSelection, define_asset_job
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from resources.partitions import TENANTS

SYNC = "sync"
QUALITY = "quality"


def build_sync_job() -> UnresolvedAssetJobDefinition:
    """Everything from the sources to the lineage graph, one tenant a run; without the checks of views."""
    return define_asset_job(
        SYNC,
        selection=AssetSelection.all().without_checks() | AssetSelection.key_prefixes("raw"),
        partitions_def=TENANTS,
        description="Brings one tenant up to date: loads, mappings, canonical events, views, lineage.",
    )


def build_quality_job() -> UnresolvedAssetJobDefinition:
    """The views with their data-quality checks: apart from syncs, as loading the checker takes seconds."""
    return define_asset_job(
        QUALITY,
        selection=AssetSelection.key_prefixes("views"),
        partitions_def=TENANTS,
        description="Checks one tenant's views against the ontology, after taking new events into them.",
    )
