"""Replay: the state of every record of a stream derived anew from all its raw history, under another set.

Raw is never rewritten and events are never changed: what comes out differently under the set is appended
as newer events, in one transaction. What comes out the same emits nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from core.connector import ConnectorSpec
from core.errors import UnknownName
from core.event_sql import DELETE, UNCHANGED, UPSERT, EventSource, select_outcomes, select_refused
from core.mapping import MappingSet
from core.names import join_name, quote_literal
from core.ontology import Ontology
from resources.audit import record
from resources.canary import Trial, read_trials
from resources.canonical import LOCK, StreamKey, explain_failure, fit_trial
from resources.canonical_absent import delete_records, find_absent, tells_absence
from resources.canonical_copy import copy_events, copy_refused
from resources.canonical_engine import open_engine, open_load
from resources.canonical_heads import Heads
from resources.canonical_load import RECORD_MAX
from resources.canonical_work import Lane, StreamWork, stream_lines
from resources.database import Database
from resources.lake import Lake
from resources.loads import Load, list_loads
from resources.registry import active_set, list_sets
from resources.replays import read_request_id, settle_request
from resources.settings import Settings

_VERSIONS = """
    CREATE OR REPLACE TEMP TABLE versions
    (record_id VARCHAR, age INTEGER, row BIGINT, op VARCHAR, fits BOOLEAN, absent BOOLEAN)
"""
# of a record's versions the last that fits counts, and one that does not only if it came later still
_CHOSEN = """
    CREATE OR REPLACE TEMP TABLE chosen AS
    SELECT * EXCLUDE (in_kind) FROM (
        SELECT *, row_number() OVER (PARTITION BY record_id, fits ORDER BY age DESC, row DESC) AS in_kind
        FROM versions) WHERE in_kind = 1
    QUALIFY fits OR row_number() OVER (PARTITION BY record_id ORDER BY age DESC, row DESC) = 1
"""


@dataclass(frozen=True)
class ReplayOutcome:
    """What a replay wrote. ``deleted`` includes records that left another entity; ``loads`` were read."""

    set_number: int
    loads: int = 0
    upserts: int = 0
    deleted: int = 0
    unchanged: int = 0
    refused: int = 0


def replay_stream(
    db: Database,
    lake: Lake,
    settings: Settings,
    ontology: Ontology,
    specs: Mapping[str, ConnectorSpec],
    tenant_id: str,
    connector: str,
    stream: str,
    actor: str,
    mapping_set: MappingSet | None = None,
) -> ReplayOutcome:
    """Bring the stream's events to what its consumed loads give under ``mapping_set``.

    Default is what holds: the active set, and for its share of records a set on trial; that settles the
    request for a replay, if there is one. Loads not yet consumed stay for the canonical step. Raises
    UnknownName, MappingRefused, StorageUnavailable, LockBusy; then nothing is written.
    """
    key = (connector, stream)
    with db.lock(tenant_id, LOCK) as lock, open_engine(settings) as engine:
        chosen, trial, due = _choose(db, tenant_id, key, mapping_set)
        if chosen is None or connector not in specs or stream not in specs[connector].streams:
            raise UnknownName(f"{join_name(*key)} has no config or no mapping set to replay")
        heads = Heads(settings, tenant_id, connector, stream, chosen.entity)
        spec = specs[connector].streams[stream]
        work = StreamWork(tenant_id, chosen, ontology.entity(chosen.entity), spec, lake, engine, heads, trial)
        done = [one for one in list_loads(db, tenant_id, connector, stream) if one.consumed_at is not None]
        left = {one.entity for one in list_sets(db, tenant_id, connector, stream)} - {chosen.entity}
        with explain_failure(tenant_id, chosen), db.tenant(tenant_id) as conn:
            outcome = _Replay(conn, work, done).run()
            for entity in left if done else ():
                gone = _leave(conn, replace(work, entity=ontology.entity(entity)), settings, done[-1])
                outcome = replace(outcome, deleted=outcome.deleted + gone)
            record(conn, actor, "stream.replayed", join_name(*key), None, vars(outcome), tenant_id)
            settle_request(conn, tenant_id, key, due)
            lock.verify()
    return outcome


def _choose(
    db: Database, tenant_id: str, key: StreamKey, given: MappingSet | None
) -> tuple[MappingSet | None, Trial | None, str | None]:
    """The set, the trial beside it, and the request this settles.

    The request is read first: what is asked for from then on stays due.
    """
    if given is not None:
        return given, None, None
    with db.tenant(tenant_id) as conn:
        due = read_request_id(conn, tenant_id, key)
    chosen, trial = active_set(db, tenant_id, *key), read_trials(db, tenant_id).get(key)
    return chosen, fit_trial(trial, chosen) if chosen else None, due


def _leave(conn: Connection, work: StreamWork, settings: Settings, last: Load) -> int:
    """Delete the stream's records from an entity it does not feed any more."""
    one = work.mapping_set
    heads = Heads(settings, work.tenant_id, one.connector, one.stream, work.entity.name)
    heads.advance(conn, work.engine)
    known = f"SELECT record_id FROM {heads.relation()} WHERE op <> '{DELETE}'"
    source = replace(work.source_of(last.load_id, f"leaves after {heads.seq}"), entity=work.entity.name)
    return delete_records(conn, work, source, work.entity, known)


