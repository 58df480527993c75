"""A window over tables lets through what the same window over records does."""

from __future__ import annotations

import copy
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from core.connector import CursorFormat
from core.cursors import read_key
from core.incremental import ContentWindow, CursorWindow
from resources.connectors.table_window import take_new

_clock = st.builds(
    lambda h, f: f"2024-01-0{1 + h % 3}T0{h % 10}:00:00{f}",
    st.integers(0, 30),
    st.sampled_from(["", ".5", ".123456"]),
)
_values: dict[CursorFormat, st.SearchStrategy[Any]] = {
    "iso8601": st.one_of(
        _clock,
        _clock.map(lambda t: t + "+00:00"),
        _clock.map(lambda t: t + "Z"),
        st.just("2024-01-02"),
        st.just("infinity"),
    ),
    "number": st.integers(-5, 5).map(str) | st.sampled_from(["1.5", "1.50", "NaN", "1e3", "0." + "1" * 20]),
    "text": st.text("aÄz", max_size=2),
    "date": st.sampled_from(["2024-01-01", "2024-01-02", "2024-01-02T10:00:00Z"]),
}


@st.composite
def reads(draw: st.DrawFn) -> tuple[CursorFormat, list[list[dict[str, Any]]]]:
    format_: CursorFormat = draw(st.sampled_from(sorted(_values)))  # type: ignore[arg-type]
    record = st.builds(lambda c, n: {"at": c, "n": n}, _values[format_] | st.none(), st.sampled_from("xyz"))
    return format_, draw(st.lists(st.lists(record, min_size=1, max_size=8), min_size=1, max_size=4))


def by_record(format_: CursorFormat, state: dict[str, Any], pages: list[list[dict[str, Any]]]) -> list[Any]:
    window, others = CursorWindow(format_, state["cursor"]), ContentWindow(state["without_cursor"])
    passed = []
    for record in (record for page in pages for record in page):
        known = window if read_key(record["at"], format_) is not None else others
        if known.take(record["at"], lambda record=record: record):  # type: ignore[misc]
            passed.append(record)
    window.save()
    others.save()
    return passed


def by_table(format_: CursorFormat, state: dict[str, Any], pages: list[list[dict[str, Any]]]) -> list[Any]:
    window, others = CursorWindow(format_, state["cursor"]), ContentWindow(state["without_cursor"])
    passed: list[Any] = []
    for page in pages:
        columns = {name: pa.array([record[name] for record in page], pa.string()) for name in ("at", "n")}
        passed += take_new(pa.table(columns), "at", format_, window, others).to_pylist()
    window.save()
    others.save()
    return passed


@given(reads(), reads())
def test_tables_and_records_agree(first: Any, second: Any) -> None:
    format_, pages = first
    later = second[1] if second[0] == format_ else pages[:1]
    states: list[dict[str, Any]] = [{"cursor": {}, "without_cursor": {}} for _ in range(2)]
    for read in (pages, later, pages + later):
        before = copy.deepcopy(states[0])
        assert by_table(format_, states[0], read) == by_record(format_, states[1], read)
        assert states[0] == states[1], before
