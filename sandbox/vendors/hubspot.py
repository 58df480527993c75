"""HubSpot CRM, API v3: objects, associations, archived records, owners, pipelines, properties, search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sandbox.limits import Rate
from sandbox.site import Site, site_of
from sandbox.table import Record, Row, Table, read
from sandbox.times import read_time
from sandbox.vendors.base import Vendor, bearer_of, read_number, reply, take_after
from sandbox.vendors.hubspot_data import build_tables
from sandbox.words import split_words
from sandbox.world import World

DEFAULT_PROPERTIES: dict[str, tuple[str, ...]] = {
    "companies": ("name", "domain", "createdate", "hs_lastmodifieddate", "hs_object_id"),
    "contacts": ("firstname", "lastname", "email", "createdate", "lastmodifieddate", "hs_object_id"),
    "deals": (
        "dealname",
        "amount",
        "closedate",
        "dealstage",
        "pipeline",
        "createdate",
        "hs_lastmodifieddate",
    ),
    "tickets": (
        "subject",
        "content",
        "hs_pipeline",
        "hs_pipeline_stage",
        "createdate",
        "hs_lastmodifieddate",
    ),
}
"""What an object carries when no properties are asked for."""

_SEARCH_END = 10_000
_CORRELATION = "5f6c7d0e-0000-4000-8000-000000000000"


class HubSpot(Vendor):
    """``Authorization: Bearer <private app token>``."""

    name = "hubspot"
    rate = Rate(19, 190)

    def build(self, world: World) -> dict[str, Table]:
        return build_tables(world)

    def routes(self) -> Sequence[BaseRoute]:
        return (
            Route("/crm/v3/objects/{kind}", list_objects),
            Route("/crm/v3/objects/{kind}/search", search_objects, methods=["POST"]),
            Route("/crm/v3/objects/{kind}/{id}", get_object),
            Route("/crm/v3/owners", list_owners),
            Route("/crm/v3/pipelines/{kind}", list_pipelines),
            Route("/crm/v3/pipelines/{kind}/{id}/stages", list_stages),
            Route("/crm/v3/properties/{kind}", list_properties),
        )

    def authenticate(self, request: Request, site: Site) -> Response | None:
        return None if bearer_of(request) in site.tokens else self.refuse_credentials()

    def refuse_credentials(self) -> Response:
        message = (
            "Authentication credentials not found. This API supports OAuth 2.0 authentication and you can "
            "find more details at https://developers.hubspot.com/docs/methods/auth/oauth-overview"
        )
        return _error(401, message, "INVALID_AUTHENTICATION")

    def refuse_pace(self, retry_after_s: int) -> Response:
        body = {
            "status": "error",
            "message": "You have reached your ten_secondly_rolling limit.",
            "errorType": "RATE_LIMIT",
            "correlationId": _CORRELATION,
            "policyName": "TEN_SECONDLY_ROLLING",
        }
        return reply(body, 429, {"Retry-After": str(retry_after_s)})

    def refuse_path(self, path: str) -> Response:
        return _error(404, f"No resource at {path}", "OBJECT_NOT_FOUND")

    def extra_headers(self, site: Site) -> dict[str, str]:
        return {
            "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
            "X-HubSpot-RateLimit-Max": str(site.bucket.rate.burst),
            "X-HubSpot-RateLimit-Remaining": str(site.bucket.remaining),
        }


async def list_objects(request: Request) -> Response:
    """``GET /crm/v3/objects/{kind}``: archived ones only with ``archived=true``."""
    site, kind = site_of(request), request.path_params["kind"]
    table = _object_table(site, kind)
    limit = read_number(request, "limit", 10, 100)
    if table is None:
        return _error(400, f"Unable to infer object type from: {kind}", "VALIDATION_ERROR")
    if limit is None:
        return _error(400, "Page size must be between 1 and 100", "VALIDATION_ERROR")
    archived = request.query_params.get("archived", "false").lower() == "true"
    rows = list(table.gone.values()) if archived else table.ordered("key")
    return _page(request, table, rows, limit)


async def get_object(request: Request) -> Response:
    """``GET /crm/v3/objects/{kind}/{id}``."""
    site = site_of(request)
    table = _object_table(site, request.path_params["kind"])
    row = table.rows.get(request.path_params["id"]) if table else None
    if table is None or row is None:
        return _error(404, "resource not found", "OBJECT_NOT_FOUND")
    return reply(_shape(request, site, table, row))


async def search_objects(request: Request) -> Response:
    """``POST …/search``: one filter group of EQ, GT, GTE, LT, LTE; ends at 10,000 results as the real one."""
    site = site_of(request)
    table = _object_table(site, request.path_params["kind"])
    body = await request.json()
    if table is None or not isinstance(body, dict):
        return _error(400, "Invalid input JSON", "VALIDATION_ERROR")
    filters = [f for group in body.get("filterGroups", []) for f in group.get("filters", [])]
    rows = [row for row in table.ordered("updated") if all(_passes(row.data, f) for f in filters)]
    start, limit = int(body.get("after") or 0), int(body.get("limit") or 10)
    if limit > 200 or start + limit > _SEARCH_END:
        return _error(400, "There was a problem with the request.", "VALIDATION_ERROR")
    names = tuple(body.get("properties") or ())
    results = [
        _with_properties(site.serve(table, row), names, table.name) for row in rows[start : start + limit]
    ]
    answer: Record = {"total": len(rows), "results": results}
    if start + limit < len(rows):
        answer["paging"] = {"next": {"after": str(start + limit)}}
    return reply(answer)


async def list_owners(request: Request) -> Response:
    """``GET /crm/v3/owners``."""
    table = site_of(request).tables["owners"]
    archived = request.query_params.get("archived", "false").lower() == "true"
    rows = list(table.gone.values()) if archived else table.ordered("key")
    return _page(request, table, rows, read_number(request, "limit", 100, 500) or 100)


async def list_pipelines(request: Request) -> Response:
    """``GET /crm/v3/pipelines/{kind}``: every pipeline with its stages, no paging."""
    site = site_of(request)
    table = site.tables["deal_pipelines"]
    if request.path_params["kind"] != "deals":
        return reply({"results": []})
    return reply({"results": [site.serve(table, row) for row in table.ordered("arrival")]})


async def list_stages(request: Request) -> Response:
    """``GET /crm/v3/pipelines/deals/{id}/stages``."""
    site, pipeline = site_of(request), request.path_params["id"]
    table = site.tables["deal_stages"]
    if pipeline not in site.tables["deal_pipelines"].rows:
        return _error(404, f"Pipeline {pipeline} not found", "OBJECT_NOT_FOUND")
    rows = [row for row in table.ordered("arrival") if row.data["_pipeline"] == pipeline]
    served = [site.serve(table, row) for row in rows]
    return reply({"results": [{k: v for k, v in stage.items() if k != "_pipeline"} for stage in served]})


async def list_properties(request: Request) -> Response:
    """``GET /crm/v3/properties/{kind}``: names of all properties the objects carry."""
    site = site_of(request)
    table = _object_table(site, request.path_params["kind"])
    if table is None:
        return _error(400, "Unable to infer object type", "VALIDATION_ERROR")
    first = next(iter(table.rows.values()), None)
    names = list(site.serve(table, first)["properties"]) if first else []
    return reply({"results": [{"name": name, "type": "string", "fieldType": "text"} for name in names]})


def _page(request: Request, table: Table, rows: Sequence[Row], limit: int) -> Response:
    site, after = site_of(request), request.query_params.get("after")
    # A cursor stays good when its record is deleted meanwhile: ids only grow.
    behind = [row for row in rows if after is None or int(row.key) > int(after if after.isdigit() else 0)]
    page, more = take_after(behind, None, limit) or ([], False)
    answer: Record = {"results": [_shape(request, site, table, row) for row in page]}
    if more:
        link = f"{request.url.path}?limit={limit}&after={page[-1].key}"
        answer["paging"] = {"next": {"after": page[-1].key, "link": f"https://api.hubapi.com{link}"}}
    return reply(answer)


def _shape(request: Request, site: Site, table: Table, row: Row) -> Record:
    record = {**site.serve(table, row), "archived": row.deleted}
    if "properties" not in record:
        return record
    names = tuple(n for n in request.query_params.get("properties", "").split(",") if n)
    shaped = _with_properties(record, names, table.name)
    asked = request.query_params.get("associations", "").split(",")
    linked = {k: v for k, v in record.get("associations", {}).items() if k in asked}
    return {**shaped, "associations": linked} if linked else shaped


def _with_properties(record: Record, names: tuple[str, ...], kind: str) -> Record:
    """Only the properties asked for. Ones a schema change brought are shown, as if added to the defaults."""
    have: dict[str, Any] = record["properties"]
    known = names or DEFAULT_PROPERTIES.get(kind, ())
    wanted = {n: have.get(n) for n in known if n in have or n in KNOWN_PROPERTIES}
    extra = {n: v for n, v in have.items() if n not in KNOWN_PROPERTIES}
    rest = {k: v for k, v in record.items() if k not in ("properties", "associations")}
    rest["properties"] = {**wanted, **extra, "hs_object_id": record["id"]}
    return rest


def _passes(data: Record, condition: Record) -> bool:
    have = read(data, f"properties.{condition.get('propertyName')}")
    want, operator = str(condition.get("value")), condition.get("operator")
    if operator == "EQ":
        return str(have) == want
    have_time, want_time = read_time(str(have)), read_time(want)
    if have_time is None or want_time is None:
        return False
    # Milliseconds in filters, as HubSpot wants them.
    want_time = want_time / 1000 if want_time > 10**11 else want_time
    steps = {"GTE": have_time >= want_time, "GT": have_time > want_time}
    return steps.get(str(operator), have_time <= want_time if operator == "LTE" else have_time < want_time)


def _object_table(site: Site, kind: str) -> Table | None:
    table = site.tables.get(kind)
    return table if kind not in ("owners", "deal_pipelines", "deal_stages") else None


def _error(status: int, message: str, category: str) -> Response:
    body = {"status": "error", "message": message, "correlationId": _CORRELATION, "category": category}
    return reply(body, status)


KNOWN_PROPERTIES: frozenset[str] = frozenset(
    split_words(
        "name domain website description industry annualrevenue numberofemployees founded_year "
        "phone type hubspot_owner_id lifecyclestage hs_lead_status address address2 city state zip "
        "country notes_last_updated createdate hs_lastmodifieddate lastmodifieddate firstname "
        "lastname salutation jobtitle email work_email hs_additional_emails mobilephone fax company "
        "associatedcompanyid notes_last_contacted hs_sales_email_last_replied dealname amount "
        "deal_currency_code dealstage pipeline closedate hs_is_closed hs_is_closed_won "
        "hs_deal_stage_probability hs_priority dealtype hs_created_by_user_id subject content "
        "hs_pipeline hs_pipeline_stage hs_ticket_priority hs_ticket_category source_type "
        "first_agent_reply_date closed_date price hs_sku hs_cost_of_goods_sold hs_product_type "
        "hs_url hs_images hs_recurring_billing_period hs_note_body hs_timestamp hs_createdate "
        "hs_task_subject hs_task_body hs_task_status hs_task_priority hs_task_type "
        "hs_task_completion_date hs_meeting_title hs_meeting_body hs_meeting_location "
        "hs_meeting_start_time hs_meeting_end_time hs_meeting_outcome hs_activity_type "
        "hs_call_title hs_call_body hs_call_direction hs_call_duration hs_call_status "
        "hs_email_subject hs_email_text hs_email_direction hs_email_status hs_object_id "
        "hs_analytics_source hs_num_open_deals num_associated_contacts hs_analytics_num_page_views "
        "hs_email_optout num_notes"
    )
)
