"""dlt's part of a load: what was read goes into one load package of the lake, with the streams' states.

Reading happened before (``stream_load.py``), so a load in which nothing is new never gets here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import MeshError, StorageUnavailable
from resources.lake import SCHEMA_NAME, STATE
from resources.settings import Settings
from resources.stream_load import StreamLoad

if TYPE_CHECKING:
    from dlt import Pipeline
    from dlt.sources import DltResource, DltSource

RunPipeline = Callable[["DltSource", "Pipeline"], object]


def build_source(loads: Sequence[StreamLoad]) -> DltSource:
    """A dlt source with one resource a stream, each yielding what ``StreamLoad.tables`` has."""
    from dlt import Schema
    from dlt.sources import DltSource

    return DltSource(Schema(SCHEMA_NAME), SCHEMA_NAME, [_build_resource(load) for load in loads])


def _build_resource(load: StreamLoad) -> DltResource:
    import dlt

    def rows() -> Iterator[Any]:
        state = dlt.current.resource_state()
        if state.get(STATE) != load.state_before:
            raise StorageUnavailable(
                f"the reading position of {load.stream} changed while it was read",
                remedy="Run the same again",
            )
        state[STATE] = load.state_after
        for table, batch in load.tables():
            yield batch if table == load.stream else dlt.mark.with_table_name(batch, table)

    return dlt.resource(rows, name=load.stream, write_disposition="append", file_format="parquet")


def build_pipeline(settings: Settings, tenant_id: str, connector: str, workdir: Path) -> Pipeline:
    """A pipeline into the tenant's part of the lake, its working files under ``workdir``."""
    import dlt
    from dlt.common.destination.configuration import ParquetFormatConfiguration
    from dlt.destinations import filesystem

    _configure_dlt()
    destination = filesystem(
        bucket_url=f"{settings.lake}/{tenant_id}",
        warn_unsafe_layout_separators=False,
        naming_convention="resources.lake_naming",
        preferred_loader_file_format="parquet",
        parquet_format=ParquetFormatConfiguration(compression="zstd"),
    )
    return dlt.pipeline(
        pipeline_name=f"{tenant_id}--{connector}",
        pipelines_dir=str(workdir / "dlt"),
        destination=destination,
        dataset_name=connector,
    )


@cache
def _configure_dlt() -> None:
    """What dlt takes from its configuration only, once a process."""
    import dlt

    dlt.config["runtime.dlthub_telemetry"] = False
    dlt.config["extract.next_item_mode"] = "fifo"  # one stream after the other, one spool in memory


def run_pipeline(source: DltSource, pipeline: Pipeline, run: RunPipeline | None, where: str) -> None:
    """Run by ``run`` or plainly. Raises StorageUnavailable when ``where`` cannot be written."""
    from dlt.pipeline.exceptions import PipelineStepFailed

    try:
        if run is not None:
            run(source, pipeline)
        else:
            pipeline.run(source).raise_on_failed_jobs()
    except PipelineStepFailed as error:
        raise _find_cause(error, where) or error from error
    finally:
        pipeline.deactivate()


def _find_cause(error: BaseException, where: str) -> MeshError | None:
    """Our own error, or the operating system's, from the chain that dlt wrapped around it."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MeshError):
            return cause
        if isinstance(cause, OSError):
            return cannot_write(cause, where)
        cause = cause.__cause__ or cause.__context__
    return None


def cannot_write(error: OSError, where: str) -> StorageUnavailable:
    """A full disk, a folder that may not be written, a network that is down."""
    return StorageUnavailable(
        "the load could not be written",
        where=where,
        found=error.strerror or type(error).__name__,
        remedy="Check that the lake is there, has room and may be written, then run the same again",
    )
