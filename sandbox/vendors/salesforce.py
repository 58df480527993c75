"""Salesforce REST API: OAuth refresh, describe, SOQL through query and queryAll, pages by nextRecordsUrl."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sandbox.limits import Rate
from sandbox.site import Site, base_of, site_of
from sandbox.table import Record, Table
from sandbox.vendors import soql
from sandbox.vendors.base import Vendor, bearer_of, reply
from sandbox.vendors.salesforce_data import build_tables
from sandbox.vendors.salesforce_ids import salesforce_id
from sandbox.vendors.salesforce_schema import OBJECTS, describe_field
from sandbox.world import World

CLIENT_ID, CLIENT_SECRET = "sandbox-client", "sandbox-client-secret"
_VERSIONS = ("58.0", "59.0", "60.0", "61.0", "62.0")
_PAGE = 200


class Salesforce(Vendor):
    """Bearer access tokens from ``/services/oauth2/token`` for a refresh token; they expire."""

    name = "salesforce"
    rate = Rate(50, 500)

    def build(self, world: World) -> dict[str, Table]:
        return build_tables(world)

    def routes(self) -> Sequence[BaseRoute]:
        version = "/services/data/v{version}"
        return (
            Route("/services/oauth2/token", give_token, methods=["POST"]),
            Route("/services/data", list_versions),
            Route("/services/data/", list_versions),
            Route(f"{version}/sobjects", list_objects),
            Route(f"{version}/sobjects/", list_objects),
            Route(f"{version}/sobjects/{{name}}/describe", describe),
            Route(f"{version}/sobjects/{{name}}/describe/", describe),
            Route(f"{version}/query/{{locator}}", next_page),
            Route(f"{version}/queryAll/{{locator}}", next_page),
            Route(f"{version}/query", query),
            Route(f"{version}/query/", query),
            Route(f"{version}/queryAll", query),
            Route(f"{version}/queryAll/", query),
            Route(f"{version}/limits", list_limits),
        )

    def authenticate(self, request: Request, site: Site) -> Response | None:
        path = request.scope["path"]
        if path == "/services/oauth2/token" or path.rstrip("/") == "/services/data":
            return None
        return None if site.knows_session(bearer_of(request) or "") else self.refuse_credentials()

    def refuse_credentials(self) -> Response:
        return _error(401, "INVALID_SESSION_ID", "Session expired or invalid")

    def refuse_pace(self, retry_after_s: int) -> Response:
        refusal = _error(429, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
        refusal.headers["Retry-After"] = str(retry_after_s)
        return refusal

    def refuse_path(self, path: str) -> Response:
        return _error(404, "NOT_FOUND", "The requested resource does not exist")

    def extra_headers(self, site: Site) -> dict[str, str]:
        return {"Sforce-Limit-Info": f"api-usage={site.requests}/100000"}


async def give_token(request: Request) -> Response:
    """``POST /services/oauth2/token``: a form with grant_type refresh_token. No expiry is told."""
    form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
    site = site_of(request)
    if form.get("client_id") != CLIENT_ID:
        return _oauth_error("invalid_client_id", "client identifier invalid")
    if form.get("client_secret") != CLIENT_SECRET:
        return _oauth_error("invalid_client", "invalid client credentials")
    if form.get("grant_type") != "refresh_token":
        return _oauth_error("unsupported_grant_type", "grant type not supported")
    if form.get("refresh_token") not in site.tokens:
        return _oauth_error("invalid_grant", "expired access/refresh token")
    organization = salesforce_id("00D", 1)
    body = {
        "access_token": site.open_session(),
        "signature": "c2FuZGJveCBzaWduYXR1cmU=",
        "scope": "refresh_token api",
        "instance_url": base_of(request),
        "id": f"{base_of(request)}/id/{organization}/{salesforce_id('005', 0)}",
        "token_type": "Bearer",
        "issued_at": str(int(time.time() * 1000)),
    }
    return reply(body)


async def list_versions(request: Request) -> Response:
    """``GET /services/data``: versions of the API."""
    return reply([{"label": "Sandbox", "url": f"/services/data/v{v}", "version": v} for v in _VERSIONS])


async def list_limits(request: Request) -> Response:
    """``GET …/limits``."""
    return reply({"DailyApiRequests": {"Max": 100_000, "Remaining": 100_000 - site_of(request).requests}})


async def list_objects(request: Request) -> Response:
    """``GET …/sobjects``: names of all objects."""
    version = request.path_params["version"]
    objects = [
        {
            "name": found.name,
            "label": found.label,
            "keyPrefix": found.prefix,
            "queryable": True,
            "custom": False,
            "urls": {"describe": f"/services/data/v{version}/sobjects/{found.name}/describe"},
        }
        for found in OBJECTS.values()
    ]
    return reply({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": objects})


async def describe(request: Request) -> Response:
    """``GET …/sobjects/{name}/describe``: the fields as they are today."""
    found = OBJECTS.get(request.path_params["name"])
    if found is None:
        return _error(404, "NOT_FOUND", "The requested resource does not exist")
    fields = [describe_field(name, kind) for name, kind in _types(site_of(request), found.name).items()]
    body = {
        "name": found.name,
        "label": found.label,
        "keyPrefix": found.prefix,
        "queryable": True,
        "retrieveable": True,
        "custom": False,
        "fields": fields,
        "childRelationships": [],
    }
    return reply(body)


async def query(request: Request) -> Response:
    """``GET …/query?q=`` leaves deleted records out, ``queryAll`` has them with IsDeleted true."""
    text = request.query_params.get("q")
    if not text:
        return _error(400, "MALFORMED_QUERY", "A query string has to be specified")
    everything = "/queryAll" in request.scope["path"]
    return _answer(request, text, everything, 0)


async def next_page(request: Request) -> Response:
    """``GET …/query/{locator}``: the page that nextRecordsUrl of the one before names."""
    match = re.fullmatch(r"(0r8[0-9a-f]+)-(\d+)", request.path_params["locator"])
    known = site_of(request).locators.get(match[1]) if match else None
    if match is None or known is None:
        return _error(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
    text, everything = known
    return _answer(request, text, everything, int(match[2]))


def _answer(request: Request, text: str, everything: bool, start: int) -> Response:
    site = site_of(request)
    types = {name: _types(site, name) for name in OBJECTS}
    try:
        wanted = soql.parse(text, types)
    except soql.SoqlError as error:
        return _error(400, error.code, str(error))
    table = site.tables[_stream(wanted.name)]
    rows = [row for row in table.ordered("updated") if everything or not row.deleted]
    served = [(row, site.serve(table, row)) for row in rows]
    found = [record for _, record in served if wanted.test(record)]
    for name, descending in reversed(wanted.order):
        found.sort(key=lambda r: (r.get(name) is not None, str(r.get(name) or "")), reverse=descending)
    found = found[: wanted.limit] if wanted.limit is not None else found
    size = _page_size(request)
    page = found[start : start + size]
    version = request.path_params["version"]
    body: Record = {"totalSize": len(found), "done": start + size >= len(found)}
    if not body["done"]:
        locator = site.locate(text, everything)
        body["nextRecordsUrl"] = f"/services/data/v{version}/query/{locator}-{start + size}"
    body["records"] = [_shape(record, wanted.name, wanted.fields, version) for record in page]
    return reply(body)


def _shape(record: Record, name: str, fields: Sequence[str], version: str) -> Record:
    url = f"/services/data/v{version}/sobjects/{name}/{record['Id']}"
    return {"attributes": {"type": name, "url": url}, **{field: record.get(field) for field in fields}}


def _types(site: Site, name: str) -> dict[str, str]:
    """Fields of an object and their types, after the site's schema changes."""
    types = dict(OBJECTS[name].fields)
    for mutation in site.mutations:
        if mutation.stream != _stream(name):
            continue
        if mutation.change == "add":
            types[mutation.field] = "string"
        elif mutation.change == "retype" and mutation.field in types:
            types[mutation.field] = {"number": "double", "boolean": "boolean"}.get(
                mutation.to or "", "string"
            )
        elif mutation.field in types:
            kind = types.pop(mutation.field)
            if mutation.to is not None and mutation.change != "remove":
                types[mutation.to] = kind if mutation.change == "rename" else "address"
    return types


def _stream(name: str) -> str:
    """``OpportunityStage`` → ``opportunity_stage``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def _page_size(request: Request) -> int:
    match = re.search(r"batchSize=(\d+)", request.headers.get("sforce-query-options", ""))
    return min(2000, max(200, int(match[1]))) if match else _PAGE


def _error(status: int, code: str, message: str) -> Response:
    return reply([{"message": message, "errorCode": code}], status)


def _oauth_error(code: str, description: str) -> Response:
    body: dict[str, Any] = {"error": code, "error_description": description}
    return reply(body, 400)
