"""The mesh as one object: settings, database, secrets, lake, configs, ontology, each opened at first use.

Every step of a run shares one; it is safe to use from several threads and closed when the run ends.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any, TypeVar, cast

from resources.settings import Settings, load_settings

if TYPE_CHECKING:
    from dagster import InitResourceContext, ResourceDefinition

    from core.config_reader import ConfigReport
    from core.connector import ConnectorSpec
    from core.ontology import Ontology
    from resources.database import Database
    from resources.lake import Lake
    from resources.secrets import SecretStore

T = TypeVar("T")


class Mesh:
    """What a step works with. ``database``: one the caller opened and will close."""

    def __init__(self, settings: Settings, database: Database | None = None) -> None:
        self.settings = settings
        self._lock = threading.RLock()
        self._opened: dict[str, Any] = {} if database is None else {"db": database}
        self._borrowed = database is not None
        self._told: dict[str, dict[tuple[str, ...], Mapping[str, Any]]] = {}

    def _open(self, name: str, open_: Callable[[], T]) -> T:
        with self._lock:
            if name not in self._opened:
                self._opened[name] = open_()
            return cast(T, self._opened[name])

    def offer(self, **opened: Any) -> None:
        """Use these instead of what would be opened, by property name."""
        with self._lock:
            self._opened.update(opened)

    def tell(self, tenant_id: str, asset: Sequence[str], facts: Mapping[str, Any]) -> None:
        """Leave a word about an asset for whoever runs the steps in this process."""
        with self._lock:
            self._told.setdefault(tenant_id, {})[tuple(asset)] = facts

    def take_told(self, tenant_id: str) -> dict[tuple[str, ...], Mapping[str, Any]]:
        """What was told of a tenant's assets since this was last asked."""
        with self._lock:
            return self._told.pop(tenant_id, {})

    @property
    def db(self) -> Database:
        """Postgres; the embedded server starts if none runs."""
        from resources.database import Database

        return self._open("db", lambda: Database.open(self.settings))

    @property
    def secrets(self) -> SecretStore:
        """Credentials of the connections."""
        from resources.secrets import SecretStore

        return self._open("secrets", lambda: SecretStore(self.db, self.settings))

    @property
    def lake(self) -> Lake:
        """The raw lake."""
        from resources.lake import Lake

        return self._open("lake", lambda: Lake(self.settings))

    @property
    def ontology(self) -> Ontology:
        """The canonical model."""
        from core.ontology import load_ontology

        return self._open("ontology", load_ontology)

    @property
    def configs(self) -> ConfigReport:
        """All connector configs, and the errors of those that cannot be read."""
        from core.config_reader import load_configs

        return self._open("configs", lambda: load_configs(self.settings.config_paths))

    @property
    def specs(self) -> Mapping[str, ConnectorSpec]:
        """Connector specs by name."""
        return self.configs.specs

    def close(self) -> None:
        """Close what was opened here."""
        with self._lock:
            database = self._opened.pop("db", None)
            self._opened.clear()
        if database is not None and not self._borrowed:
            database.close()


def build_mesh_resource(mesh: Mesh | None = None) -> ResourceDefinition:
    """The resource ``mesh`` of every asset and sensor: a new one for each run, or the given one."""
    from dagster import ResourceDefinition, resource  # commands that only read must not pay for it

    if mesh is not None:
        return ResourceDefinition.hardcoded_resource(mesh, "The mesh of the calling process.")

    @resource(description="Database, secrets, lake, configs and ontology of this installation.")
    def open_mesh(_: InitResourceContext) -> Iterator[Mesh]:
        with closing(Mesh(load_settings())) as opened:
            yield opened

    return open_mesh
