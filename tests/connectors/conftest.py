"""Sources to read from: servers that behave badly, and specs written as a config would be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from core.connector import ConnectorSpec
from resources.connectors.base import SourceContext
from tests.connectors.server import Site, serve

MakeContext = Callable[..., SourceContext]


@pytest.fixture
def site() -> Iterator[Site]:
    """A server of the source."""
    with serve() as running:
        yield running


@pytest.fixture
def other_site() -> Iterator[Site]:
    """A server of somebody else."""
    with serve() as running:
        yield running


def make_spec(kind: str, streams: Mapping[str, Any], **rest: Any) -> ConnectorSpec:
    """A connector spec as its config file would give it (lists become tuples, as YAML's do)."""
    written = {"connector": "acme-crm", "title": "Acme", "kind": kind, "streams": dict(streams), **rest}
    return ConnectorSpec.model_validate(written, strict=False)


@pytest.fixture
def rest_context(site: Site) -> MakeContext:
    """Builds a context of the rest kind on ``site``: one stream ``items`` unless streams are given."""

    def make(
        endpoint: Mapping[str, Any] | None = None,
        *,
        streams: Mapping[str, Any] | None = None,
        credentials: Mapping[str, str] | None = None,
        access_token: Callable[..., str] | None = None,
        limits: Mapping[str, Any] | None = None,
        stream: Mapping[str, Any] | None = None,
        **spec: Any,
    ) -> SourceContext:
        items = {"primary_key": ["id"], "endpoint": {"path": "/items", **(endpoint or {})}, **(stream or {})}
        quick = {"requests_per_s": 1000, "burst": 1000, "page_deadline_s": 3, "retries": 1, **(limits or {})}
        built = make_spec("rest", streams or {"items": items}, base_url=site.url, limits=quick, **spec)
        return SourceContext(
            tenant_id="acme", spec=built, credentials=credentials or {}, access_token=access_token
        )

    return make


def read_all(reader: Any, stream: str = "items", state: dict[str, Any] | None = None) -> list[Any]:
    """All records of a read, pages joined."""
    pages = reader.read(stream, {} if state is None else state)
    return [record for page in pages for record in page.records]
