"""The ledger of calls to models: what was asked for whom, how it ended, what it cost. Never what was said."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import select, text

from resources.database import Database
from resources.tables import llm_calls

MAX_IN_VAIN = 2
"""Calls about a stream, in a day, that brought no answer though they may be charged, or were refused."""
_IN_VAIN = text(
    """
    SELECT connector, stream FROM llm_calls
    WHERE tenant_id = :tenant_id AND model = :model AND at > now() - interval '1 day'
      AND (outcome IN ('started', 'timed_out', 'rejected') OR (outcome = 'unavailable' AND cost_usd > 0))
    GROUP BY connector, stream HAVING count(*) >= :most
    """
)


class Outcome(StrEnum):
    """How a question ended. The first group is in the ledger; the second never became a call."""

    STARTED = "started"  # nobody came back to say how it ended: counts at its upper bound
    ANSWERED = "answered"
    INVALID = "invalid"
    REFUSED = "refused"
    TRUNCATED = "truncated"
    TIMED_OUT = "timed_out"
    RATE_LIMITED = "rate_limited"
    UNAVAILABLE = "unavailable"
    UNAUTHORISED = "unauthorised"  # the API knows no such key or model
    REJECTED = "rejected"  # the API refused the request itself
    BREAKER_OPEN = "breaker_open"

    NOTHING_ASKED = "nothing_asked"
    SWITCHED_OFF = "switched_off"
    BUDGET_EXHAUSTED = "budget_exhausted"


@dataclass(frozen=True)
class LlmCall:
    """One row of the ledger. Tokens and latency are None where nobody knows them."""

    at: datetime
    model: str
    purpose: str
    connector: str
    stream: str
    prompt_tokens: int | None
    completion_tokens: int | None
    cost_usd: Decimal
    latency_s: float | None
    outcome: Outcome
    error_class: str | None


def read_calls(database: Database, tenant_id: str, limit: int = 100) -> list[LlmCall]:
    """The tenant's newest calls first."""
    names = list(LlmCall.__dataclass_fields__)
    query = select(*(llm_calls.c[name] for name in names)).order_by(llm_calls.c.at.desc()).limit(limit)
    with database.tenant(tenant_id) as conn:
        rows = conn.execute(query.where(llm_calls.c.tenant_id == tenant_id)).mappings().all()
    return [LlmCall(**{**row, "outcome": Outcome(row["outcome"])}) for row in rows]


def read_resting(database: Database, tenant_id: str, model: str) -> frozenset[tuple[str, str]]:
    """Streams, with their connectors, whose questions went in vain ``MAX_IN_VAIN`` times within a day."""
    values = {"tenant_id": tenant_id, "model": model, "most": MAX_IN_VAIN}
    with database.tenant(tenant_id) as conn:
        return frozenset((row.connector, row.stream) for row in conn.execute(_IN_VAIN, values))
