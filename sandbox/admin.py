"""The switches over HTTP, under ``/_sandbox``: faults, schema changes, record changes, limits, reset.

Every request but ``GET /_sandbox/health`` carries the header ``X-Sandbox-Token``.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sandbox.app import TOKEN_HEADER, State, add_fault, change, mutate, set_rate
from sandbox.faults import MODES, Fault
from sandbox.site import CHANGES, Mutation
from sandbox.vendors.base import reply

Body = dict[str, Any]


async def answer(state: State, request: Request) -> Response:
    """Answer one request to the switches."""
    what = request.url.path.removeprefix("/_sandbox").strip("/")
    if what == "health":
        return reply({"ok": True, "vendors": sorted(state.vendors)})
    given = request.headers.get(TOKEN_HEADER, "")
    if not hmac.compare_digest(given.encode(), state.admin_token.encode()):
        return reply({"error": f"header {TOKEN_HEADER} is missing or wrong"}, 401)
    act = ACTIONS.get((request.method, what))
    if act is None:
        known = ", ".join(f"{method} {path}" for method, path in ACTIONS)
        return reply({"error": f"no switch {request.method} {what!r}", "switches": known}, 404)
    try:
        body = await request.json() if request.method == "POST" else dict(request.query_params)
        return reply(act(state, body))
    except (KeyError, TypeError, ValueError) as error:
        return reply({"error": f"{type(error).__name__}: {error}"}, 400)


def _status(state: State, body: Body) -> Body:
    return {
        "faults": [asdict(fault) for fault in state.faults],
        "sites": [
            {
                "tenant": site.tenant,
                "vendor": site.vendor,
                "requests": site.requests,
                "refreshes": site.refreshes,
                "records": {name: len(table.rows) for name, table in site.tables.items()},
                "mutations": [asdict(m) for m in site.mutations],
            }
            for site in state.sites.values()
        ],
    }


def _fault(state: State, body: Body) -> Body:
    if body["mode"] not in MODES:
        raise ValueError(f"mode is one of {', '.join(MODES)}")
    if body["vendor"] not in state.vendors:
        raise ValueError(f"vendor is one of {', '.join(state.vendors)}")
    fault = Fault(**{"tenant": "*", **body})
    add_fault(state, fault)
    return asdict(fault)


def _clear(state: State, body: Body) -> Body:
    state.faults.clear()
    return {"faults": 0}


def _mutate(state: State, body: Body) -> Body:
    if body["change"] not in CHANGES:
        raise ValueError(f"change is one of {', '.join(CHANGES)}")
    site = state.site(body["tenant"], body["vendor"])
    fields = {k: body[k] for k in ("stream", "change", "field", "to", "value") if k in body}
    return {"touched": mutate(site, Mutation(**fields), int(body.get("touch", 0)))}


def _change(state: State, body: Body) -> Body:
    site = state.site(body["tenant"], body["vendor"])
    return {"keys": change(site, body["stream"], body["op"], int(body.get("count", 1)))}


def _limit(state: State, body: Body) -> Body:
    set_rate(state.site(body["tenant"], body["vendor"]), float(body["per_s"]), int(body["burst"]))
    return {"ok": True}


def _reset(state: State, body: Body) -> Body:
    state.reset(body.get("tenant"))
    return {"ok": True}


ACTIONS: dict[tuple[str, str], Callable[[State, Body], Body]] = {
    ("GET", "status"): _status,
    ("POST", "faults"): _fault,
    ("DELETE", "faults"): _clear,
    ("POST", "mutations"): _mutate,
    ("POST", "changes"): _change,
    ("POST", "limits"): _limit,
    ("POST", "reset"): _reset,
}
"""What can be switched, by method and path below ``/_sandbox``."""
