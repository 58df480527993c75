"""One load of one connection: source → guarded text → dlt load package in the lake → settled in Postgres.

What a stream does with its pages is ``stream_load.py``; what follows from a complete load is
``settling.py``. Killed at any point and run again, every record is in exactly one load that counts: dlt's
working folder is new for each run, and everything the next run needs comes back from the lake.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.connector import ConnectorSpec
from core.errors import CredentialError, MeshError, SourceUnavailable, StorageUnavailable, UnknownName
from core.names import join_name
from resources.connections import get_connection
from resources.connectors.base import Reader, SourceContext, open_reader
from resources.database import Database
from resources.lake import SCHEMA_NAME, Lake
from resources.secrets import SecretStore
from resources.settings import Settings
from resources.settling import SettledLoad, settle_loads
from resources.stream_load import StreamLoad, StreamReport
from resources.tenants import require_tenant

if TYPE_CHECKING:
    from dlt import Pipeline
    from dlt.sources import DltResource, DltSource

log = logging.getLogger(__name__)

RunPipeline = Callable[["DltSource", "Pipeline"], object]


@dataclass
class LoadReport:
    """What came of a connection's streams in one load."""

    tenant_id: str
    connector: str
    streams: dict[str, StreamReport] = field(default_factory=dict)

    @property
    def errors(self) -> dict[str, str]:
        """Why streams failed, by stream."""
        return {name: one.error for name, one in self.streams.items() if one.error is not None}


def load_connector(
    *,
    settings: Settings,
    db: Database,
    secrets: SecretStore,
    spec: ConnectorSpec,
    tenant_id: str,
    streams: Sequence[str] | None = None,
    run: RunPipeline | None = None,
) -> LoadReport:
    """Load what is new in ``streams`` (default all) of a tenant's connection, and settle it.

    A stream that fails has its reason in the report and lands nothing; the others land. ``run`` runs the
    pipeline in another way than ``pipeline.run(source)``. Raises UnknownName, CredentialError, ConfigError
    before anything is read, LockBusy when another process loads the same connection, StorageUnavailable.
    """
    require_tenant(db, tenant_id)
    chosen = _choose_streams(spec, streams)
    with db.lock(tenant_id, spec.connector) as lock:
        context = _describe_source(db, secrets, spec, tenant_id)
        lake = Lake(settings)
        report = LoadReport(tenant_id, spec.connector)
        with _working_folder(settings, lake, tenant_id, spec.connector) as folder:
            settle_loads(db, lake, tenant_id, spec.connector)
            lake.drop_unmarked_states(tenant_id, spec.connector)
            with closing(open_reader(context)) as reader:
                source = build_source(reader, spec, chosen, report, folder, before_landing=lock.verify)
                pipeline = build_pipeline(settings, tenant_id, spec.connector, folder)
                _run(source, pipeline, run, settings)
        _tell(report, settle_loads(db, lake, tenant_id, spec.connector))
    return report


def build_source(
    reader: Reader,
    spec: ConnectorSpec,
    streams: Sequence[str],
    report: LoadReport,
    folder: Path,
    before_landing: Callable[[], None] | None = None,
) -> DltSource:
    """A dlt source with one resource a stream; ``report`` is filled while it runs.

    ``folder`` takes what does not fit in memory. ``before_landing`` is called before a stream's first rows
    are handed over, and may raise to stop the load.
    """
    from dlt import Schema
    from dlt.sources import DltSource

    health = _Health()
    resources = []
    for stream in streams:
        report.streams[stream] = StreamReport()
        read = partial(_read_stream, reader, spec, stream, report, folder / "spool", health, before_landing)
        resources.append(_build_resource(stream, read))
    return DltSource(Schema(SCHEMA_NAME), SCHEMA_NAME, resources)


def _build_resource(stream: str, read: Callable[[], Iterator[Any]]) -> DltResource:
    import dlt

    def rows() -> Iterator[Any]:  # dlt wants a function of its own kind
        yield from read()

    return dlt.resource(rows, name=stream, write_disposition="append", file_format="parquet")


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
    dlt.config["extract.next_item_mode"] = "fifo"  # one stream's rows wait in the spool, not everybody's


# --- reading ----------------------------------------------------------------------------------


