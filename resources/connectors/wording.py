"""What may be said about a source: text without secrets, short, printable; and where a URL leads."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import quote, quote_plus, urlsplit

from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

SHOWN_CHARS = 200
_EXAMINED_CHARS = 16_384
_SHORTEST_SECRET = 4
_TOKEN_LIKE = re.compile(
    r"(?i)((?:bearer|basic)\s+|[\"']?(?:access_token|refresh_token|client_secret|api_?key|password|secret)"
    r"[\"']?\s*[:=]\s*[\"']?)([^\s\"'&,;<>]{4,})"
)
_PORTS = {"http": 80, "https": 443}


class Scrubber:
    """Replaces every known secret, and what looks like one, by ``***``."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: set[str] = set()
        self.add(*secrets)

    def add(self, *secrets: str) -> None:
        """Know more secrets, in the spellings they take on the way."""
        for secret in secrets:
            if len(secret) >= _SHORTEST_SECRET:
                encoded = base64.b64encode(secret.encode()).decode()
                self._secrets |= {secret, quote(secret, safe=""), quote_plus(secret), encoded}

    def clean(self, text: str) -> str:
        """``text`` without secrets."""
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        return _TOKEN_LIKE.sub(r"\1***", text)

    def excerpt(self, content: bytes | str) -> str:
        """The first printable characters of a body, scrubbed, on one line."""
        head = content[: 4 * _EXAMINED_CHARS]
        text = head.decode("utf-8", "replace") if isinstance(head, bytes) else head
        # Scrub before cutting: half a secret is still one.
        cleaned = self.clean(text[:_EXAMINED_CHARS])
        shown = "".join(c if c.isprintable() else " " for c in cleaned[: 4 * SHOWN_CHARS])
        return " ".join(shown.split())[:SHOWN_CHARS]


class Origin(NamedTuple):
    """Who a URL talks to."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        port = "" if _PORTS.get(self.scheme) == self.port else f":{self.port}"
        return f"{self.scheme}://{self.host}{port}"


def read_origin(url: str) -> Origin | None:
    """The origin a request to ``url`` would go to; None for what is not a plain http(s) URL.

    The parser is the one that opens the connection: two parsers that disagree are a way out.
    """
    if any(c in url for c in "\\\r\n\t") or any(ord(c) < 0x20 for c in url):
        return None
    try:
        parsed = parse_url(url)
    except LocationParseError:
        return None
    scheme = (parsed.scheme or "").lower()
    if scheme not in _PORTS or not parsed.host or parsed.auth is not None:
        return None
    return Origin(scheme, parsed.host.lower().rstrip("."), parsed.port or _PORTS[scheme])


def show_path(url: str) -> str:
    """The path of a URL: query values may hold secrets, so none is shown."""
    return urlsplit(url).path or "/"
