"""GitHub REST API: pages by Link header, ``since``, issues with pull requests among them."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sandbox.limits import Rate
from sandbox.site import Site, base_of, site_of
from sandbox.table import Record, Row, Table
from sandbox.times import read_time
from sandbox.vendors.base import Vendor, basic_of, bearer_of, reply
from sandbox.vendors.github_data import build_tables
from sandbox.world import World

_DOCS = "https://docs.github.com/rest"


class GitHub(Vendor):
    """``Authorization: Bearer <token>`` (``token <token>`` and basic work too)."""

    name = "github"
    rate = Rate(20, 900)

    def build(self, world: World) -> dict[str, Table]:
        return build_tables(world)

    def routes(self) -> Sequence[BaseRoute]:
        return (
            Route("/user/orgs", list_organizations),
            Route("/user/repos", list_repositories),
            Route("/orgs/{org}/repos", list_repositories),
            Route("/orgs/{org}/members", list_members),
            Route("/orgs/{org}/teams", list_teams),
            Route("/repos/{owner}/{repo}/issues/comments", list_comments),
            Route("/repos/{owner}/{repo}/issues", list_issues),
            Route("/repos/{owner}/{repo}/pulls", list_pulls),
            Route("/repos/{owner}/{repo}/labels", list_labels),
        )

    def authenticate(self, request: Request, site: Site) -> Response | None:
        if not request.headers.get("user-agent"):
            message = (
                "Request forbidden by administrative rules. Please make sure your request has a User-Agent"
            )
            return reply({"message": message}, 403)
        basic = basic_of(request)
        given = bearer_of(request) or (basic[1] if basic else None)
        return None if given in site.tokens else self.refuse_credentials()

    def refuse_credentials(self) -> Response:
        return reply({"message": "Bad credentials", "documentation_url": _DOCS, "status": "401"}, 401)

    def refuse_pace(self, retry_after_s: int) -> Response:
        message = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
        body = {"message": message, "documentation_url": f"{_DOCS}/overview/rate-limits-for-the-rest-api"}
        return reply(body, 429, {"Retry-After": str(retry_after_s)})

    def refuse_path(self, path: str) -> Response:
        return _not_found()

    def extra_headers(self, site: Site) -> dict[str, str]:
        return {
            "X-RateLimit-Limit": "5000",
            "X-RateLimit-Remaining": str(max(0, 5000 - site.requests)),
            "X-RateLimit-Resource": "core",
            "X-GitHub-Media-Type": "github.v3; format=json",
        }


async def list_organizations(request: Request) -> Response:
    """``GET /user/orgs``."""
    return _page(request, "organizations", site_of(request).tables["organizations"].ordered("key"))


async def list_repositories(request: Request) -> Response:
    """``GET /user/repos`` and ``/orgs/{org}/repos``."""
    site = site_of(request)
    if "org" in request.path_params and not _has_organization(site, request.path_params["org"]):
        return _not_found()
    rows = sorted(site.tables["repositories"].rows.values(), key=lambda row: str(row.data["full_name"]))
    return _page(request, "repositories", rows)


async def list_members(request: Request) -> Response:
    """``GET /orgs/{org}/members``."""
    if not _has_organization(site_of(request), request.path_params["org"]):
        return _not_found()
    return _page(request, "members", site_of(request).tables["members"].ordered("key"))


async def list_teams(request: Request) -> Response:
    """``GET /orgs/{org}/teams``."""
    if not _has_organization(site_of(request), request.path_params["org"]):
        return _not_found()
    return _page(request, "teams", site_of(request).tables["teams"].ordered("key"))


async def list_issues(request: Request) -> Response:
    """``GET /repos/{owner}/{repo}/issues``: open ones unless ``state=all``; pull requests are among them."""
    return _of_repository(request, "issues", by_state=True)


async def list_comments(request: Request) -> Response:
    """``GET /repos/{owner}/{repo}/issues/comments``."""
    return _of_repository(request, "issue_comments")


async def list_pulls(request: Request) -> Response:
    """``GET /repos/{owner}/{repo}/pulls``: no ``since`` there."""
    return _of_repository(request, "pull_requests", by_state=True, filters=False)


async def list_labels(request: Request) -> Response:
    """``GET /repos/{owner}/{repo}/labels``."""
    return _of_repository(request, "labels", filters=False)


def _of_repository(request: Request, kind: str, *, by_state: bool = False, filters: bool = True) -> Response:
    site, query = site_of(request), request.query_params
    full_name = f"{request.path_params['owner']}/{request.path_params['repo']}"
    known = {str(row.data["full_name"]).lower() for row in site.tables["repositories"].rows.values()}
    if full_name.lower() not in known:
        return _not_found()
    rows = [r for r in site.tables[kind].rows.values() if r.data["_repo"].lower() == full_name.lower()]
    if by_state and query.get("state", "open") != "all":
        rows = [row for row in rows if row.data["state"] == query.get("state", "open")]
    if filters and "since" in query:
        since = read_time(query["since"])
        if since is None:
            return reply({"message": "Validation Failed", "documentation_url": _DOCS, "status": "422"}, 422)
        rows = [row for row in rows if int(row.updated) >= int(since)]
    sort, direction = query.get("sort", "created"), query.get("direction", "desc" if by_state else "asc")
    rows.sort(key=lambda row: (row.updated if sort == "updated" else row.created, int(row.key)))
    return _page(request, kind, rows[::-1] if direction == "desc" else rows)


def _page(request: Request, kind: str, rows: Sequence[Row]) -> Response:
    query = request.query_params
    size = min(100, int(query["per_page"])) if query.get("per_page", "").isdigit() else 30
    number = int(query["page"]) if query.get("page", "").isdigit() else 1
    size, number = max(1, size), max(1, number)
    last = max(1, -(-len(rows) // size))
    first = (number - 1) * size
    body = [_serve(request, kind, row) for row in rows[first : first + size]]
    links = []
    if number > 1:
        links += [_link(request, number - 1, "prev"), _link(request, 1, "first")]
    if number < last:
        links += [_link(request, number + 1, "next"), _link(request, last, "last")]
    return reply(body, 200, {"Link": ", ".join(links)} if links else None)


def _link(request: Request, page: int, relation: str) -> str:
    others = [(k, v) for k, v in request.query_params.multi_items() if k != "page"]
    query = "&".join(f"{k}={v.replace('+', '%2B')}" for k, v in [*others, ("page", str(page))])
    return f'<{base_of(request)}{request.scope["path"]}?{query}>; rel="{relation}"'


def _serve(request: Request, kind: str, row: Row) -> Record:
    site = site_of(request)
    record = site.serve(site.tables[kind], row)
    return {k: _with_base(v, base_of(request)) for k, v in record.items() if not k.startswith("_")}


def _with_base(value: object, base: str) -> object:
    """URLs of the API lead to this site."""
    if isinstance(value, str) and value.startswith("https://api.github.com"):
        return base + value.removeprefix("https://api.github.com")
    return value


def _has_organization(site: Site, login: str) -> bool:
    rows = site.tables["organizations"].rows.values()
    return any(str(row.data["login"]).lower() == login.lower() for row in rows)


def _not_found() -> Response:
    return reply({"message": "Not Found", "documentation_url": _DOCS, "status": "404"}, 404)
