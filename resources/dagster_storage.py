"""Dagster's own storage: the schema ``dagster`` of the mesh's Postgres.

``dagster.yaml`` names this class instead of a URL, so that any Dagster process of this installation
(web server, daemon, code server, run worker, a plain ``dagster`` command) finds the database by the
mesh's settings and keeps the embedded server alive for as long as it runs. Dagster opens a connection
per event by default, which costs more than the event (8 ms against 1 ms); here the three storages share
a pool.
"""

from __future__ import annotations

from typing import Any

from dagster import Field, StringSource
from dagster._config.config_schema import UserConfigSchema
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage, PostgresEventLogStorage
from dagster_postgres.utils import create_pg_engine

from resources.database import Database
from resources.settings import load_settings


class MeshEventLog(PostgresEventLogStorage):  # type: ignore[misc]
    """The event log; as the one storage an instance disposes of, it closes the database behind all."""

    def __init__(self, database: Database) -> None:
        self.database = database
        super().__init__(database.dagster_url)

    def dispose(self) -> None:
        """Close every connection and let go of the embedded server."""
        super().dispose()
        self._engine.dispose()
        self.database.close()


class MeshStorage(DagsterPostgresStorage):  # type: ignore[misc]
    """Runs, events and schedules in the mesh's Postgres."""

    def __init__(self, database: Database, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(postgres_url=database.dagster_url, inst_data=inst_data)
        self._event_log_storage = MeshEventLog(database)
        engine = create_pg_engine(
            database.dagster_url,
            isolation_level="AUTOCOMMIT",
            pool_size=4,
            max_overflow=28,
            pool_pre_ping=True,
            hide_parameters=True,
        )
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
