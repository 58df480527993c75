"""What the model was used for this month, by tenant: for whoever runs the installation to look at."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import Row, text

from resources.database import Database

_BY_TENANT = text(
    """
    SELECT t.tenant_id, to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM') AS month,
           coalesce(b.committed_usd, 0) AS committed_usd, c.calls, c.answered, c.prompt_tokens,
           c.completion_tokens, c.unsettled_usd, c.latency_s
    FROM tenants t
    LEFT JOIN llm_budgets b
      ON b.tenant_id = t.tenant_id AND b.month = to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM')
    CROSS JOIN LATERAL (  -- what the breaker kept back was never sent: no call
        SELECT count(*) AS calls, count(*) FILTER (WHERE outcome = 'answered') AS answered,
               coalesce(sum(prompt_tokens), 0) AS prompt_tokens,
               coalesce(sum(completion_tokens), 0) AS completion_tokens,
               coalesce(sum(cost_usd) FILTER (WHERE outcome = 'started'), 0) AS unsettled_usd,
               avg(latency_s) AS latency_s
        FROM llm_calls
        WHERE tenant_id = t.tenant_id AND month = to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM')
          AND outcome <> 'breaker_open'
    ) c
    ORDER BY t.tenant_id
    """
)


@dataclass(frozen=True)
class Usage:
    """A tenant's month (UTC). ``committed_usd``: spent, or set aside for calls that nobody settled.

    ``unsettled_usd`` is that second part; ``latency_s`` the mean of the calls, None without any.
    """

    tenant_id: str
    month: str
    committed_usd: Decimal
    calls: int
    answered: int
    prompt_tokens: int
    completion_tokens: int
    unsettled_usd: Decimal
    latency_s: float | None


def read_usage(database: Database) -> list[Usage]:
    """Every tenant's month, by tenant; those that asked nothing are there with zeros."""
    with database.operator() as conn:
        return [_read(row) for row in conn.execute(_BY_TENANT)]


def _read(row: Row[tuple[object, ...]]) -> Usage:
    tokens = {name: int(row._mapping[name]) for name in ("prompt_tokens", "completion_tokens")}
    return Usage(**{**row._mapping, **tokens})
