"""The monthly budget of a tenant: reserved before a call at its upper bound, settled after at its cost.

The reservation and the ledger's row are one transaction, so the month's commitment is always the sum of
its rows. A call that never comes back keeps its upper bound: it may have been paid for.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from sqlalchemy import Connection, insert, select, text, update

from resources.database import Database
from resources.llm_ledger import Outcome
from resources.settings import Settings
from resources.tables import llm_budgets, llm_calls

_SMALLEST_USD = Decimal("0.000000001")
_THIS_MONTH = text("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM')")
_PROVIDE = text(
    "INSERT INTO llm_budgets (tenant_id, month, committed_usd) VALUES (:tenant_id, :month, 0) "
    "ON CONFLICT DO NOTHING"
)
_COMMIT = text(
    "UPDATE llm_budgets SET committed_usd = committed_usd + :usd "
    "WHERE tenant_id = :tenant_id AND month = :month AND committed_usd + :usd <= :limit_usd RETURNING 1"
)


@dataclass(frozen=True)
class CallLabel:
    """What the ledger says a call was for."""

    tenant_id: str
    model: str
    purpose: str
    connector: str
    stream: str


@dataclass(frozen=True)
class Reservation:
    """Money set aside for one call."""

    tenant_id: str
    call_id: str
    month: str
    usd: Decimal


@dataclass(frozen=True)
class Settlement:
    """How a call ended. ``cost_usd`` None: nobody knows, so the upper bound stays."""

    outcome: Outcome
    cost_usd: Decimal | None
    latency_s: float
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    error_class: str | None = None


def price_call(settings: Settings, prompt_tokens: int, completion_tokens: int) -> Decimal:
    """Cost in USD at the settings' prices, rounded up to a billionth. A missing price counts as 0."""
    return (
        (
            Decimal(str(settings.llm_price_in_usd_per_1m or 0)) * prompt_tokens
            + Decimal(str(settings.llm_price_out_usd_per_1m or 0)) * completion_tokens
        )
        .scaleb(-6)
        .quantize(_SMALLEST_USD, ROUND_CEILING)
    )


def reserve(database: Database, label: CallLabel, usd: Decimal, limit_usd: Decimal) -> Reservation | None:
    """Set ``usd`` aside if this month's budget has room for it, else None. Safe among any callers."""
    with database.tenant(label.tenant_id) as conn:
        month = str(conn.execute(_THIS_MONTH).scalar_one())
        values = {"tenant_id": label.tenant_id, "month": month}
        conn.execute(_PROVIDE, values)
        if conn.execute(_COMMIT, values | {"usd": usd, "limit_usd": limit_usd}).first() is None:
            return None
        found = Reservation(label.tenant_id, str(uuid.uuid4()), month, usd)
        _write_started(conn, label, found)
        return found


def settle(database: Database, reservation: Reservation, settlement: Settlement) -> None:
    """Replace the upper bound by the true cost, in budget and ledger alike; only the first time."""
    cost = reservation.usd if settlement.cost_usd is None else settlement.cost_usd
    with database.tenant(reservation.tenant_id) as conn:
        settled = conn.execute(
            update(llm_calls)
            .where(
                llm_calls.c.tenant_id == reservation.tenant_id,
                llm_calls.c.call_id == reservation.call_id,
                llm_calls.c.outcome == Outcome.STARTED,
            )
            .values(
                outcome=settlement.outcome,
                cost_usd=cost,
                latency_s=settlement.latency_s,
                prompt_tokens=settlement.prompt_tokens,
                completion_tokens=settlement.completion_tokens,
                error_class=settlement.error_class,
            )
        ).rowcount
        if settled:
            conn.execute(
                update(llm_budgets)
                .where(
                    llm_budgets.c.tenant_id == reservation.tenant_id,
                    llm_budgets.c.month == reservation.month,
                )
                .values(committed_usd=llm_budgets.c.committed_usd + (cost - reservation.usd))
            )


def read_commitment(database: Database, tenant_id: str) -> Decimal:
    """What the tenant has spent or set aside this month, in USD."""
    with database.tenant(tenant_id) as conn:
        month = str(conn.execute(_THIS_MONTH).scalar_one())
        query = select(llm_budgets.c.committed_usd).filter_by(tenant_id=tenant_id, month=month)
        return Decimal(conn.execute(query).scalar() or 0)


def _write_started(conn: Connection, label: CallLabel, reservation: Reservation) -> None:
    conn.execute(
        insert(llm_calls).values(
            tenant_id=label.tenant_id,
            call_id=reservation.call_id,
            month=reservation.month,
            model=label.model,
            purpose=label.purpose,
            connector=label.connector,
            stream=label.stream,
            cost_usd=reservation.usd,
            outcome=Outcome.STARTED,
        )
    )