class _Health:
    """Whether the source still deserves requests: one refusal of credentials, or silence, ends it."""

    def __init__(self) -> None:
        self.answered = False
        self.silent_streams = 0
        self.broken: str | None = None

    def note(self, error: MeshError) -> None:
        """A stream failed. A source that answered before keeps its other streams."""
        if isinstance(error, SourceUnavailable) and not self.answered:
            self.silent_streams += 1
        if isinstance(error, CredentialError) or self.silent_streams > 1:
            self.broken = str(error)


def _read_stream(
    reader: Reader,
    spec: ConnectorSpec,
    stream: str,
    report: LoadReport,
    folder: Path,
    health: _Health,
    before_landing: Callable[[], None] | None,
) -> Iterator[Any]:
    import dlt

    if health.broken is not None:
        report.streams[stream].error = health.broken
        return
    load = StreamLoad(spec, stream, dlt.current.resource_state(), folder)
    report.streams[stream] = load.report
    where = join_name(spec.connector, stream)
    log.info("%s/%s: reading", report.tenant_id, where)
    try:
        load.read(reader)
    except MeshError as error:
        health.note(error)
        load.report.error = str(error)
        log.warning("%s/%s: %s", report.tenant_id, where, error)
        return
    health.answered = True
    first = True
    for table, rows in load.finish():
        if first and before_landing is not None:
            before_landing()
        first = False
        yield rows if table == stream else dlt.mark.with_table_name(rows, table)
    log.info("%s/%s: %d records read", report.tenant_id, where, load.report.records)


def _choose_streams(spec: ConnectorSpec, streams: Sequence[str] | None) -> list[str]:
    chosen = list(spec.streams) if streams is None else list(dict.fromkeys(streams))
    for stream in chosen:
        if stream not in spec.streams:
            raise UnknownName(
                f"connector {spec.connector!r} has no stream {stream!r}",
                expected="one of " + ", ".join(sorted(spec.streams)),
            )
    return chosen


def _describe_source(
    db: Database, secrets: SecretStore, spec: ConnectorSpec, tenant_id: str
) -> SourceContext:
    connection = get_connection(db, tenant_id, spec.connector)
    return SourceContext(
        tenant_id=tenant_id,
        spec=spec,
        base_url=connection.base_url,
        credentials=secrets.read(tenant_id, spec.connector),
        options=connection.options,
        access_token=partial(secrets.access_token, tenant_id, spec.connector),
    )


# --- running ----------------------------------------------------------------------------------


@contextmanager
def _working_folder(settings: Settings, lake: Lake, tenant_id: str, connector: str) -> Iterator[Path]:
    """A new folder for this run; call it under the connector's lock. A folder found there is a dead run's."""
    place = settings.home / "work" / tenant_id / connector
    try:
        if place.exists():
            log.info("%s/%s: cleaning up after a run that was killed", tenant_id, connector)
            lake.drop_unmarked_files(tenant_id, connector)
            shutil.rmtree(place)
        place.mkdir(parents=True)
        folder = Path(tempfile.mkdtemp(dir=place))
    except OSError as error:
        raise _storage_error(error, str(place)) from error
    try:
        yield folder
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        lake.drop_unmarked_files(tenant_id, connector)
        raise
    shutil.rmtree(place, ignore_errors=True)


def _run(source: DltSource, pipeline: Pipeline, run: RunPipeline | None, settings: Settings) -> None:
    from dlt.pipeline.exceptions import PipelineStepFailed

    try:
        if run is not None:
            run(source, pipeline)
        else:
            pipeline.run(source).raise_on_failed_jobs()
    except PipelineStepFailed as error:
        raise _translate(error, settings) or error from error
    finally:
        pipeline.deactivate()


def _translate(error: BaseException, settings: Settings) -> MeshError | None:
    """Our own error, or the operating system's, from the chain that dlt wrapped around it."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MeshError):
            return cause
        if isinstance(cause, OSError):
            return _storage_error(cause, settings.lake)
        cause = cause.__cause__ or cause.__context__
    return None


def _storage_error(error: OSError, where: str) -> StorageUnavailable:
    return StorageUnavailable(
        "the load could not be written",
        where=where,
        found=error.strerror or type(error).__name__,
        remedy="Check that the lake is there, has room and may be written, then run the same again",
    )


def _tell(report: LoadReport, settled: list[SettledLoad]) -> None:
    for one in settled:
        stream = report.streams.get(one.stream)
        if stream is not None:
            stream.load_id = one.load_id
            stream.schema_version = one.schema_version
            stream.drift = one.drift
