"""The shipped connectors: all readable, all mappings hold against the ontology."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.baseline import baseline_mappings
from core.config_reader import load_configs
from core.connector import ConnectorSpec
from core.ontology import load_ontology

FOLDER = Path(__file__).parents[2] / "connector_configs"
SHIPPED = {
    "aws_cost", "files", "github", "hubspot", "pipedrive", "postgres", "salesforce", "stripe", "zendesk"
}  # fmt: skip
REPORT = load_configs([FOLDER])
STREAMS = [(c, s) for c, spec in REPORT.specs.items() for s in spec.streams]


def test_all_nine_are_there_and_right() -> None:
    assert [str(error) for error in REPORT.errors] == []
    assert set(REPORT.specs) == SHIPPED


@pytest.mark.parametrize("spec", REPORT.specs.values(), ids=lambda spec: spec.connector)
def test_a_connector_says_what_it_is(spec: ConnectorSpec) -> None:
    assert spec.description
    assert (spec.docs_url or "").startswith("https://")
    for name, stream in spec.streams.items():
        assert stream.description, name
        assert stream.title, name


@pytest.mark.parametrize(("connector", "stream"), STREAMS)
def test_mappings_hold_against_the_ontology(connector: str, stream: str) -> None:
    spec = REPORT.specs[connector].streams[stream]
    mappings = baseline_mappings(spec, load_ontology(), f"{connector}/{stream}")
    assert bool(mappings) == (spec.entity is not None)
