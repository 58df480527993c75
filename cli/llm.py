"""``aos llm``: the language model at run time: its switch, what it costs, what was asked, its breaker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.mapping_common import User
from cli.output import Json, first_line, print_json, say, show_records
from cli.services import open_mesh
from core.errors import FixInput
from core.names import GLOBAL_TENANT, join_name

if TYPE_CHECKING:
    from resources.breaker import BreakerState
    from resources.mesh import Mesh

app = typer.Typer(help="The language model: switch, budget, ledger, breaker.", no_args_is_help=True)
Tenant = Annotated[str | None, typer.Argument(metavar="[TENANT]", help="One tenant; default: all.")]


@app.command("status")
def status(tenant: Tenant = None, as_json: Json = False) -> None:
    """Whether the model may be asked, and why not: settings, switch, budget, breaker."""
    with open_mesh() as mesh:
        facts = _read_facts(mesh)
        tenants = _read_tenants(mesh, tenant, is_open=facts["breaker"]["is_open"])
    if as_json:
        print_json(facts | {"tenants": tenants})
        return
    model = facts["model"] or "none (AOS_LLM_MODEL)"
    say(f"Model: {model}, key {'given' if facts['key'] else 'missing (AOS_LLM_API_KEY)'}")
    if facts["price_in_usd_per_1m"] is not None:
        per = f"${facts['price_in_usd_per_1m']:g} in, ${facts['price_out_usd_per_1m']:g} out"
        say(f"Price of 1,000,000 tokens: {per}; budget ${facts['budget_usd']:g} a tenant and month")
    say(f"Switch for all: {_on(facts['on'])}; breaker: {facts['breaker']['state']}")
    columns = ["tenant", "asked", "because", "spent usd", "of usd", "calls"]
    rows = [
        [one["tenant"], one["asked"], one["because"], one["committed_usd"], one["budget_usd"], one["calls"]]
        for one in tenants
    ]
    show_records("Tenants", columns, rows, as_json=False)


@app.command("on")
def on(tenant: Tenant = None, user: User = None, as_json: Json = False) -> None:
    """Allow the model to be asked, for one tenant or for all; holds at once in every process."""
    _switch(tenant, True, user, as_json=as_json)


@app.command("off")
def off(tenant: Tenant = None, user: User = None, as_json: Json = False) -> None:
    """Ask the model nothing more, for one tenant or for all; holds at once in every process."""
    _switch(tenant, False, user, as_json=as_json)


@app.command("ledger")
def ledger(
    tenant: Annotated[str, typer.Argument(metavar="TENANT")],
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many, newest first.")] = 20,
    as_json: Json = False,
) -> None:
    """The newest calls: what for, tokens, cost, seconds, how it ended. Never what was said."""
    from resources.llm_ledger import read_calls
    from resources.tenants import require_tenant

    with open_mesh() as mesh:
        require_tenant(mesh.db, tenant)
        calls = read_calls(mesh.db, tenant, limit)
    columns = [
        "at",
        "model",
        "connector",
        "stream",
        "tokens in",
        "tokens out",
        "usd",
        "seconds",
        "outcome",
        "why",
    ]
    rows = [
        [one.at, one.model, one.connector, one.stream, one.prompt_tokens, one.completion_tokens,
         _money(one.cost_usd, as_json), one.latency_s, str(one.outcome), first_line(one.error_class, 40)]
        for one in calls
    ]  # fmt: skip
    if not as_json:  # what fits 80 columns
        columns = ["at", "stream", "in", "out", "usd", "s", "outcome", "why"]
        rows = [[f"{row[0]:%m-%d %H:%M:%S}", join_name(row[2], row[3]), *row[4:]] for row in rows]
    show_records(f"Calls of {tenant}", columns, rows, as_json=as_json)


@app.command("budget")
def budget(tenant: Tenant = None, as_json: Json = False) -> None:
    """This month's spend against the budget, by tenant; what calls without an end hold counts as spent."""
    from resources.llm_usage import read_usage
    from resources.tenants import require_tenant

    with open_mesh() as mesh:
        if tenant is not None:
            require_tenant(mesh.db, tenant)
        limit = mesh.settings.llm_monthly_budget_usd
        found = [one for one in read_usage(mesh.db) if tenant in (None, one.tenant_id)]
    columns = [
        "tenant",
        "month",
        "spent usd",
        "unsettled usd",
        "left usd",
        "calls",
        "answered",
        "tokens in",
        "tokens out",
    ]
    rows = [
        [one.tenant_id, one.month, _money(one.committed_usd, as_json), _money(one.unsettled_usd, as_json),
         _money(max(0.0, limit - float(one.committed_usd)), as_json), one.calls, one.answered,
         one.prompt_tokens, one.completion_tokens]
        for one in found
    ]  # fmt: skip
    if not as_json:  # what fits 80 columns
        columns = ["tenant", "month", "spent $", "held $", "left $", "calls", "answered", "in", "out"]
    show_records(f"Budget: ${limit:g} a tenant and month; tokens in and out", columns, rows, as_json=as_json)


