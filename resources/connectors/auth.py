"""How requests are authenticated, one class an auth type of ``core.connector``.

Credentials are put on a request at the last moment, for one hop, after its origin was checked.
"""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from requests import PreparedRequest

from core.connector import ApiKeyAuth, BasicAuth, BearerAuth, OAuth2ClientCredentials, OAuth2RefreshToken
from core.errors import ConfigError, CredentialError
from resources.connectors.base import SourceContext
from resources.connectors.wording import Scrubber
from resources.secrets import Token

FetchToken = Callable[[str, dict[str, str]], Any]
"""Posts a form to a path of the source and returns the parsed JSON body."""

_EARLY_S = 30.0
_ASK_AGAIN_S = 30.0


class Authenticator:
    """No authentication; base of the others."""

    def sign(self, request: PreparedRequest) -> str:
        """Put the credential on ``request``; returns a secret query parameter to add, or ``""``."""
        return ""

    def renew(self) -> bool:
        """Get a new credential after the source refused this one. False when there is no other."""
        return False


class HeaderAuth(Authenticator):
    """A credential in a header."""

    def __init__(self, name: str, value: str) -> None:
        self._name, self._value = name, value

    def sign(self, request: PreparedRequest) -> str:
        request.headers[self._name] = self._value
        return ""


class QueryAuth(Authenticator):
    """A credential in a query parameter."""

    def __init__(self, name: str, value: str) -> None:
        self._query = f"{quote(name, safe='')}={quote(value, safe='')}"

    def sign(self, request: PreparedRequest) -> str:
        return self._query


class OAuth(Authenticator):
    """A bearer token from the source's token endpoint, fetched when the stored one has expired."""

    def __init__(self, context: SourceContext, fetch: FetchToken, scrubber: Scrubber) -> None:
        self._context = context
        self._fetch = fetch
        self._scrubber = scrubber
        self._obtain = context.access_token or MemoryTokens(context.credentials)
        self._lock = threading.Lock()
        self._token: str | None = None
        self._known_at = 0.0
        self._thread = threading.local()

    def sign(self, request: PreparedRequest) -> str:
        self._thread.token = self._current()
        request.headers["Authorization"] = f"Bearer {self._thread.token}"
        return ""

    def renew(self) -> bool:
        refused = self._thread.token
        with self._lock:
            # Another thread may have renewed it while this one's request was under way.
            if self._token == refused:
                self._token = self._take(rejected=refused)
        return True

    def _current(self) -> str:
        with self._lock:
            # The store knows the expiry; asking it again now and then keeps long reads going.
            if self._token is None or time.monotonic() - self._known_at > _ASK_AGAIN_S:
                self._token = self._take(rejected=None)
            return self._token

    def _take(self, rejected: str | None) -> str:
        token = self._obtain(self._refresh, rejected=rejected)
        self._scrubber.add(token)
        self._known_at = time.monotonic()
        return token

    def _refresh(self, credentials: Mapping[str, str]) -> Token:
        auth = self._context.spec.auth
        form = {"client_id": credentials["client_id"], "client_secret": credentials["client_secret"]}
        self._scrubber.add(*credentials.values())
        if isinstance(auth, OAuth2RefreshToken):
            form |= {"grant_type": "refresh_token", "refresh_token": credentials["refresh_token"]}
            return self._read_token(self._fetch(auth.token_path, form))
        if isinstance(auth, OAuth2ClientCredentials):
            form |= {"grant_type": "client_credentials"} | ({"scope": auth.scope} if auth.scope else {})
            return self._read_token(self._fetch(auth.token_path, form))
        raise ConfigError(f"auth type {auth.type!r} has no token endpoint", where=self._context.where)

    def _read_token(self, body: Any) -> Token:
        token = body.get("access_token") if isinstance(body, dict) else None
        if not isinstance(token, str) or not token:
            keys = ", ".join(sorted(map(str, body)))[:200] if isinstance(body, dict) else type(body).__name__
            raise CredentialError(
                "the token endpoint gave no token",
                expected="an object with access_token",
                found=keys,
                where=self._context.where,
            )
        self._scrubber.add(token)
        renewed = body.get("refresh_token")
        return Token(
            check_sendable(token, self._context.where),
            _read_seconds(body.get("expires_in")),
            renewed if isinstance(renewed, str) and renewed else None,
        )


class MemoryTokens:
    """Keeps one token in memory, for a reader without a store. Same call as the store's."""

    def __init__(self, credentials: Mapping[str, str]) -> None:
        self._credentials = dict(credentials)
        self._lock = threading.Lock()
        self._token: str | None = None
        self._ends_at = float("inf")

    def __call__(self, refresh: Callable[[Mapping[str, str]], Token], *, rejected: str | None = None) -> str:
        with self._lock:
            spent = self._token is None or time.monotonic() > self._ends_at or self._token == rejected
            if self._token is None or spent:
                token = refresh(self._credentials)
                lives_s = token.expires_in_s
                self._ends_at = float("inf") if lives_s is None else time.monotonic() + lives_s - _EARLY_S
                if token.refresh_token:
                    self._credentials["refresh_token"] = token.refresh_token
                self._token = token.access_token
            return self._token


def build_auth(context: SourceContext, fetch: FetchToken, scrubber: Scrubber) -> Authenticator:
    """The authenticator of the spec's auth type. Raises CredentialError for what cannot be sent."""
    auth, where = context.spec.auth, context.where
    values = {name: value.strip() for name, value in context.credentials.items()}
    scrubber.add(*context.credentials.values(), *values.values())
    if isinstance(auth, BearerAuth):
        return HeaderAuth("Authorization", f"Bearer {check_sendable(values['token'], where)}")
    if isinstance(auth, ApiKeyAuth):
        key = auth.prefix + check_sendable(values["api_key"], where)
        return HeaderAuth(auth.name, key) if auth.location == "header" else QueryAuth(auth.name, key)
    if isinstance(auth, BasicAuth):
        user = context.credentials["username"] + auth.username_suffix
        pair = base64.b64encode(f"{user}:{context.credentials['password']}".encode()).decode()
        scrubber.add(pair)
        return HeaderAuth("Authorization", f"Basic {pair}")
    if isinstance(auth, (OAuth2ClientCredentials, OAuth2RefreshToken)):
        return OAuth(context, fetch, scrubber)
    return Authenticator()


def check_sendable(value: str, where: str) -> str:
    """``value`` when a header can carry it, else CredentialError (without the value)."""
    if not value or not value.isascii() or not value.isprintable() or " " in value:
        raise CredentialError(
            "a credential holds characters no header can carry",
            expected="printable ASCII without spaces",
            found=f"{len(value)} characters, some others",
            where=where,
        )
    return value


def _read_seconds(value: Any) -> float | None:
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        return None
    return seconds if 0 < seconds < float("inf") else None
