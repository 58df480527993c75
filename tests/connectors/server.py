"""A small threaded HTTP server whose routes misbehave on purpose."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


class Exchange(BaseHTTPRequestHandler):
    """One request and the means to answer it badly."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    @property
    def query(self) -> dict[str, str]:
        """Query parameters, the last of each name."""
        return {name: values[-1] for name, values in parse_qs(urlsplit(self.path).query).items()}

    def form(self) -> bytes:
        """The request's body."""
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def answer(self, status: int, content: bytes, **headers: str) -> None:
        """A whole answer; ``_`` in header names stands for ``-``."""
        self.send_response(status)
        sent = {"Content-Type": "application/json", "Content-Length": str(len(content))}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        for name, value in sent.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def json(self, body: Any, status: int = 200, **headers: str) -> None:
        """A JSON answer."""
        self.answer(status, json.dumps(body).encode(), **headers)

    def handle(self) -> None:
        try:
            super().handle()
        except (ConnectionError, OSError):
            self.close_connection = True

    def do_GET(self) -> None:
        asked = Asked(self.command, self.path, {k.lower(): v for k, v in self.headers.items()})
        with self.server.lock:
            self.server.asked.append(asked)
        if self.command == "POST":
            asked.body = self.form()
        route = self.server.routes.get(urlsplit(self.path).path)
        if route is None:
            self.json({"error": "no such thing"}, 404)
            return
        route(self)

    do_POST = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@dataclass
class Asked:
    """A request as the server saw it."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes = b""

    @property
    def query(self) -> dict[str, str]:
        return {name: values[-1] for name, values in parse_qs(urlsplit(self.target).query).items()}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    routes: dict[str, Callable[[Exchange], None]]
    asked: list[Asked]
    lock: threading.Lock


@dataclass
class Site:
    """A running server: set ``routes`` by path, look at what was ``asked``."""

    url: str
    routes: dict[str, Callable[[Exchange], None]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def asked_of(self, path: str) -> list[Asked]:
        """Requests to one path."""
        return [asked for asked in self.asked if urlsplit(asked.target).path == path]


@contextmanager
def serve() -> Iterator[Site]:
    """Run a server on a free port."""
    server = _Server(("127.0.0.1", 0), Exchange)
    server.routes, server.asked, server.lock = {}, [], threading.Lock()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield Site(f"http://127.0.0.1:{server.server_address[1]}", server.routes, server.asked)
    finally:
        server.shutdown()
        server.server_close()
