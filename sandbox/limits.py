"""Rate limits as vendors have them: a bucket of requests that fills again."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Rate:
    """``per_s`` requests a second on average, ``burst`` at once."""

    per_s: float
    burst: int


class Bucket:
    """One tenant's allowance at one vendor."""

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self._level = float(rate.burst)
        self._at = time.monotonic()

    @property
    def remaining(self) -> int:
        """Requests that may be made now."""
        return max(0, int(self._level))

    def take(self) -> float:
        """Take one request; returns 0, or the seconds to wait when there is none left."""
        now = time.monotonic()
        self._level = min(self.rate.burst, self._level + (now - self._at) * self.rate.per_s)
        self._at = now
        if self._level < 1:
            return (1 - self._level) / self.rate.per_s
        self._level -= 1
        return 0.0
