"""One sandbox for the tests of a session, and a client that speaks to one tenant's account at a vendor."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator

import httpx
import pytest

from sandbox.server import Sandbox

Connect = Callable[..., httpx.Client]


@pytest.fixture(scope="session")
def running() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Iterator[Sandbox]:
    """The sandbox as it was seeded: whatever a test switches is forgotten after it."""
    yield running
    running.reset()


@pytest.fixture
def connect(sandbox: Sandbox) -> Iterator[Connect]:
    """``connect("hubspot", tenant="acme")`` gives a client with that vendor's credentials."""
    opened: list[httpx.Client] = []

    def open_client(vendor: str, tenant: str = "acme") -> httpx.Client:
        base = sandbox.base_url(tenant, vendor) or ""
        client = httpx.Client(base_url=base, headers=headers_of(sandbox, vendor, tenant), timeout=10)
        opened.append(client)
        return client

    yield open_client
    for client in opened:
        client.close()


def headers_of(sandbox: Sandbox, vendor: str, tenant: str) -> dict[str, str]:
    """The headers a vendor wants."""
    credentials = sandbox.credentials(vendor, tenant)
    if vendor == "pipedrive":
        return {"x-api-token": credentials["api_key"]}
    if vendor == "zendesk":
        text = f"{credentials['username']}/token:{credentials['password']}"
        return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}
    if vendor == "salesforce":
        answer = httpx.post(
            f"{sandbox.base_url(tenant, vendor)}/services/oauth2/token",
            data={"grant_type": "refresh_token", **credentials},
        )
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}
    return {"Authorization": f"Bearer {credentials['token']}"}
