"""DCL, the Data Connection Layer: the assets that decide. ``build_defs`` is all the outside needs."""

from collections.abc import Iterable, Sequence

from dagster import Definitions

from core.connector import ConnectorSpec
from core.errors import ConfigError
from core.ontology import Entity


def build_defs(
    specs: Sequence[ConnectorSpec],
    entities: Sequence[Entity],
    config_errors: Iterable[ConfigError] = (),
) -> Definitions:
    """Fresh definitions of ``mappings``, ``views/*`` and ``lineage_graph``.

    Configs that could not be read are shown on ``mappings``.
    """
    from core.declared_sources import list_declared_sources
    from dcl_assets.lineage import build_lineage_asset
    from dcl_assets.mappings import build_mappings_asset
    from dcl_assets.views import build_view_assets

    return Definitions(
        assets=[
            build_mappings_asset(specs, config_errors),
            build_view_assets(entities, list_declared_sources(specs)),
            build_lineage_asset(entities),
        ]
    )
