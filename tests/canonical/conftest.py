"""Loads made by hand, for tests of the canonical step: the lake's layout without dlt."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import text

from core.connector import ConnectorSpec
from core.mapping import FieldMapping
from core.ontology import load_ontology
from resources.canonical import CanonicalReport, advance_canonical
from resources.database import Database
from resources.lake import Lake, ManifestRow
from resources.loads import register_load, register_quarantine
from resources.registry import publish_set
from resources.settings import Settings
from resources.tenants import add_tenant

MAPPINGS = (
    FieldMapping("id", ("id",)),
    FieldMapping("name", ("name",)),
    FieldMapping("annual_revenue", ("revenue",), "cast"),
    FieldMapping("updated_at", ("updated",), "cast"),
)


def build_spec(connector: str = "shop", **stream: Any) -> ConnectorSpec:
    facts = {"primary_key": ["id"], "entity": "account", "table": {"name": "accounts"}, **stream}
    return ConnectorSpec.model_validate(
        {"connector": connector, "title": "Shop", "kind": "sql", "streams": {"accounts": facts}}, strict=False
    )


@dataclass
class Stage:
    """A tenant with one connector, whose loads a test lands and has consumed."""

    database: Database
    settings: Settings
    tenant_id: str
    specs: dict[str, ConnectorSpec]
    number: int = field(default=0)

    @property
    def lake(self) -> Lake:
        return Lake(self.settings)

    def publish(
        self,
        mappings: Sequence[FieldMapping] = MAPPINGS,
        connector: str = "shop",
        stream: str = "accounts",
        entity: str = "account",
    ) -> str:
        found = publish_set(
            self.database,
            self.tenant_id,
            connector,
            stream,
            load_ontology().entity(entity),
            mappings,
            "tester",
        )
        return found.set_id

    def land(
        self,
        rows: Sequence[dict[str, str | None]],
        *,
        mode: str = "incremental",
        connector: str = "shop",
        stream: str = "accounts",
        deleted: Sequence[str] = (),
        quarantined: int = 0,
    ) -> str:
        """Land text records as one load; ``deleted`` are ids of tombstones after them."""
        self.number += 1
        load_id = f"{1_763_000_000 + self.number}.25"
        marked: list[tuple[dict[str, Any], bool]] = [
            *((dict(row), False) for row in rows),
            *(({"id": one}, True) for one in deleted),
        ]
        if marked:
            self._write(marked, connector, stream, load_id)
        row = ManifestRow(
            stream=stream,
            mode=mode,
            records=len(marked) + quarantined,
            landed=len(marked),
            quarantined=quarantined,
            complete=mode == "snapshot",
            schema_json="[]",
            renamed_json="{}",
        )
        with self.database.tenant(self.tenant_id) as conn:
            register_load(conn, self.tenant_id, connector, load_id, row, 1)
        return load_id

    def _write(
        self, marked: Sequence[tuple[dict[str, Any], bool]], connector: str, stream: str, load_id: str
    ) -> None:
        names = list(dict.fromkeys(name for row, _ in marked for name in row))
        columns: dict[str, Any] = {
            name: pa.array([row.get(name) for row, _ in marked], pa.string()) for name in names
        }
        columns["_aos_row"] = pa.array([str(number) for number in range(len(marked))], pa.string())
        columns["_aos_deleted"] = pa.array([gone for _, gone in marked], pa.bool_())
        folder = Path(self.settings.lake) / self.tenant_id / connector / stream
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(columns), folder / f"{load_id}.abc.parquet")

    def advance(self, entities: Sequence[str] | None = None) -> CanonicalReport:
        return advance_canonical(
            self.database, self.lake, self.settings, load_ontology(), self.specs, self.tenant_id, entities
        )

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        with self.database.tenant(self.tenant_id) as conn:
            return [tuple(row) for row in conn.execute(text(statement))]

    def query_write(self, statement: str) -> None:
        with self.database.tenant(self.tenant_id) as conn:
            conn.execute(text(statement))

    def refuse(self, load_id: str, record_id: str | None) -> None:
        """Put a record into raw quarantine, as the loader does."""
        row = {"stream": "accounts", "record_id": record_id, "code": "x", "reason": "x", "record": "{}"}
        with self.database.tenant(self.tenant_id) as conn:
            register_quarantine(conn, self.tenant_id, "shop", load_id, [[row]])

    def events(self) -> list[tuple[str, str, str | None]]:
        """(op, record_id, name) in order."""
        rows = self.query("SELECT op, record_id, data ->> 'name' FROM canonical_streams ORDER BY seq")
        return [(op, record_id, name) for op, record_id, name in rows]


@pytest.fixture
def stage(database: Database, settings: Settings, tenant: str) -> Stage:
    return _open_stage(database, settings, tenant)


@pytest.fixture
def stage_of_another(database: Database, settings: Settings) -> Stage:
    tenant_id = f"t-{uuid.uuid4().hex[:12]}"
    add_tenant(database, tenant_id, "Another", "tester")
    return _open_stage(database, settings, tenant_id)


def _open_stage(database: Database, settings: Settings, tenant_id: str) -> Stage:
    made = Stage(database, settings, tenant_id, {"shop": build_spec()})
    made.publish()
    return made


def with_stream(stage: Stage, **facts: Any) -> Stage:
    return replace(stage, specs={"shop": build_spec(**facts)})


def write_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@pytest.fixture(scope="module")
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as made:
        made.execute("SET TimeZone = 'UTC'")
        yield made
