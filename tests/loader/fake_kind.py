"""A kind whose streams are Python lists: what a source would give, page by page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from core.connector import ConnectorSpec
from resources.connectors.base import Page, SourceContext

Pages = Callable[[dict[str, Any]], Iterator[Page]]


@dataclass
class FakeSource:
    """Streams by name; each is called with the reading position, as ``Reader.read`` is."""

    streams: dict[str, Pages] = field(default_factory=dict)
    closed: int = 0

    def read(self, stream: str, state: dict[str, Any]) -> Iterator[Page]:
        yield from self.streams[stream](state)

    def close(self) -> None:
        self.closed += 1


SOURCES: dict[tuple[str, str], FakeSource] = {}


def open_reader(context: SourceContext) -> FakeSource:
    return SOURCES[context.tenant_id, context.spec.connector]


def pages_of(*pages: Page | list[Any]) -> Pages:
    """The same pages at each read."""

    def read(state: dict[str, Any]) -> Iterator[Page]:
        for page in pages:
            yield page if isinstance(page, Page) else Page(page)

    return read


def after_cursor(records: list[dict[str, Any]], page_size: int = 100) -> Pages:
    """What has a higher ``n`` than the last read saw; the list may grow between reads."""

    def read(state: dict[str, Any]) -> Iterator[Page]:
        new = [record for record in records if record["n"] > state.get("n", -1)]
        for start in range(0, len(new), page_size):
            page = new[start : start + page_size]
            state["n"] = page[-1]["n"]
            yield Page([dict(record) for record in page])

    return read


def build_spec(connector: str, *, whole: tuple[str, ...] = (), new: tuple[str, ...] = ()) -> ConnectorSpec:
    """A connector with streams read ``whole`` and streams of which only what is ``new`` is read."""
    streams: dict[str, Any] = {
        name: {"primary_key": ("id",), "endpoint": {"path": f"/{name}"}} for name in (*whole, *new)
    }
    for name in new:
        streams[name]["incremental"] = {"cursor": "n"}
    given = {"connector": connector, "title": connector, "kind": "rest", "streams": streams}
    return ConnectorSpec.model_validate(given)
