"""One JSON value as text: a column's text, its type in words, and text that any store takes."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from decimal import Decimal
from types import NoneType
from typing import Any

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_MARKED = re.compile(r'"\\u0000(-?\d[\d.eE+-]*)\\u0000"')
SCALARS = (str, int, float, bool, Decimal)


def _float_text(value: float) -> str:
    if math.isfinite(value):
        return repr(value)
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"


def write_nested(value: Any) -> str:
    """Compact JSON of an object or array. Raises TypeError for what JSON does not have."""
    try:
        return _ENCODER.encode(value)
    except (TypeError, ValueError):
        # NaN and the infinities have no JSON number; decimals have, which the encoder does not know.
        return _MARKED.sub(r"\1", _MARKING_ENCODER.encode(_spell_non_finite(value)))


def _mark_decimal(value: Any) -> str:
    if isinstance(value, Decimal):
        return f"\0{value}\0"
    raise TypeError(say_type(value))


def _spell_non_finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _spell_non_finite(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_spell_non_finite(inner) for inner in value]
    return _float_text(value) if isinstance(value, float) and not math.isfinite(value) else value


_MARKING_ENCODER = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_mark_decimal
)
TO_TEXT: dict[type, Callable[[Any], str | None]] = {
    NoneType: lambda value: None,
    str: lambda value: value,
    bool: lambda value: "true" if value else "false",
    int: str,
    float: _float_text,
    Decimal: str,
    dict: write_nested,
    list: write_nested,
}
"""How a value of each Python type that JSON gives is spelled in a column."""


def say_type(value: Any) -> str:
    """The JSON type of ``value`` with its article, for sentences."""
    names = {dict: "an object", list: "an array", str: "text", bool: "a boolean", NoneType: "null"}
    return names.get(type(value), "a number" if type(value) in SCALARS else type(value).__name__)


def printable(text: str, max_bytes: int) -> str:
    """``text`` without NUL and lone surrogates (written as ``\\u…``), at most ``max_bytes`` of UTF-8."""
    safe = text.replace("\0", "\\u0000").encode("utf-8", "backslashreplace")
    if len(safe) <= max_bytes:
        return safe.decode()
    return safe[: max_bytes - 3].decode(errors="ignore") + "…"
