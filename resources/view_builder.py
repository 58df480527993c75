"""Builds a tenant's DuckDB file: tables, watermarks, and the merge of fed events into the tables.

The file is private to the builder until ``resources/warehouse.py`` publishes it, so each statement
commits by itself. Where events come from is ``resources/view_feed.py``.
"""

from __future__ import annotations

import shutil
from collections.abc import Set
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import StorageUnavailable
from core.names import quote_identifier, quote_literal
from core.ontology import Entity, Ontology
from core.view_layout import KEY, META_SCHEMA, VIEWS_SCHEMA, fingerprint_layout, list_columns
from core.view_sql import FED, OP, UNFIT, write_comments, write_create_table, write_load, write_streams_view
from resources.view_feed import Feed, Watermark

if TYPE_CHECKING:
    import duckdb

MEMORY_LIMIT = "512MB"
THREADS = 2


@dataclass(frozen=True)
class ViewState:
    """What a file says of one view: its watermark, its rows, the layout it was built with."""

    mark: Watermark
    rows: int
    layout: str


@dataclass(frozen=True)
class Merge:
    """What one merge did: events read, records whose newest event deletes, values that fit no more."""

    new_events: int
    deletes: int
    unfit: int


class Builder:
    """An open, unpublished file. ``work`` is a folder for spilling, removed by the caller."""

    def __init__(self, path: Path, work: Path) -> None:
        import duckdb

        self._conn: duckdb.DuckDBPyConnection = duckdb.connect(
            config={
                "memory_limit": MEMORY_LIMIT,
                "threads": THREADS,
                "temp_directory": str(work / "spill"),
                "preserve_insertion_order": False,
                "autoinstall_known_extensions": False,
            }
        )
        self._conn.execute("SET TimeZone = 'UTC'")
        # a file that dies with its builder needs no write-ahead log
        attach = f"ATTACH {quote_literal(str(path))} AS registry (RECOVERY_MODE 'no_wal_writes')"
        self._conn.execute(f"{attach}; USE registry")

    @classmethod
    def start(cls, path: Path, work: Path, *, published: Path | None) -> Builder:
        """Begin from a copy of the published file, or from nothing."""
        if published is not None:
            shutil.copyfile(published, path)
        return cls(path, work)

    def finish(self) -> None:
        """Write everything into the one file."""
        self._conn.execute("CHECKPOINT registry; USE memory; DETACH registry")

    def close(self) -> None:
        """Let go of the file, finished or not."""
        self._conn.close()

    def prepare(self, ontology: Ontology, reset: Set[str] = frozenset()) -> None:
        """Make what is missing, of an older layout or to be ``reset``; drop views of no entity."""
        run = self._conn.execute
        run(f"BEGIN; CREATE SCHEMA IF NOT EXISTS {META_SCHEMA}; CREATE SCHEMA IF NOT EXISTS {VIEWS_SCHEMA}")
        run(
            f"CREATE TABLE IF NOT EXISTS {META_SCHEMA}.views (entity VARCHAR, row_count BIGINT, seq BIGINT, "
            "event_id UUID, layout VARCHAR, advanced_at TIMESTAMPTZ)"
        )
        layouts = {name: state.layout for name, state in self.states().items()}
        gone = layouts.keys() - ontology.entities.keys()
        changed = [
            entity
            for entity in ontology.entities.values()
            if entity.name in reset or layouts.get(entity.name) != fingerprint_layout(entity)
        ]
        for name in gone:
            self._drop(name)
        for entity in changed:
            self._empty(entity)
        if gone or changed:
            run(write_streams_view(ontology))
        run("COMMIT")

    def states(self) -> dict[str, ViewState]:
        """State of every view, as the file has it now."""
        return _read_states(self._conn)

    def _drop(self, name: str) -> None:
        quoted = quote_identifier(name)
        self._conn.execute(f"DROP VIEW IF EXISTS {VIEWS_SCHEMA}.{quoted}; DROP TABLE IF EXISTS main.{quoted}")
        self._conn.execute(f"DELETE FROM {META_SCHEMA}.views WHERE entity = ?", [name])

    def _empty(self, entity: Entity) -> None:
        """Make the entity's table anew, without rows and with watermark 0."""
        self._drop(entity.name)
        name = quote_identifier(entity.name)
        self._conn.execute(write_create_table(entity))
        self._conn.execute(f"CREATE VIEW {VIEWS_SCHEMA}.{name} AS SELECT * FROM main.{name}")
        self._conn.execute(write_comments(entity))
        self._conn.execute(
            f"INSERT INTO {META_SCHEMA}.views VALUES (?, 0, 0, NULL, ?, now())",
            [entity.name, fingerprint_layout(entity)],
        )

    def merge(self, entity: Entity, feed: Feed) -> Merge:
        """Bring the fed events into the entity's table: the latest of each record wins, deletes remove."""
        first = self.states()[entity.name].rows == 0
        unfit = self._load(entity, feed, temporary=not first)
        events, records, deletes, seq, event_id = self._survey()
        if events != feed.events:
            raise StorageUnavailable(
                f"{entity.name}: events got lost on their way into the view",
                expected=str(feed.events),
                found=str(events),
                remedy="Run the same again",
            )
        if first and events < 2 * records:
            self._adopt(entity, whole=events == records and not deletes)
        else:
            self._apply(entity)
        table = f"main.{quote_identifier(entity.name)}"
        self._conn.execute(
            f"UPDATE {META_SCHEMA}.views SET row_count = (SELECT count(*) FROM {table}), "
            "seq = ?, event_id = ?, advanced_at = now() WHERE entity = ?",
            [seq, event_id, entity.name],
        )
        return Merge(events, deletes, unfit)

    def _survey(self) -> tuple[int, int, int, int, str]:
        """Events, records, records whose latest event deletes, newest event."""
        row = self._conn.execute(
            "SELECT sum(events)::BIGINT, count(*), count(*) FILTER (op = 'delete'), max(seq), "
            "arg_max(event_id, seq)::VARCHAR FROM (SELECT count(*) AS events, max(_seq) AS seq, "
            f"arg_max({OP}, _seq) AS op, arg_max(_event_id, _seq) AS event_id "
            f"FROM {FED} GROUP BY {', '.join(KEY)})"
        ).fetchone()
        assert row is not None
        events, records, deletes, seq, event_id = row
        return events, records, deletes, seq, event_id

    def _adopt(self, entity: Entity, *, whole: bool) -> None:
        """First load: the fed events become the view, so that nothing is written twice.

        Unless ``whole``, older events of a record and deletions go first.
        """
        name = quote_identifier(entity.name)
        if not whole:
            newest = f"SELECT max(_seq) FROM {FED} GROUP BY {', '.join(KEY)}"
            self._conn.execute(f"DELETE FROM {FED} WHERE {OP} = 'delete' OR _seq NOT IN ({newest})")
        self._conn.execute(
            f"ALTER TABLE {FED} DROP COLUMN {OP}; DROP TABLE main.{name}; ALTER TABLE {FED} RENAME TO {name}"
        )
        self._conn.execute(write_comments(entity))

    def _apply(self, entity: Entity) -> None:
        table, keys = f"main.{quote_identifier(entity.name)}", ", ".join(KEY)
        columns = ", ".join(quote_identifier(c.name) for c in list_columns(entity))
        self._conn.execute(f"DELETE FROM {table} WHERE ({keys}) IN (SELECT ({keys}) FROM {FED})")
        self._conn.execute(
            f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {FED} SEMI JOIN "
            f"(SELECT max(_seq) AS _seq FROM {FED} GROUP BY {keys}) USING (_seq) WHERE {OP} <> 'delete'"
        )
        self._conn.execute(f"DROP TABLE {FED}")

    def _load(self, entity: Entity, feed: Feed, *, temporary: bool) -> int:
        """Read the file into a table; values that do not fit become null. Returns how many."""
        import duckdb

        write = partial(write_load, entity, str(feed.path), feed.longest_bytes, temporary=temporary)
        try:
            self._conn.execute(write(lenient=False))
        except (duckdb.ConversionException, duckdb.InvalidInputException):
            # made under an older definition of a field; one such event must not withhold the others
            self._conn.execute(write(lenient=True))
            row = self._conn.execute(f"SELECT sum({UNFIT})::BIGINT FROM {FED}").fetchone()
            self._conn.execute(f"ALTER TABLE {FED} DROP COLUMN {UNFIT}")
            return int(row[0]) if row else 0
        return 0


