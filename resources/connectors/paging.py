"""How pages follow each other: dlt's paginators with the ends and refusals our connector specs promise."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from typing import Any

from dlt.sources.helpers.rest_client.paginators import (
    BaseNextUrlPaginator,
    BasePaginator,
    BaseReferencePaginator,
    HeaderLinkPaginator,
    OffsetPaginator,
    PageNumberPaginator,
    SinglePagePaginator,
)
from requests import Request, Response

from core.connector import (
    CursorPagination,
    Endpoint,
    LinkHeaderPagination,
    NextLinkPagination,
    OffsetPagination,
    PagePagination,
)
from core.errors import SourceUnavailable
from core.names import Path, parse_path

MISSING: Any = object()
"""What ``read_at`` returns where a path leads nowhere; a JSON null is None."""

_MOST_EMPTY_PAGES = 100
_parts = lru_cache(maxsize=1024)(parse_path)


def read_at(value: Any, path: str) -> Any:
    """The value at a field path of ``core.names``; ``*`` gathers the elements of a list."""
    return _walk(value, _parts(path))


def _walk(value: Any, parts: Path) -> Any:
    for index, part in enumerate(parts):
        if part == "*" and isinstance(value, list):
            found = [_walk(item, parts[index + 1 :]) for item in value]
            return [x for item in found if item is not MISSING for x in _as_list(item)]
        inside = part in value if isinstance(value, dict) else _is_position(value, part)
        if not inside:
            return MISSING
        value = value[part]
    return value


def _is_position(value: Any, part: str | int) -> bool:
    return isinstance(value, list) and isinstance(part, int) and part < len(value)


def put_at(body: Any, path: str, value: Any) -> None:
    """Set the value at ``path`` inside a JSON body, making objects on the way where none is."""
    *way, last = _parts(path)
    for part in way:
        step: Any = part
        body = body[step] if isinstance(body, list) else body.setdefault(step, {})
    body[last] = value


def put_param(request: Request, name: str, value: Any) -> None:
    """Send a parameter: in the body of a POST (``name`` is a path there), else in the query."""
    if str(request.method).upper() == "POST":
        request.json = {} if request.json is None else request.json
        put_at(request.json, name, value)
    else:
        params: Any = request.params or {}
        request.params = {**params, name: value}


def build_paginator(endpoint: Endpoint) -> BasePaginator:
    """The paginator of an endpoint's pagination; fresh for each read."""
    paging = endpoint.pagination
    if isinstance(paging, CursorPagination):
        return _Cursor(paging)
    if isinstance(paging, NextLinkPagination):
        return _NextLink(paging)
    if isinstance(paging, LinkHeaderPagination):
        return HeaderLinkPaginator()
    if isinstance(paging, OffsetPagination):
        return _Offset(paging)
    if isinstance(paging, PagePagination):
        return _PageNumber(paging)
    return SinglePagePaginator()


