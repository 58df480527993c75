"""What the values of a field look like, as shares; never the values themselves.

Measured set-wise by ``resources/profiles.py``; read here, judged by ``core/mapper/fitting.py``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass

SHARES = (
    "null",
    "unique",
    "email",
    "phone",
    "url",
    "date",
    "datetime",
    "epoch",
    "integer",
    "number",
    "boolean",
    "currency",
    "country",
    "id",
    "fraction",
    "percent",
    "worded",
)
"""Shares of 0 to 1; all but ``null`` are of the values that are there."""


@dataclass(frozen=True)
class Profile:
    """Shares of a field's values that look like something; lengths are characters, -1 is unknown.

    ``fraction``: numbers within 0 and 1, where not all of those are 0 or 1. ``percent``: numbers with a
    percent sign. ``worded``: two words or more. ``magnitude``: digits before the point of the largest
    number (0 when it is below 1), so its size is known to a power of ten and no better.
    """

    null: float = 0.0
    unique: float = -1.0
    email: float = 0.0
    phone: float = 0.0
    url: float = 0.0
    date: float = 0.0
    datetime: float = 0.0
    epoch: float = 0.0
    integer: float = 0.0
    number: float = 0.0
    boolean: float = 0.0
    currency: float = 0.0
    country: float = 0.0
    id: float = 0.0
    fraction: float = 0.0
    percent: float = 0.0
    worded: float = 0.0
    length: float = -1.0
    magnitude: float = -1.0
    count: int = -1

    @property
    def is_empty(self) -> bool:
        """Whether no value was seen at all; one in thousands rounds to ``null`` 1 as well."""
        return self.null >= 1 and self.unique < 0

    def to_json(self) -> dict[str, float]:
        """The stored form: what differs from nothing known."""
        empty = asdict(Profile())
        return {name: value for name, value in asdict(self).items() if value != empty[name]}


def read_profile(data: object) -> Profile:
    """Read ``to_json``'s form; ValueError names what is no share."""
    if not isinstance(data, Mapping):
        raise ValueError(f"a {type(data).__name__} instead of an object")
    known = {**asdict(Profile())}
    for name, value in data.items():
        if name not in known:
            raise ValueError(f"unknown share {str(name)[:40]!r}")
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise ValueError(f"{name} is no number")
        if name in SHARES and not (0 <= value <= 1 or (name == "unique" and value == -1)):
            raise ValueError(f"{name} is outside 0..1")
        known[name] = value
    return Profile(**(known | {"count": int(known["count"])}))
