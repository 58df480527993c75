"""How values of raw fields are written, for choosing transforms: measured set-wise by DuckDB over a sample.

Only shares leave the query, and for a field that is to fill a list of categories its few different words,
which stay in memory (``core/mapper/look.py``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from core.load_columns import LoadColumns
from core.mapper.look import COUNTS, EXACT_LENGTH, FORMATS, ISO, MAX_CATEGORIES, MAX_TOKEN, Look
from core.names import parse_path, quote_literal
from core.typed_sql import trim
from resources.samples import open_sample

if TYPE_CHECKING:
    import duckdb

Wanted = Literal["time", "amount", "category", "name"]
ROWS = 2_000
"""Records that are looked at."""
GLANCE = 50
_WORD = re.compile(rf"[^\W\d_][\w ./&+'-]{{0,{MAX_TOKEN - 1}}}|[0-9]{{1,2}}")
_PERIOD = "BETWEEN TIMESTAMP '1900-01-01' AND TIMESTAMP '2100-12-31'"
_COUNTED = {"epoch_s": 1, "epoch_ms": 1000}
_FROM_S, _TO_S = 315_532_800, 4_102_444_800
"""1980 and 2100: counts of seconds beyond are something else."""


def measure_looks(files: Sequence[str], wanted: Mapping[str, Wanted]) -> dict[str, Look]:
    """Looks by path, each as its purpose asks; paths the load has no column for are absent."""
    import duckdb

    if not files or not wanted:
        return {}
    with duckdb.connect() as db:
        columns = open_sample(db, files, ROWS)
        readable = {path: kind for path, kind in wanted.items() if parse_path(path)[0] in columns}
        if not readable:
            return {}
        texts = {path: f"v{number}" for number, path in enumerate(readable)}
        _load_values(db, columns, texts)
        return {path: _MEASURES[kind](db, texts[path]) for path, kind in readable.items()}


def count_categories(files: Sequence[str], path: str) -> list[tuple[str, int]] | None:
    """The different words of a field and how many rows have each, most first; None for anything but words.

    For showing to the person who decides; nothing of it is kept.
    """
    import duckdb

    with duckdb.connect() as db:
        columns = open_sample(db, files, ROWS)
        if parse_path(path)[0] not in columns:
            return None
        _load_values(db, columns, {path: "v0"})
        look = _look_at_category(db, "v0")
        if look.categories is None:
            return None
        query = "SELECT v0, count(*) FROM looked WHERE v0 IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1"
        known = set(look.categories)
        return [(str(text), int(n)) for text, n in db.execute(query).fetchall() if text in known]


def _load_values(db: duckdb.DuckDBPyConnection, columns: Sequence[str], texts: Mapping[str, str]) -> None:
    """The trimmed texts of some paths as columns of the table ``looked``; blank is NULL."""
    load = LoadColumns(columns)
    reads = [f"nullif({trim(load.read(path))}, '') AS {name}" for path, name in texts.items()]
    own = ", ".join(load.select_columns())
    nested = ", ".join(["*", *load.select_nested()])
    rows = f"(SELECT {own} FROM sample)"
    db.execute(f"CREATE TEMP TABLE looked AS SELECT {', '.join(reads)} FROM (SELECT {nested} FROM {rows})")


def _look_at_time(db: duckdb.DuckDBPyConnection, text: str) -> Look:
    # most formats fit nothing: a glance at some rows leaves the few that are worth counting
    glance = ", ".join(f"count(try_strptime({text}, {quote_literal(pattern)}))" for pattern in FORMATS)
    rows = f"SELECT {text} FROM looked WHERE {text} IS NOT NULL LIMIT {GLANCE}"
    seen = db.execute(f"SELECT {glance} FROM ({rows})").fetchone() or ()
    shares = {name: _is_counted(text, name) for name in COUNTS}
    shares[ISO] = (
        f"regexp_full_match({text}, '\\d{{4}}-\\d\\d-\\d\\d([T ].*)?') "
        f"AND try_cast({text} AS TIMESTAMP) IS NOT NULL"
    )
    shares |= {one: _is_parsed(text, one) for one, count in zip(FORMATS, seen, strict=True) if count}
    filled, *found = _average(db, text, list(shares.values()))
    times = {name: share for name, share in zip(shares, found, strict=True) if share > 0}
    return Look(filled=int(filled), times=times or {ISO: 0.0})


def _is_counted(text: str, name: str) -> str:
    low, high = _FROM_S * _COUNTED[name], _TO_S * _COUNTED[name]
    return f"coalesce(try_cast({text} AS DOUBLE) BETWEEN {low} AND {high}, false)"


def _is_parsed(text: str, pattern: str) -> str:
    read = f"coalesce(try_strptime({text}, {quote_literal(pattern)})::TIMESTAMP {_PERIOD}, false)"
    length = EXACT_LENGTH.get(pattern)
    return read if length is None else f"length({text}) = {length} AND {read}"


def _look_at_amount(db: duckdb.DuckDBPyConnection, text: str) -> Look:
    whole = f"coalesce(try_cast({text} AS DECIMAL(38, 6)) % 1 = 0 AND NOT contains({text}, '.'), false)"
    filled, share = _average(db, text, [whole])
    return Look(filled=int(filled), whole=share)


def _look_at_category(db: duckdb.DuckDBPyConnection, text: str) -> Look:
    counted = db.execute(
        f"SELECT {text}, count(*) FROM looked WHERE {text} IS NOT NULL GROUP BY 1"
    ).fetchall()
    words = {str(value): int(count) for value, count in counted if _WORD.fullmatch(str(value))}
    filled = sum(int(count) for _, count in counted)
    few = tuple(sorted(words)) if words and len(words) <= MAX_CATEGORIES else None
    odd = 1 - round_down(sum(words.values()) / filled) if filled else 0.0
    return Look(filled=filled, categories=few, odd=round(odd, 3))


def _look_at_name(db: duckdb.DuckDBPyConnection, text: str) -> Look:
    shares = [
        f"regexp_full_match({text}, '[^\\s,]+\\s+[^\\s,]+')",
        f"regexp_full_match({text}, '[^,]+,[^,]+')",
    ]
    filled, two, comma = _average(db, text, shares)
    return Look(filled=int(filled), two_words=two, comma=comma)


_MEASURES: dict[str, Any] = {
    "time": _look_at_time,
    "amount": _look_at_amount,
    "category": _look_at_category,
    "name": _look_at_name,
}


def _average(db: duckdb.DuckDBPyConnection, text: str, conditions: Sequence[str]) -> list[float]:
    """How many values there are, and the share of them for which each condition holds."""
    items = ", ".join(f"avg(({condition})::INT)" for condition in conditions)
    row = db.execute(f"SELECT count(*), {items} FROM looked WHERE {text} IS NOT NULL").fetchone()
    assert row is not None  # a count has one row, always
    return [int(row[0]), *(round_down(float(value or 0)) for value in row[1:])]


def round_down(share: float) -> float:
    """To three decimals; a share of 1 says all of them."""
    return int(share * 1000 + 1e-9) / 1000
