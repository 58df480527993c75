"""Pipedrive: API v2 with cursors for most, v1 with start and limit for leads, notes and users."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sandbox.limits import Rate
from sandbox.site import Site, site_of
from sandbox.table import Record, Row, Table, read
from sandbox.times import read_time
from sandbox.vendors.base import Vendor, bearer_of, read_number, reply
from sandbox.vendors.pipedrive_data import build_tables
from sandbox.world import World

V2_KINDS = ("organizations", "persons", "deals", "activities", "products", "pipelines", "stages")
V1_KINDS = ("leads", "notes")
_FILTERS = ("owner_id", "person_id", "org_id", "pipeline_id", "stage_id", "deal_id")


class Pipedrive(Vendor):
    """``x-api-token: <token>``; v1 takes ``api_token`` in the query too. OAuth bearer tokens work as well."""

    name = "pipedrive"
    rate = Rate(20, 120)

    def build(self, world: World) -> dict[str, Table]:
        return build_tables(world)

    def routes(self) -> Sequence[BaseRoute]:
        return (
            Route("/api/v2/{kind}", list_v2),
            Route("/api/v2/{kind}/{id:int}", get_v2),
            Route("/api/v1/users", list_users),
            Route("/v1/users", list_users),
            Route("/api/v1/{kind}", list_v1),
            Route("/v1/{kind}", list_v1),
        )

    def authenticate(self, request: Request, site: Site) -> Response | None:
        given = request.headers.get("x-api-token") or bearer_of(request)
        if given is None and "/v1/" in request.scope["path"]:
            given = request.query_params.get("api_token")
        return None if given in site.tokens else self.refuse_credentials()

    def refuse_credentials(self) -> Response:
        info = "Please check developers.pipedrive.com"
        return _error(401, "unauthorized access", {"errorCode": 401, "error_info": info})

    def refuse_pace(self, retry_after_s: int) -> Response:
        refusal = _error(429, "request over limit", {"errorCode": 429})
        refusal.headers["Retry-After"] = str(retry_after_s)
        return refusal

    def refuse_path(self, path: str) -> Response:
        return _error(404, "Unknown method .", {"errorCode": 404})

    def extra_headers(self, site: Site) -> dict[str, str]:
        return {
            "x-ratelimit-limit": str(site.bucket.rate.burst),
            "x-ratelimit-remaining": str(site.bucket.remaining),
            "x-ratelimit-reset": "2",
        }


async def list_v2(request: Request) -> Response:
    """``GET /api/v2/{kind}``: ``updated_since``, ``status``, ``sort_by``, ``limit`` ≤ 500, ``cursor``."""
    site, kind = site_of(request), request.path_params["kind"]
    limit = read_number(request, "limit", 100, 500)
    if kind not in V2_KINDS:
        return _error(404, "Unknown method .", {"errorCode": 404})
    if limit is None:
        return _error(400, "limit must be between 1 and 500", {"code": "ERR_SCHEMA_VALIDATION_FAILED"})
    try:
        after = _read_cursor(request.query_params.get("cursor"))
        rows = _select(request, site.tables[kind])
    except ValueError as error:
        return _error(400, str(error), {"code": "ERR_SCHEMA_VALIDATION_FAILED"})
    sort = request.query_params.get("sort_by", "id")
    behind = [row for row in rows if after is None or _place(row, sort) > after]
    page = behind[:limit]
    more = len(behind) > limit
    cursor = _write_cursor(_place(page[-1], sort)) if more else None
    data = [site.serve(site.tables[kind], row) for row in page]
    return reply({"success": True, "data": data, "additional_data": {"next_cursor": cursor}})


async def get_v2(request: Request) -> Response:
    """``GET /api/v2/{kind}/{id}``."""
    site, kind = site_of(request), request.path_params["kind"]
    row = site.tables[kind].rows.get(str(request.path_params["id"])) if kind in V2_KINDS else None
    if row is None:
        return _error(404, "Entity not found", {"code": "ERR_NOT_FOUND"})
    return reply({"success": True, "data": site.serve(site.tables[kind], row)})


async def list_v1(request: Request) -> Response:
    """``GET /v1/{kind}``: ``start`` and ``limit`` ≤ 500; ends with ``more_items_in_collection`` false."""
    site, kind = site_of(request), request.path_params["kind"]
    if kind in V2_KINDS:
        return _error(410, "This endpoint has been retired. Use API v2.", {"errorCode": 410})
    if kind not in V1_KINDS:
        return _error(404, "Unknown method .", {"errorCode": 404})
    limit = read_number(request, "limit", 100, 500)
    start = request.query_params.get("start", "0")
    if limit is None or not start.isdigit():
        return _error(400, "start and limit must be numbers", {"errorCode": 400})
    table, first = site.tables[kind], int(start)
    rows = table.ordered("arrival")
    more = len(rows) > first + limit
    paging: Record = {"start": first, "limit": limit, "more_items_in_collection": more}
    if more:
        paging["next_start"] = first + limit
    data = [site.serve(table, row) for row in rows[first : first + limit]]
    # Pipedrive says null, not an empty list, when there is nothing.
    return reply({"success": True, "data": data or None, "additional_data": {"pagination": paging}})


async def list_users(request: Request) -> Response:
    """``GET /v1/users``: all of them, no paging."""
    site = site_of(request)
    table = site.tables["users"]
    return reply({"success": True, "data": [site.serve(table, row) for row in table.ordered("key")]})


def _select(request: Request, table: Table) -> list[Row]:
    """The rows the query asks for, sorted. ValueError when it cannot be read."""
    query = request.query_params
    wanted = [s for s in query.get("status", "").split(",") if s]
    rows = list(table.ordered("key"))
    if "deleted" in wanted and table.name == "deals":
        rows += list(table.gone.values())
    if wanted and table.name == "deals":
        rows = [r for r in rows if ("deleted" if r.deleted else r.data["status"]) in wanted]
    if "updated_since" in query:
        since = read_time(query["updated_since"])
        if since is None:
            raise ValueError("updated_since must be a valid RFC 3339 timestamp")
        # The API compares what it shows, which has no fractions of a second.
        rows = [row for row in rows if int(row.updated) >= int(since)]
    for name in _FILTERS:
        if name in query:
            rows = [row for row in rows if str(read(row.data, name)) == query[name]]
    sort, direction = query.get("sort_by", "id"), query.get("sort_direction", "asc")
    if sort not in ("id", "update_time", "add_time") or direction not in ("asc", "desc"):
        raise ValueError("sort_by is one of id, update_time, add_time")
    return sorted(rows, key=lambda row: _place(row, sort), reverse=direction == "desc")


def _place(row: Row, sort: str) -> tuple[float, int]:
    times = {"update_time": row.updated, "add_time": row.created}
    return (times.get(sort, 0.0), int(row.key))


def _write_cursor(place: tuple[float, int]) -> str:
    return urlsafe_b64encode(json.dumps(place).encode()).decode()


def _read_cursor(text: str | None) -> tuple[float, int] | None:
    if text is None:
        return None
    try:
        time, key = json.loads(urlsafe_b64decode(text))
        return float(time), int(key)
    except (TypeError, ValueError):
        raise ValueError("cursor is not valid") from None


def _error(status: int, message: str, more: Record) -> Response:
    return reply({"success": False, "error": message, **more}, status)
