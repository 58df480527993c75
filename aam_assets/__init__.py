"""AAM, the Adaptive API Mesh: the assets that move data. ``build_defs`` is all the outside needs."""

from collections.abc import Sequence

from dagster import Definitions

from core.connector import ConnectorSpec
from core.ontology import Entity


def build_defs(specs: Sequence[ConnectorSpec], entities: Sequence[Entity]) -> Definitions:
    """Fresh definitions of ``raw/*`` for the connectors and ``canonical/*`` for the entities."""
    from aam_assets.canonical import build_canonical_assets
    from aam_assets.raw import build_raw_assets

    return Definitions(assets=[*build_raw_assets(specs), build_canonical_assets(entities, specs)])
