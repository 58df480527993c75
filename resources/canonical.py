"""The canonical step: every load not yet consumed becomes events under its stream's active mapping set.

Order and isolation are decided here; one load is ``canonical_load.py``. Streams are independent: one that
fails keeps its remaining loads for the next time and leaves the others. A stream without a mapping set
waits; nothing of it is lost.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TYPE_CHECKING

import psycopg
from sqlalchemy.exc import SQLAlchemyError

from core.connector import ConnectorSpec
from core.errors import MappingRefused, MeshError, StorageUnavailable
from core.mapping import MappingSet
from core.names import join_name
from core.ontology import Ontology
from resources.canary import Trial, read_trials
from resources.canonical_heads import Heads
from resources.canonical_load import LoadOutcome, consume_load
from resources.canonical_work import StreamWork
from resources.database import Database
from resources.lake import Lake
from resources.loads import Load, list_unconsumed
from resources.locks import HeldLock
from resources.registry import active_sets
from resources.settings import Settings

if TYPE_CHECKING:
    import duckdb

LOCK = "canonical"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StreamOutcome:
    """What came of a stream: counts over its ``loads`` consumed now, and why it stopped, if it did."""

    connector: str
    stream: str
    entity: str
    set_number: int
    loads: int = 0
    landed: int = 0
    events: int = 0
    unchanged: int = 0
    refused: int = 0
    deleted: int = 0
    kept: int = 0
    seconds: float = 0.0
    error: MeshError | None = None


@dataclass(frozen=True)
class WaitingStream:
    """A stream whose loads nobody can consume yet, and why."""

    connector: str
    stream: str
    loads: int
    reason: str


@dataclass(frozen=True)
class CanonicalReport:
    """What an advance did, by stream."""

    tenant_id: str
    seconds: float
    streams: tuple[StreamOutcome, ...] = ()
    waiting: tuple[WaitingStream, ...] = field(default=())

    @property
    def events(self) -> int:
        """Events written, deletions included."""
        return sum(one.events + one.deleted for one in self.streams)

    @property
    def errors(self) -> tuple[MeshError, ...]:
        """Why streams stopped."""
        return tuple(one.error for one in self.streams if one.error is not None)


def advance_canonical(
    db: Database,
    lake: Lake,
    settings: Settings,
    ontology: Ontology,
    specs: Mapping[str, ConnectorSpec],
    tenant_id: str,
    entities: Collection[str] | None = None,
) -> CanonicalReport:
    """Consume the tenant's loads, oldest first, each in a transaction of its own; ``entities``: only theirs.

    Killed anywhere and run again, nothing is lost and nothing doubled. Streams that failed are in the
    report, not raised. Raises LockBusy while another process advances the same tenant.
    """
    started = time.monotonic()
    with db.lock(tenant_id, LOCK) as lock:
        sets, trials = active_sets(db, tenant_id), read_trials(db, tenant_id)
        ready, waiting = _sort_out(list_unconsumed(db, tenant_id), sets, specs, entities)
        streams: list[StreamOutcome] = []
        if ready:
            with _open_worker(db, lake, settings, ontology, specs, tenant_id) as worker:
                streams = [
                    worker.consume(sets[key], trials.get(key), loads, lock) for key, loads in ready.items()
                ]
    return CanonicalReport(tenant_id, time.monotonic() - started, tuple(streams), tuple(waiting))


StreamKey = tuple[str, str]


def _sort_out(
    loads: list[Load],
    sets: Mapping[StreamKey, MappingSet],
    specs: Mapping[str, ConnectorSpec],
    entities: Collection[str] | None,
) -> tuple[dict[StreamKey, list[Load]], list[WaitingStream]]:
    """Loads by stream that can be consumed, and the streams that have to wait."""
    ready: dict[StreamKey, list[Load]] = {}
    waiting = []
    by_stream = sorted(loads, key=lambda load: (load.connector, load.stream))  # stable: age is kept
    for key, group in groupby(by_stream, key=lambda load: (load.connector, load.stream)):
        members = list(group)
        reason = _find_obstacle(key, sets, specs)
        if reason is not None:
            waiting.append(WaitingStream(*key, len(members), reason))
        elif entities is None or sets[key].entity in entities:
            ready[key] = members
    return ready, waiting


def _find_obstacle(
    key: StreamKey, sets: Mapping[StreamKey, MappingSet], specs: Mapping[str, ConnectorSpec]
) -> str | None:
    spec = specs.get(key[0])
    if spec is None or key[1] not in spec.streams:
        return "no connector config describes the stream"
    if key not in sets:
        return "no mapping set is active"
    return None


@dataclass(frozen=True)
class _Worker:
    """Consumes streams one after the other with one DuckDB."""

    db: Database
    lake: Lake
    settings: Settings
    ontology: Ontology
    specs: Mapping[str, ConnectorSpec]
    tenant_id: str
    engine: duckdb.DuckDBPyConnection

    def consume(
        self, mapping_set: MappingSet, trial: Trial | None, loads: list[Load], lock: HeldLock
    ) -> StreamOutcome:
        """All loads of a stream in order, up to the first that fails."""
        started = time.monotonic()
        one = mapping_set
        outcome = StreamOutcome(one.connector, one.stream, one.entity, one.number)
        try:
            work = self._prepare(mapping_set, trial)
            for load in loads:
                with explain_failure(self.tenant_id, mapping_set), self.db.tenant(self.tenant_id) as conn:
                    done = consume_load(conn, work, load)
                    lock.verify()
                if done is not None:
                    outcome = _add(outcome, done)
        except MeshError as error:
            _log.warning("%s: canonical step of %s stopped: %s", self.tenant_id, one.stream, error)
            outcome = replace(outcome, error=error)
        return replace(outcome, seconds=time.monotonic() - started)

    def _prepare(self, mapping_set: MappingSet, trial: Trial | None) -> StreamWork:
        connector, stream = mapping_set.connector, mapping_set.stream
        return StreamWork(
            tenant_id=self.tenant_id,
            mapping_set=mapping_set,
            entity=self.ontology.entity(mapping_set.entity),
            spec=self.specs[connector].streams[stream],
            lake=self.lake,
            engine=self.engine,
            heads=Heads(self.settings, self.tenant_id, connector, stream, mapping_set.entity),
            trial=fit_trial(trial, mapping_set),
        )


@contextmanager
def _open_worker(
    db: Database,
    lake: Lake,
    settings: Settings,
    ontology: Ontology,
    specs: Mapping[str, ConnectorSpec],
    tenant_id: str,
) -> Iterator[_Worker]:
    from resources.canonical_engine import open_engine

    with open_engine(settings) as engine:
        yield _Worker(db, lake, settings, ontology, specs, tenant_id, engine)


def fit_trial(trial: Trial | None, mapping_set: MappingSet) -> Trial | None:
    """The trial, unless the set that holds has come to fill another entity."""
    if trial is None or trial.mapping_set.entity == mapping_set.entity:
        return trial
    name = join_name(mapping_set.connector, mapping_set.stream)
    _log.warning("%s: the set on trial fills another entity than the active one and waits", name)
    return None


def _add(outcome: StreamOutcome, done: LoadOutcome) -> StreamOutcome:
    return replace(
        outcome,
        loads=outcome.loads + 1,
        landed=outcome.landed + done.landed,
        events=outcome.events + done.events,
        unchanged=outcome.unchanged + done.unchanged,
        refused=outcome.refused + done.refused,
        deleted=outcome.deleted + done.deleted,
        kept=outcome.kept + done.kept,
    )


@contextmanager
def explain_failure(tenant_id: str, mapping_set: MappingSet) -> Iterator[None]:
    """Turn what the two databases raise into errors an operator can act on; they never quote a record."""
    import duckdb

    where = f"{tenant_id}/{join_name(mapping_set.connector, mapping_set.stream)}"
    try:
        yield
    except (duckdb.IOException, duckdb.OutOfMemoryException, OSError) as error:
        raise StorageUnavailable(
            "a load cannot be transformed", where=where, found=str(error).splitlines()[0]
        ) from error
    except duckdb.Error as error:
        raise MappingRefused(
            f"mapping set {mapping_set.number} cannot be applied",
            where=where,
            found=_quote_planning(error),
            remedy="Publish a mapping set that can, or activate the one before",
        ) from error
    except (psycopg.Error, SQLAlchemyError) as error:
        cause = error if isinstance(error, psycopg.Error) else getattr(error, "orig", None)
        diagnosis = getattr(cause, "diag", None)
        raise StorageUnavailable(
            "Postgres refused the events of a load, so none was kept",
            where=where,
            found=getattr(diagnosis, "message_primary", None) or type(error).__name__,
        ) from error


def _quote_planning(error: duckdb.Error) -> str:
    """What DuckDB says about the query; what it says about values stays out, it may be a customer's data."""
    import duckdb

    planning = (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException)
    first = str(error).splitlines()[0][:200]
    return first if isinstance(error, (*planning, duckdb.NotImplementedException)) else type(error).__name__
