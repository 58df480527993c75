"""The circuit breaker of a model: after outages in a row nobody asks it for a while; all processes share it.

Only outages count (no answer, refused connections, 429, 5xx), so no tenant's data can switch a model off
for the others by what the model answers to it. Any other reply closes it, a refused request (400) too.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from core.names import GLOBAL_TENANT
from resources.audit import record
from resources.database import Database

_ADMIT = text(
    """
    WITH probe AS (
        UPDATE llm_breakers SET open_until = now() + make_interval(secs => :open_s)
        WHERE tenant_id = :owner AND model = :model AND open_until <= now() RETURNING 1
    )
    SELECT EXISTS (SELECT FROM probe) OR NOT EXISTS (
        SELECT FROM llm_breakers WHERE tenant_id = :owner AND model = :model AND open_until IS NOT NULL
    )
    """
)
_FAILED = text(
    """
    INSERT INTO llm_breakers AS b (tenant_id, model, failures) VALUES (:owner, :model, 1)
    ON CONFLICT (tenant_id, model) DO UPDATE SET failures = b.failures + 1
    """
)
_OPEN = text(
    """
    UPDATE llm_breakers SET open_until = now() + make_interval(secs => :open_s)
    WHERE tenant_id = :owner AND model = :model AND failures >= :limit
    """
)
_WORKED = text(
    """
    UPDATE llm_breakers SET failures = 0, open_until = NULL
    WHERE tenant_id = :owner AND model = :model AND (failures > 0 OR open_until IS NOT NULL)
    """
)
_LOOK = text(
    """
    SELECT failures, open_until, coalesce(open_until > now(), false) AS is_open
    FROM llm_breakers WHERE tenant_id = :owner AND model = :model
    """
)


@dataclass(frozen=True)
class BreakerState:
    """Outages in a row; ``open_until``: nobody asks before, then one tries; ``is_open``: it is so now."""

    failures: int = 0
    open_until: datetime | None = None
    is_open: bool = False


@dataclass(frozen=True)
class Breaker:
    """Opens after ``limit`` outages in a row for ``open_s`` seconds; then one caller tries, the rest wait."""

    database: Database
    model: str
    limit: int = 5
    open_s: float = 60.0

    def admit(self) -> bool:
        """Whether the model may be asked now: yes, no while open, then yes to the first who asks."""
        with self.database.operator() as conn:
            return bool(conn.execute(_ADMIT, self._values).scalar_one())

    def note_outage(self) -> None:
        """One more call got no answer."""
        with self.database.operator() as conn:
            conn.execute(_FAILED, self._values)
            conn.execute(_OPEN, self._values)

    def note_answer(self) -> None:
        """The model's server replied, whatever it said."""
        with self.database.operator() as conn:
            conn.execute(_WORKED, self._values)

    def look(self) -> BreakerState:
        """How it stands, without asking for admission."""
        with self.database.operator() as conn:
            row = conn.execute(_LOOK, self._values).first()
        return BreakerState() if row is None else BreakerState(**row._mapping)

    def reset(self, actor: str) -> BreakerState:
        """Close it at once, by a person; audited. The state before."""
        before = self.look()
        with self.database.operator() as conn:
            conn.execute(_WORKED, self._values)
            facts = {"failures": before.failures, "open_until": str(before.open_until or "")}
            record(conn, actor, "llm_breaker.reset", self.model, facts, None, GLOBAL_TENANT)
        return before

    @property
    def _values(self) -> dict[str, object]:
        return {"owner": GLOBAL_TENANT, "model": self.model, "limit": self.limit, "open_s": self.open_s}
