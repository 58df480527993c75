"""The shipped connectors against the sandbox's vendors: every record, then only what changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

from core.config_reader import load_configs
from core.connector import ConnectorSpec, SnapshotDeletion
from core.errors import CredentialError, MeshError
from resources.connectors.base import Page, Reader, SourceContext, check_source, open_reader
from resources.settings import project_root
from sandbox.faults import MODES
from sandbox.server import Sandbox

CONNECTORS = ("salesforce", "hubspot", "pipedrive", "zendesk", "stripe", "github", "files", "aws_cost")


@pytest.fixture(scope="module")
def specs() -> dict[str, ConnectorSpec]:
    report = load_configs([project_root() / "connector_configs"])
    assert report.errors == []
    return dict(report.specs)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


def make_context(sandbox: Sandbox, spec: ConnectorSpec, tenant: str = "acme") -> SourceContext:
    quick = spec.limits.model_copy(update={"requests_per_s": 1000.0, "burst": 1000})
    return SourceContext(
        tenant_id=tenant,
        spec=spec.model_copy(update={"limits": quick}),
        base_url=sandbox.base_url(tenant, spec.connector),
        credentials=sandbox.credentials(spec.connector, tenant),
        options=sandbox.options(tenant, spec.connector),
    )


def read_rows(reader: Reader, stream: str, state: dict[str, Any]) -> list[dict[str, Any]]:
    pages: list[Page] = list(reader.read(stream, state))
    assert [reject for page in pages for reject in page.rejects] == []
    rows: list[dict[str, Any]] = []
    for page in pages:
        rows += page.records.to_pylist() if isinstance(page.records, pa.Table) else page.records
    return rows


@pytest.mark.parametrize("connector", CONNECTORS)
def test_every_stream_is_read_and_then_nothing_is_new(
    connector: str, sandbox: Sandbox, specs: dict[str, ConnectorSpec]
) -> None:
    spec = specs[connector]
    context = make_context(sandbox, spec)
    check_source(context)
    reader = open_reader(context)
    empty = []
    for stream, given in spec.streams.items():
        state: dict[str, Any] = {}
        first = read_rows(reader, stream, state)
        if not first:
            empty.append(stream)
        kept = json.dumps(state)
        second = read_rows(reader, stream, state)
        whole = isinstance(given.deletion, SnapshotDeletion) or (
            given.incremental is None and spec.kind != "files"
        )
        assert second == (first if whole else []), stream
        assert json.dumps(state) == kept, stream
    reader.close()
    assert len(empty) <= len(spec.streams) // 2, f"nothing in {empty}"


@pytest.mark.parametrize("connector", ["salesforce", "stripe", "zendesk", "pipedrive", "github"])
def test_what_changed_comes_and_only_that(
    connector: str, sandbox: Sandbox, specs: dict[str, ConnectorSpec]
) -> None:
    spec = specs[connector]
    tenant = f"changing-{connector}"
    stream = next(name for name, given in spec.streams.items() if given.incremental)
    reader = open_reader(make_context(sandbox, spec, tenant))
    state: dict[str, Any] = {}
    before = read_rows(reader, stream, state)
    # Stripe's events are facts: they never change.
    touched = [] if connector == "stripe" else sandbox.touch(tenant, connector, stream, 3)
    added = sandbox.add(tenant, connector, stream, 2)
    key = spec.streams[stream].primary_key[0]
    changed = read_rows(reader, stream, state)
    assert {str(row[key]) for row in changed} == {*touched, *added}
    assert len(before) > len(changed)


@pytest.mark.parametrize("connector", ["salesforce", "hubspot", "pipedrive", "zendesk", "stripe", "github"])
def test_wrong_credentials(connector: str, sandbox: Sandbox, specs: dict[str, ConnectorSpec]) -> None:
    context = make_context(sandbox, specs[connector])
    wrong = dict.fromkeys(context.credentials, "wrong-secret-value")
    with pytest.raises(CredentialError) as caught:
        check_source(replace(context, credentials=wrong))
    assert "wrong-secret-value" not in str(caught.value)


@pytest.mark.parametrize("mode", MODES)
def test_faults_are_survived_or_named(
    mode: str, sandbox: Sandbox, specs: dict[str, ConnectorSpec], caplog: pytest.LogCaptureFixture
) -> None:
    spec = specs["hubspot"]
    limits = spec.limits.model_copy(update={"page_deadline_s": 1.0, "retries": 1, "retry_after_max_s": 0.2})
    quick = spec.model_copy(update={"limits": limits})
    context = replace(make_context(sandbox, quick), spec=quick)
    reader = open_reader(context)
    said = ""
    sandbox.fault("hubspot", mode)
    try:
        read_rows(reader, "owners", {})
    except MeshError as error:
        said = str(error)
    finally:
        sandbox.clear_faults()
        reader.close()
    assert said == "" or "acme/hubspot/owners" in said
    assert context.credentials["token"] not in said + caplog.text
