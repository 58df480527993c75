"""Data-quality checks of the views: which there are, and running those a run selects.

What they say is ``core/checks.py``; Great Expectations judges them in ``resources/quality.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from dagster import (
    AssetCheckKey,
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetKey,
    Failure,
)

from core.checks import list_checks
from core.errors import MeshError
from core.names import view_key
from core.ontology import Entity
from resources.asset_metadata import write_list
from resources.mesh import Mesh
from resources.partitions import TENANTS

if TYPE_CHECKING:
    from resources.quality import CheckResult


def describe_checks(entity: Entity) -> Iterable[AssetCheckSpec]:
    """Every check of an entity's view; none of them holds anything up."""
    asset = AssetKey(view_key(entity.name))
    return [
        AssetCheckSpec(
            check.name,
            asset=asset,
            description=f"{check.description} ({check.severity} if not)",
            metadata={"kind": check.kind, "columns": ", ".join(check.columns)},
            partitions_def=TENANTS,
        )
        for check in list_checks(entity)
    ]


def check_views(context: AssetExecutionContext) -> Iterator[AssetCheckResult]:
    """Run the selected checks on the partition's tenant; a view without rows passes them all."""
    selected = context.selected_asset_check_keys
    if not selected:
        return
    from resources.quality import run_checks

    mesh: Mesh = context.resources.mesh
    entities = sorted({key.asset_key.path[-1] for key in selected})
    try:
        results = run_checks(mesh.settings, mesh.ontology, context.partition_key, entities)
    except MeshError as error:
        raise Failure(str(error), allow_retries=False) from None
    found = {AssetCheckKey(AssetKey(view_key(one.entity)), one.check): one for one in results}
    for key in sorted(selected):
        yield _show(key, found.get(key))


def _show(key: AssetCheckKey, result: CheckResult | None) -> AssetCheckResult:
    if result is None:
        return AssetCheckResult(
            asset_key=key.asset_key, check_name=key.name, passed=True, description="The view has no rows."
        )
    metadata = {"rows checked": result.checked_count, "unexpected": result.unexpected_count}
    examples = {"examples": write_list(result.examples)} if result.examples else {}
    return AssetCheckResult(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=result.passed,
        severity=AssetCheckSeverity.ERROR if result.severity == "error" else AssetCheckSeverity.WARN,
        description=None if result.passed else f"{result.description}: {result.unexpected_count} are not",
        metadata={**metadata, **examples},
    )