@dataclass(frozen=True)
class _Replay:
    """One replay: find the version of each record that counts, then emit those that say something new."""

    conn: Connection
    work: StreamWork
    loads: list[Load]

    def run(self) -> ReplayOutcome:
        engine, heads = self.work.engine, self.work.heads
        heads.advance(self.conn, engine)
        engine.execute(_VERSIONS)
        for age, load in enumerate(self.loads):
            self._collect(age, load)
        engine.execute(_CHOSEN)
        engine.execute(
            "CREATE OR REPLACE TEMP TABLE prior AS SELECT record_id, content_hash AS prior, op AS prior_op "
            f"FROM {heads.relation()}"
        )
        counts: Counter[str] = Counter()
        for age, load in enumerate(self.loads):
            counts += self._emit(age, load)
        number = self.work.mapping_set.number
        done = (len(self.loads), counts[UPSERT], counts[DELETE], counts[UNCHANGED], counts["refused"])
        return ReplayOutcome(number, *done)

    def _open(self, load: Load) -> list[Lane]:
        work = self.work
        files = work.lake.files(work.tenant_id, load.connector, load.stream, load.load_id)
        return work.lanes(open_load(work.engine, files))

    def _collect(self, age: int, load: Load) -> None:
        """Add the load's versions, and a deletion for each record a snapshot lacks."""
        engine = self.work.engine
        for lane in self._open(load):
            rows = f"SELECT record_id, {age}, row, op, code IS NULL, false FROM ({lane.sql})"
            engine.execute(f"INSERT INTO versions {rows}")
        if tells_absence(self.work, load):
            known = (
                "SELECT record_id FROM versions WHERE fits GROUP BY record_id "
                f"HAVING max_by(op, (age, row)) = '{UPSERT}'"
            )
            present = f"SELECT record_id FROM versions WHERE age = {age}"
            absent = find_absent(self.conn, self.work, load, known, present)
            if absent.certain:
                engine.execute(
                    f"INSERT INTO versions SELECT record_id, {age}, -1, '{DELETE}', true, true "
                    f"FROM ({absent.query})"
                )

    def _emit(self, age: int, load: Load) -> Counter[str]:
        counts: Counter[str] = Counter()
        for lane in self._open(load):
            counts += self._emit_lane(age, load, lane)
        gone = (
            f"SELECT record_id FROM chosen JOIN prior USING (record_id) WHERE age = {age} AND absent "
            f"AND prior_op <> {quote_literal(DELETE)}"
        )
        source = self._source(load, self.work)
        counts[DELETE] += delete_records(self.conn, self.work, source, self.work.entity, gone)
        return counts

    def _emit_lane(self, age: int, load: Load, lane: Lane) -> Counter[str]:
        engine, conn, tenant_id = self.work.engine, self.conn, self.work.tenant_id
        source = self._source(load, lane.work)
        counts: Counter[str] = Counter()
        mine = f"(SELECT record_id, row, fits FROM chosen WHERE age = {age} AND NOT absent)"
        rows = f"SELECT * EXCLUDE (fits) FROM ({lane.sql}) JOIN {mine} USING (record_id, row)"
        fitting = f"SELECT * EXCLUDE (prior_op) FROM ({rows}) LEFT JOIN prior USING (record_id)"
        outcomes = select_outcomes(source, f"{fitting} WHERE code IS NULL")
        copy_events(conn, tenant_id, stream_lines(engine, outcomes, counts))
        refused = select_refused(source, rows, RECORD_MAX)
        copy_refused(conn, tenant_id, stream_lines(engine, refused, counts))
        return counts

    def _source(self, load: Load, work: StreamWork) -> EventSource:
        return work.source_of(load.load_id, f"after {self.work.heads.seq}")
