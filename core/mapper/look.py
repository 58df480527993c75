"""What values look like to whoever chooses a transform: shares of time formats, words of few categories.

Measured set-wise by ``resources/looks.py``. Shares may be stored; the categories are a stranger's values and
stay in memory: only those that ``core/mapper/categories.py`` knows as words of its own go into arguments.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

MAX_CATEGORIES = 30
MAX_TOKEN = 40
"""More different values, or longer ones, are no list of categories."""
ISO = "iso"
SURE = 0.995
"""Share of the values from which all of them are meant: a single slip in hundreds must not decide."""
LIKELY = 0.90

_DAYS = (
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%Y/%m/%d",
    "%d.%m.%Y",
    "%m.%d.%Y",
    "%Y.%m.%d",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%d/%m/%y",
    "%m/%d/%y",
    "%y/%m/%d",
    "%d.%m.%y",
    "%d-%m-%y",
    "%m-%d-%y",
    "%y-%m-%d",
    "%d %b %Y",
    "%d-%b-%Y",
    "%d-%b-%y",
    "%b %d, %Y",
    "%b %d %Y",
    "%d %B %Y",
    "%B %d, %Y",
)
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
_WHOLE = (
    "%Y%m%d",
    "%Y%m%d%H%M%S",
    "%Y%m%dT%H%M%SZ",
    "%a, %d %b %Y %H:%M:%S %z",
    "%a, %d %b %Y %H:%M:%S %Z",
    "%a %b %d %H:%M:%S %Y",
)
FORMATS: tuple[str, ...] = (*_WHOLE, *(day + clock for day in _DAYS for clock in _CLOCKS))
"""Spellings of times beside ISO 8601 and counts of seconds that are tried, as strptime formats."""
EXACT_LENGTH = {"%Y%m%d": 8, "%Y%m%d%H%M%S": 14}
"""Characters of formats that would read shorter texts as well."""
COUNTS = ("epoch_s", "epoch_ms")
_SAID = {ISO: "ISO 8601", "epoch_s": "seconds since 1970", "epoch_ms": "milliseconds since 1970"}


@dataclass(frozen=True)
class Look:
    """Of one field: ``filled`` values seen; ``times``: share by format, ``iso`` and ``epoch_…`` included.

    ``whole``: share of whole numbers among the values, -1 not measured. ``categories``: the different values
    where they are few short words, else None; ``odd``: share of values that are no such words.
    ``two_words``: share of values that are two words; ``comma``: share like ``Last, First``.
    """

    filled: int = 0
    times: Mapping[str, float] = field(default_factory=dict)
    whole: float = -1.0
    categories: tuple[str, ...] | None = None
    odd: float = 0.0
    two_words: float = -1.0
    comma: float = 0.0


@dataclass(frozen=True)
class TimeFormat:
    """How times are written: ``iso``, ``epoch_…``, a strptime format, or None; and why that is doubtful."""

    format: str | None
    doubt: str | None = None


def choose_format(look: Look) -> TimeFormat:
    """The one way all values can be read; doubtful where two ways differ, or some values do not fit."""
    if not look.filled or not look.times:
        return TimeFormat(None, "no value was seen yet")
    ranked = sorted(look.times.items(), key=lambda item: (-item[1], _order(item[0])))
    best, share = ranked[0]
    if share < LIKELY:
        return TimeFormat(None, "the values are times in no known format, or in several")
    rivals = [name for name, other in ranked[1:] if other >= min(SURE, share)]
    if rivals:
        return TimeFormat(best, f"the values can be read as {say_format(best)} and {say_format(rivals[0])}")
    if share < SURE:
        return TimeFormat(best, f"{1 - share:.1%} of the values are not {say_format(best)}")
    if "%y" in best:
        return TimeFormat(best, "the year has two digits only")
    return TimeFormat(best)


def say_format(name: str) -> str:
    """A format in words a person knows."""
    if name in COUNTS or name == ISO:
        return {"iso": "ISO 8601", "epoch_s": "seconds since 1970", "epoch_ms": "milliseconds since 1970"}[
            name
        ]
    if name.startswith(("%d/%m", "%d.%m", "%d-%m")):
        return f"day first ({name})"
    if name.startswith(("%m/%d", "%m.%d", "%m-%d")):
        return f"month first ({name})"
    return name


def _order(name: str) -> int:
    return 0 if name == ISO else 1 if name in COUNTS else 2 + FORMATS.index(name)
