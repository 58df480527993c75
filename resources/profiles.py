"""Value profiles of raw fields: shares of patterns, computed set-wise by DuckDB over a sample of its loads.

No value leaves the query: only shares, lengths and counts do (``core/mapper/profile.py``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from core.load_columns import write_pointer
from core.mapper.profile import Profile
from core.names import Path, format_path, parse_path, quote_identifier, quote_literal
from resources.samples import ROWS, open_sample

if TYPE_CHECKING:
    import duckdb

BATCH = 50
"""Fields of one query."""
_DAY = (
    r"(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}|\d{1,2}/\d{1,2}/\d\d"
    r"|(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])"
    r"|\d{1,2}[ -][A-Za-z]{3,9}[ -]\d{2,4}|[A-Za-z]{3,9} \d{1,2},? \d{4})"
)
"""A day in any usual spelling; which of them it is, is for ``resources/looks.py`` to find."""
_PATTERNS = {
    "email": r"[^@\s]+@[^@\s]+\.[^@\s.]+",
    "phone": r"\+?[0-9][0-9 ().\-]{5,18}[0-9]",
    "url": r"(?i)https?://\S+",
    "date": _DAY,
    "datetime": rf"([A-Z][a-z]{{2}}, )?{_DAY}[T ,]+\d{{1,2}}:\d\d.*",
    "epoch": r"1\d{9}(\d{3})?(\.\d+)?",
    "integer": r"[+-]?\d{1,18}",
    "number": r"[+-]?\d{1,18}(\.\d+)?([eE][+-]?\d+)?",
    "boolean": r"(?i)true|false|yes|no|t|f|y|n|0|1",
    "currency": r"[A-Z]{3}",
    "country": r"[A-Z]{2}",
    "percent": r"[+-]?\d+([.,]\d+)?\s?%",
    "worded": r"\S*[^\W\d_]{2,}\S*(\s+\S*[^\W\d_]{2,}\S*)+",
    "id": r"(?i)[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}|[0-9a-zA-Z]{15,18}",
}


_NUMBER = "try_cast({value} AS DOUBLE)"
_FACTS = (
    "count(*)",
    "count({value})",
    "approx_count_distinct({value})",
    "avg(length({value}))",
    f"avg(({_NUMBER} BETWEEN 0 AND 1)::INT)",
    f"avg(({_NUMBER} > 0 AND {_NUMBER} < 1)::INT)",
    f"max(CASE WHEN isfinite({_NUMBER}) THEN abs({_NUMBER}) END)",
)
"""Counts, the mean length, shares of numbers in 0..1 and strictly between, the largest number."""
_FILLED = "nullif(value, '')"
_MEASURES = ", ".join(
    [one.format(value=_FILLED) for one in _FACTS]
    + [f"avg(regexp_full_match({_FILLED}, {quote_literal(one)})::INT)" for one in _PATTERNS.values()]
)


def measure_profiles(files: Sequence[str], paths: Sequence[str]) -> Mapping[str, Profile]:
    """Profiles of fields by path; those the files have no column for are absent."""
    import duckdb

    if not files or not paths:
        return {}
    with duckdb.connect() as db:
        return _measure(db, paths, open_sample(db, files, ROWS))


def measure_csv_profiles(file: str) -> Mapping[str, Profile]:
    """Profiles of all columns of one CSV file, by path."""
    import duckdb

    with duckdb.connect() as db:
        rows = f"read_csv({quote_literal(file)}, all_varchar = true, header = true) LIMIT {ROWS}"
        db.execute(f"CREATE TEMP VIEW sample AS SELECT * FROM {rows}")
        columns = [str(row[0]) for row in db.execute("DESCRIBE sample").fetchall()]
        return _measure(db, [format_path((name,)) for name in sorted(columns)], columns)


def _measure(
    db: duckdb.DuckDBPyConnection, paths: Sequence[str], columns: Sequence[str]
) -> dict[str, Profile]:
    """Profiles of what ``sample`` has of ``paths``."""
    found: dict[str, Profile] = {}
    known = [(path, parse_path(path)) for path in paths]
    usable = [(path, parts) for path, parts in known if parts[0] in columns and "*" not in parts]
    for start in range(0, len(usable), BATCH):
        batch = usable[start : start + BATCH]
        values = ", ".join(_write_value(parts) for _, parts in batch)
        # all fields below each other: a pattern is compiled once a query, not once a field
        below = f"SELECT unnest([{values}]) AS value, unnest(range({len(batch)})) AS field FROM sample"
        for at, *row in db.execute(f"SELECT field, {_MEASURES} FROM ({below}) GROUP BY field").fetchall():
            profile = _read(row)
            if profile is not None:
                found[batch[int(at)][0]] = profile
    return found


def _write_value(parts: Path) -> str:
    column = quote_identifier(str(parts[0])) + "::VARCHAR"
    if len(parts) == 1:
        return column
    inner = quote_literal(write_pointer(parts[1:]))
    # text that is no JSON has no inner values
    return f"json_extract_string(CASE WHEN json_valid({column}) THEN {column} END, {inner})"


def _read(row: Sequence[float | None]) -> Profile | None:
    if not row or not row[0]:
        return None
    count, filled = int(row[0]), int(row[1] or 0)
    seen = zip(_PATTERNS, row[len(_FACTS) :], strict=True)
    shares = {name: round(float(value or 0), 3) for name, value in seen}
    if not filled:
        return Profile(null=1.0, count=count)
    within, between, largest = row[4:7]
    numbers = shares["number"]
    return Profile(
        null=round(1 - filled / count, 3),
        unique=round(min(1.0, float(row[2] or 0) / filled), 3),
        length=round(float(row[3] or 0), 1),
        fraction=round(numbers * float(within or 0), 3) if between else 0.0,
        magnitude=-1.0 if largest is None or not numbers else _count_digits(float(largest)),
        count=count,
        **shares,
    )


def _count_digits(largest: float) -> float:
    """Digits before the point; at most 19, 0 below 1."""
    return 0.0 if largest < 1 else min(19.0, math.floor(math.log10(largest)) + 1.0)
