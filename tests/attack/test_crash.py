"""kill -9 while money is set aside, while sets are published, while a steward approves: nothing by halves."""

from __future__ import annotations

import signal
import subprocess
import sys
import uuid
from decimal import Decimal

import pytest
from sqlalchemy import text

from resources.approvals import Choice, approve_fields
from resources.llm_budget import read_commitment
from resources.llm_ledger import Outcome, read_calls
from resources.registry import active_set
from resources.settings import project_root
from tests.attack.conftest import CONNECTOR, Engine
from tests.llm.conftest import Build, make_stream
from tests.llm.server import ScriptedModel, behave

STREAM = "contacts"
FIELDS = ["email", "job_title", "zodiac_blob", "mystery_no_7"]


def _crash(engine: Engine, what: str, point: str, *more: str) -> None:
    """Run it in a process of its own, which has to die of SIGKILL."""
    arguments = [what, str(engine.settings.home), engine.tenant, point, *more]
    done = subprocess.run(
        [sys.executable, "-m", "tests.attack.crashing", *arguments],
        cwd=project_root(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr


@pytest.mark.parametrize("point", ["resources.llm/complete:before", "resources.llm/complete:1"])
def test_between_reserving_and_settling(
    engine: Engine, build: Build, model: ScriptedModel, point: str
) -> None:
    """What was set aside stays set aside, as it may have been paid for; it blocks nobody and adds up."""
    model.script(behave)
    name = f"openai/scripted-{uuid.uuid4().hex[:8]}"
    _crash(engine, "ask", point, model.url, name)
    (left,) = read_calls(engine.database, engine.tenant)
    assert (left.outcome, len(model.requests)) == (Outcome.STARTED, 0 if point.endswith("before") else 1)
    assert read_commitment(engine.database, engine.tenant) == left.cost_usd > 0
    proposer = build(llm_model=name, llm_monthly_budget_usd=float(left.cost_usd) * 2.5)
    assert proposer.ask(engine.tenant, make_stream()).outcome is Outcome.ANSWERED
    spent = sum((call.cost_usd for call in read_calls(engine.database, engine.tenant)), Decimal(0))
    assert read_commitment(engine.database, engine.tenant) == spent <= left.cost_usd * Decimal("2.5")
    tight = build(llm_model=name, llm_monthly_budget_usd=float(left.cost_usd) * 1.5)
    assert tight.ask(engine.tenant, make_stream()).outcome is Outcome.BUDGET_EXHAUSTED


def test_what_a_crash_set_aside_ends_with_its_month(
    engine: Engine, build: Build, model: ScriptedModel
) -> None:
    model.script(behave)
    name = f"openai/scripted-{uuid.uuid4().hex[:8]}"
    _crash(engine, "ask", "resources.llm/complete:before", model.url, name)
    bound = float(read_commitment(engine.database, engine.tenant))
    proposer = build(llm_model=name, llm_monthly_budget_usd=bound * 1.5)
    assert proposer.ask(engine.tenant, make_stream()).outcome is Outcome.BUDGET_EXHAUSTED
    with engine.database.tenant(engine.tenant) as conn:
        conn.execute(text("UPDATE llm_calls SET month = '2001-01'"))
        conn.execute(text("UPDATE llm_budgets SET month = '2001-01'"))
    assert read_commitment(engine.database, engine.tenant) == 0
    assert proposer.ask(engine.tenant, make_stream()).outcome is Outcome.ANSWERED


def _check_whole(engine: Engine) -> None:
    """What says it was applied holds, and nothing holds beside."""
    held = active_set(engine.database, engine.tenant, CONNECTOR, STREAM)
    own = held is not None and held.tenant_id == engine.tenant
    kept = {one.sources[0] for one in held.mappings} - {"id"} if held is not None and own else set()
    decided = {one.field for one in engine.proposals() if one.status in ("applied", "approved")}
    assert kept == decided
    with engine.database.tenant(engine.tenant) as conn:
        remembered = conn.execute(
            text("SELECT field FROM mapping_decisions WHERE tenant_id = :t"), {"t": engine.tenant}
        )
        assert set(remembered.scalars()) == decided
        drafts = text("SELECT count(*) FROM mapping_sets WHERE tenant_id = :t")
        sets = conn.execute(drafts, {"t": engine.tenant}).scalar()
        assert (sets or 0) >= 1 if own else sets == 0


@pytest.mark.parametrize(
    "point",
    [
        "resources.mapper_settle/publish_all_in:before",
        "resources.mapper_settle/publish_all_in:1",
        "resources.mapper_settle/save_proposals:1",
    ],
)
def test_while_publishing_what_is_sure(engine: Engine, point: str) -> None:
    engine.land(FIELDS)
    _crash(engine, "map", point)
    _check_whole(engine)
    assert engine.applied() == {}
    assert engine.run().applied == 2, "the next sync does it"
    _check_whole(engine)


@pytest.mark.parametrize(
    "point", ["resources.approvals/publish_in:1", "resources.approvals/close_proposal:1"]
)
def test_while_a_steward_approves(engine: Engine, point: str) -> None:
    engine.land(FIELDS)
    engine.run()
    before = active_set(engine.database, engine.tenant, CONNECTOR, STREAM)
    _crash(engine, "approve", point)
    _check_whole(engine)
    assert active_set(engine.database, engine.tenant, CONNECTOR, STREAM) == before
    chosen = [Choice("zodiac_blob", "salutation"), Choice("mystery_no_7", "fax")]
    key = (CONNECTOR, STREAM)
    approve_fields(engine.database, engine.ontology, engine.tenant, key, chosen, "eve", "x", overrule=True)
    _check_whole(engine)
