"""The code location: wiring only. Which assets there are is decided by the configs and the ontology."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import dagster as dg

if TYPE_CHECKING:
    from resources.mesh import Mesh

# Partitioned asset checks are in preview; without partitions one tenant's result would hide another's.
warnings.filterwarnings("ignore", category=dg.PreviewWarning)


@dg.definitions
def defs() -> dg.Definitions:
    """Every definition of this installation, by its settings."""
    return build_definitions()


def build_definitions(mesh: Mesh | None = None) -> dg.Definitions:
    """Fresh definitions; ``mesh`` are services that are open already. A broken config is told, not loaded."""
    import aam_assets
    import dcl_assets
    import sensors
    from core.config_reader import load_configs
    from core.coverage import list_fillable
    from core.ontology import load_ontology
    from resources.asset_globs import accept_globs
    from resources.executor import build_threaded_executor
    from resources.jobs import build_quality_job, build_sync_job
    from resources.mesh import build_mesh_resource
    from resources.run_presence import hold_run
    from resources.settings import load_settings

    accept_globs()
    settings = mesh.settings if mesh is not None else load_settings()
    configs = mesh.configs if mesh is not None else load_configs(settings.config_paths)
    ontology = mesh.ontology if mesh is not None else load_ontology()
    for error in configs.errors:
        dg.get_dagster_logger().warning("connector left out: %s", error)
    specs = sorted(configs.specs.values(), key=lambda spec: spec.connector)
    entities = list_fillable(specs, ontology)
    return dg.Definitions.merge(
        aam_assets.build_defs(specs, entities),
        dcl_assets.build_defs(specs, entities, configs.errors),
        sensors.build_defs(),
        dg.Definitions(
            jobs=[build_sync_job(), build_quality_job()],
            resources={"mesh": build_mesh_resource(mesh)},
            executor=build_threaded_executor(settings.sync_threads, hold_run),
        ),
    )
