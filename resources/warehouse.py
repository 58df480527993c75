"""The tenants' views: DuckDB files of the latest state of every record, advanced by new events.

One file a tenant, ``<warehouse_dir>/<tenant>/registry_<tenant>.duckdb``: a table per canonical entity
(``account``, also as ``views.account``), plus ``mesh.views`` and ``mesh.streams``. A file is built aside
and published by rename: readers never wait and never see half. Asking it questions is
``resources/query.py``.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from sqlalchemy import Connection, text

from core.ontology import Entity, Ontology
from core.view_layout import fingerprint_layout
from resources.database import Database
from resources.settings import Settings
from resources.tenants import require_tenant
from resources.view_builder import Builder, ViewState
from resources.view_feed import Watermark, read_pending, write_feed
from resources.view_files import explain_storage, find_registry, open_work_folder, publish, read_published

LOCK = "views"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ViewEntry:
    """One view after an advance.

    ``deletes`` counts records whose newest event deletes them; ``unfit`` values that are null because
    they do not fit the field's present type; ``rebuilt`` says that no earlier rows were kept.
    """

    rows: int
    new_events: int = 0
    deletes: int = 0
    unfit: int = 0
    seconds: float = 0.0
    rebuilt: bool = False


@dataclass(frozen=True)
class ViewReport:
    """What an advance did. ``published`` is false when nothing was new and no file was written."""

    tenant_id: str
    path: Path
    published: bool
    seconds: float
    views: dict[str, ViewEntry] = field(default_factory=dict)


def advance_views(
    db: Database,
    settings: Settings,
    ontology: Ontology,
    tenant_id: str,
    entities: Sequence[str] | None = None,
) -> ViewReport:
    """Bring the views up to the newest events and publish them; without new events nothing is written.

    Reads only events after each view's watermark, which stands in the file itself. A view without a
    file, of an older layout, or whose watermark Postgres does not know is built from its first event.
    Raises LockBusy while another process builds this tenant's views, StorageUnavailable.
    """
    return _run(db, settings, ontology, tenant_id, entities, rebuild=False)


def rebuild_views(
    db: Database,
    settings: Settings,
    ontology: Ontology,
    tenant_id: str,
    entities: Sequence[str] | None = None,
) -> ViewReport:
    """Build the views anew from the first event on, whatever the published file holds."""
    return _run(db, settings, ontology, tenant_id, entities, rebuild=True)


@dataclass(frozen=True)
class _Step:
    """What one view needs: events after ``after`` up to ``until``; ``reset`` empties it first."""

    entity: Entity
    after: int
    until: int
    reset: bool

    @property
    def is_due(self) -> bool:
        return self.reset or self.until > self.after


@dataclass(frozen=True)
class _Built:
    """A file to publish (None: nothing was new), its views' states, and what was done to them."""

    file: Path | None
    states: dict[str, ViewState]
    views: dict[str, ViewEntry]


def _run(
    db: Database,
    settings: Settings,
    ontology: Ontology,
    tenant_id: str,
    entities: Sequence[str] | None,
    *,
    rebuild: bool,
) -> ViewReport:
    started = time.monotonic()
    wanted = set(ontology.entities) if entities is None else {ontology.entity(name).name for name in entities}
    path = find_registry(settings, tenant_id)
    with db.lock(tenant_id, LOCK) as held:
        require_tenant(db, tenant_id)
        with explain_storage(path), open_work_folder(path) as work:
            states = None if rebuild and entities is None else read_published(path, work)
            built = _build(db, ontology, tenant_id, path, work, states, wanted, rebuild=rebuild)
            if built.file is not None:
                held.verify()
                publish(built.file, path)
        _write_watermarks(db, tenant_id, built.states)
    return ViewReport(tenant_id, path, built.file is not None, time.monotonic() - started, built.views)


