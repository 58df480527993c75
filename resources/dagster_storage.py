"""Dagster's own storage: the schema ``dagster`` of the mesh's Postgres.

``dagster.yaml`` names this class instead of a URL, so that any Dagster process of this installation
(web server, daemon, code server, run worker, a plain ``dagster`` command) finds the database by the
mesh's settings and keeps the embedded server alive for as long as it runs.

A sync writes some hundred events. As Dagster comes, each takes a new connection, a notification nobody
listens to, and questions whether tables and partitions exist; here each takes an insert or two.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from dagster import AssetKey, DagsterEventType, EventLogEntry, Field, StringSource
from dagster._config.config_schema import UserConfigSchema
from dagster._core.events import ASSET_CHECK_EVENTS, ASSET_EVENTS
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage, PostgresEventLogStorage
from dagster_postgres.utils import create_pg_engine
from sqlalchemy import Engine, delete, event, make_url
from sqlalchemy.exc import DisconnectionError

from resources.database import Database
from resources.settings import load_settings

PARTITION_KNOWN_S = 10.0
"""How long a partition that was there counts as there."""
IDLE_S = 20.0
"""A connection unused for so long is tested before it is used again: the server may have restarted."""


_INSERT = SqlEventLogStorageTable.insert().returning(SqlEventLogStorageTable.c.id)


class MeshEventLog(PostgresEventLogStorage):  # type: ignore[misc]
    """The event log; as the one storage an instance disposes of, it closes the database behind all."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._outputs: dict[tuple[str, str | None], list[EventLogEntry]] = {}
        self._known_tables: set[str] = set()
        self._known_partitions: dict[tuple[str, str], float] = {}
        super().__init__(database.dagster_url)

    def store_event(self, event: EventLogEntry) -> None:
        """Store an event and what the asset tables keep of it.

        A step's output waits for the step's next event, which tells what it was, and goes with it.
        """
        told = event.dagster_event
        key = (event.run_id, event.step_key)
        if told is not None and told.event_type == DagsterEventType.STEP_OUTPUT:
            self._outputs.setdefault(key, []).append(_lighten(event))
            return
        rows = [self._event_to_row(entry) for entry in (*self._outputs.pop(key, ()), event)]
        with self.index_connection() as conn:
            event_id = max(int(row[0]) for row in conn.execute(_INSERT, rows))
            if told is not None and told.event_type in ASSET_EVENTS and told.asset_key is not None:
                self._store_asset_event_tags(conn, [event], [event_id])
                self._store_asset_event(conn, event, event_id)
        if told is not None and told.event_type in ASSET_CHECK_EVENTS:
            self.store_asset_check_event(event, event_id)

    def forget_planned(self, run_id: str, keys: Iterable[AssetKey]) -> None:
        """Take back that a run plans to materialize these assets."""
        table = SqlEventLogStorageTable.c
        texts = [key.to_string() for key in keys]
        if texts:
            with self.index_connection() as conn:
                conn.execute(
                    delete(SqlEventLogStorageTable).where(
                        table.run_id == run_id,
                        table.dagster_event_type == DagsterEventType.ASSET_MATERIALIZATION_PLANNED.value,
                        table.asset_key.in_(texts),
                    )
                )

    def has_table(self, table_name: str) -> bool:
        """Whether a table exists; one that does is not asked for again."""
        if table_name not in self._known_tables:
            if not super().has_table(table_name):
                return False
            self._known_tables.add(table_name)
        return True

    def has_dynamic_partition(self, partitions_def_name: str, partition_key: str) -> bool:
        """Whether a partition exists; a step asks this once for each of its inputs and outputs."""
        key = (partitions_def_name, partition_key)
        if time.monotonic() - self._known_partitions.get(key, float("-inf")) < PARTITION_KNOWN_S:
            return True
        found = bool(super().has_dynamic_partition(*key))
        if found:
            self._known_partitions[key] = time.monotonic()
        return found

    def delete_dynamic_partition(self, partitions_def_name: str, partition_key: str) -> None:
        """Take a partition away."""
        self._known_partitions.pop((partitions_def_name, partition_key), None)
        super().delete_dynamic_partition(partitions_def_name, partition_key)

    def dispose(self) -> None:
        """Close every connection and let go of the embedded server."""
        super().dispose()
        self._engine.dispose()
        self.database.close()


def _lighten(entry: EventLogEntry) -> EventLogEntry:
    """A step's output leaves its metadata to the materialization, which repeats it."""
    told = entry.get_dagster_event()
    data = told.step_output_data._replace(metadata={})
    return entry._replace(dagster_event=told._replace(event_specific_data=data))


class MeshStorage(DagsterPostgresStorage):  # type: ignore[misc]
    """Runs, events and schedules in the mesh's Postgres, on one pool of connections."""

    def __init__(self, database: Database, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(postgres_url=database.dagster_url, inst_data=inst_data)
        self._event_log_storage = MeshEventLog(database)
        engine = _build_engine(database.dagster_url)
        for storage in (self._run_storage, self._event_log_storage, self._schedule_storage):
            storage._engine = engine

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        """``home``: which installation, where it is not the one of the environment."""
        return {"home": Field(StringSource, is_required=False)}

    @classmethod
    def from_config_value(  # type: ignore[override]
        cls, inst_data: ConfigurableClassData | None, config_value: dict[str, Any]
    ) -> MeshStorage:
        """Open the database of this installation; StorageUnavailable if it does not answer."""
        return cls(Database.open(load_settings(**config_value)), inst_data=inst_data)


def _build_engine(url: str) -> Engine:
    """A pool whose commits do not wait for the disk: what a crash takes is the last events, no data."""
    parsed = make_url(url)
    options = f"{parsed.query.get('options', '')} -csynchronous_commit=off".strip()
    engine: Engine = create_pg_engine(
        parsed.update_query_dict({"options": options}).render_as_string(hide_password=False),
        isolation_level="AUTOCOMMIT",
        pool_size=4,
        max_overflow=28,
        hide_parameters=True,
    )
    event.listen(engine, "checkin", _note_use)
    event.listen(engine, "checkout", _test_if_idle)
    return engine


def _note_use(_: Any, record: Any) -> None:
    record.info["used"] = time.monotonic()


def _test_if_idle(connection: Any, record: Any, _: Any) -> None:
    used = record.info.get("used")
    if used is None or time.monotonic() - used < IDLE_S:
        return
    import psycopg2  # type: ignore[import-untyped]

    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except psycopg2.Error as error:
        raise DisconnectionError from error
