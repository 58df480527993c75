"""When a connection is due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ConfigError
from resources.due import CRON_SPREAD_S, check_cron, next_cron, next_due, retry_due

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@given(
    every_s=st.integers(60, 7 * 86400),
    seed=st.text(max_size=10),
    offset_s=st.integers(0, 10**8),
)
def test_an_interval_keeps_its_place(every_s: int, seed: str, offset_s: int) -> None:
    now = NOW + timedelta(seconds=offset_s)
    due = next_due(now, every_s, None, seed)
    assert every_s / 2 <= (due - now).total_seconds() <= 1.5 * every_s
    assert next_due(due, every_s, None, seed) == due + timedelta(seconds=every_s)


def test_connections_are_spread_over_the_interval() -> None:
    minutes = {next_due(NOW, 3600, None, f"tenant-{n}/hubspot").minute for n in range(500)}
    assert len(minutes) == 60


def test_cron_is_met_with_a_small_spread() -> None:
    due = next_due(NOW, None, "30 14 * * *", "acme/hubspot")
    assert timedelta(0) <= due - datetime(2026, 3, 1, 14, 30, tzinfo=UTC) < timedelta(seconds=CRON_SPREAD_S)
    assert next_cron(NOW, "0 12 * * *") == NOW + timedelta(days=1)


@pytest.mark.parametrize(("failures", "wait_s"), [(1, 60), (2, 120), (5, 960), (7, 3600), (10_000, 3600)])
def test_failures_wait_longer_each_time(failures: int, wait_s: int) -> None:
    assert retry_due(failures, NOW) == NOW + timedelta(seconds=wait_s)


@pytest.mark.parametrize("cron", ["*/15 * * * *", "0 6 * * mon-fri", "5 4 1,15 * *"])
def test_usable_cron(cron: str) -> None:
    check_cron(cron, "acme/hubspot")


@pytest.mark.parametrize(
    "cron", ["", "* * * *", "61 * * * *", "* * * * * *", "@hourly", "soon", "0 0 30 2 *"]
)
def test_unusable_cron(cron: str) -> None:
    with pytest.raises(ConfigError, match="acme/hubspot: is not a cron expression"):
        check_cron(cron, "acme/hubspot")
