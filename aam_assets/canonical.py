"""Canonical assets: one op for all entities, as a tenant's loads are consumed in one go.

How a load becomes events is ``resources/canonical.py``; what Dagster shows of it is here.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    AssetSpec,
    MaterializeResult,
    multi_asset,
)

from core.connector import ConnectorSpec
from core.declared_sources import list_declared_sources
from core.names import canonical_key, raw_key
from core.ontology import Entity
from resources.asset_metadata import COLUMN_SCHEMA, describe_entity_columns
from resources.partitions import TENANTS

GROUP = "aam"
MAPPINGS = AssetKey(["mappings"])


def build_canonical_assets(entities: Sequence[Entity], specs: Iterable[ConnectorSpec]) -> AssetsDefinition:
    """``canonical/<entity>`` for each entity, downstream of every raw stream whose config names it."""
    specs = list(specs)
    upstream, sources = _find_upstream(specs), list_declared_sources(specs)
    by_key = {AssetKey(canonical_key(entity.name)): entity for entity in entities}

    @multi_asset(
        name="canonical",
        specs=[_describe(one, upstream.get(one.name, []), sources.get(one.name, {})) for one in entities],
        partitions_def=TENANTS,
        can_subset=True,
        required_resource_keys={"mesh"},
        description="Turns the loads that were not consumed yet into canonical events, under the mapping "
        "set that holds for each stream.",
    )
    def canonical(context: AssetExecutionContext) -> Iterator[MaterializeResult[None]]:
        from aam_assets.canonical_step import consume_loads

        chosen = context.selected_asset_keys
        yield from consume_loads(context, [one.name for key, one in by_key.items() if key in chosen])

    return canonical


def _find_upstream(specs: Iterable[ConnectorSpec]) -> Mapping[str, list[AssetKey]]:
    sources: dict[str, list[AssetKey]] = {}
    for spec in specs:
        for name, stream in spec.streams.items():
            if stream.entity is not None:
                sources.setdefault(stream.entity, []).append(AssetKey(raw_key(spec.connector, name)))
    return sources


def _describe(
    entity: Entity, upstream: Sequence[AssetKey], sources: Mapping[str, Sequence[str]]
) -> AssetSpec:
    facts: dict[str, Any] = {
        COLUMN_SCHEMA: describe_entity_columns(entity, sources),
        "required": ", ".join(entity.required) or "none",
        "identity": ", ".join(field.name for field in entity.fields.values() if field.identity) or "none",
        "personal data": ", ".join(field.name for field in entity.fields.values() if field.pii) or "none",
    }
    return AssetSpec(
        key=AssetKey(canonical_key(entity.name)),
        deps=[*upstream, MAPPINGS],
        description=f"{entity.description} Events: every state of every record, from all sources.",
        group_name=GROUP,
        kinds={"duckdb", "postgres"},
        owners=[f"team:{entity.owner}"],
        tags={"aos/domain": entity.domain},
        metadata=facts,
    )
