"""How fast a source is asked: a token bucket all streams of a reader share, and the clock it goes by."""

from __future__ import annotations

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """Seconds that only grow, and waiting; tests bring their own."""

    def monotonic(self) -> float: ...

    def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's clock."""

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class TokenBucket:
    """At most ``burst`` requests at once and ``rate`` a second in the long run. Safe between threads."""

    def __init__(self, rate: float, burst: int, clock: Clock) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens = float(burst)
        self._filled_at = clock.monotonic()
        self._paused_until = self._filled_at

    def take(self) -> float:
        """Wait for one's turn; returns the seconds waited."""
        with self._lock:
            now = self._clock.monotonic()
            grown = self._tokens + (now - self._filled_at) * self._rate
            self._tokens = min(self._burst, grown) - 1.0
            self._filled_at = now
            # A debt is a place in the queue: who comes later waits longer.
            wait_s = max(-self._tokens / self._rate, self._paused_until - now, 0.0)
        if wait_s > 0:
            self._clock.sleep(wait_s)
        return wait_s

    def pause(self, seconds: float) -> None:
        """Serve nobody for ``seconds``: the source said it is asked too often."""
        with self._lock:
            self._paused_until = max(self._paused_until, self._clock.monotonic() + seconds)


class Deadline:
    """When one page must be there, waiting for one's turn in the bucket not counted."""

    def __init__(self, seconds: float, clock: Clock) -> None:
        self.seconds = seconds
        self._clock = clock
        self._ends_at = clock.monotonic() + seconds

    @property
    def remaining_s(self) -> float:
        """Seconds left; zero or less when it is over."""
        return self._ends_at - self._clock.monotonic()

    def extend(self, seconds: float) -> None:
        """Move the end: this time was not the source's fault."""
        self._ends_at += seconds
