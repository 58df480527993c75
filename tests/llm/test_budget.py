"""Money: racing callers never spend more than the month's budget, and the ledger adds up to it."""

from __future__ import annotations

import multiprocessing
import threading
from decimal import Decimal

import pytest
from sqlalchemy import func, select, update

from resources.breaker import Breaker
from resources.database import Database
from resources.llm import project_cost
from resources.llm_budget import CallLabel, Settlement, price_call, read_commitment, reserve, settle
from resources.llm_ledger import Outcome, read_calls
from resources.settings import Settings, load_settings
from resources.tables import llm_budgets, llm_calls
from resources.tenants import remove_tenant
from tests.llm.conftest import Build, make_stream
from tests.llm.server import ScriptedModel

CALLERS = 16
BOUND = Decimal("0.30")
LIMIT = Decimal("1.00")


def _label(tenant: str) -> CallLabel:
    return CallLabel(tenant, "openai/x", "mapping.propose", "acme", "accounts")


def _ledger_sum(database: Database, tenant: str) -> Decimal:
    with database.tenant(tenant) as conn:
        return Decimal(conn.execute(select(func.coalesce(func.sum(llm_calls.c.cost_usd), 0))).scalar_one())


def _race(database: Database, tenant: str, callers: int) -> list[bool]:
    gate, won = threading.Barrier(callers), []

    def run() -> None:
        gate.wait()
        won.append(reserve(database, _label(tenant), BOUND, LIMIT) is not None)

    threads = [threading.Thread(target=run) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return won


def _race_in_process(home: str, tenant: str) -> None:
    database = Database.open(load_settings(home=home, database_url=None))
    _race(database, tenant, CALLERS // 4)
    database.close()


def test_racing_threads_stay_within_the_budget(database: Database, tenant: str) -> None:
    won = _race(database, tenant, CALLERS)
    assert (len(won), sum(won)) == (CALLERS, 3)
    assert read_commitment(database, tenant) == Decimal("0.90") == _ledger_sum(database, tenant)


def test_racing_processes_stay_within_the_budget(database: Database, settings: Settings, tenant: str) -> None:
    context = multiprocessing.get_context("spawn")
    arguments = (str(settings.home), tenant)
    processes = [context.Process(target=_race_in_process, args=arguments) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    assert read_commitment(database, tenant) == Decimal("0.90") == _ledger_sum(database, tenant)
    assert len(read_calls(database, tenant)) == 3


def test_sixteen_questions_at_the_edge_spend_within_the_budget(
    database: Database, tenant: str, build: Build, model: ScriptedModel
) -> None:
    budget = 0.012
    proposer, outcomes = build(llm_monthly_budget_usd=budget, llm_timeout_s=60.0), []
    gate = threading.Barrier(CALLERS)

    def run() -> None:
        gate.wait()
        outcomes.append(proposer.ask(tenant, make_stream()).outcome)

    threads = [threading.Thread(target=run) for _ in range(CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(outcomes) <= {Outcome.ANSWERED, Outcome.BUDGET_EXHAUSTED}
    assert 0 < outcomes.count(Outcome.ANSWERED) == len(model.requests) < CALLERS
    assert _ledger_sum(database, tenant) == read_commitment(database, tenant) <= Decimal(str(budget))


def test_settling_gives_back_what_was_not_spent_and_only_once(database: Database, tenant: str) -> None:
    held = reserve(database, _label(tenant), BOUND, LIMIT)
    assert held is not None
    for cost in ("0.01", "0.02"):
        settle(database, held, Settlement(Outcome.ANSWERED, Decimal(cost), 1.0, 10, 5))
    assert read_commitment(database, tenant) == Decimal("0.01") == _ledger_sum(database, tenant)


def test_a_call_nobody_settled_counts_at_its_bound(database: Database, tenant: str) -> None:
    assert reserve(database, _label(tenant), BOUND, LIMIT) is not None
    (call,) = read_calls(database, tenant)
    assert (call.outcome, call.cost_usd) == (Outcome.STARTED, BOUND)


def test_a_new_month_has_a_new_budget(database: Database, tenant: str) -> None:
    assert reserve(database, _label(tenant), LIMIT, LIMIT) is not None
    assert reserve(database, _label(tenant), BOUND, LIMIT) is None
    with database.tenant(tenant) as conn:
        conn.execute(update(llm_budgets).values(month="2001-01"))
    assert reserve(database, _label(tenant), BOUND, LIMIT) is not None


def test_a_budget_of_nothing_buys_nothing(tenant: str, build: Build, model: ScriptedModel) -> None:
    assert build(llm_monthly_budget_usd=0).ask(tenant, make_stream()).outcome is Outcome.BUDGET_EXHAUSTED
    assert model.requests == []


def test_one_tenant_sees_and_spends_nothing_of_another(database: Database, tenant: str) -> None:
    from resources.tenants import add_tenant

    other = f"{tenant}-b"
    add_tenant(database, other, "Other", "tester")
    assert reserve(database, _label(other), LIMIT, LIMIT) is not None
    assert read_calls(database, tenant) == []
    assert read_commitment(database, tenant) == 0
    assert reserve(database, _label(tenant), LIMIT, LIMIT) is not None


def test_a_removed_tenant_leaves_no_ledger(database: Database, settings: Settings, tenant: str) -> None:
    assert reserve(database, _label(tenant), BOUND, LIMIT) is not None
    remove_tenant(database, settings, tenant, "tester")
    with database.operator() as conn:
        left = conn.execute(select(func.count()).where(llm_calls.c.tenant_id == tenant)).scalar_one()
    assert left == 0


def test_prices_are_rounded_up_and_projected(llm_settings: Settings) -> None:
    assert price_call(llm_settings, 1_000_000, 1_000_000) == Decimal(5)
    assert price_call(llm_settings, 1, 0) == Decimal("0.000001")
    assert project_cost(llm_settings, 1000, 1500, 250) == pytest.approx(2.5)


def test_the_breaker_opens_lets_one_try_and_closes(database: Database, tenant: str) -> None:
    breaker = Breaker(database, f"m-{tenant}", limit=2, open_s=0.2)
    breaker.note_outage()
    assert breaker.admit()
    breaker.note_outage()
    assert not breaker.admit()
    threading.Event().wait(0.3)
    assert [breaker.admit(), breaker.admit()] == [True, False]
    breaker.note_outage()
    assert not breaker.admit()
    breaker.note_answer()
    assert [breaker.admit(), breaker.admit()] == [True, True]
