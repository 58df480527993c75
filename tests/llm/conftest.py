"""A scripted model, settings that point at it, and questions to ask."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import pytest
from pydantic import SecretStr

from core.llm.question import Candidate, FieldQuestion, StreamQuestion
from core.mapper.profile import Profile
from resources.database import Database
from resources.llm import LlmProposer, open_proposer
from resources.settings import Settings
from tests.llm.server import ScriptedModel

KEY = "sk-scripted-key-0123456789"
CANONICAL = (
    Candidate("name", "string", "What the account is called"),
    Candidate("annual_revenue", "currency", "Revenue of a year"),
    Candidate("created_at", "datetime", "When it was made"),
    Candidate("owner_id", "string", "Who looks after it"),
    Candidate("is_active", "boolean", "Whether it is in use"),
)
Build = Callable[..., LlmProposer]


def make_field(name: str = "acct_nm", **facts: object) -> FieldQuestion:
    profile = Profile(null=0.1, unique=0.9, length=12, count=100)
    defaults: dict[str, object] = {"candidates": ("name", "owner_id"), "profile": profile}
    return FieldQuestion(name, **(defaults | facts))  # type: ignore[arg-type]


def make_stream(*fields: FieldQuestion) -> StreamQuestion:
    return StreamQuestion("acme", "accounts", "account", fields or (make_field(),), CANONICAL)


@pytest.fixture(scope="session")
def _server() -> Iterator[ScriptedModel]:
    with ScriptedModel().running() as model:
        yield model


@pytest.fixture
def model(_server: ScriptedModel) -> ScriptedModel:
    _server.script(*ScriptedModel().behaviours)
    return _server


@pytest.fixture
def llm_settings(settings: Settings, model: ScriptedModel) -> Settings:
    """Settings with a model nobody else uses, so with a breaker of its own."""
    return settings.model_copy(
        update={
            "llm_model": f"openai/scripted-{uuid.uuid4().hex[:8]}",
            "llm_api_key": SecretStr(KEY),
            "llm_api_base": model.url,
            "llm_timeout_s": 10.0,
            "llm_monthly_budget_usd": 5.0,
            "llm_price_in_usd_per_1m": 1.0,
            "llm_price_out_usd_per_1m": 4.0,
        }
    )


@pytest.fixture
def build(database: Database, llm_settings: Settings) -> Build:
    """A proposer with some settings changed."""

    def make(**changes: object) -> LlmProposer:
        proposer = open_proposer(database, llm_settings.model_copy(update=changes))
        assert proposer is not None
        return proposer

    return make
