"""Response bodies: read under a cap, decoded, parsed.

Numbers keep all their digits: one that a float would write differently (1.10) is a Decimal.
"""

from __future__ import annotations

import codecs
import json
from decimal import Decimal
from typing import Any

from requests import Response

_CHUNK_BYTES = 64 * 1024


class BodyTooLarge(Exception):
    """The body has more bytes than a page may; the message says how many were declared or seen."""


class BodyUnreadable(Exception):
    """The body is not the JSON it should be; the message says why, without quoting it."""


class PageResponse(Response):
    """A response whose body was read and parsed once."""

    body: Any = None

    @classmethod
    def of(cls, response: Response, content: bytes, body: Any) -> PageResponse:
        """Take over ``response`` with its content and parsed body."""
        page = cls()
        page.__dict__.update(response.__dict__)
        page._content = content
        page._content_consumed = True  # type: ignore[attr-defined]
        page.body = body
        return page

    def json(self, **_: Any) -> Any:
        return self.body


def read_content(response: Response, limit: int, *, cut: bool = False) -> bytes:
    """The decoded body, at most ``limit`` bytes; more raises BodyTooLarge, or is left when ``cut``."""
    declared = response.headers.get("Content-Length", "")
    if not cut and declared.isdigit() and int(declared) > limit:
        raise BodyTooLarge(f"{declared} bytes announced")
    content = bytearray()
    for chunk in response.raw.stream(_CHUNK_BYTES, decode_content=True):
        content += chunk
        if len(content) > limit:
            if cut:
                return bytes(content[:limit])
            raise BodyTooLarge(f"more than {limit} bytes, decompressed")
    return bytes(content)


def parse_json(content: bytes, charset: str | None) -> Any:
    """The object or list in ``content``. Raises BodyUnreadable."""
    try:
        text = _decode(content, charset)
    except UnicodeDecodeError as error:
        raise BodyUnreadable(f"not {error.encoding} text (byte {error.start})") from None
    value = parse_value(text)
    if not isinstance(value, (dict, list)):
        raise BodyUnreadable(f"JSON {type(value).__name__} where an object or a list should be")
    return value


def parse_value(text: str) -> Any:
    """Any JSON value. Raises BodyUnreadable."""
    try:
        try:
            return json.loads(text, parse_float=_read_float)
        except json.JSONDecodeError:
            raise
        except ValueError:  # an integer longer than Python reads by default
            return json.loads(text, parse_float=_read_float, parse_int=_read_integer)
    except json.JSONDecodeError as error:
        raise BodyUnreadable(f"not JSON ({error.msg} at character {error.pos})") from None
    except RecursionError:
        raise BodyUnreadable("JSON nested deeper than can be read") from None


def _decode(content: bytes, charset: str | None) -> str:
    named = charset.strip("\"' ") if charset else ""
    try:
        codec = codecs.lookup(named).name if named else ""
    except LookupError:
        codec = ""
    if codec in ("", "utf-8", "ascii", "iso8859-1"):
        # Servers say latin-1 or ASCII by habit; RFC 8259 bodies are UTF-8, and others do not decode as it.
        try:
            return content.decode(json.detect_encoding(content))
        except UnicodeDecodeError:
            if codec != "iso8859-1":
                raise
    return content.decode(codec)


def _read_float(text: str) -> float | Decimal:
    value = float(text)
    return value if repr(value) == text else Decimal(text)


def _read_integer(text: str) -> int | str:
    return int(text) if len(text) <= 4_000 else text
