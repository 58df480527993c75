"""The asset ``lineage_graph``: from every source field to every view column, in Postgres, ready to ask."""

from collections.abc import Iterable

from dagster import AssetExecutionContext, AssetKey, AssetsDefinition, Failure, MaterializeResult, asset

from core.errors import MeshError
from core.names import view_key
from core.ontology import Entity
from dcl_assets.common import GROUP, OWNERS
from dcl_assets.mappings import KEY as MAPPINGS
from resources.mesh import Mesh
from resources.partitions import TENANTS

KEY = AssetKey(["lineage_graph"])


def build_lineage_asset(entities: Iterable[Entity]) -> AssetsDefinition:
    """The asset, downstream of the mappings and of every view."""

    @asset(
        key=KEY,
        deps=[MAPPINGS, *(AssetKey(view_key(entity.name)) for entity in entities)],
        group_name=GROUP,
        owners=OWNERS,
        kinds={"postgres"},
        partitions_def=TENANTS,
        required_resource_keys={"mesh"},
        description="Connector, stream, field, mapping set, canonical field, view column, and which becomes "
        "which by what transform. `aos lineage TENANT views.account.name` follows it both ways.",
    )
    def lineage_graph(context: AssetExecutionContext) -> MaterializeResult[None]:
        from resources.lineage import rebuild_lineage

        mesh: Mesh = context.resources.mesh
        try:
            counts = rebuild_lineage(mesh.db, context.partition_key, mesh.specs, mesh.ontology)
        except MeshError as error:
            raise Failure(str(error), allow_retries=False) from None
        return MaterializeResult(
            metadata={
                "nodes": counts.nodes,
                "edges": counts.edges,
                "written": counts.written,
                "removed": counts.removed,
            }
        )

    return lineage_graph
