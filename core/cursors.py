"""How cursor values are compared and written, per format of ``core.connector.Incremental``. Pure.

A cursor value becomes a key: what the source's filter can tell apart. Two records with the same key
cannot be separated by a filter, so the window of ``core.incremental`` remembers contents there.
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from core.connector import CursorFormat

Key = tuple[Any, ...]
"""Comparable within one format. iso8601: (seconds, fraction digits); others: one element."""

_ISO = re.compile(
    r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)"
    r"(?:[Tt ](?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d+))?)?"
    r" ?(?P<offset>[Zz]|[+-]\d\d(?::?\d\d(?::?\d\d)?)?)?)?"
)
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_SECONDS_A_DAY = 86_400
_LONGEST = 400


def read_key(value: Any, format_: CursorFormat) -> Key | None:
    """The key of a cursor value; None when it is missing or not of this format.

    iso8601 is an instant (no offset means UTC); epoch formats take numbers or ISO text and keep whole
    units; date keeps the earlier of the day written and the UTC day; number and text compare as such.
    """
    if value is None or isinstance(value, (bool, list, dict)):
        return None
    if isinstance(value, int) and value.bit_length() > 1_000:
        return None
    text = value if isinstance(value, str) else str(value)
    if len(text) > _LONGEST and format_ != "text":
        return None
    if format_ == "text":
        return (text,)
    if format_ == "number":
        return _number_key(text)
    if format_ == "iso8601":
        return _instant(text)
    if format_ == "date":
        return _day_key(text)
    return _epoch_key(text, 1000 if format_ == "epoch_ms" else 1)


def write_filter(value: str, format_: CursorFormat) -> str | None:
    """The filter that asks for everything with a key not below ``value``'s; None when it has no key.

    iso8601, number and text are sent in the source's own spelling: it certainly reads that.
    """
    key = read_key(value, format_)
    if key is None:
        return None
    if format_ in ("iso8601", "number", "text"):
        return value
    if format_ == "date":
        return date.fromordinal(key[0]).isoformat()
    return str(key[0])


def write_utc(value: str, *, digits: int) -> str | None:
    """An ISO 8601 instant in UTC with ``digits`` (1 to 9) of a second, cut off: ``…T00:00:00.000Z``."""
    key = _instant(value)
    if key is None:
        return None
    days, second = divmod(key[0], _SECONDS_A_DAY)
    if not 1 <= days + _EPOCH_DAY <= date.max.toordinal():
        return None
    day = date.fromordinal(days + _EPOCH_DAY)
    fraction = key[1].ljust(digits, "0")[:digits]
    return f"{day.isoformat()}T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}.{fraction}Z"


def _instant(text: str) -> Key | None:
    match = _ISO.fullmatch(text.strip())
    if match is None:
        return None
    try:
        day = date(int(match["year"]), int(match["month"]), int(match["day"])).toordinal()
    except ValueError:
        return None
    hour, minute, second = (int(match[name] or 0) for name in ("hour", "minute", "second"))
    if hour > 24 or minute > 59 or second > 60:
        return None
    seconds = (day - _EPOCH_DAY) * _SECONDS_A_DAY + hour * 3600 + minute * 60 + second
    return (seconds - _offset_s(match["offset"]), (match["fraction"] or "").rstrip("0"))


def _offset_s(offset: str | None) -> int:
    if not offset or offset in "Zz":
        return 0
    digits = offset[1:].replace(":", "").ljust(6, "0")
    seconds = int(digits[:2]) * 3600 + int(digits[2:4]) * 60 + int(digits[4:6])
    return -seconds if offset[0] == "-" else seconds


def _number_key(text: str) -> Key | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return (number,) if number.is_finite() else None


def _day_key(text: str) -> Key | None:
    instant = _instant(text)
    if instant is None:
        return None
    utc_day = instant[0] // _SECONDS_A_DAY + _EPOCH_DAY
    # The vendor may cut its days in its own zone: the earlier day can only ask for more.
    return (max(1, min(utc_day, date.fromisoformat(text.strip()[:10]).toordinal())),)


def _epoch_key(text: str, units_a_second: int) -> Key | None:
    instant = _instant(text)
    if instant is not None:
        thousandths = int(instant[1].ljust(3, "0")[:3])
        return (instant[0] * units_a_second + thousandths * units_a_second // 1000,)
    key = _number_key(text)
    if key is None or abs(key[0]) > 10**18:
        return None
    return (int(key[0] // 1) - (1 if key[0] < 0 and key[0] % 1 else 0),)
