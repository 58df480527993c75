"""Kind ``rest``: JSON over HTTP, described by endpoints, paginations and cursors of a connector config."""

from __future__ import annotations

import copy
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from dlt.common.configuration.specs.runtime_configuration import RuntimeConfiguration
from dlt.sources.helpers.rest_client import RESTClient
from requests import Request, Response

from core.connector import Endpoint, EndpointDeletion, Incremental
from core.errors import ConfigError, SourceUnavailable, UnexpectedAnswer
from core.incremental import ContentWindow, CursorWindow
from core.names import join_name
from resources.connectors.base import Page, SourceContext
from resources.connectors.http import EndpointMissing, SourceSession
from resources.connectors.paging import MISSING, LoopGuard, build_paginator, put_at, read_at
from resources.connectors.throttle import Clock

_FIELD = re.compile(r"\{([^{}]+)\}")
Fields = dict[str, Any]
Filter = tuple[Incremental, str | None]


def open_reader(context: SourceContext) -> RestReader:
    """A reader over one session; asks nothing yet."""
    return RestReader(context)


def check_source(context: SourceContext) -> None:
    """Ask for one page of the first stream that needs no other, with one retry at most."""
    limits = context.spec.limits
    quick = limits.model_copy(
        update={"retries": min(limits.retries, 1), "page_deadline_s": min(limits.page_deadline_s, 20.0)}
    )
    spec = context.spec.model_copy(update={"limits": quick})
    reader = RestReader(replace(context, spec=spec))
    try:
        reader.probe()
    finally:
        reader.close()


class _Client(RESTClient):  # type: ignore[misc]
    """dlt's client; records are found by our paths, and a body without them is an error."""

    def __init__(self, session: SourceSession, headers: dict[str, str]) -> None:
        # A config object of its own: resolving the global one reads the environment.
        super().__init__(session.base_url, headers=headers, session=session, config=RuntimeConfiguration())

    def extract_response(self, response: Response, data_selector: Any) -> list[Any]:
        return read_records(response.json(), None if data_selector == "$" else str(data_selector))


class RestReader:
    """Reads the streams of a REST API."""

    def __init__(self, context: SourceContext, clock: Clock | None = None) -> None:
        self._context = context
        self._session = SourceSession(context, clock)
        self._client = _Client(self._session, {"Accept": "application/json", **context.spec.headers})
        self._parents: dict[str, list[Fields]] = {}
        self._lock = threading.RLock()

    def read(self, stream: str, state: dict[str, Any]) -> Iterator[Page]:
        """See ``base.Reader``. State: ``{"cursor": window, "deleted": window}``."""
        spec = self._context.stream(stream)
        endpoint = _endpoint(spec.endpoint, stream)
        for records in self._new(stream, endpoint, spec.incremental, state.setdefault("cursor", {})):
            yield Page(records)
        if isinstance(spec.deletion, EndpointDeletion):
            deletion = spec.deletion
            listing = endpoint.model_copy(
                update={"path": deletion.path, "params": deletion.params, "records": deletion.records}
            )
            window = state.setdefault("deleted", {})
            for records in self._new(stream, listing, deletion.incremental, window, once=True):
                yield Page(records, deleted=True)

    def probe(self) -> None:
        """Ask for one page."""
        streams = self._context.spec.streams
        name = next((n for n, s in streams.items() if s.endpoint and not s.endpoint.parent), None)
        if name is None:
            raise ConfigError("every stream needs a parent stream", where=self._context.where)
        next(self._pages(name, _endpoint(streams[name].endpoint, name), {}, None), None)

    def close(self) -> None:
        """Close the session's connections."""
        self._session.close()

    def _new(
        self,
        stream: str,
        endpoint: Endpoint,
        incremental: Incremental | None,
        state: dict[str, Any],
        *,
        once: bool = False,
    ) -> Iterator[list[Any]]:
        """Pages of what is new by the cursor; without one everything, or with ``once`` what is unseen."""
        if incremental is None and not once:
            yield from self._all(stream, endpoint, None)
            return
        window: CursorWindow | ContentWindow
        filter_: Filter | None = None
        if incremental is None:
            window = ContentWindow(state)
        else:
            window = CursorWindow(incremental.format, state)
            filter_ = (incremental, window.filter_value())
        cursor = incremental.cursor if incremental else None
        for records in self._all(stream, endpoint, filter_):
            new = [r for r in records if window.take(_cursor_of(r, cursor), lambda r=r: r)]  # type: ignore[misc]
            if new:
                yield new
        window.save()

    def _all(self, stream: str, endpoint: Endpoint, filter_: Filter | None) -> Iterator[list[Any]]:
        if endpoint.parent is None:
            yield from self._pages(stream, endpoint, {}, filter_)
            return
        parents = self._parent_fields(endpoint.parent)
        missing: EndpointMissing | None = None
        answered = False
        for parent in parents:
            if any(_is_unusable(parent.get(name)) for name in _FIELD.findall(endpoint.path)):
                continue
            try:
                yield from self._pages(stream, endpoint, parent, filter_)
                answered = True
            except EndpointMissing as error:
                # A parent may be deleted between the two requests; all of them never are.
                missing = error
        if missing is not None and not answered:
            raise missing

    def _pages(
        self,
        stream: str,
        endpoint: Endpoint,
        parent: Fields,
        filter_: Filter | None,
    ) -> Iterator[list[Any]]:
        where = join_name(self._context.where, stream)
        path = _FIELD.sub(lambda match: quote(_text(parent[match.group(1)]), safe=""), endpoint.path)
        params, body = _build_parameters(endpoint, filter_)
        paginator = build_paginator(endpoint)
        guard = LoopGuard(where)
        pages = self._client.paginate(
            path,
            method=endpoint.method,
            params=params,
            json=body,
            paginator=paginator,
            data_selector=endpoint.records or "$",
            headers=dict(endpoint.headers) or None,
            hooks={"response": []},
            endpoint=stream,
        )
        try:
            for page in pages:
                yield [_include(record, endpoint.include, parent) for record in page]
                if paginator.has_next_page:
                    request: Request = page.request
                    self._session.check_origin(str(request.url), f"the next page of {path}", where)
                    guard.check(request, page)
        except SourceUnavailable as error:
            if error.where is not None:
                raise
            facts = {"expected": error.expected, "found": error.found, "remedy": error.remedy}
            raise type(error)(error.problem, where=f"{where} {path}", **facts) from None

    def _parent_fields(self, stream: str) -> list[Fields]:
        """Of each record of a parent stream, what its children need; read whole, once a reader."""
        with self._lock:
            if stream not in self._parents:
                endpoint = _endpoint(self._context.stream(stream).endpoint, stream)
                wanted = self._wanted_of(stream)
                pages = self._all(stream, endpoint, None)
                self._parents[stream] = [
                    _pick(record, wanted, stream)
                    for page in pages
                    for record in page
                    if isinstance(record, dict)
                ]
            return self._parents[stream]

    def _wanted_of(self, parent: str) -> set[str]:
        specs = (s.endpoint for s in self._context.spec.streams.values())
        children = [e for e in specs if e is not None and e.parent == parent]
        names = {name for e in children for name in _FIELD.findall(e.path)}
        return names | {source for e in children for source in e.include.values()}


