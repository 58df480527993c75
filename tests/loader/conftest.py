"""A tenant's connection to a fake source, and what has landed from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import duckdb
import pytest

from core.connector import ConnectorSpec
from resources.connections import add_connection
from resources.connectors.base import KINDS
from resources.database import Database
from resources.lake import Lake
from resources.loader import LoadReport, load_connector
from resources.secrets import SecretStore
from resources.settings import Settings
from tests.loader.fake_kind import SOURCES, FakeSource, Pages, build_spec


@dataclass
class Loading:
    """One tenant's fake connection: set streams, load, look."""

    settings: Settings
    db: Database
    tenant_id: str
    spec: ConnectorSpec
    source: FakeSource

    def load(self, **options: Any) -> LoadReport:
        return load_connector(
            settings=self.settings,
            db=self.db,
            secrets=SecretStore(self.db, self.settings),
            spec=self.spec,
            tenant_id=self.tenant_id,
            **options,
        )

    @property
    def lake(self) -> Lake:
        return Lake(self.settings)

    def rows(self, stream: str, load_id: str | None = None) -> list[dict[str, Any]]:
        """Everything a stream has landed in complete loads, in order."""
        loads = self.lake.loads(self.tenant_id, self.spec.connector)
        found: list[dict[str, Any]] = []
        for one in [load_id] if load_id else loads:
            files = self.lake.files(self.tenant_id, self.spec.connector, stream, one)
            if files:
                query = duckdb.sql(
                    f"SELECT * FROM read_parquet({files!r}, union_by_name=true) ORDER BY _aos_row"
                )
                found.extend(dict(zip(query.columns, row, strict=True)) for row in query.fetchall())
        return found


@pytest.fixture
def make_loading(
    settings: Settings, database: Database, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    monkeypatch.setitem(KINDS, "rest", "tests.loader.fake_kind")

    def make(
        connector: str = "shop", *, whole: dict[str, Pages] | None = None, new: dict[str, Pages] | None = None
    ) -> Loading:
        whole, new = whole or {}, new or {}
        spec = build_spec(connector, whole=tuple(whole), new=tuple(new))
        source = SOURCES[tenant, connector] = FakeSource({**whole, **new})
        secrets = SecretStore(database, settings)
        add_connection(
            database, secrets, tenant, spec, credentials={}, base_url="http://shop.example", actor="tester"
        )
        return Loading(settings, database, tenant, spec, source)

    yield make
    for key in [key for key in SOURCES if key[0] == tenant]:
        del SOURCES[key]
