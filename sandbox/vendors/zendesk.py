"""Zendesk Support: incremental exports, lists with cursor or page pagination, comments of a ticket."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from typing import ClassVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sandbox.limits import Rate
from sandbox.site import Site, base_of, site_of
from sandbox.table import Record, Row, Table
from sandbox.vendors.base import Vendor, basic_of, bearer_of, read_number, reply
from sandbox.vendors.zendesk_data import build_tables
from sandbox.world import World

_EXPORT_PAGE = 1000


class Zendesk(Vendor):
    """HTTP basic with ``<e-mail>/token`` and an API token, or an OAuth bearer token."""

    name = "zendesk"
    rate = Rate(700 / 60, 700)
    aliases: ClassVar[Mapping[str, str]] = {"end_users": "users", "agents": "users", "admins": "users"}

    def build(self, world: World) -> dict[str, Table]:
        return build_tables(world)

    def routes(self) -> Sequence[BaseRoute]:
        return (
            *_both("/api/v2/incremental/{kind}/cursor", export_by_cursor),
            *_both("/api/v2/incremental/{kind}", export_by_time),
            *_both("/api/v2/tickets/{id}/comments", list_comments),
            *_both("/api/v2/{kind}/{id:int}", get_one),
            *_both("/api/v2/{kind}", list_all),
        )

    def authenticate(self, request: Request, site: Site) -> Response | None:
        basic = basic_of(request)
        if basic is not None:
            user, password = basic
            passes = "@" in user and user.endswith("/token") and password in site.tokens
        else:
            passes = bearer_of(request) in site.tokens
        return None if passes else self.refuse_credentials()

    def refuse_credentials(self) -> Response:
        return reply(
            {"error": "Couldn't authenticate you"}, 401, {"WWW-Authenticate": 'Basic realm="Zendesk"'}
        )

    def refuse_pace(self, retry_after_s: int) -> Response:
        description = "Number of allowed API requests per minute exceeded"
        body = {"error": "APIRateLimitExceeded", "description": description}
        return reply(body, 429, {"Retry-After": str(retry_after_s)})

    def refuse_path(self, path: str) -> Response:
        return _error(404, "InvalidEndpoint", "Not found")

    def extra_headers(self, site: Site) -> dict[str, str]:
        return {"X-Rate-Limit": "700", "X-Rate-Limit-Remaining": str(site.bucket.remaining)}


async def export_by_cursor(request: Request) -> Response:
    """``…/incremental/{tickets|users}/cursor?start_time=``: oldest change first, deleted ones included."""
    site, kind = site_of(request), request.path_params["kind"]
    if kind not in ("tickets", "users"):
        return _error(404, "RecordNotFound", "Not found")
    size = read_number(request, "per_page", _EXPORT_PAGE, _EXPORT_PAGE)
    start = _read_start(request)
    if isinstance(start, Response):
        return start
    if size is None:
        return _error(400, "InvalidParameter", "per_page is between 1 and 1000")
    time, key = start
    rows = [r for r in _export_rows(site, kind) if (int(r.updated), int(r.key)) > (time, key)]
    page = rows[:size]
    last = page[-1] if page else None
    cursor = _write_cursor(int(last.updated), int(last.key)) if last else _write_cursor(time, key)
    path = f"{base_of(request)}/api/v2/incremental/{kind}/cursor.json"
    body = {
        kind: [_serve(request, kind, row) for row in page],
        "after_url": f"{path}?cursor={cursor}",
        "before_url": None,
        "after_cursor": cursor,
        "before_cursor": None,
        "end_of_stream": len(rows) <= size,
    }
    return reply(body)


async def export_by_time(request: Request) -> Response:
    """``…/incremental/{kind}?start_time=``: pages by time; records at the border come twice."""
    site, kind = site_of(request), request.path_params["kind"]
    if kind not in ("tickets", "users", "organizations"):
        return _error(404, "RecordNotFound", "Not found")
    start = _read_start(request)
    if isinstance(start, Response):
        return start
    rows = [row for row in _export_rows(site, kind) if int(row.updated) >= start[0]]
    page = rows[:_EXPORT_PAGE]
    end_time = int(page[-1].updated) if page else None
    link = f"{base_of(request)}/api/v2/incremental/{kind}.json?start_time={end_time}" if page else None
    body = {
        kind: [_serve(request, kind, row) for row in page],
        "next_page": link,
        "end_time": end_time,
        "count": len(page),
        "end_of_stream": len(rows) <= _EXPORT_PAGE,
    }
    return reply(body)


async def list_all(request: Request) -> Response:
    """``GET /api/v2/{kind}``: with ``page[size]`` by cursor, else by ``page`` and ``per_page``."""
    kind = request.path_params["kind"]
    site = site_of(request)
    if kind not in ("tickets", "users", "organizations", "groups", "tags"):
        return _error(404, "InvalidEndpoint", "Not found")
    table = site.tables[kind]
    rows = [row for row in table.ordered("key") if not row.deleted]
    role = request.query_params.getlist("role") + request.query_params.getlist("role[]")
    if kind == "users" and role:
        rows = [row for row in rows if row.data["role"] in role]
    return _paged(request, kind, rows)


async def list_comments(request: Request) -> Response:
    """``GET /api/v2/tickets/{id}/comments``."""
    site, ticket = site_of(request), request.path_params["id"]
    found = site.tables["tickets"].rows.get(ticket)
    if found is None or found.deleted:
        return _error(404, "RecordNotFound", "Not found")
    rows = [r for r in site.tables["ticket_comments"].ordered("arrival") if r.data["_ticket"] == ticket]
    return _paged(request, "comments", rows, f"tickets/{ticket}/comments")


async def get_one(request: Request) -> Response:
    """``GET /api/v2/{kind}/{id}``."""
    site, kind = site_of(request), request.path_params["kind"]
    table = site.tables.get(kind)
    row = table.rows.get(str(request.path_params["id"])) if table else None
    if row is None or row.deleted:
        return _error(404, "RecordNotFound", "Not found")
    return reply({kind.rstrip("s"): _serve(request, kind, row)})


def _paged(request: Request, kind: str, rows: Sequence[Row], path: str | None = None) -> Response:
    link = f"{base_of(request)}/api/v2/{path or kind}.json"
    query = request.query_params
    if "page[size]" in query:
        return _page_by_cursor(request, kind, rows, link)
    size = read_number(request, "per_page", 100, 100)
    number = query.get("page", "1")
    if size is None or not number.isdigit() or int(number) < 1:
        return _error(400, "InvalidPaginationParameter", "page and per_page are numbers")
    first = (int(number) - 1) * size
    more = len(rows) > first + size
    body = {
        kind: [_serve(request, kind, row) for row in rows[first : first + size]],
        "next_page": f"{link}?page={int(number) + 1}&per_page={size}" if more else None,
        "previous_page": f"{link}?page={int(number) - 1}&per_page={size}" if first else None,
        "count": len(rows),
    }
    return reply(body)


def _page_by_cursor(request: Request, kind: str, rows: Sequence[Row], link: str) -> Response:
    size = read_number(request, "page[size]", 100, 100)
    if size is None:
        return _error(400, "InvalidPaginationParameter", "page[size] is between 1 and 100")
    after = request.query_params.get("page[after]")
    start = 0
    if after is not None:
        try:
            start = int(urlsafe_b64decode(after).decode())
        except ValueError:
            return _error(400, "InvalidPaginationParameter", "page[after] is not valid")
    page = rows[start : start + size]
    more = len(rows) > start + size
    cursor = urlsafe_b64encode(str(start + size).encode()).decode()
    others = [(k, v) for k, v in request.query_params.multi_items() if k != "page[after]"]
    query = "&".join(f"{k.replace('[', '%5B').replace(']', '%5D')}={v}" for k, v in others)
    body = {
        kind: [_serve(request, kind, row) for row in page],
        "meta": {"has_more": more, "after_cursor": cursor if more else None, "before_cursor": None},
        "links": {"prev": None, "next": f"{link}?{query}&page%5Bafter%5D={cursor}" if more else None},
    }
    return reply(body)


def _serve(request: Request, kind: str, row: Row) -> Record:
    site = site_of(request)
    table = site.tables["ticket_comments" if kind == "comments" else kind]
    record = {k: v for k, v in site.serve(table, row).items() if not k.startswith("_")}
    if "url" in record:
        record["url"] = f"{base_of(request)}/api/v2/{kind}/{row.key}.json"
    return record


def _export_rows(site: Site, kind: str) -> list[Row]:
    table = site.tables[kind]
    rows = [*table.rows.values(), *table.gone.values()]
    return sorted(rows, key=lambda row: (int(row.updated), int(row.key)))


def _read_start(request: Request) -> tuple[int, int] | Response:
    """The place to go on from: of the cursor, or of ``start_time`` (everything from that second on)."""
    cursor, start = request.query_params.get("cursor"), request.query_params.get("start_time")
    if cursor is not None:
        try:
            time, key = urlsafe_b64decode(cursor).decode().split("|")
            return int(time), int(key)
        except ValueError:
            return _error(400, "InvalidCursor", "cursor is not valid")
    if start is None:
        return _error(400, "StartTimeMissing", "Missing start_time. You must provide a start_time")
    if not start.isdigit():
        return _error(400, "StartTimeInvalid", "start_time must be a Unix epoch time")
    return int(start), -1


def _write_cursor(time: int, key: int) -> str:
    return urlsafe_b64encode(f"{time}|{key}".encode()).decode()


def _both(path: str, handler: object) -> tuple[Route, Route]:
    """A path with and without ``.json``."""
    return Route(f"{path}.json", handler), Route(path, handler)  # type: ignore[arg-type]


def _error(status: int, error: str, description: str) -> Response:
    return reply({"error": error, "description": description}, status)
