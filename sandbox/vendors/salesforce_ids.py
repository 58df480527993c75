"""Salesforce keys: three letters of the object, twelve of the record, three that check the case."""

from __future__ import annotations

_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CHECKS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


def salesforce_id(prefix: str, number: int) -> str:
    """The 18-letter key of the n-th record of the object with ``prefix``: ``001Dn00000AbCdEIAX``."""
    value, tail = number * 977 + 10_000_019, ""
    while len(tail) < 7:
        value, digit = divmod(value, 62)
        tail = _LETTERS[digit] + tail
    short = f"{prefix}Dn000{tail}"[:15].ljust(15, "0")
    return short + "".join(_check(short[i : i + 5]) for i in (0, 5, 10))


def _check(part: str) -> str:
    return _CHECKS[sum(1 << i for i, letter in enumerate(part) if letter.isupper())]
