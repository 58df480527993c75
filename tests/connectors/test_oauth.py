"""OAuth: tokens fetched when needed, refreshed once, and never sent anywhere else."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs

import pytest

from core.errors import CredentialError, SourceUnavailable
from resources.connectors.base import SourceContext, open_reader
from tests.connectors.conftest import MakeContext, read_all
from tests.connectors.server import Exchange, Site

CLIENT = {"client_id": "app", "client_secret": "very-secret-value"}
REFRESH = {**CLIENT, "refresh_token": "refresh-secret-1"}


class TokenEndpoint:
    """Gives token-1, token-2, …; ``/items`` takes the newest only."""

    def __init__(self, site: Site, **extra: Any) -> None:
        self.given = 0
        self.extra = extra
        self.forms: list[dict[str, list[str]]] = []
        self.lock = threading.Lock()
        site.routes["/oauth/token"] = self.give
        site.routes["/items"] = self.items

    def give(self, exchange: Exchange) -> None:
        with self.lock:
            self.given += 1
            exchange.json({"access_token": f"token-{self.given}", "token_type": "bearer", **self.extra})

    def items(self, exchange: Exchange) -> None:
        if exchange.headers.get("Authorization") == f"Bearer token-{self.given}" and self.given:
            exchange.json([{"id": 1}])
        else:
            exchange.json({"error": "expired"}, 401)


@pytest.fixture
def client_context(rest_context: MakeContext) -> SourceContext:
    auth = {"type": "oauth2_client_credentials", "token_path": "/oauth/token", "scope": "read"}
    return rest_context(auth=auth, credentials=CLIENT)


@pytest.fixture
def refresh_context(rest_context: MakeContext) -> SourceContext:
    auth = {"type": "oauth2_refresh_token", "token_path": "/oauth/token"}
    return rest_context(auth=auth, credentials=REFRESH)


def test_client_credentials(site: Site, client_context: SourceContext) -> None:
    TokenEndpoint(site)
    reader = open_reader(client_context)
    assert read_all(reader) == read_all(reader) == [{"id": 1}]
    [asked] = site.asked_of("/oauth/token")
    assert asked.method == "POST"
    sent = {name: values[0] for name, values in parse_qs(asked.body.decode()).items()}
    assert sent == {**CLIENT, "grant_type": "client_credentials", "scope": "read"}
    assert "authorization" not in asked.headers


def test_a_renewed_refresh_token_is_used_next(site: Site, refresh_context: SourceContext) -> None:
    endpoint = TokenEndpoint(site, refresh_token="refresh-secret-2")
    reader = open_reader(refresh_context)
    read_all(reader)
    with endpoint.lock:
        endpoint.given += 1  # the source forgets the token
    read_all(reader)
    sent = [parse_qs(asked.body.decode())["refresh_token"] for asked in site.asked_of("/oauth/token")]
    assert sent == [["refresh-secret-1"], ["refresh-secret-2"]]


def test_an_expired_token_is_refreshed_once_by_many_threads(
    site: Site, refresh_context: SourceContext
) -> None:
    endpoint = TokenEndpoint(site)
    reader = open_reader(refresh_context)
    read_all(reader)
    endpoint.give = lambda exchange: None  # type: ignore[method-assign]
    gate = threading.Barrier(8)

    def items(exchange: Exchange) -> None:
        if exchange.headers.get("Authorization") == "Bearer token-1":
            gate.wait()  # all threads are refused before any refreshes
            exchange.json({"error": "expired"}, 401)
        else:
            exchange.json([{"id": 1}])

    site.routes["/items"] = items
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: read_all(reader), range(8))) == [[{"id": 1}]] * 8
    assert len(site.asked_of("/oauth/token")) == 2


def test_a_token_refused_twice_is_a_credential_error(site: Site, client_context: SourceContext) -> None:
    TokenEndpoint(site)
    site.routes["/items"] = lambda x: x.json({"error": "no scope for token-1 or token-2"}, 401)
    with pytest.raises(CredentialError) as caught:
        read_all(open_reader(client_context))
    assert len(site.asked_of("/oauth/token")) == 2
    assert len(site.asked_of("/items")) == 2
    assert "token-" not in str(caught.value).replace("no scope for", "")


@pytest.mark.parametrize("status", [400, 401])
def test_refused_client(status: int, site: Site, client_context: SourceContext) -> None:
    said = {"error": "invalid_client", "error_description": f"{CLIENT['client_secret']} is wrong"}
    site.routes["/oauth/token"] = lambda x: x.json(said, status)
    with pytest.raises(CredentialError) as caught:
        read_all(open_reader(client_context))
    assert "invalid_client" in str(caught.value)
    assert CLIENT["client_secret"] not in str(caught.value)


def test_a_token_endpoint_without_a_token(site: Site, client_context: SourceContext) -> None:
    site.routes["/oauth/token"] = lambda x: x.json({"tokens": []})
    with pytest.raises(CredentialError, match="found tokens"):
        read_all(open_reader(client_context))


def test_an_unreachable_token_endpoint_is_no_wrong_credential(
    site: Site, client_context: SourceContext
) -> None:
    site.routes["/oauth/token"] = lambda x: x.json({}, 503)
    with pytest.raises(SourceUnavailable):
        read_all(open_reader(client_context))


def test_the_store_s_token_is_asked_for(site: Site, rest_context: MakeContext) -> None:
    calls: list[str | None] = []

    def access_token(refresh: Any, *, rejected: str | None = None) -> str:
        calls.append(rejected)
        return "stored-1" if rejected is None else str(refresh(REFRESH).access_token)

    TokenEndpoint(site)
    auth = {"type": "oauth2_refresh_token", "token_path": "oauth/token"}
    context = rest_context(auth=auth, credentials=REFRESH, access_token=access_token)
    assert read_all(open_reader(context)) == [{"id": 1}]
    assert calls == [None, "stored-1"]
