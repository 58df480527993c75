"""How vendors write times. Input is seconds since 1970, UTC."""

from __future__ import annotations

from datetime import UTC, datetime


def moment(seconds: float) -> datetime:
    """The moment as an aware datetime."""
    return datetime.fromtimestamp(seconds, UTC)


def iso_z(seconds: float) -> str:
    """``2025-06-30T18:00:00Z``."""
    return moment(seconds).strftime("%Y-%m-%dT%H:%M:%SZ")


def iso_ms_z(seconds: float) -> str:
    """``2025-06-30T18:00:00.000Z``."""
    return f"{moment(seconds):%Y-%m-%dT%H:%M:%S}.{_ms(seconds):03}Z"


def iso_ms_0000(seconds: float) -> str:
    """``2025-06-30T18:00:00.000+0000``, as Salesforce writes."""
    return f"{moment(seconds):%Y-%m-%dT%H:%M:%S}.{_ms(seconds):03}+0000"


def plain(seconds: float) -> str:
    """``2025-06-30 18:00:00``."""
    return moment(seconds).strftime("%Y-%m-%d %H:%M:%S")


def day(seconds: float) -> str:
    """``2025-06-30``."""
    return moment(seconds).strftime("%Y-%m-%d")


def read_time(text: str) -> float | None:
    """Seconds since 1970 of an ISO 8601 time or a number; None when it is neither."""
    try:
        return float(text)
    except ValueError:
        pass
    try:
        found = datetime.fromisoformat(text.strip().replace(" +", "+"))
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _ms(seconds: float) -> int:
    return int(seconds * 1000) % 1000