def read_records(body: Any, path: str | None) -> list[Any]:
    """The list of records in a body; null and an empty body are an empty list."""
    found = body if path is None or body is None else read_at(body, path)
    if found is None:
        return []
    if isinstance(found, list):
        return found
    if isinstance(found, dict) and path is not None:
        return [found]
    keys = ", ".join(list(map(str, body))[:10]) if isinstance(body, dict) else "a list"
    absent = found is MISSING or path is None
    raise UnexpectedAnswer(
        "the body has no list of records" + (f" at {path!r}" if path else ""),
        expected="a list",
        found=f"a body with {keys or 'nothing'}" if absent else type(found).__name__,
        remedy="Check records in the connector config against the vendor's documentation",
    )


def _build_parameters(
    endpoint: Endpoint, filter_: Filter | None
) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Query and body: fixed parameters, then the filter (in the body for POST)."""
    params: dict[str, Any] = {name: _text(value) for name, value in endpoint.params.items()}
    body = copy.deepcopy(endpoint.body)
    if filter_ is not None and filter_[1] is not None and filter_[0].param is not None:
        value = filter_[0].template.replace("{value}", filter_[1])
        if endpoint.method == "POST":
            body = {} if body is None else body
            put_at(body, filter_[0].param, value)
        else:
            params[filter_[0].param] = value
    return params or None, body


def _cursor_of(record: Any, path: str | None) -> Any:
    value = MISSING if path is None else read_at(record, path)
    return None if value is MISSING else value


def _pick(record: Fields, wanted: set[str], stream: str) -> Fields:
    picked = {name: read_at(record, name) for name in wanted}
    absent = sorted(name for name, value in picked.items() if value is MISSING)
    if absent:
        raise ConfigError(
            f"records of the parent stream {stream!r} lack what a child needs",
            expected=", ".join(sorted(wanted)),
            found="no " + ", ".join(absent),
        )
    return picked


def _include(record: Any, include: dict[str, str], parent: Fields) -> Any:
    if not include or not isinstance(record, dict):
        return record
    return {**record, **{name: parent[source] for name, source in include.items()}}


def _is_unusable(value: Any) -> bool:
    """Whether a value cannot stand in a path: nothing, nested, or a step to another folder."""
    return value is None or isinstance(value, (dict, list)) or _text(value) in ("", ".", "..")


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _endpoint(endpoint: Endpoint | None, stream: str) -> Endpoint:
    if endpoint is None:
        raise ConfigError(f"stream {stream!r} has no endpoint", where=stream)
    return endpoint
