"""Which records are on trial: a share of a stream's records by a stable hash of their ids.

A record's bucket depends on the trial and the record alone. So a record stays where it is while the share
is the same, a growing share only adds records, and a shrinking one only takes some back. SQL is DuckDB's.
"""

from __future__ import annotations

import hashlib

from core.errors import FixInput
from core.names import quote_literal

BUCKETS = 10_000
"""A share is exact to one hundredth of a percent."""
_DIGITS = 8


def bucket_of(salt: str, record_id: str) -> int:
    """The bucket, 0 to 9,999, of a record in the trial that ``salt`` names."""
    digest = hashlib.sha256(f"{salt}\n{record_id}".encode()).hexdigest()
    return int(digest[:_DIGITS], 16) % BUCKETS


def count_buckets(ratio: float) -> int:
    """How many buckets a share (0 to 1) takes."""
    return round(ratio * BUCKETS)


def write_share(salt: str, ratio: float, record_id: str = "record_id") -> str:
    """SQL that says whether a record is on trial; a record without id never is."""
    digest = f"sha256({quote_literal(salt + chr(10))} || {record_id})"
    bucket = f"CAST('0x' || left({digest}, {_DIGITS}) AS UBIGINT) % {BUCKETS}"
    return f"COALESCE({bucket} < {count_buckets(ratio)}, false)"


def read_percent(percent: float) -> float:
    """The share (0 to 1) of a percentage a person gave; FixInput when it is none."""
    if not 0 <= percent <= 100:  # not-a-number fails as well
        raise FixInput("a share is a percentage", expected="0 to 100", found=str(percent))
    return count_buckets(percent / 100) / BUCKETS
