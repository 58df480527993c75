"""Kind ``salesforce``: objects of an org through the REST API: describe, SOQL by queryAll, record pages.

queryAll shows deleted records too, with IsDeleted. What may be selected is asked of the org each time,
so custom fields are read without being named in a config.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from requests import Request

from core.connector import Incremental
from core.cursors import write_utc
from core.errors import ConfigError, CredentialError, SourceUnavailable
from core.incremental import CursorWindow
from core.names import join_name
from resources.connectors.base import Page, SourceContext
from resources.connectors.http import EndpointMissing, SourceSession
from resources.connectors.sql_errors import missing
from resources.connectors.throttle import Clock

_DEFAULT_VERSION = "v60.0"
_VERSION = re.compile(r"v?(\d{2,3})(\.0)?")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}")
_MOST_QUERY_CHARS = 16_000
"""Salesforce refuses URLs beyond 16,384 bytes."""
_UNREADABLE = frozenset({"address", "location", "base64"})
"""Compound fields repeat their parts; binary content comes from another resource."""


def open_reader(context: SourceContext) -> SalesforceReader:
    """A reader over one session; asks nothing yet."""
    return SalesforceReader(context)


def check_source(context: SourceContext) -> None:
    """Ask for the API's limits, which every login may see."""
    reader = SalesforceReader(context)
    try:
        reader.probe()
    finally:
        reader.close()


class SalesforceReader:
    """Reads the objects of one org."""

    def __init__(self, context: SourceContext, clock: Clock | None = None) -> None:
        self._context = context
        self._session = SourceSession(context, clock)
        given = context.option("api_version") or _DEFAULT_VERSION
        version = _VERSION.fullmatch(given)
        if version is None:
            raise ConfigError(
                "option api_version cannot be read",
                expected="like v60.0",
                found=repr(given),
                where=context.where,
            )
        self._root = f"/services/data/v{version.group(1)}.0"

    def read(self, stream: str, state: dict[str, Any]) -> Iterator[Page]:
        """See ``base.Reader``. State: ``{"cursor": window}``."""
        spec = self._context.stream(stream)
        sobject = spec.sobject or ""
        where = join_name(self._context.where, stream)
        fields = self._describe(sobject, stream, where)
        if spec.incremental is None:
            for records in self._query(sobject, list(fields), "", stream):
                yield Page(records)
            return
        cursor = spec.incremental.cursor
        if cursor not in fields:
            raise missing("field", f"{sobject}.{cursor}", fields, where)
        window = CursorWindow(spec.incremental.format, state.setdefault("cursor", {}))
        condition = _build_condition(spec.incremental, window, nillable=fields[cursor])
        for records in self._query(sobject, [cursor, *fields], condition, stream):
            new = [r for r in records if window.take(r.get(cursor), lambda r=r: r)]  # type: ignore[misc]
            if new:
                yield Page(new)
        window.save()

    def probe(self) -> None:
        """Ask for something small that needs a valid login."""
        self._get(f"{self._root}/limits", None)

    def close(self) -> None:
        """Close the session's connections."""
        self._session.close()

    def _describe(self, sobject: str, stream: str, where: str) -> dict[str, bool]:
        """Fields the login may read, and whether each may be null."""
        if not _NAME.fullmatch(sobject):
            raise ConfigError("sobject is no object name", found=repr(sobject), where=where)
        try:
            body = self._get(f"{self._root}/sobjects/{sobject}/describe", stream)
        except EndpointMissing:
            raise missing("object", sobject, self._object_names(stream), where) from None
        found = body.get("fields") if isinstance(body, dict) else None
        if not isinstance(found, list):
            raise SourceUnavailable("describe gave no fields", expected="a list at fields", where=where)
        fields = {
            str(field["name"]): field.get("nillable") is not False
            for field in found
            if isinstance(field, dict)
            and field.get("type") not in _UNREADABLE
            and _NAME.fullmatch(str(field.get("name")))
        }
        if not fields:
            raise ConfigError(f"the login may read no field of {sobject}", where=where)
        return fields

    def _object_names(self, stream: str) -> list[str]:
        body = self._get(f"{self._root}/sobjects", stream)
        objects = body.get("sobjects", []) if isinstance(body, dict) else []
        return [str(one.get("name")) for one in objects if isinstance(one, dict)]

    def _query(
        self, sobject: str, fields: list[str], condition: str, stream: str
    ) -> Iterator[list[dict[str, Any]]]:
        """Pages of records. An object too wide for one query is read in parts side by side, joined by Id.

        The first part, which carries the cursor, is asked first: what changes between the queries then
        has an old stamp here and comes again.
        """
        order = f" ORDER BY {'SystemModstamp, ' if 'SystemModstamp' in fields else ''}Id"
        parts = _split_fields(sobject, fields, condition + order)
        first, *rest = [self._pages(_build_soql(sobject, part, condition + order), stream) for part in parts]
        waiting: list[dict[Any, dict[str, Any]]] = [{} for _ in rest]
        for records in first:
            for pages, known in zip(rest, waiting, strict=True):
                _read_until(pages, known, {record.get("Id") for record in records})
            yield [
                {**record, **{k: v for known in waiting for k, v in known.pop(record.get("Id"), {}).items()}}
                for record in records
            ]

    def _pages(self, soql: str, stream: str) -> Iterator[list[dict[str, Any]]]:
        path: str | None = f"{self._root}/queryAll?q={quote(soql, safe='')}"
        asked: set[str] = set()
        while path is not None:
            if path in asked:
                raise SourceUnavailable(
                    "Salesforce sends the reader to a page it has read already",
                    where=join_name(self._context.where, stream),
                )
            asked.add(path)
            body = self._get(path, stream)
            records = body.get("records") if isinstance(body, dict) else None
            if not isinstance(records, list):
                raise SourceUnavailable(
                    "the query gave no records",
                    expected="a list at records",
                    where=join_name(self._context.where, stream),
                )
            yield [_strip(record) for record in records if isinstance(record, dict)]
            following = body.get("nextRecordsUrl")
            path = None if body.get("done", True) and not following else _check_next(following)

    def _get(self, path: str, stream: str | None) -> Any:
        url = path if "://" in path or path.startswith("//") else self._session.base_url + path
        self._session.check_origin(
            url, "nextRecordsUrl", f"{self._context.where}/{stream}" if stream else None
        )
        request = self._session.prepare_request(Request("GET", url, headers={"Accept": "application/json"}))
        settings = self._session.merge_environment_settings(request.url, {}, None, None, None)
        try:
            return self._session.send(request, endpoint=stream, **settings).body
        except CredentialError as error:
            if "REQUEST_LIMIT_EXCEEDED" not in str(error.found):
                raise
            raise SourceUnavailable(
                "the org's daily allowance of API requests is spent", where=error.where, found=error.found
            ) from None


