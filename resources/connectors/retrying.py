"""When a failed request is tried again, and after how long."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from random import Random

from requests import Response

_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529})
_FIRST_S, _LONGEST_S = 0.5, 30.0


class Backoff:
    """Exponential waits with jitter: the n-th is between half and all of 0.5·2ⁿ⁻¹ s, at most 30 s."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def wait_s(self, failures: int) -> float:
        """Seconds to wait after so many failures (from 1)."""
        longest: float = min(_FIRST_S * 2.0 ** min(failures - 1, 16), _LONGEST_S)
        return longest * self._random.uniform(0.5, 1.0)


def is_throttled(response: Response) -> bool:
    """Whether the same request may succeed later: 429, 5xx, and 403 where it means a spent allowance."""
    if response.status_code in _RETRIED:
        return True
    spent = response.headers.get("X-RateLimit-Remaining") == "0" or "Retry-After" in response.headers
    return response.status_code == 403 and spent


def read_retry_after(response: Response) -> float | None:
    """Seconds the source asks to wait: Retry-After (seconds or a date), else X-RateLimit-Reset (epoch)."""
    asked = response.headers.get("Retry-After", "").strip()
    if asked.isdigit():
        return float(asked)
    if asked:
        try:
            return max(parsedate_to_datetime(asked).timestamp() - time.time(), 0.0)
        except (TypeError, ValueError, OverflowError):
            return None
    reset = response.headers.get("X-RateLimit-Reset", "").strip()
    if response.headers.get("X-RateLimit-Remaining") == "0" and reset.isdigit():
        return max(float(reset) - time.time(), 0.0)
    return None