def _build(
    db: Database,
    ontology: Ontology,
    tenant_id: str,
    path: Path,
    work: Path,
    states: dict[str, ViewState] | None,
    wanted: set[str],
    *,
    rebuild: bool,
) -> _Built:
    """Build aside, from a copy of the published file; from nothing if it is damaged inside."""
    import duckdb

    damage = (
        duckdb.IOException,
        duckdb.SerializationException,
        duckdb.FatalException,
        duckdb.InternalException,
        duckdb.CatalogException,  # somebody dropped or changed a table
        duckdb.BinderException,
    )
    with db.tenant(tenant_id) as conn:
        if states is not None:
            steps = _plan(conn, ontology, tenant_id, states, wanted, rebuild=rebuild)
            if states.keys() <= ontology.entities.keys() and not any(step.is_due for step in steps):
                return _Built(None, states, {name: ViewEntry(states[name].rows) for name in sorted(wanted)})
            try:
                return _write(conn, ontology, tenant_id, work, path, steps)
            except damage as error:
                _log.warning("tenant %s: damaged views are built anew: %s", tenant_id, error)
        everything = set(ontology.entities)
        steps = _plan(conn, ontology, tenant_id, {}, everything, rebuild=True)
        return _write(conn, ontology, tenant_id, work, None, steps)


def _plan(
    conn: Connection,
    ontology: Ontology,
    tenant_id: str,
    states: Mapping[str, ViewState],
    wanted: set[str],
    *,
    rebuild: bool,
) -> list[_Step]:
    """A step for each wanted view and for each one that cannot stay as it is."""
    stale = {
        entity.name
        for entity in ontology.entities.values()
        if entity.name not in states
        or states[entity.name].layout != fingerprint_layout(entity)
        or (rebuild and entity.name in wanted)
    }
    marks = {
        name: Watermark() if name in stale else states[name].mark
        for name in ontology.entities
        if name in stale or name in wanted
    }
    pending = read_pending(conn, tenant_id, marks)
    return [
        _Step(ontology.entities[name], mark.seq if pending[name].known else 0, pending[name].top, reset)
        for name, mark in marks.items()
        for reset in [name in stale or not pending[name].known]
    ]


def _write(
    conn: Connection,
    ontology: Ontology,
    tenant_id: str,
    work: Path,
    published: Path | None,
    steps: Sequence[_Step],
) -> _Built:
    file = work / ("anew.duckdb" if published is None else "next.duckdb")
    builder = Builder.start(file, work, published=published)
    try:
        builder.prepare(ontology, reset={step.entity.name for step in steps if step.reset})
        views = {step.entity.name: _take(conn, builder, tenant_id, work, step) for step in steps}
        states = builder.states()
        builder.finish()
    finally:
        builder.close()
    return _Built(file, states, {name: replace(v, rows=states[name].rows) for name, v in views.items()})


def _take(conn: Connection, builder: Builder, tenant_id: str, work: Path, step: _Step) -> ViewEntry:
    """Bring one view up to date; its rows are counted when all are."""
    started = time.monotonic()
    if step.until <= step.after:
        return ViewEntry(rows=0, rebuilt=step.reset)
    feed = write_feed(conn, tenant_id, step.entity, after=step.after, until=step.until, path=work / "feed")
    merge = builder.merge(step.entity, feed)
    feed.path.unlink()
    return ViewEntry(
        rows=0,
        new_events=merge.new_events,
        deletes=merge.deletes,
        unfit=merge.unfit,
        seconds=time.monotonic() - started,
        rebuilt=step.reset,
    )


_MARK = text(
    """
    INSERT INTO view_watermarks (tenant_id, entity, seq, rows)
    SELECT :tenant, entity, seq, rows
    FROM unnest(CAST(:entities AS text[]), CAST(:seqs AS bigint[]), CAST(:rows AS bigint[]))
         AS view (entity, seq, rows)
    ON CONFLICT (tenant_id, entity) DO UPDATE
    SET seq = excluded.seq, rows = excluded.rows, published_at = now()
    WHERE (view_watermarks.seq, view_watermarks.rows) <> (excluded.seq, excluded.rows)
    """
)
_UNMARK = text("DELETE FROM view_watermarks WHERE tenant_id = :tenant AND NOT entity = ANY (:entities)")


def _write_watermarks(db: Database, tenant_id: str, states: Mapping[str, ViewState]) -> None:
    """Show in Postgres what the file holds; the file stays the truth."""
    filled = {name: state for name, state in states.items() if state.mark.seq}
    values = {
        "tenant": tenant_id,
        "entities": list(filled),
        "seqs": [state.mark.seq for state in filled.values()],
        "rows": [state.rows for state in filled.values()],
    }
    with db.tenant(tenant_id) as conn:
        conn.execute(_UNMARK, {"tenant": tenant_id, "entities": list(filled)})
        conn.execute(_MARK, values)
