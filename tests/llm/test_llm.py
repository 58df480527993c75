"""The proposer against a model that is good, broken, slow or gone, through litellm's real path."""

from __future__ import annotations

from decimal import Decimal

from resources.database import Database
from resources.llm_budget import read_commitment
from resources.llm_ledger import Outcome, read_calls
from tests.llm.conftest import KEY, Build, make_field, make_stream
from tests.llm.server import ScriptedModel


def test_a_good_answer_is_evidence_and_costs_what_it_cost(
    database: Database, tenant: str, build: Build, model: ScriptedModel
) -> None:
    stream = make_stream(make_field("acct_nm"), make_field("yr_rev", candidates=("annual_revenue",)))
    answers = build().propose(tenant, stream)
    assert [(a.field, a.target, a.transform) for a in answers] == [
        ("acct_nm", "name", "cast"),
        ("yr_rev", "annual_revenue", "cast"),
    ]
    (call,) = read_calls(database, tenant)
    assert (call.outcome, call.prompt_tokens, call.completion_tokens) == (Outcome.ANSWERED, 1000, 100)
    assert call.cost_usd == Decimal("0.0014") == read_commitment(database, tenant)
    assert (call.connector, call.stream, call.purpose) == ("acme", "accounts", "mapping.propose")
    assert model.keys[-1] == f"Bearer {KEY}"
