"""The laws of the incremental window, over any records in any order."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.connector import CursorFormat
from core.cursors import read_key, write_filter, write_utc
from core.incremental import MAX_SEEN, CursorWindow, hash_content

Record = dict[str, Any]
Case = tuple[CursorFormat, list[Record], list[Record]]

_instants = st.integers(min_value=0, max_value=40).map(
    lambda s: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=s * 7)
)
_zones = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30)), timezone(-timedelta(hours=8))])
_spelled: dict[CursorFormat, st.SearchStrategy[Any]] = {
    "iso8601": st.builds(lambda t, z: t.astimezone(z).isoformat(), _instants, _zones),
    "date": st.builds(lambda t, z: t.astimezone(z).isoformat(), _instants, _zones),
    "epoch_s": _instants.map(lambda t: int(t.timestamp())),
    "epoch_ms": _instants.map(lambda t: int(t.timestamp() * 1000)),
    "number": st.integers(-20, 20) | st.decimals(-3, 3, places=1).map(str),
    "text": st.text("abc", max_size=2),
}
_unusable: st.SearchStrategy[Any] = st.sampled_from([None, True, [], {}])


@st.composite
def reads(draw: st.DrawFn) -> Case:
    """A format and what two successive reads of a source return."""
    format_: CursorFormat = draw(st.sampled_from(sorted(_spelled)))  # type: ignore[arg-type]
    record = st.builds(
        lambda cursor, name: {"at": cursor, "name": name}, _spelled[format_] | _unusable, st.integers(0, 3)
    )
    return format_, draw(st.lists(record, max_size=12)), draw(st.lists(record, max_size=12))


def run(format_: CursorFormat, state: dict[str, Any], records: list[Record]) -> list[Record]:
    window = CursorWindow(format_, state)
    passed = [r for r in records if window.take(r["at"], lambda r=r: r)]  # type: ignore[misc]
    window.save()
    json.dumps(state)
    return passed


@given(reads())
def test_no_record_is_lost(case: Case) -> None:
    format_, first, second = case
    state: dict[str, Any] = {}
    assert run(format_, state, first) == first
    last = read_key(state["last"], format_) if "last" in state else None
    passed = run(format_, state, second)
    for record in second:
        key = read_key(record["at"], format_)
        if record not in first and (key is None or last is None or key >= last):
            assert record in passed


@given(reads(), st.randoms(use_true_random=False))
def test_order_makes_no_difference(case: Case, random: Any) -> None:
    format_, first, second = case
    state: dict[str, Any] = {}
    run(format_, state, first)
    shuffled_state = json.loads(json.dumps(state))
    shuffled = random.sample(second, len(second))
    passed, passed_shuffled = run(format_, state, second), run(format_, shuffled_state, shuffled)
    assert sorted(map(str, passed)) == sorted(map(str, passed_shuffled))
    assert state == shuffled_state


@given(reads())
def test_reading_again_passes_nothing_with_a_cursor(
    case: Case,
) -> None:
    format_, first, second = case
    state: dict[str, Any] = {}
    run(format_, state, first)
    run(format_, state, second)
    before = json.loads(json.dumps(state))
    again = run(format_, state, first + second)
    assert [r for r in again if read_key(r["at"], format_) is not None] == []
    assert state == before


@given(reads())
def test_the_window_never_goes_back(case: Case) -> None:
    format_, first, second = case
    state: dict[str, Any] = {}
    run(format_, state, first)
    before = read_key(state.get("last"), format_)
    run(format_, state, second)
    after = read_key(state.get("last"), format_)
    assert before is None or (after is not None and after >= before)


@given(reads())
def test_the_filter_asks_for_the_boundary_again(
    case: Case,
) -> None:
    format_, first, _ = case
    state: dict[str, Any] = {}
    run(format_, state, first)
    asked = CursorWindow(format_, state).filter_value()
    if asked is None:
        assert state == {}
    else:
        assert read_key(asked, format_) == read_key(state["last"], format_)


def test_hashes_stay_bounded_and_what_is_forgotten_comes_again() -> None:
    records: list[Record] = [{"at": 1, "n": n} for n in range(3 * MAX_SEEN)]
    state: dict[str, Any] = {}
    assert run("number", state, records) == records
    assert len(state["seen"]) == MAX_SEEN
    assert len(run("number", state, records)) == 2 * MAX_SEEN


def test_offsets_compare_as_instants() -> None:
    assert read_key("2024-01-01T00:00:00Z", "iso8601") == read_key("2024-01-01 05:30:00+05:30", "iso8601")
    assert read_key("2024-01-01T00:00:00.1Z", "iso8601") < read_key("2024-01-01T00:00:00.12+0000", "iso8601")  # type: ignore[operator]
    assert read_key("2024-01-01", "iso8601") == read_key("2024-01-01T00:00:00", "iso8601")


def test_nanoseconds_are_told_apart() -> None:
    earlier, later = "2024-01-01T00:00:00.123456788Z", "2024-01-01T00:00:00.123456789Z"
    assert read_key(earlier, "iso8601") < read_key(later, "iso8601")  # type: ignore[operator]


@pytest.mark.parametrize(
    ("value", "format_", "sent"),
    [
        ("2024-05-06T07:08:09.123+02:00", "iso8601", "2024-05-06T07:08:09.123+02:00"),
        ("2024-05-06T07:08:09.123Z", "epoch_s", "1714979289"),
        ("2024-05-06T07:08:09.123Z", "epoch_ms", "1714979289123"),
        ("1714979289.9", "epoch_s", "1714979289"),
        ("-1.5", "epoch_s", "-2"),
        ("2024-05-06T23:30:00-05:00", "date", "2024-05-06"),
        ("2024-05-06T01:30:00+05:00", "date", "2024-05-05"),
        ("12.50", "number", "12.50"),
        ("evt_12", "text", "evt_12"),
        ("yesterday", "iso8601", None),
        ("2024-02-30", "date", None),
        ("NaN", "number", None),
        ("9" * 500, "number", None),
    ],
)
def test_filters_are_written_in_the_format(value: str, format_: CursorFormat, sent: str | None) -> None:
    assert write_filter(value, format_) == sent


def test_utc_spelling() -> None:
    assert write_utc("2024-05-06T07:08:09.1239+02:00", digits=3) == "2024-05-06T05:08:09.123Z"
    assert write_utc("0001-01-01T00:00:00+14:00", digits=3) is None
    assert write_utc("soon", digits=3) is None


def test_contents_that_cannot_be_hashed_pass() -> None:
    deep: Any = []
    for _ in range(5_000):
        deep = [deep]
    assert hash_content(deep) is None
    assert hash_content({"a": "\ud800"}) is not None
    assert hash_content({"a": 1, "b": 2}) == hash_content({"b": 2, "a": 1})
    state: dict[str, Any] = {"last": "5", "seen": []}
    window = CursorWindow("number", state)
    assert window.take(5, lambda: deep)
    assert not window.take(4, lambda: deep)
