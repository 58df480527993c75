"""The whole engine of a tenant with a scripted model behind it: what strangers' text and bad answers do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from core.config_reader import read_config
from core.connector import ConnectorSpec
from core.mapper.proposal import Proposal
from core.ontology import Ontology
from resources.connections import add_connection
from resources.database import Database
from resources.embeddings import Embedder
from resources.lake import Lake
from resources.loader import load_connector
from resources.mapper import MapperReport, map_tenant
from resources.proposals import list_proposals
from resources.registry import active_sets, publish_baselines
from resources.secrets import SecretStore
from resources.settings import Settings
from resources.tenants import add_tenant
from tests.llm.conftest import _server, build, llm_settings, model  # noqa: F401
from tests.mapper.conftest import embedder, ontology  # noqa: F401
from tests.mapper.tenants import build_specs, land_fields

CONNECTOR = "rolodex"
DROP = """
connector: drop
title: Drop folder
kind: files
auth: {type: none}
streams:
  people:
    entity: contact
    primary_key: [id]
    files: {pattern: "people*.csv", format: csv}
    mappings: {id: id}
"""
Key = tuple[str, str, str]


@dataclass
class Engine:
    """One tenant's engine on a real database."""

    database: Database
    settings: Settings
    ontology: Ontology
    embedder: Embedder
    tenant: str

    @property
    def specs(self) -> list[ConnectorSpec]:
        """A connector that is only told about, and one that really lands files."""
        return [*build_specs([CONNECTOR, "rolodex-2"]), read_config(DROP, "drop.yaml")]

    def land(self, fields: Iterable[str], stream: str = "contacts", connector: str = CONNECTOR) -> None:
        """Let the stream have these fields."""
        land_fields(self.database, self.tenant, {(connector, stream): fields})

    def drop(self, folder: Path, text: str) -> None:
        """Land a CSV of people for real, values and all."""
        (folder / "people.csv").write_text(text, encoding="utf-8")
        spec, secrets = self.specs[-1], SecretStore(self.database, self.settings)
        options = {"path": str(folder)}
        add_connection(
            self.database, secrets, self.tenant, spec, credentials={}, options=options, actor="tester"
        )
        report = load_connector(
            settings=self.settings,
            db=self.database,
            secrets=secrets,
            spec=spec,
            tenant_id=self.tenant,
            streams=None,
        )
        assert report.streams["people"].landed > 0, report

    def run(self, ask: Any = None, **options: Any) -> MapperReport:
        """Map the tenant as a sync does."""
        given = {"load": lambda: self.embedder, "lake": Lake(self.settings), **options}
        return map_tenant(
            self.database, self.settings, self.ontology, self.specs, self.tenant, ask_model=ask, **given
        )

    def proposals(self, status: str | None = None) -> list[Proposal]:
        """What is stored."""
        return list_proposals(self.database, self.tenant, status=status)

    def applied(self) -> dict[Key, str | None]:
        """What holds because the engine was sure, by field."""
        return {(*one.key, one.field): one.target for one in self.proposals("applied")}

    def check_closed_lists(self) -> None:
        """Nothing that is proposed or holds is outside the ontology."""
        for one in self.proposals():
            fields = self.ontology.entity(one.entity).fields
            assert one.target is None or one.target in fields
            assert {name for name, _ in one.candidates} <= set(fields)
            assert all(0 <= said <= 1 for _, said in one.candidates)
        for held in active_sets(self.database, self.tenant).values():
            assert {one.target for one in held.mappings} <= set(self.ontology.entity(held.entity).fields)


@pytest.fixture
def start(
    database: Database,
    settings: Settings,
    ontology: Ontology,  # noqa: F811
    embedder: Embedder,  # noqa: F811
    tenant: str,
) -> Callable[[], Engine]:
    """Starts engines of tenants of their own."""
    made: list[str] = []

    def do() -> Engine:
        name = f"{tenant}-{len(made)}"
        made.append(name)
        add_tenant(database, name, "Test", "tester")
        engine = Engine(database, settings, ontology, embedder, name)
        publish_baselines(database, engine.specs, ontology, "tester")
        return engine

    return do


@pytest.fixture
def engine(start: Callable[[], Engine]) -> Engine:
    """One of them."""
    return start()


@contextmanager
def no_change(engine: Engine) -> Iterator[None]:
    """Nothing holds after the block that did not hold before."""
    before = engine.applied()
    yield
    assert engine.applied() == before


def list_words(texts: Sequence[str]) -> set[str]:
    """What of the texts would be recognised elsewhere."""
    return {word for text in texts for word in text.split() if len(word) > 5}