def _build_condition(incremental: Incremental, window: CursorWindow, *, nillable: bool) -> str:
    last = window.last
    if last is None:
        return ""
    value = write_utc(last, digits=3) if incremental.format == "iso8601" else window.filter_value()
    if value is None:
        return ""
    # A record without a value would never be asked for again.
    unset = f" OR {incremental.cursor} = null" if nillable else ""
    return f" WHERE {incremental.cursor} >= {value}{unset}"


def _read_until(
    pages: Iterator[list[dict[str, Any]]], known: dict[Any, dict[str, Any]], wanted: set[Any]
) -> None:
    """Take pages of another part until it has all ``wanted`` records; the order is the same, or nearly."""
    missing_ids = wanted - known.keys()
    while missing_ids:
        records = next(pages, None)
        if records is None:
            return
        known.update((record.get("Id"), record) for record in records)
        missing_ids -= known.keys()


def _build_soql(sobject: str, fields: list[str], condition: str) -> str:
    return f"SELECT {', '.join(fields)} FROM {sobject}{condition}"


def _split_fields(sobject: str, fields: list[str], condition: str) -> list[list[str]]:
    """Fields in as few queries as their URLs allow, each with Id; stamps and flags in the first."""
    shared = [name for name in ("Id",) if name in fields]
    leading = [name for name in ("SystemModstamp", "IsDeleted", "LastModifiedDate") if name in fields]
    parts: list[list[str]] = [list(shared)]
    for name in dict.fromkeys([*leading, *fields]):
        if name in shared:
            continue
        if _encoded_length(_build_soql(sobject, [*parts[-1], name], condition)) > _MOST_QUERY_CHARS:
            parts.append(list(shared))
        parts[-1].append(name)
    return parts


def _encoded_length(soql: str) -> int:
    return len(quote(soql, safe=""))


def _strip(record: dict[str, Any]) -> dict[str, Any]:
    """Without ``attributes``, which says only type and URL of the record."""
    return {name: value for name, value in record.items() if name != "attributes"}


def _check_next(following: Any) -> str:
    if not isinstance(following, str) or not following:
        raise SourceUnavailable("more records are announced without nextRecordsUrl")
    return following
