"""The sandbox as one ASGI application: ``/<tenant>/<vendor>/…``, and switches under ``/_sandbox``."""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from core.names import IDENTIFIER
from sandbox.faults import Fault, respond
from sandbox.limits import Bucket, Rate
from sandbox.site import Mutation, Site
from sandbox.vendors import VENDORS
from sandbox.vendors.base import Vendor, reply
from sandbox.world import open_world

TOKEN_HEADER = "x-sandbox-token"


@dataclass
class State:
    """Everything that changes while the sandbox runs."""

    seed: int = 0
    admin_token: str = field(default_factory=lambda: secrets.token_urlsafe(18))
    vendors: dict[str, Vendor] = field(
        default_factory=lambda: {name: make() for name, make in VENDORS.items()}
    )
    sites: dict[tuple[str, str], Site] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    reset_connection: Callable[[Any], None] = lambda client: None

    def site(self, tenant: str, vendor: str) -> Site:
        """A tenant's account at a vendor, made when first asked for. KeyError for an unknown vendor."""
        key = (tenant, vendor)
        if key not in self.sites:
            maker = self.vendors[vendor]
            self.sites[key] = Site(
                tenant=tenant,
                vendor=vendor,
                tables=maker.build(open_world(tenant, self.seed)),
                bucket=Bucket(maker.rate),
                tokens=frozenset((make_token(vendor), make_token(vendor, tenant))),
                aliases=maker.aliases,
            )
        return self.sites[key]

    def reset(self, tenant: str | None = None) -> None:
        """Forget changes, faults, mutations and limits of a tenant, or of all."""
        kept = {k: s for k, s in self.sites.items() if tenant is not None and k[0] != tenant}
        self.sites = kept
        self.faults = [f for f in self.faults if tenant is not None and f.tenant not in ("*", tenant)]


def make_token(vendor: str, tenant: str = "") -> str:
    """The secret of a vendor account; without a tenant one that opens every tenant's."""
    return f"sandbox-{vendor}-{tenant or 'any'}-secret"


class SandboxApp:
    """The ASGI application."""

    def __init__(self, state: State) -> None:
        self.state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        path = scope["path"]
        if path.startswith("/_sandbox"):
            from sandbox.admin import answer

            await (await answer(self.state, Request(scope, receive)))(scope, receive, send)
            return
        found = self._find(path)
        if found is None:
            await _unknown(path)(scope, receive, send)
            return
        tenant, vendor, rest = found
        site = self.state.site(tenant, vendor)
        site.requests += 1
        inner = {**scope, "path": rest, "raw_path": rest.encode(), "root_path": "", "site": site}
        fault = next((f for f in self.state.faults if f.strikes(tenant, vendor, rest)), None)
        if fault is None:
            await self._serve(inner, receive, send)
        else:
            maker = self.state.vendors[vendor]
            await respond(fault, maker, self._serve, inner, receive, send, self.state.reset_connection)

    def _find(self, path: str) -> tuple[str, str, str] | None:
        """Tenant, vendor and the vendor's own path."""
        parts = path.split("/", 3)
        if len(parts) == 4 and parts[2] in self.state.vendors and IDENTIFIER.fullmatch(parts[1]):
            return parts[1], parts[2], f"/{parts[3]}"
        return self._find_by_locator(path)

    def _find_by_locator(self, path: str) -> tuple[str, str, str] | None:
        """Salesforce's nextRecordsUrl is a path from the host's root: the locator says whose it is."""
        name = path.rpartition("/")[2].partition("-")[0]
        sites = self.state.sites.values() if path.startswith("/services/data/") else ()
        return next(((s.tenant, s.vendor, path) for s in sites if name in s.locators), None)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        site: Site = scope["site"]
        vendor = self.state.vendors[site.vendor]
        request = Request(scope, receive)
        wait_s = site.bucket.take()
        refusal: Response | None = vendor.refuse_pace(max(1, math.ceil(wait_s))) if wait_s else None
        refusal = refusal or vendor.authenticate(request, site)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                extra = [(k.lower().encode(), v.encode()) for k, v in vendor.extra_headers(site).items()]
                message["headers"] = [*message.get("headers", ()), *extra]
            await send(message)

        await (refusal or vendor.router)(scope, receive, with_headers)


def create_app(seed: int = 0, admin_token: str | None = None) -> SandboxApp:
    """A fresh sandbox. Tenants are made when first asked for."""
    state = State(seed=seed)
    if admin_token is not None:
        state.admin_token = admin_token
    return SandboxApp(state)


def add_fault(state: State, fault: Fault) -> None:
    """Switch a fault on."""
    state.faults.append(fault)


def mutate(site: Site, mutation: Mutation, touch: int = 0) -> list[str]:
    """Change a stream's schema; ``touch`` records of it are changed too, so that incremental reads see it."""
    table = site.table(mutation.stream)
    site.mutations.append(replace(mutation, stream=table.name))
    return table.touch(touch, site.now()) if touch else []


def change(site: Site, stream: str, op: str, count: int) -> list[str]:
    """Touch, add or delete records; returns their keys."""
    table = site.table(stream)
    act = {"touch": table.touch, "add": table.add, "delete": table.delete}[op]
    return act(count, site.now())


def set_rate(site: Site, per_s: float, burst: int) -> None:
    """Change a tenant's allowance at a vendor."""
    site.set_rate(Rate(per_s, burst))


def _unknown(path: str) -> Response:
    usage = f"/<tenant>/<vendor>/…, vendors: {', '.join(sorted(VENDORS))}"
    return reply({"error": "no such tenant or vendor", "path": path, "usage": usage}, 404)
