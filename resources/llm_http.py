"""The HTTP below litellm, whichever vendor's client it uses: answers bounded in bytes and time.

It also knows what litellm's exceptions do not tell: whether a request may have been charged.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx

MAX_RESPONSE_BYTES = 256 * 1024
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
_this_thread = threading.local()


class OverlongResponse(ValueError):
    """A response of more bytes than any honest answer needs, or one that would never end."""


def bound_clients(litellm: Any) -> None:
    """Let every client that litellm makes from now on bound what it reads."""
    from litellm.llms.custom_httpx.http_handler import HTTPHandler

    hooks = {"response": [_bound_response]}
    make: Any = HTTPHandler.create_client

    def create_client(handler: HTTPHandler) -> httpx.Client:
        client: httpx.Client = make(handler)
        client.event_hooks = hooks
        return client

    HTTPHandler.create_client = create_client  # type: ignore[method-assign]  # there is no setting for it
    litellm.client_session = httpx.Client(event_hooks=hooks)


def may_be_charged(causes: Iterator[BaseException]) -> bool:
    """Whether a vendor may charge the request of this thread that ended in an error.

    It may where the answer began well, or where the connection broke after it was sent.
    """
    broken = [one for one in causes if isinstance(one, httpx.TransportError)]
    lost = any(not isinstance(one, _NEVER_SENT) for one in broken)
    return lost or getattr(_this_thread, "answered", False)


def _bound_response(response: httpx.Response) -> None:
    """Let the body end at the byte cap, and a dripping one at the time its request was given."""
    _this_thread.answered = response.is_success
    given_s = (response.request.extensions.get("timeout") or {}).get("read") or 60.0
    ends = time.monotonic() + given_s

    class Bounded(httpx.SyncByteStream):
        def __init__(self, stream: httpx.SyncByteStream) -> None:
            self._stream = stream

        def __iter__(self) -> Iterator[bytes]:
            seen = 0
            for chunk in self._stream:
                seen += len(chunk)
                if seen > MAX_RESPONSE_BYTES or time.monotonic() > ends:
                    raise OverlongResponse(f"more than {MAX_RESPONSE_BYTES} bytes or {given_s} s")
                yield chunk

        def close(self) -> None:
            self._stream.close()

    if isinstance(response.stream, httpx.SyncByteStream):
        response.stream = Bounded(response.stream)
