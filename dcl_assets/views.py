"""View assets: one op for all entities, as the tenant's views are one file published at once."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    AssetSpec,
    Failure,
    MaterializeResult,
    MetadataValue,
    multi_asset,
)

from core.declared_sources import DeclaredSources
from core.errors import MeshError
from core.names import canonical_key, view_key
from core.ontology import Entity
from dcl_assets.common import GROUP
from dcl_assets.view_checks import check_views, describe_checks
from resources.asset_metadata import (
    COLUMN_LINEAGE,
    COLUMN_SCHEMA,
    ROW_COUNT,
    describe_lineage,
    describe_view_columns,
)
from resources.mesh import Mesh
from resources.news import pick_news
from resources.partitions import TENANTS


def build_view_assets(entities: Iterable[Entity], sources: DeclaredSources) -> AssetsDefinition:
    """``views/<entity>`` for each entity; its columns tell their ``sources``."""
    by_key = {AssetKey(view_key(entity.name)): entity for entity in entities}

    @multi_asset(
        name="views",
        specs=[_describe(one, sources.get(one.name, {})) for one in by_key.values()],
        check_specs=[spec for one in by_key.values() for spec in describe_checks(one)],
        partitions_def=TENANTS,
        can_subset=True,
        required_resource_keys={"mesh"},
        description="Takes the new canonical events into the tenant's DuckDB file and publishes it; then "
        "runs the selected data-quality checks (none in a sync, all in the job quality).",
    )
    def views(context: AssetExecutionContext) -> Iterator[Any]:
        chosen = context.selected_asset_keys
        yield from _advance(context, {key: one for key, one in by_key.items() if key in chosen})
        yield from check_views(context)

    return views


def _describe(entity: Entity, sources: Mapping[str, Sequence[str]]) -> AssetSpec:
    return AssetSpec(
        key=AssetKey(view_key(entity.name)),
        deps=[AssetKey(canonical_key(entity.name))],
        description=f"{entity.description} Latest state of every record, one row each.",
        group_name=GROUP,
        kinds={"duckdb", "view"},
        owners=[f"team:{entity.owner}"],
        tags={"aos/domain": entity.domain},
        metadata={
            COLUMN_SCHEMA: describe_view_columns(entity, sources),
            "query": MetadataValue.md(f'`aos query TENANT "SELECT * FROM {entity.name} LIMIT 10"`'),
        },
    )


def _advance(
    context: AssetExecutionContext, chosen: dict[AssetKey, Entity]
) -> Iterator[MaterializeResult[None]]:
    from core.lineage import view_lineage
    from resources.warehouse import advance_views

    if not chosen:
        return
    mesh: Mesh = context.resources.mesh
    names = [entity.name for entity in chosen.values()]
    try:
        report = advance_views(mesh.db, mesh.settings, mesh.ontology, context.partition_key, names)
    except MeshError as error:
        raise Failure(str(error), allow_retries=False) from None
    entries = {key: report.views[entity.name] for key, entity in chosen.items()}
    news = pick_news(context, {key: bool(one.new_events) or one.rebuilt for key, one in entries.items()})
    for key, entry in entries.items():
        counts = {
            ROW_COUNT: entry.rows,
            "new events": entry.new_events,
            "deletes": entry.deletes,
            "unfit values": entry.unfit,
            "seconds": round(entry.seconds, 3),
        }
        mesh.tell(context.partition_key, key.path, counts)
        if key in news:
            metadata: dict[str, Any] = {
                **counts,
                COLUMN_LINEAGE: describe_lineage(view_lineage(chosen[key])),
                "rebuilt": entry.rebuilt,
                "file": MetadataValue.path(report.path),
            }
            yield MaterializeResult(asset_key=key, metadata=metadata)
