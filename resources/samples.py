"""A sample of a stream's records, to see how its values are written: its newest loads first."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING

from core.columns import DELETED, RESERVED
from core.names import quote_identifier, quote_literal
from resources.loads import Load

if TYPE_CHECKING:
    import duckdb

ROWS = 5_000
"""Records that are enough to judge by."""
LOADS = 10
"""The most of the newest loads: after them, only the largest is worth another file."""
RECENT = 200
"""Loads among which the largest is sought."""
_KEPT = ("incremental", "snapshot")


def choose_loads(newest_first: Sequence[Load]) -> list[Load]:
    """The loads to look at, newest first: until ``ROWS`` or a snapshot, which holds all there is.

    Deltas may be a record or two each for ever, so the largest of the older loads stands in for them.
    """
    found: list[Load] = []
    filled = (one for one in newest_first if one.landed and one.mode in _KEPT)
    for one in islice(filled, LOADS):
        found.append(one)
        if one.mode == "snapshot" or sum(load.landed for load in found) >= ROWS:
            return found
    return [*found, *sorted(filled, key=lambda one: -one.landed)[:1]]


def open_sample(engine: duckdb.DuckDBPyConnection, files: Sequence[str], rows: int) -> list[str]:
    """Make ``sample`` of the first ``rows`` records of some files; returns its columns, none without any.

    A record that came twice unchanged counts once, and one that says that another is gone not at all.
    """
    if not files:
        return []
    names = ", ".join(map(quote_literal, files))
    source = f"read_parquet([{names}], union_by_name = true, hive_partitioning = false)"
    columns = [str(row[0]) for row in engine.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()]
    own = [name for name in columns if not name.lower().startswith(RESERVED)]
    if not own:
        return []
    kept = ", ".join(map(quote_identifier, own))
    alive = f"WHERE {DELETED} IS NOT true" if DELETED in columns else ""
    first = f"SELECT {kept} FROM {source} {alive} LIMIT {rows}"
    if len(files) == 1:
        engine.execute(f"CREATE OR REPLACE TEMP VIEW sample AS {first}")
    else:
        engine.execute(f"CREATE OR REPLACE TEMP TABLE sample AS SELECT DISTINCT * FROM ({first})")
    return own
