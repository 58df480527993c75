"""A tenant with a stream whose mapping sets live and change, and the ``aos`` command over it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from core.errors import MeshError
from core.mapping import FieldMapping
from resources.database import Database
from resources.mesh import Mesh
from resources.registry import active_set
from resources.settings import Settings
from tests.canonical.conftest import MAPPINGS, Stage, build_spec, stage

__all__ = ["stage"]

SHOP = """
connector: shop
title: Shop
kind: sql
auth:
  type: database_url
streams:
  accounts:
    entity: account
    primary_key: [id]
    table:
      name: accounts
  orders:
    primary_key: [id]
    table:
      name: orders
"""
KEY = ("shop", "accounts")
WIDER = (*MAPPINGS, FieldMapping("website", ("web",)))


@dataclass
class Steward:
    """Works on the stage's stream, by functions and by commands."""

    stage: Stage
    mesh: Mesh

    @property
    def tenant(self) -> str:
        return self.stage.tenant_id

    def run(self, *words: str, keys: str | None = None) -> Result:
        """``aos mapping …``; an error of the mesh stands in ``exception``."""
        return CliRunner().invoke(app, ["mapping", *words], input=keys)

    def json(self, *words: str) -> Any:
        """The document that a command which succeeds prints."""
        result = self.run(*words, "--json")
        assert result.exit_code == 0, (result.output, result.exception)
        return json.loads(result.stdout)

    def refused(self, *words: str) -> MeshError:
        """The error with which a command ends."""
        result = self.run(*words)
        assert isinstance(result.exception, MeshError), (result.output, result.exception)
        return result.exception

    def number(self) -> int:
        held = active_set(self.mesh.db, self.tenant, *KEY)
        assert held is not None
        return held.number

    def state(self) -> dict[str, Any]:
        """record_id → data of each record that is there."""
        rows = self.stage.query("SELECT record_id, op, data FROM canonical_streams ORDER BY seq")
        newest = {record_id: (op, data) for record_id, op, data in rows}
        return {record_id: data for record_id, (op, data) in newest.items() if op == "upsert"}

    def sets_of_records(self) -> dict[str, str]:
        """record_id → id of the set of its newest event."""
        rows = self.stage.query("SELECT record_id, set_id::text FROM canonical_streams ORDER BY seq")
        return {str(record_id): str(set_id) for record_id, set_id in rows}

    def due(self) -> list[tuple[Any, ...]]:
        return self.stage.query("SELECT connector, stream FROM replay_requests")


@pytest.fixture
def steward(
    stage: Stage, settings: Settings, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Steward]:
    folder = tmp_path / "configs"
    folder.mkdir()
    (folder / "shop.yaml").write_text(SHOP)
    (folder / "mart.yaml").write_text(SHOP.replace("connector: shop", "connector: mart"))
    stage.specs["mart"] = build_spec("mart")
    monkeypatch.setenv("AOS_HOME", str(settings.home))
    monkeypatch.setenv("AOS_CONFIG_PATHS", str(folder))
    monkeypatch.setenv("AOS_ACTOR", "ada")
    chosen = settings.model_copy(update={"config_paths": (folder,)})
    with closing(Mesh(chosen, database)) as mesh:
        yield Steward(stage, mesh)


def people(count: int) -> Sequence[dict[str, str | None]]:
    return [{"id": str(n), "name": f"N{n}", "web": f"https://n{n}.example"} for n in range(count)]
