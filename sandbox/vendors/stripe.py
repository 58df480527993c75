"""Stripe: lists newest first with starting_after and has_more, filters by created, lines of an invoice."""

from __future__ import annotations

import re
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sandbox.limits import Rate
from sandbox.site import Site, site_of
from sandbox.table import Record, Row, Table
from sandbox.vendors.base import Vendor, basic_of, bearer_of, read_number, reply, take_after
from sandbox.vendors.stripe_data import build_tables
from sandbox.world import World

KINDS = (
    "customers", "products", "prices", "subscriptions", "invoices", "charges", "payment_intents", "refunds",
    "credit_notes", "events",
)  # fmt: skip
_FILTERS = ("customer", "subscription", "invoice", "status", "active", "product", "type", "charge")


class Stripe(Vendor):
    """``Authorization: Bearer <secret key>``, or the key as user name of HTTP basic."""

    name = "stripe"
    rate = Rate(100, 500)

    def build(self, world: World) -> dict[str, Table]:
        return build_tables(world)

    def routes(self) -> Sequence[BaseRoute]:
        return (
            Route("/v1/invoices/{id}/lines", list_lines),
            Route("/v1/{kind}/{id}", get_one),
            Route("/v1/{kind}", list_kind),
        )

    def authenticate(self, request: Request, site: Site) -> Response | None:
        basic = basic_of(request)
        key = bearer_of(request) or (basic[0] if basic else None)
        if key in site.tokens:
            return None
        if key is None:
            return _error(401, "You did not provide an API key.", {})
        hidden = f"{key[:4]}{'*' * 8}{key[-4:]}" if len(key) > 8 else "****"
        return _error(401, f"Invalid API Key provided: {hidden}", {})

    def refuse_credentials(self) -> Response:
        return _error(401, "Expired API Key provided", {"code": "api_key_expired"})

    def refuse_pace(self, retry_after_s: int) -> Response:
        message = "Request rate limit exceeded. Learn more: https://docs.stripe.com/rate-limits"
        refusal = _error(429, message, {"code": "rate_limit"})
        refusal.headers["Retry-After"] = str(retry_after_s)
        return refusal

    def refuse_path(self, path: str) -> Response:
        return _error(404, f"Unrecognized request URL (GET: {path}).", {})

    def extra_headers(self, site: Site) -> dict[str, str]:
        return {"Stripe-Version": "2023-08-16", "Request-Id": f"req_{site.requests:014}"}


async def list_kind(request: Request) -> Response:
    """``GET /v1/{kind}``."""
    site, kind = site_of(request), request.path_params["kind"]
    if kind not in KINDS:
        return _error(404, f"Unrecognized request URL (GET: /v1/{kind}).", {})
    rows = [row for row in site.tables[kind].ordered("created") if _passes(request, kind, row)]
    return _page(request, kind, rows)


async def list_lines(request: Request) -> Response:
    """``GET /v1/invoices/{id}/lines``."""
    site, invoice = site_of(request), request.path_params["id"]
    if invoice not in site.tables["invoices"].rows:
        return _missing("invoice", invoice)
    rows = [r for r in site.tables["invoice_lines"].ordered("arrival") if r.data["_invoice"] == invoice]
    return _page(request, "invoice_lines", rows, f"/v1/invoices/{invoice}/lines")


async def get_one(request: Request) -> Response:
    """``GET /v1/{kind}/{id}``: a deleted customer or product is a stub with deleted true."""
    site, kind, key = site_of(request), request.path_params["kind"], request.path_params["id"]
    table = site.tables[kind] if kind in KINDS else None
    row = table.rows.get(key) if table else None
    if table is not None and key in table.gone:
        return reply({"id": key, "object": kind.rstrip("s"), "deleted": True})
    if table is None or row is None:
        return _missing(kind.rstrip("s"), key)
    return reply(_serve(site, table, row))


def _page(request: Request, kind: str, rows: Sequence[Row], url: str | None = None) -> Response:
    site, table = site_of(request), site_of(request).tables[kind]
    limit = read_number(request, "limit", 10, 100)
    if limit is None:
        return _error(400, "Invalid integer: limit must be between 1 and 100", {"param": "limit"})
    after, before = request.query_params.get("starting_after"), request.query_params.get("ending_before")
    if before is not None:
        rows = list(reversed(rows))
    found = take_after(rows, after or before, limit)
    if found is None:
        return _missing(kind.rstrip("s"), str(after or before), param="starting_after")
    page, more = found
    page = list(reversed(page)) if before is not None else page
    data = [_serve(site, table, row) for row in page]
    return reply({"object": "list", "data": data, "has_more": more, "url": url or f"/v1/{kind}"})


def _serve(site: Site, table: Table, row: Row) -> Record:
    return {k: v for k, v in site.serve(table, row).items() if not k.startswith("_")}


def _passes(request: Request, kind: str, row: Row) -> bool:
    query = request.query_params
    if kind == "subscriptions":
        status = query.get("status")
        if status is None and row.data["status"] == "canceled":
            return False
        if status == "all":
            query = query.__class__([(k, v) for k, v in query.multi_items() if k != "status"])
    for name, value in query.multi_items():
        match = re.fullmatch(r"created(?:\[(gte|gt|lte|lt)\])?", name)
        if match and not _in_range(int(row.created), match[1], value):
            return False
        if name in _FILTERS and str(row.data.get(name)).lower() != value.lower():
            return False
    return True


def _in_range(created: int, operator: str | None, text: str) -> bool:
    if not text.lstrip("-").isdigit():
        return False
    wanted = int(text)
    tests = {
        "gte": created >= wanted,
        "gt": created > wanted,
        "lte": created <= wanted,
        "lt": created < wanted,
        None: created == wanted,
    }
    return tests[operator]


def _missing(kind: str, key: str, param: str = "id") -> Response:
    return _error(404 if param == "id" else 400, f"No such {kind}: '{key}'", {"code": "resource_missing"})


def _error(status: int, message: str, more: Record) -> Response:
    return reply({"error": {"message": message, "type": "invalid_request_error", **more}}, status)
