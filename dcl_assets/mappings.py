"""The asset ``mappings``: publishes the baselines of the tenant's connectors, tells what is unmapped."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    MaterializeResult,
    MetadataValue,
    TableColumn,
    TableRecord,
    TableSchema,
    asset,
)

from core.connector import ConnectorSpec
from core.errors import ConfigError
from core.names import raw_key
from dcl_assets.common import GROUP, OWNERS
from resources.asset_metadata import COVERAGE, WARNINGS, write_list
from resources.mesh import Mesh
from resources.partitions import TENANTS

if TYPE_CHECKING:
    from resources.coverage import StreamCoverage
    from resources.mapper import MapperReport

KEY = AssetKey(["mappings"])
_COLUMNS = TableSchema(
    [
        TableColumn("connector"),
        TableColumn("stream"),
        TableColumn("entity"),
        TableColumn("set", "integer"),
        TableColumn("mapped", "integer"),
        TableColumn("unknown", "integer"),
        TableColumn("unknown fields"),
    ]
)


def build_mappings_asset(
    specs: Sequence[ConnectorSpec], config_errors: Iterable[ConfigError] = ()
) -> AssetsDefinition:
    """The asset, downstream of every raw stream; configs that cannot be read are shown on it."""
    broken = [str(error) for error in config_errors]

    @asset(
        key=KEY,
        deps=[AssetKey(raw_key(spec.connector, name)) for spec in specs for name in spec.streams],
        group_name=GROUP,
        owners=OWNERS,
        kinds={"postgres"},
        partitions_def=TENANTS,
        required_resource_keys={"mesh"},
        description="Mapping sets that hold for the tenant: the connectors' baselines, overridden by its "
        "own. Source fields that no mapping consumes are unknown; they are kept, and wait.",
        metadata={"broken configs": write_list(broken)} if broken else None,
    )
    def mappings(context: AssetExecutionContext) -> MaterializeResult[None]:
        return _publish(context)

    return mappings


def _publish(context: AssetExecutionContext) -> MaterializeResult[None]:
    from resources.connections import list_connections
    from resources.coverage import read_coverage
    from resources.registry import publish_baselines
    from resources.tenant_models import suggest_training

    mesh: Mesh = context.resources.mesh
    tenant_id = context.partition_key
    connected = [one.connector for one in list_connections(mesh.db, tenant_id)]
    specs = [mesh.specs[name] for name in connected if name in mesh.specs]
    report = publish_baselines(mesh.db, specs, mesh.ontology, mesh.settings.actor)
    for error in report.errors:
        context.log.warning(str(error))
    mapped = _map_unmapped(mesh, tenant_id, specs)
    for warning in mapped.warnings:
        context.log.warning(warning)
    training = suggest_training(mesh.db, tenant_id)
    if training:
        context.log.info(training)
    coverage = read_coverage(mesh.db, tenant_id, specs)
    metadata: dict[str, Any] = {
        "mapped fields": sum(len(one.mapped) for one in coverage),
        "unknown fields": sum(len(one.unknown) for one in coverage),
        "sets published": len(report.published) + len(mapped.sets),
        "fields proposed": mapped.asked,
        "applied by themselves": mapped.applied,
        "waiting for review": mapped.review + mapped.unknown,
        COVERAGE: MetadataValue.table(list(_write_rows(coverage)), _COLUMNS),
    }
    if training:
        metadata["training"] = training
    if mapped.warnings:
        metadata[WARNINGS] = "\n".join(mapped.warnings)
    if report.errors:
        metadata["refused baselines"] = write_list(str(error) for error in report.errors)
    return MaterializeResult(metadata=metadata)


def _map_unmapped(mesh: Mesh, tenant_id: str, specs: Sequence[ConnectorSpec]) -> "MapperReport":
    from resources.mapper import MapperReport
    from resources.mapper_run import run_mapper

    return run_mapper(mesh, tenant_id, specs) if mesh.settings.mapper_enabled else MapperReport()


def _write_rows(coverage: "Iterable[StreamCoverage]") -> Iterator[TableRecord]:
    for one in coverage:
        yield TableRecord(
            {
                "connector": one.connector,
                "stream": one.stream,
                "entity": one.entity or "",
                "set": one.set_number or 0,
                "mapped": len(one.mapped),
                "unknown": len(one.unknown),
                "unknown fields": ", ".join(one.unknown[:20]) + (" …" if len(one.unknown) > 20 else ""),
            }
        )
