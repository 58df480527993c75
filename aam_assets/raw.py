"""Raw assets: a factory over connector specs. One op a connector, one asset a stream, one partition a tenant.

How a connector is read and lands is ``resources/loader.py``; what Dagster shows of it is here.
"""

from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Any

from dagster import (
    AssetCheckSpec,
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    AssetSpec,
    MetadataValue,
    multi_asset,
)

from core.connector import ConnectorSpec, StreamSpec
from core.names import DRIFT_CHECK, raw_key
from resources.partitions import TENANTS

GROUP = "aam"
OWNERS = ["team:aam"]


def build_raw_assets(specs: Iterable[ConnectorSpec]) -> list[AssetsDefinition]:
    """The raw assets of every connector."""
    return [_build_connector(spec) for spec in specs]


def _build_connector(spec: ConnectorSpec) -> AssetsDefinition:
    @multi_asset(
        name=op_name(spec.connector),
        specs=[_describe_stream(spec, name, stream) for name, stream in spec.streams.items()],
        check_specs=[_describe_check(spec, name) for name in spec.streams],
        partitions_def=TENANTS,
        can_subset=True,
        required_resource_keys={"mesh"},
        pool=f"connector/{spec.connector}",
        op_tags={"aos/connector": spec.connector},
        description=f"Pulls the selected streams of {spec.title} into the lake, one load package a run.",
    )
    def load(context: AssetExecutionContext) -> Iterator[Any]:
        from aam_assets.load_step import load_streams

        yield from load_streams(context, spec)

    return load


def op_name(connector: str) -> str:
    """A name Dagster takes, unique per connector (``-`` may not stand in it)."""
    if "-" not in connector:
        return f"raw_{connector}"
    return f"raw_{connector.replace('-', '_')}_{sha256(connector.encode()).hexdigest()[:6]}"


def _describe_stream(spec: ConnectorSpec, name: str, stream: StreamSpec) -> AssetSpec:
    facts: dict[str, Any] = {
        "connector": spec.title,
        "kind": spec.kind,
        "primary key": ", ".join(stream.primary_key),
        **_describe_source(stream),
    }
    if stream.entity is not None:
        facts["canonical entity"] = MetadataValue.asset(AssetKey(["canonical", stream.entity]))
    if stream.incremental is not None:
        facts["cursor"] = stream.incremental.cursor
    if spec.docs_url is not None:
        facts["vendor documentation"] = MetadataValue.url(spec.docs_url)
    tags = {"aos/connector": spec.connector}
    return AssetSpec(
        key=AssetKey(raw_key(spec.connector, name)),
        description=stream.description or f"{stream.title or name} of {spec.title}, as the source spells it.",
        group_name=GROUP,
        kinds={"dlt", "parquet", spec.connector},  # tells streams of the same name apart in the graph
        owners=OWNERS,
        tags=tags | ({"aos/entity": stream.entity} if stream.entity else {}),
        metadata=facts,
    )


def _describe_source(stream: StreamSpec) -> Mapping[str, str]:
    if stream.endpoint is not None:
        return {"endpoint": f"{stream.endpoint.method} {stream.endpoint.path}"}
    if stream.sobject is not None:
        return {"object": stream.sobject}
    if stream.table is not None:
        return {"table": stream.table.name}
    return {"files": stream.files.pattern if stream.files else ""}


def _describe_check(spec: ConnectorSpec, name: str) -> AssetCheckSpec:
    return AssetCheckSpec(
        DRIFT_CHECK,
        asset=AssetKey(raw_key(spec.connector, name)),
        partitions_def=TENANTS,
        description="Warns as long as a change of the source's shape has not been dealt with.",
    )
