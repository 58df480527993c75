"""What every vendor simulator offers, and the paging they share. One vendor, one file beside this."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Router
from starlette.types import Receive, Scope, Send

from sandbox.limits import Rate
from sandbox.site import Site
from sandbox.table import Row, Table
from sandbox.world import World


class Vendor(ABC):
    """A vendor: its tables for a world, its routes, and how it says no."""

    name: ClassVar[str]
    rate: ClassVar[Rate]
    aliases: ClassVar[Mapping[str, str]] = {}
    """Streams of the connector config that are read from a table of another name."""

    def __init__(self) -> None:
        self.router = Router(routes=list(self.routes()), default=self._no_route, redirect_slashes=False)

    @abstractmethod
    def build(self, world: World) -> dict[str, Table]:
        """The seeded tables, named as the streams of the connector config."""

    @abstractmethod
    def routes(self) -> Sequence[BaseRoute]:
        """Endpoints below the vendor's base URL."""

    @abstractmethod
    def authenticate(self, request: Request, site: Site) -> Response | None:
        """None when the request may pass, else the vendor's refusal."""

    @abstractmethod
    def refuse_credentials(self) -> Response:
        """The answer to wrong or expired credentials."""

    @abstractmethod
    def refuse_pace(self, retry_after_s: int) -> Response:
        """The answer to too many requests."""

    @abstractmethod
    def refuse_path(self, path: str) -> Response:
        """The answer to an unknown resource."""

    def extra_headers(self, site: Site) -> dict[str, str]:
        """Headers of every answer, such as what is left of the allowance."""
        return {}

    async def _no_route(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.refuse_path(scope["path"])(scope, receive, send)


def reply(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Response(text, status, headers, media_type="application/json; charset=utf-8")


def bearer_of(request: Request) -> str | None:
    """The token of ``Authorization: Bearer …`` (or ``token …``), or None."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() in ("bearer", "token") and token else None


def basic_of(request: Request) -> tuple[str, str] | None:
    """User and password of HTTP basic, or None."""
    kind, _, text = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        user, _, password = b64decode(text, validate=True).decode().partition(":")
    except ValueError:
        return None
    return user, password


def read_number(request: Request, name: str, default: int, most: int) -> int | None:
    """A whole query parameter between 1 and ``most``; None when it is neither absent nor that."""
    text = request.query_params.get(name)
    if text is None:
        return default
    return int(text) if text.isdigit() and 1 <= int(text) <= most else None


def take_after(rows: Sequence[Row], key: str | None, limit: int) -> tuple[list[Row], bool] | None:
    """The page behind the row with ``key`` and whether more follow; None when there is no such row."""
    start = 0
    if key is not None:
        found = next((i for i, row in enumerate(rows) if row.key == key), None)
        if found is None:
            return None
        start = found + 1
    return list(rows[start : start + limit]), len(rows) > start + limit


def mix(number: int, salt: int = 0) -> int:
    """A number that looks arbitrary and is the same for ever (splitmix64)."""
    value = (number + 1 + (salt << 32)) * 0x9E3779B97F4A7C15 % 2**64
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB % 2**64
    return value ^ (value >> 31)


def word_id(prefix: str, number: int, length: int = 14) -> str:
    """``cus_Nff2K8aTq0Xw9Z``: a prefix and letters that follow from the number."""
    letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    salt = sum(map(ord, prefix))
    value = mix(number, salt) + (mix(number, salt + 1) << 64)
    text = ""
    for _ in range(length):
        value, digit = divmod(value, 62)
        text += letters[digit]
    return prefix + text
