"""When a connection is due: by interval or cron expression, spread so that not all come at once."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

from core.errors import ConfigError

CRON_SPREAD_S = 60
RETRY_FIRST_S = 60
RETRY_MAX_S = 3600


def next_due(now: datetime, every_s: int | None, cron: str | None, seed: str) -> datetime:
    """The next time after ``now``. The same ``seed`` always gets the same place within the interval.

    By interval: at least half an interval away, so that a sync started by hand is not repeated at once.
    """
    if cron is not None:
        return next_cron(now, cron) + timedelta(seconds=_place(seed, CRON_SPREAD_S))
    if every_s is None:
        raise ConfigError("a schedule has either every_s or cron", where=seed)
    second = int(now.timestamp())
    wait = (_place(seed, every_s) - second) % every_s or every_s
    if wait < every_s / 2:
        wait += every_s
    return datetime.fromtimestamp(second + wait, UTC)


def retry_due(failures: int, now: datetime) -> datetime:
    """When to try again after ``failures`` in a row: one minute, doubling up to an hour."""
    wait = RETRY_FIRST_S * 2 ** min(failures - 1, 10)
    return now + timedelta(seconds=min(wait, RETRY_MAX_S))


def next_cron(now: datetime, cron: str) -> datetime:
    """The first match of a five-field cron expression after ``now``, in UTC."""
    from croniter import croniter

    found: datetime = croniter(cron, now.astimezone(UTC)).get_next(datetime)
    return found


def check_cron(cron: str, where: str) -> None:
    """ConfigError unless ``cron`` is a five-field expression that ever matches."""
    from croniter import CroniterError, croniter

    usable = len(cron.split()) == 5 and croniter.is_valid(cron)
    if usable:
        try:
            next_cron(datetime.now(UTC), cron)
        except CroniterError:
            usable = False
    if not usable:
        raise ConfigError(
            "is not a cron expression",
            expected="five fields: minute hour day month weekday, e.g. 15 * * * *",
            found=repr(cron),
            where=where,
        )


def _place(seed: str, length: int) -> int:
    return int.from_bytes(hashlib.blake2b(seed.encode(), digest_size=8).digest(), "big") % length