class LoopGuard:
    """Refuses to page for ever: the same request twice, the same page twice, or nothing but empty pages."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._asked: set[bytes] = set()
        self._page: bytes | None = None
        self._empty = 0

    def check(self, request: Request, records: list[Any]) -> None:
        """Look at a page and the request for the next. Raises SourceUnavailable."""
        asked = _digest([request.url, request.params, request.json])
        page = _digest([len(records), records[0], records[-1]]) if records else None
        self._empty = 0 if records else self._empty + 1
        if asked in self._asked:
            self._refuse("the source sends the reader to a page it has read already")
        if page is not None and page == self._page:
            self._refuse("the source sends the same page again and again")
        if self._empty > _MOST_EMPTY_PAGES:
            self._refuse(f"the source sends empty pages only, {self._empty} in a row")
        self._asked.add(asked)
        self._page = page

    def _refuse(self, problem: str) -> None:
        raise SourceUnavailable(
            problem,
            where=self._where,
            remedy="Check the pagination in the connector config against the vendor's documentation",
        )


class _Cursor(BaseReferencePaginator):  # type: ignore[misc]
    """A cursor of the body, or of the last record, in a parameter."""

    def __init__(self, paging: CursorPagination) -> None:
        super().__init__()
        self._paging = paging

    def update_state(self, response: Response, data: list[Any] | None = None) -> None:
        body, paging = response.json(), self._paging
        if paging.last_id is not None:
            found = read_at(data[-1], paging.last_id) if data else None
        else:
            found = read_at(body, paging.next or "next")
        self._next_reference = _read_reference(found, str(paging.last_id or paging.next))
        if paging.has_more and not _read_more(body, paging.has_more, default=bool(self._next_reference)):
            self._has_next_page = False

    def update_request(self, request: Request) -> None:
        if self._next_reference is not None:
            put_param(request, self._paging.param, self._next_reference)


class _NextLink(BaseNextUrlPaginator):  # type: ignore[misc]
    """The next page's URL in the body."""

    def __init__(self, paging: NextLinkPagination) -> None:
        super().__init__()
        self._paging = paging

    def update_state(self, response: Response, data: list[Any] | None = None) -> None:
        body, paging = response.json(), self._paging
        self._next_reference = _read_reference(read_at(body, paging.next), paging.next)
        if paging.has_more and not _read_more(body, paging.has_more, default=bool(self._next_reference)):
            self._next_reference = None
        if paging.at_end and _read_more(body, paging.at_end, default=False):
            self._next_reference = None


class _Ranged:
    """What offset and page number share: where the parameter goes, and when it ends."""

    _size: int | None
    _has_more: str | None
    _has_next_page: bool
    current_value: int
    value_step: int

    def update_state(self, response: Response, data: list[Any] | None = None) -> None:
        self.current_value += self.value_step
        if not data:
            self._has_next_page = False
        elif self._has_more is not None:
            self._has_next_page = _read_more(response.json(), self._has_more)
        elif self._size is not None:
            self._has_next_page = len(data) >= self._size


class _Offset(_Ranged, OffsetPaginator):  # type: ignore[misc]
    def __init__(self, paging: OffsetPagination) -> None:
        super().__init__(limit=paging.page_size, total_path=None)
        self._paging, self._size, self._has_more = paging, paging.page_size, paging.has_more

    def init_request(self, request: Request) -> None:
        self.update_request(request)

    def update_request(self, request: Request) -> None:
        put_param(request, self._paging.offset_param, self.current_value)
        put_param(request, self._paging.limit_param, self._paging.page_size)


class _PageNumber(_Ranged, PageNumberPaginator):  # type: ignore[misc]
    def __init__(self, paging: PagePagination) -> None:
        super().__init__(base_page=paging.first, total_path=None)
        # Without a size parameter the source decides how long a page is: only an empty one is the end.
        self._size = paging.page_size if paging.size_param else None
        self._paging, self._has_more = paging, None

    def init_request(self, request: Request) -> None:
        self.update_request(request)

    def update_request(self, request: Request) -> None:
        put_param(request, self._paging.page_param, self.current_value)
        if self._paging.size_param:
            put_param(request, self._paging.size_param, self._paging.page_size)


def _read_reference(found: Any, path: str) -> str | None:
    if found is MISSING or found is None or found is False or found == "":
        return None
    if isinstance(found, (str, int)) and not isinstance(found, bool):
        return str(found)
    raise SourceUnavailable(
        f"the next page at {path!r} cannot be followed",
        expected="text or a number",
        found=type(found).__name__,
    )


def _read_more(body: Any, path: str, default: bool | None = None) -> bool:
    found = read_at(body, path)
    if isinstance(found, bool):
        return found
    if isinstance(found, str) and found.lower() in ("true", "false"):
        return found.lower() == "true"
    if found in (0, 1):
        return bool(found)
    if (found is MISSING or found is None) and default is not None:
        return default
    raise SourceUnavailable(
        f"the body does not say at {path!r} whether there are more pages",
        expected="true or false",
        found="nothing" if found is MISSING else type(found).__name__,
    )


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _digest(value: Any) -> bytes:
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16]