@app.command("breaker")
def breaker(
    reset: Annotated[bool, typer.Option("--reset", help="Close it: ask the model again at once.")] = False,
    user: User = None,
    as_json: Json = False,
) -> None:
    """Whether outages in a row have stopped all calls for a minute, and close it by hand."""
    from resources.breaker import Breaker

    with open_mesh() as mesh:
        if mesh.settings.llm_model is None:
            raise FixInput("no model is configured", remedy="Set AOS_LLM_MODEL, see docs/language-model.md")
        one = Breaker(mesh.db, mesh.settings.llm_model)
        if reset:
            one.reset(user or mesh.settings.actor)
        facts = _describe_breaker(one.look()) | {"model": mesh.settings.llm_model}
    if as_json:
        print_json(facts)
    else:
        say(f"{facts['model']}: {facts['state']}")


def _switch(tenant: str | None, is_on: bool, user: str | None, *, as_json: bool) -> None:
    from resources.flags import LLM, read_flag, set_flag

    owner = GLOBAL_TENANT if tenant is None else tenant
    with open_mesh() as mesh:
        set_flag(mesh.db, LLM, is_on, actor=user or mesh.settings.actor, tenant_id=owner)
        holds = is_on if tenant is None else read_flag(mesh.db, LLM, owner)
    if as_json:
        print_json({"tenant": owner, "on": is_on, "holds": holds})
        return
    whom = "all tenants" if tenant is None else tenant
    say(f"The language model is {_on(is_on)} for {whom}.")
    if is_on and not holds:
        say("It stays unasked there: it is off for all (`aos llm on`).")


def _read_facts(mesh: Mesh) -> dict[str, Any]:
    from resources.breaker import Breaker
    from resources.flags import FLAGS, LLM, list_settings

    settings, set_ = mesh.settings, list_settings(mesh.db, LLM)
    state = None if settings.llm_model is None else Breaker(mesh.db, settings.llm_model).look()
    return {
        "model": settings.llm_model,
        "key": settings.llm_api_key is not None,
        "price_in_usd_per_1m": settings.llm_price_in_usd_per_1m,
        "price_out_usd_per_1m": settings.llm_price_out_usd_per_1m,
        "budget_usd": settings.llm_monthly_budget_usd,
        "on": set_.get(GLOBAL_TENANT, FLAGS[LLM]),
        "breaker": _describe_breaker(state),
    }


def _read_tenants(mesh: Mesh, tenant: str | None, *, is_open: bool) -> list[dict[str, Any]]:
    from resources.flags import FLAGS, LLM, list_settings
    from resources.llm_usage import read_usage
    from resources.tenants import require_tenant

    if tenant is not None:
        require_tenant(mesh.db, tenant)
    set_, limit = list_settings(mesh.db, LLM), mesh.settings.llm_monthly_budget_usd
    ready = mesh.settings.llm_model is not None and mesh.settings.llm_api_key is not None
    found = []
    for one in read_usage(mesh.db):
        if tenant not in (None, one.tenant_id):
            continue
        spent = float(one.committed_usd)
        reasons = [
            (not ready, "no model or key"),
            (not set_.get(GLOBAL_TENANT, FLAGS[LLM]), "off for all"),
            (not set_.get(one.tenant_id, True), "off for the tenant"),
            (spent >= limit, "budget spent"),
            (is_open, "breaker open"),
        ]
        because = next((reason for holds, reason in reasons if holds), None)
        found.append(
            {"tenant": one.tenant_id, "asked": because is None, "because": because, "month": one.month,
             "committed_usd": spent, "budget_usd": limit, "calls": one.calls}
        )  # fmt: skip
    return found


def _describe_breaker(state: BreakerState | None) -> dict[str, Any]:
    if state is None:
        return {"state": "no model", "failures": 0, "open_until": None, "is_open": False}
    told = f"closed, {state.failures} outages in a row"
    if state.is_open:
        told = f"open until {state.open_until:%H:%M:%S} UTC after {state.failures} outages in a row"
    elif state.open_until is not None:
        told = f"half open: the next call tries, after {state.failures} outages in a row"
    return {"state": told} | vars(state)


def _money(usd: Any, as_json: bool) -> Any:
    """Dollars with as many digits as small sums need."""
    return float(usd) if as_json else f"{float(usd):.4f}"


def _on(is_on: bool) -> str:
    return "on" if is_on else "off"
