"""The incremental window: which records of a read are new, and what to ask for next time. Pure.

Laws: a record whose cursor is not below the last one passes unless its very content was seen there;
the outcome does not depend on the order of records; a record without a usable cursor passes and does
not advance the window; reading the same again passes nothing.
"""

from __future__ import annotations

import hashlib
import heapq
import json
from base64 import b64encode
from collections.abc import Callable
from typing import Any

from core.connector import CursorFormat
from core.cursors import Key, read_key, write_filter

MAX_SEEN = 10_000
"""Contents remembered at the boundary. Beyond it records are read again, never lost."""

_PENDING = 512


def hash_content(record: Any) -> str | None:
    """96 bits of SHA-256 over canonical JSON, base64; None for what JSON cannot write (nested too deep)."""
    try:
        text = json.dumps(record, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
    except (RecursionError, TypeError, ValueError):
        return None
    return b64encode(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:12]).decode()


class CursorWindow:
    """Filters one read of a stream by its cursor and remembers the boundary for the next.

    ``state`` is JSON data, empty at first: ``{"last": <greatest cursor, source's spelling>, "seen":
    [<content hash of each record at it>]}``. ``save`` writes it; until then it is only read.
    """

    def __init__(self, format_: CursorFormat, state: dict[str, Any]) -> None:
        self.format = format_
        self._state = state
        self._start_value: str | None = state.get("last")
        self._start = None if self._start_value is None else read_key(self._start_value, format_)
        self._start_seen = frozenset(state.get("seen", ())) if self._start is not None else frozenset()
        self._top, self._top_value = self._start, self._start_value
        self._top_seen: set[str] = set(self._start_seen)
        self._pending: list[Callable[[], Any]] = []

    @property
    def last(self) -> str | None:
        """The greatest cursor of earlier reads in the source's spelling; None at the first."""
        return None if self._start is None else self._start_value

    def filter_value(self) -> str | None:
        """What to ask the source for (not below it), written in the format; None asks for everything."""
        return None if self._start is None else write_filter(str(self._start_value), self.format)

    def take(self, value: Any, record: Callable[[], Any]) -> bool:
        """Whether the record with cursor ``value`` is new. ``record`` gives the content, when needed."""
        key = read_key(value, self.format)
        if key is None:
            return True
        if self._start is None or key > self._start:
            self._remember(key, str(value), record)
            return True
        if key < self._start:
            return False
        content = hash_content(record())
        if content is not None and self._top == self._start:
            self._top_seen.add(content)
        return content is None or content not in self._start_seen

    def save(self) -> None:
        """Write the advanced window into ``state``. Call when the stream was read to its end."""
        self._flush()
        if self._top_value is not None and self._top is not None:
            self._state["last"] = self._top_value
            self._state["seen"] = sorted(heapq.nsmallest(MAX_SEEN, self._top_seen))

    def _remember(self, key: Key, text: str, record: Callable[[], Any]) -> None:
        if self._top is None or key > self._top:
            self._top, self._top_value = key, text
            self._top_seen, self._pending = set(), []
        elif key < self._top:
            return
        # Equal instants may be spelled differently: the same one of them, whatever order they come in.
        self._top_value = min(str(self._top_value), text)
        # Most records of an ordered read are the greatest for a moment only: hash the last ones.
        self._pending.append(record)
        if len(self._pending) > _PENDING:
            self._flush()

    def _flush(self) -> None:
        contents = (hash_content(record()) for record in self._pending)
        self._top_seen.update(content for content in contents if content is not None)
        self._pending = []
        if len(self._top_seen) > 2 * MAX_SEEN:
            self._top_seen = set(heapq.nsmallest(MAX_SEEN, self._top_seen))


class ContentWindow:
    """Filters a list that has no cursor: what stood in the last read with the same content is known.

    ``state``: ``{"seen": [<content hash>]}``. A record that left the list and came back passes again.
    """

    def __init__(self, state: dict[str, Any]) -> None:
        self._state = state
        self._before = frozenset(state.get("seen", ()))
        self._now: set[str] = set()

    def take(self, _value: Any, record: Callable[[], Any]) -> bool:
        """Whether the record is new."""
        content = hash_content(record())
        if content is None:
            return True
        self._now.add(content)
        if len(self._now) > 2 * MAX_SEEN:
            self._now = set(heapq.nsmallest(MAX_SEEN, self._now))
        return content not in self._before

    def save(self) -> None:
        """Write what this read saw into ``state``."""
        self._state["seen"] = sorted(heapq.nsmallest(MAX_SEEN, self._now))
