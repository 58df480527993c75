"""What each transform of the closed list needs: sources, arguments, and the types it may fill.

Which transforms exist is ``core/mapping.py``; the SQL they become is ``core/compile.py``.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from core.errors import ConfigError
from core.mapping import TRANSFORMS, FieldMapping
from core.names import parse_path
from core.ontology.model import FIELD_TYPES, NUMBER_TYPES, TEXT_TYPES, CanonicalField, suggest_near

EPOCHS = ("epoch_s", "epoch_ms")
"""``format`` of ``parse_datetime`` for numbers counted from 1970-01-01 UTC."""


@dataclass(frozen=True)
class Problem:
    """Why a mapping cannot stand; becomes a ConfigError or a MappingRefused."""

    problem: str
    expected: str | None = None
    found: str | None = None
    remedy: str | None = None


@dataclass(frozen=True)
class Rule:
    """What one transform takes. ``args`` has a check per argument: what is expected, else None."""

    targets: frozenset[str] = frozenset(FIELD_TYPES)
    sources: tuple[int, int | None] = (1, 1)
    args: dict[str, Callable[[Any, CanonicalField], str | None]] = field(default_factory=dict)
    required: tuple[str, ...] = ()


def find_problem(mapping: FieldMapping, target: CanonicalField) -> Problem | None:
    """The first thing wrong with one mapping of ``target``, or None."""
    rule = RULES.get(mapping.transform)
    if rule is None:
        return Problem(
            f"there is no transform {mapping.transform!r}",
            expected=", ".join(TRANSFORMS),
            remedy=suggest_near(mapping.transform, TRANSFORMS),
        )
    return (
        _wrong_target(mapping, target, rule)
        or _wrong_sources(mapping, rule)
        or _wrong_args(mapping, target, rule)
        or _wrong_confidence(mapping)
    )


def _wrong_target(mapping: FieldMapping, target: CanonicalField, rule: Rule) -> Problem | None:
    if target.type not in rule.targets:
        return Problem(
            f"transform {mapping.transform!r} cannot fill type {target.type}",
            expected=f"a field of type {' or '.join(sorted(rule.targets))}",
            remedy="Use 'cast'" if mapping.transform == "direct" else None,
        )
    if target.is_closed and mapping.transform in ("direct", "trim"):
        return Problem(
            f"transform {mapping.transform!r} would let any value into a closed list",
            expected=f"values {', '.join(target.enum)}",
            remedy="Use 'lower' or 'enum_map'",
        )
    return None


def _wrong_sources(mapping: FieldMapping, rule: Rule) -> Problem | None:
    least, most = rule.sources
    count = len(mapping.sources)
    if count < least or (most is not None and count > most):
        wanted = "no source" if most == 0 else f"{'' if least == most else 'at least '}{least} source(s)"
        several = "Use 'coalesce' or 'concat' for several sources" if count > 1 and most == 1 else None
        return Problem(f"transform {mapping.transform!r} takes {wanted}", found=str(count), remedy=several)
    if "\\u0000" in json.dumps(mapping.facts()):
        return Problem("a NUL character cannot be stored")
    for source in mapping.sources:
        try:
            parse_path(source)
        except ConfigError as error:
            return Problem(error.problem, expected=error.expected, found=error.found or repr(source))
    if len(set(mapping.sources)) < count:
        return Problem("a source stands twice", found=", ".join(mapping.sources))
    return None


def _wrong_args(mapping: FieldMapping, target: CanonicalField, rule: Rule) -> Problem | None:
    for name, value in mapping.args.items():
        check = rule.args.get(name)
        if check is None:
            return Problem(
                f"transform {mapping.transform!r} has no argument {name!r}",
                expected=", ".join(rule.args) or "no arguments",
                remedy=suggest_near(name, rule.args),
            )
        expected = check(value, target)
        if expected is not None:
            return Problem(f"argument {name!r} does not fit", expected=expected, found=repr(value))
    for name in rule.required:
        if name not in mapping.args:
            return Problem(f"transform {mapping.transform!r} needs the argument {name!r}")
    if "digits" in mapping.args and "currency_from" in mapping.args:
        return Problem("digits are either given or come from the currency", expected="one of the two")
    if "default" in mapping.args and "keep" in mapping.args:
        return Problem("other values are either kept or replaced by the default", expected="one of the two")
    return None


def _wrong_confidence(mapping: FieldMapping) -> Problem | None:
    if 0 <= mapping.confidence <= 1:
        return None
    return Problem("confidence is a probability", expected="0 to 1", found=str(mapping.confidence))


# --- arguments: each says what it expects, or None when the value fits ---------------------------


def _text(value: Any, _: CanonicalField) -> str | None:
    return None if isinstance(value, str) else "a text"


def _filled_text(value: Any, _: CanonicalField) -> str | None:
    return None if isinstance(value, str) and value else "a text that is not empty"


def _index(value: Any, _: CanonicalField) -> str | None:
    return None if _is_integer(value) else "a whole number (0 is the first part, -1 the last)"


def _digits(value: Any, _: CanonicalField) -> str | None:
    fits = _is_integer(value) and -9 <= value <= 6
    return None if fits else "a whole number from -9 to 6 (2: cents, -6: millions)"


def _path(value: Any, _: CanonicalField) -> str | None:
    try:
        parse_path(value if isinstance(value, str) else "")
    except ConfigError:
        return "the path of a source field"
    return None


def _json_path(value: Any, _: CanonicalField) -> str | None:
    return None if isinstance(value, str) and value.startswith("$") else "a JSON path starting with $"


def _strptime(value: Any, _: CanonicalField) -> str | None:
    return None if isinstance(value, str) and "%" in value else "a strptime format such as %d.%m.%Y"


def _datetime_format(value: Any, target: CanonicalField) -> str | None:
    return None if value in EPOCHS or _strptime(value, target) is None else "epoch_s, epoch_ms or strptime"


def _timezone(value: Any, _: CanonicalField) -> str | None:
    try:
        ZoneInfo(value if isinstance(value, str) else "")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return "an IANA time zone such as Europe/Berlin"
    return None


def _enum_values(value: Any, target: CanonicalField) -> str | None:
    if not isinstance(value, dict) or not value or not all(isinstance(key, str) for key in value):
        return "a mapping from the source's text to the canonical value"
    return next((wrong for wrong in (_value(v, target) for v in value.values()) if wrong), None)


def _default(value: Any, target: CanonicalField) -> str | None:
    return None if value is None else _value(value, target)


def _keep(value: Any, target: CanonicalField) -> str | None:
    if target.is_closed or target.type not in TEXT_TYPES:
        return "nothing: only a text field without closed list can keep other values"
    return None if value is True else "true (leave it out otherwise)"


def _value(value: Any, target: CanonicalField) -> str | None:
    """Whether a literal of a config may stand in the canonical field."""
    if target.is_closed:
        return None if value in target.enum else f"one of {', '.join(target.enum)}"
    if target.type in TEXT_TYPES:
        return _text(value, target)
    if target.type in NUMBER_TYPES:
        fits = _is_integer(value) or (target.type != "integer" and _is_fraction(value))
        return None if fits else f"a value of type {target.type}"
    if target.type == "boolean":
        return None if isinstance(value, bool) else "true or false"
    return None if isinstance(value, str) and _is_time(value, target.type) else f"an ISO 8601 {target.type}"


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_fraction(value: Any) -> bool:
    return isinstance(value, float) and math.isfinite(value)


def _is_time(value: str, kind: str) -> bool:
    try:
        if kind == "date":
            dt.date.fromisoformat(value)
            return bool(re.fullmatch(r"\d{4}-\d\d-\d\d", value))
        return dt.datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


_TEXT = frozenset(TEXT_TYPES)
_TIMES = frozenset({"date", "datetime"})

RULES: dict[str, Rule] = {
    "direct": Rule(_TEXT),
    "cast": Rule(),
    "trim": Rule(_TEXT),
    "lower": Rule(_TEXT),
    "parse_date": Rule(_TIMES, args={"format": _strptime}),
    "parse_datetime": Rule(_TIMES, args={"format": _datetime_format, "timezone": _timezone}),
    "minor_units": Rule(frozenset({"currency", "number"}), args={"digits": _digits, "currency_from": _path}),
    "enum_map": Rule(
        _TEXT | {"boolean", "integer", "number"},
        args={"values": _enum_values, "default": _default, "keep": _keep},
        required=("values",),
    ),
    "concat": Rule(_TEXT, (2, None), {"separator": _text}),
    "split": Rule(_TEXT, args={"separator": _filled_text, "index": _index}, required=("separator", "index")),
    "invert_boolean": Rule(frozenset({"boolean"})),
    "coalesce": Rule(sources=(2, None)),
    "constant": Rule(sources=(0, 0), args={"value": _value}, required=("value",)),
    "json_path": Rule(args={"path": _json_path}, required=("path",)),
}
"""The rule of every transform in ``core.mapping.TRANSFORMS``."""
