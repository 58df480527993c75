"""One load of one connection: source → guarded text → dlt load package in the lake → settled in Postgres.

What a stream does with its pages is ``stream_load.py``, how a package is written ``dlt_source.py``, what
follows from a complete one ``settling.py``. Killed at any point and run again, every record is in exactly
one load that counts: dlt's working folder is new for each run, and everything the next run needs comes
back from the lake.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from core.connector import ConnectorSpec
from core.errors import (
    AccessDenied,
    CredentialError,
    MeshError,
    SourceUnavailable,
    UnexpectedAnswer,
    UnknownName,
)
from core.names import join_name
from resources.connections import get_connection
from resources.connectors.base import Reader, SourceContext, open_reader
from resources.database import Database
from resources.dlt_source import RunPipeline, build_pipeline, build_source, cannot_write, run_pipeline
from resources.lake import Lake
from resources.locks import HeldLock
from resources.preload import preload
from resources.secrets import SecretStore
from resources.settings import Settings
from resources.settling import SettledLoad, settle_loads
from resources.stream_load import StreamLoad, StreamReport
from resources.tenants import require_tenant

log = logging.getLogger(__name__)


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
    run_id: str = "",
) -> LoadReport:
    """Load what is new in ``streams`` (default all) of a tenant's connection, and settle it.

    A stream that fails has its reason in the report and lands nothing; the others land. ``run`` runs the
    pipeline in another way than ``pipeline.run(source)``; it is not called when nothing is new. ``run_id``
    is noted with the load. Raises UnknownName, CredentialError or ConfigError before anything is read,
    LockBusy when another process loads the same connection, StorageUnavailable.
    """
    preload()
    require_tenant(db, tenant_id)
    chosen = _choose_streams(spec, streams)
    connector = spec.connector
    report = LoadReport(tenant_id, connector, {stream: StreamReport() for stream in chosen})
    with db.lock(tenant_id, connector) as lock:
        context = describe_source(db, secrets, spec, tenant_id)
        lake = Lake(settings)
        with _working_folder(settings, lake, tenant_id, connector, lock) as folder:
            settle_loads(db, lake, tenant_id, connector)
            states = lake.restore_states(tenant_id, connector)
            with closing(open_reader(context)) as reader:
                spool = folder / "spool"
                made = context.connected_at
                loads = [StreamLoad(spec, name, states.get(name), spool, run_id, made) for name in chosen]
                fresh = _read_streams(reader, loads, report)
            if fresh:
                lock.verify()
                pipeline = build_pipeline(settings, tenant_id, connector, folder)
                run_pipeline(build_source(fresh), pipeline, run, settings.lake)
                _tell(report, fresh, settle_loads(db, lake, tenant_id, connector))
    return report


def _choose_streams(spec: ConnectorSpec, streams: Sequence[str] | None) -> list[str]:
    chosen = list(spec.streams) if streams is None else list(dict.fromkeys(streams))
    for stream in chosen:
        if stream not in spec.streams:
            raise UnknownName(
                f"connector {spec.connector!r} has no stream {stream!r}",
                expected="one of " + ", ".join(sorted(spec.streams)),
            )
    return chosen


def describe_source(db: Database, secrets: SecretStore, spec: ConnectorSpec, tenant_id: str) -> SourceContext:
    """What a kind needs to read a tenant's source: spec, address, credentials, options."""
    connection = get_connection(db, tenant_id, spec.connector)
    return SourceContext(
        tenant_id=tenant_id,
        spec=spec,
        base_url=connection.base_url,
        credentials=secrets.read(tenant_id, spec.connector),
        options=connection.options,
        access_token=partial(secrets.access_token, tenant_id, spec.connector),
        connected_at=connection.created_at.isoformat(),
    )


@contextmanager
def _working_folder(
    settings: Settings, lake: Lake, tenant_id: str, connector: str, lock: HeldLock
) -> Iterator[Path]:
    """A new folder for this run, under the connector's lock. A folder found in its place is a dead run's."""
    place = settings.home / "work" / f"{tenant_id}.{connector}"
    try:
        if place.exists():
            log.info("%s/%s: cleaning up after a run that was killed", tenant_id, connector)
            lake.drop_unmarked_files(tenant_id, connector)
            shutil.rmtree(place)
        place.mkdir(parents=True)
        folder = Path(tempfile.mkdtemp(dir=place))
    except OSError as error:
        raise cannot_write(error, str(place)) from error
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)  # first, should the disk be full
        with suppress(MeshError):
            lock.verify()  # without it, unmarked files may be another run's
            lake.drop_unmarked_files(tenant_id, connector)
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):  # not empty: another run's by now
            place.rmdir()


def _read_streams(reader: Reader, loads: Sequence[StreamLoad], report: LoadReport) -> list[StreamLoad]:
    """Read one stream after the other; those that have something to land."""
    health = _Health()
    fresh = []
    for load in loads:
        report.streams[load.stream] = load.report
        where = f"{report.tenant_id}/{join_name(report.connector, load.stream)}"
        if health.broken_by is not None:
            load.report.error = f"not tried, since {health.broken_by} failed"
            continue
        log.info("%s: reading", where)
        try:
            if load.read(reader):
                fresh.append(load)
        except MeshError as error:
            health.note(load.stream, error)
            load.report.error = str(error)
            log.info("%s: %s", where, error)  # the report tells it, and the asset
        except OSError as error:
            raise cannot_write(error, "the working folder") from error
        else:
            health.answered = True
            log.info("%s: %d records read", where, load.report.records)
    return fresh


class _Health:
    """Whether the source still deserves requests: refused credentials or two silent streams end it."""

    def __init__(self) -> None:
        self.answered = False
        self.silent_streams = 0
        self.broken_by: str | None = None

    def note(self, stream: str, error: MeshError) -> None:
        """A stream failed. A source that answers, be it wrongly, keeps its other streams."""
        silent = isinstance(error, SourceUnavailable) and not isinstance(error, UnexpectedAnswer)
        if silent and not self.answered:
            self.silent_streams += 1
        refused = isinstance(error, CredentialError) and not isinstance(error, AccessDenied)
        if refused or self.silent_streams > 1:
            self.broken_by = stream


def _tell(report: LoadReport, fresh: Sequence[StreamLoad], settled: Sequence[SettledLoad]) -> None:
    by_stream = {one.stream: one for one in settled}
    for load in fresh:
        one = by_stream.get(load.stream)
        if one is None:  # whoever ran the pipeline left it out
            report.streams[load.stream] = StreamReport(error=f"{load.stream} was read, but not landed")
        else:
            load.report.load_id = one.load_id
            load.report.schema_version = one.schema_version
            load.report.drift = one.drift
