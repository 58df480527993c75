"""Faults a vendor can be told to have, as real sources have them. Applied around the vendor's own answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.vendors.base import Vendor, reply

MODES: dict[str, str] = {
    "error": "answers with ``status`` (default 500)",
    "rate_limit": "429 with Retry-After ``retry_after_s``",
    "expired_auth": "the vendor's own 401; OAuth sessions end",
    "slow": "waits ``delay_s`` before it answers",
    "drip": "sends the body byte by byte, ``delay_s`` between them",
    "invalid_json": "cuts the body's last third off, with a true length",
    "truncated": "promises the whole body and closes the connection in its middle",
    "empty": "200 without a body",
    "wrong_type": "200 with an HTML page",
    "redirect": "302 to ``location``",
    "foreign_links": "links in the body and in headers lead to ``location``",
    "reset": "resets the connection before it answers",
}


@dataclass
class Fault:
    """One fault of one tenant's vendor (``*`` = every tenant).

    It hits requests whose path contains ``match``, after leaving the first ``skip`` alone, ``times`` times
    (None = until cleared).
    """

    tenant: str
    vendor: str
    mode: str
    times: int | None = None
    skip: int = 0
    match: str = ""
    status: int = 500
    retry_after_s: int = 1
    delay_s: float = 0.5
    location: str = "http://127.0.0.2:9/elsewhere"
    hits: int = 0

    def strikes(self, tenant: str, vendor: str, path: str) -> bool:
        """Whether this request is hit; counts it."""
        here = self.tenant in ("*", tenant) and self.vendor == vendor and self.match in path
        if not here or (self.times is not None and self.hits >= self.times):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.hits += 1
        return True


@dataclass
class _Collected:
    status: int = 200
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], list(message.get("headers", ()))
        else:
            self.body += message.get("body", b"")


async def respond(
    fault: Fault,
    vendor: Vendor,
    app: ASGIApp,
    scope: Scope,
    receive: Receive,
    send: Send,
    reset: Callable[[Any], None],
) -> None:
    """Answer one request as the fault says. ``reset`` ends the connection of a client address."""
    ready = _ready_answer(fault, vendor, scope)
    if ready is not None:
        await ready(scope, receive, send)
        return
    if fault.mode == "reset":
        reset(scope.get("client"))
        return
    if fault.mode == "slow":
        await asyncio.sleep(fault.delay_s)
        await app(scope, receive, send)
        return
    answer = _Collected()
    await app(scope, receive, answer.send)
    await _send_damaged(fault, answer, scope, send)


def _ready_answer(fault: Fault, vendor: Vendor, scope: Scope) -> Response | None:
    """The answer of faults that do not need the vendor's own."""
    if fault.mode == "error":
        headers = {"Retry-After": str(fault.retry_after_s)} if fault.status == 503 else None
        return reply({"message": "Something went wrong on our side."}, fault.status, headers)
    if fault.mode == "rate_limit":
        return vendor.refuse_pace(fault.retry_after_s)
    if fault.mode == "expired_auth":
        scope["site"].sessions.clear()
        return vendor.refuse_credentials()
    if fault.mode == "empty":
        return Response(b"", 200, media_type="application/json")
    if fault.mode == "wrong_type":
        page = "<!doctype html><title>Log in</title><form>Please log in</form>"
        return Response(page, 200, media_type="text/html; charset=utf-8")
    if fault.mode == "redirect":
        return RedirectResponse(fault.location, 302)
    return None if fault.mode in MODES else PlainTextResponse(f"no fault {fault.mode}", 500)


async def _send_damaged(fault: Fault, answer: _Collected, scope: Scope, send: Send) -> None:
    body, headers = answer.body, answer.headers
    if fault.mode == "foreign_links":
        host = next((v for k, v in scope["headers"] if k == b"host"), b"")
        own = f"{scope.get('scheme', 'http')}://".encode() + host
        body = body.replace(own, fault.location.encode())
        headers = [(k, v.replace(own, fault.location.encode())) for k, v in headers]
    elif fault.mode == "invalid_json":
        body = body[: len(body) * 2 // 3]
    if fault.mode != "truncated":
        headers = [(k, v) for k, v in headers if k != b"content-length"]
        headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    if fault.mode == "truncated":
        # Returning with less than promised makes the server close the connection.
        await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
        return
    if fault.mode == "drip":
        for i in range(len(body)):
            await send({"type": "http.response.body", "body": body[i : i + 1], "more_body": True})
            await asyncio.sleep(fault.delay_s)
        body = b""
    await send({"type": "http.response.body", "body": body})