def read_states(path: Path) -> dict[str, ViewState]:
    """State of every view of a published file; duckdb.Error when it is no such file."""
    import duckdb

    # attached to a database of its own: duckdb.connect(path) would hand out the file that this process
    # opened under the same name before the last publication
    with duckdb.connect(config={"threads": 1}) as conn:
        conn.execute(f"ATTACH {quote_literal(str(path))} AS registry (READ_ONLY)")
        return _read_states(conn)


def read_columns(path: Path) -> dict[str, list[str]]:
    """Column names of every view of a published file."""
    import duckdb

    with duckdb.connect(config={"threads": 1}) as conn:
        conn.execute(f"ATTACH {quote_literal(str(path))} AS registry (READ_ONLY)")
        rows = conn.execute(
            "SELECT table_name, list(column_name) FROM duckdb_columns() "
            "WHERE database_name = 'registry' AND schema_name = 'main' GROUP BY ALL"
        ).fetchall()
    return dict(rows)


def _read_states(conn: duckdb.DuckDBPyConnection) -> dict[str, ViewState]:
    rows = conn.execute(
        f"SELECT entity, seq, event_id::VARCHAR, row_count, layout FROM registry.{META_SCHEMA}.views"
    ).fetchall()
    return {name: ViewState(Watermark(seq, event), count, layout) for name, seq, event, count, layout in rows}
