"""Connections that can be cut: one exchange ends at its deadline whatever the server does.

A read timeout restarts with every byte, so a server that drips keeps a request alive for ever. A watch
holds a second handle on the socket and shuts it down when time is over. The secret part of a query is
added here too, below everything that logs URLs or puts them into exceptions.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from types import TracebackType
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

_thread = threading.local()


class Watch:
    """Cuts the sockets this thread uses inside the ``with`` block after ``seconds``."""

    def __init__(self, seconds: float, secret_query: str = "") -> None:
        self.expired = False
        self.secret_query = secret_query
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()
        self._timer = threading.Timer(max(seconds, 0.0), self._cut)
        self._timer.daemon = True

    def __enter__(self) -> Watch:
        _thread.watch = self
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _thread.watch = None
        self._timer.cancel()
        with self._lock:
            for handle in self._sockets:
                handle.close()
            self._sockets = []

    def hold(self, fileno: int) -> None:
        """Remember a connection. A duplicate descriptor outlives TLS wrapping and early closing."""
        with self._lock:
            self._sockets.append(socket.socket(fileno=os.dup(fileno)))
        if self.expired:
            self._cut()

    def _cut(self) -> None:
        self.expired = True
        with self._lock:
            for handle in self._sockets:
                with contextlib.suppress(OSError):
                    handle.shutdown(socket.SHUT_RDWR)

    def sign(self, target: str) -> str:
        """The request target with the secret query parameter, if the authentication has one."""
        if not self.secret_query:
            return target
        return f"{target}{'&' if '?' in target else '?'}{self.secret_query}"


def _watch() -> Watch | None:
    return getattr(_thread, "watch", None)


class _Watched:
    """What both connection classes add: tell the watch about sockets, sign the target."""

    sock: socket.socket | None

    def _new_conn(self) -> socket.socket:
        sock: socket.socket = super()._new_conn()  # type: ignore[misc]
        watch = _watch()
        if watch is not None:
            watch.hold(sock.fileno())
        return sock

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> None:
        watch = _watch()
        if watch is not None:
            if self.sock is not None:
                watch.hold(self.sock.fileno())
            url = watch.sign(url)
        super().request(method, url, *args, **kwargs)  # type: ignore[misc]


class _WatchedHTTP(_Watched, HTTPConnection):
    pass


class _WatchedHTTPS(_Watched, HTTPSConnection):
    pass


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _WatchedHTTP


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedHTTPS


class WatchedAdapter(HTTPAdapter):
    """The requests adapter over connections a ``Watch`` can cut. It neither retries nor redirects."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}

    def proxy_manager_for(self, proxy: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}
        return manager
