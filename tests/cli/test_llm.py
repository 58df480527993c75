"""``aos llm``: the switch, the budget, the ledger and the breaker, as an operator uses them."""

from __future__ import annotations

from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from resources.breaker import Breaker
from resources.database import Database
from resources.flags import LLM, read_flag
from resources.llm_budget import CallLabel, Settlement, reserve, settle
from resources.llm_ledger import Outcome
from resources.settings import load_settings
from tests.cli.conftest import Aos

MODEL = "openai/scripted"
TENANT = "llm-tenant"


@pytest.fixture
def tenant(aos: Aos, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in {
        "MODEL": MODEL, "API_KEY": "sk-0123456789", "PRICE_IN_USD_PER_1M": "0.15",
        "PRICE_OUT_USD_PER_1M": "0.6", "MONTHLY_BUDGET_USD": "2",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"AOS_LLM_{name}", value)
    if TENANT not in [row["tenant"] for row in aos("tenant", "list", "--json").json]:
        assert aos("tenant", "add", TENANT).code == 0
    return TENANT


def test_without_a_model_it_says_what_is_missing(aos: Aos) -> None:
    assert "AOS_LLM_MODEL" in aos("llm", "status").out
    assert aos("llm", "breaker").code == 2
    assert aos("llm", "ledger", "nobody").code == 2


def test_the_switch_holds_for_one_or_all(aos: Aos, tenant: str, home: Path) -> None:
    def asked() -> dict[str, object]:
        (one,) = aos("llm", "status", tenant, "--json").json["tenants"]
        return {"asked": one["asked"], "because": one["because"]}

    assert asked() == {"asked": True, "because": None}
    assert "off for llm-tenant" in aos("llm", "off", tenant, "--user", "eve").out
    assert asked() == {"asked": False, "because": "off for the tenant"}
    assert aos("llm", "off", "--json").json == {"tenant": "*", "on": False, "holds": False}
    assert "off for all" in aos("llm", "on", tenant).out
    assert asked()["because"] == "off for all"
    with closing(Database.open(load_settings(home=home))) as database:
        assert not read_flag(database, LLM, tenant)
    assert aos("llm", "on").code == 0
    assert asked()["asked"] is True


def test_what_was_spent_and_asked(aos: Aos, tenant: str, home: Path) -> None:
    with closing(Database.open(load_settings(home=home))) as database:
        label = CallLabel(tenant, MODEL, "mapping.propose", "crm", "people")
        for outcome, cost in ((Outcome.ANSWERED, Decimal("0.01")), (None, None)):
            made = reserve(database, label, Decimal("0.25"), Decimal(2))
            assert made is not None
            if outcome is not None:
                settle(database, made, Settlement(outcome, cost, 1.25, 1000, 100))
        unsent = reserve(database, label, Decimal("0.25"), Decimal(2))
        assert unsent is not None
        settle(database, unsent, Settlement(Outcome.BREAKER_OPEN, Decimal(0), 0.0))
    (row,) = aos("llm", "budget", tenant, "--json").json
    facts = {name: row[name] for name in ("spent usd", "unsettled usd", "left usd", "calls", "answered")}
    assert facts == {"spent usd": 0.26, "unsettled usd": 0.25, "left usd": 1.74, "calls": 2, "answered": 1}
    (row,) = aos("llm", "status", tenant, "--json").json["tenants"]
    assert row["calls"] == 2, "what was never sent is no call"
    calls = aos("llm", "ledger", tenant, "--json").json
    assert {one["outcome"] for one in calls} == {"answered", "started", "breaker_open"}
    assert {one["stream"] for one in calls} == {"people"}
    said = aos("llm", "ledger", tenant, "--limit", "5").out
    assert "answered" in said
    assert "0.0100" in said
    assert "0.2600" in aos("llm", "budget").out
    assert "0.15 in, $0.6 out" in aos("llm", "status").out


def test_the_breaker_is_seen_and_closed(aos: Aos, tenant: str, home: Path) -> None:
    with closing(Database.open(load_settings(home=home))) as database:
        for _ in range(5):
            Breaker(database, MODEL).note_outage()
    found = aos("llm", "breaker", "--json").json
    assert found["failures"] == 5
    assert "open until" in aos("llm", "status").out
    (row,) = aos("llm", "status", tenant, "--json").json["tenants"]
    assert (row["asked"], row["because"]) == (False, "breaker open")
    assert "closed, 0 outages" in aos("llm", "breaker", "--reset", "--user", "eve").out
    assert aos("llm", "breaker", "--json").json["open_until"] is None


def test_more_calls_than_there_can_be_are_bad_input(aos: Aos, tenant: str) -> None:
    assert aos("llm", "ledger", tenant, "--limit", "9" * 20).code == 2
