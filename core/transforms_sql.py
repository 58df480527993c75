"""The SQL of every transform of the closed list, for one field mapping.

A mapping runs in steps, each a column of the query: the source's ``text``, for times the ``instant``, then
the ``value`` as JSON text. A text without a value does not fit. What each transform takes is checked by
``core/transforms.py``; how text becomes a type is ``core/typed_sql.py``. SQL is DuckDB's.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from core import typed_sql as typed
from core.json_sql import write_string
from core.load_columns import NOTHING, LoadColumns
from core.mapping import FieldMapping
from core.names import Path, parse_path, quote_literal
from core.ontology.model import CanonicalField

MINOR_DIGITS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
"""Decimal places of currencies that have not two (ISO 4217)."""


@dataclass(frozen=True)
class FieldSql:
    """One mapping's steps as SQL. ``instant`` and ``value`` read the columns of the steps before.

    ``expected`` says in words what the cast asks for; None when every text fits.
    """

    text: str
    value: str
    expected: str | None
    instant: str | None = None
    aside: str = NOTHING


@dataclass(frozen=True)
class Step:
    """What a transform is compiled from; ``text``, ``aside``, ``instant`` name the columns of the steps."""

    mapping: FieldMapping
    field: CanonicalField
    columns: LoadColumns
    text: str
    aside: str
    instant: str

    @property
    def sources(self) -> list[str]:
        """SQL of the sources' texts."""
        return [self.columns.read(source) for source in self.mapping.sources]


def compile_transform(step: Step) -> FieldSql:
    """The SQL of one checked mapping."""
    return _TRANSFORMS[step.mapping.transform](step)


def list_consumed(mapping: FieldMapping) -> list[Path]:
    """The source paths whose values end in the mapping's field."""
    paths = [parse_path(source) for source in mapping.sources]
    if mapping.transform == "json_path":
        return [path + _fixed_part(str(mapping.args["path"])) for path in paths]
    return paths


def _fixed_part(json_path: str) -> Path:
    """The leading keys and positions of a JSON path, up to the first wildcard, slice or recursion."""
    parts: list[str | int] = []
    rest = json_path.removeprefix("$")
    while match := re.match(r'\.(?:"([^"\\]*)"|([^."\[\]*]+))|\[(\d+)\]', rest):
        quoted, bare, position = match.groups()
        parts.append(int(position) if position else quoted if quoted is not None else bare)
        rest = rest[match.end() :]
    return tuple(parts)


def _typed(step: Step, text: str) -> FieldSql:
    """The text, cast to the field's type."""
    kind = step.field.type
    if kind == "datetime":
        return _timed(step, text, typed.parse_instant(step.text))
    expected = typed.EXPECTED.get(kind)
    if step.field.is_closed:
        expected = f"one of {', '.join(step.field.enum)}"
    return FieldSql(text, typed.cast_value(step.text, step.field), expected)


def _timed(step: Step, text: str, instant: str, zone: str | None = None) -> FieldSql:
    day = step.field.type == "date"
    value = typed.write_date(step.instant, zone) if day else typed.write_instant(step.instant)
    return FieldSql(text, value, typed.EXPECTED[step.field.type], instant)


def _plain(step: Step) -> FieldSql:
    return _typed(step, step.sources[0])


def _trim(step: Step) -> FieldSql:
    return _typed(step, typed.trim(step.sources[0]))


def _lower(step: Step) -> FieldSql:
    return _typed(step, f"lower({typed.trim(step.sources[0])})")


def _parse_time(step: Step) -> FieldSql:
    text = step.sources[0]
    pattern, zone = step.mapping.args.get("format"), step.mapping.args.get("timezone")
    if pattern is None and zone is None:
        return _typed(step, text)
    if pattern is None:
        return _timed(step, text, typed.parse_instant(step.text, zone), zone)
    if pattern in ("epoch_s", "epoch_ms"):
        instant = typed.parse_epoch(step.text, 1 if pattern == "epoch_s" else 1000)
    else:
        instant = typed.parse_format(step.text, pattern, zone)
    found = _timed(step, text, instant, zone)
    words = "counted from 1970" if pattern.startswith("epoch") else f"like {pattern}"
    return FieldSql(text, found.value, f"a {step.field.type} {words}", instant)


def _minor_units(step: Step) -> FieldSql:
    currency = step.mapping.args.get("currency_from")
    if currency is None:
        exponent, aside = str(int(step.mapping.args.get("digits", 2))), NOTHING
    else:
        # Nothing is nothing in every currency: a customer never billed has a balance of 0 and no currency.
        nothing = f"regexp_full_match({typed.trim(step.text)}, '[+-]?0+(\\.0*)?')"
        exponent = f"CASE WHEN {nothing} THEN 0 ELSE {_find_digits(step.aside)} END"
        aside = step.columns.read(currency)
    value = typed.cast_minor_units(step.text, f"({exponent})")
    expected = "an amount in minor units" + ("" if currency is None else f", and its currency in {currency}")
    return FieldSql(step.sources[0], value, expected, aside=aside)


def _find_digits(currency: str) -> str:
    """SQL of the decimal places of a currency; NULL without one, as guessing would be off by a hundred."""
    code = f"upper({typed.trim(currency)})"
    cases = " ".join(
        f"WHEN {code} IN ({typed.write_list(codes.split())}) THEN {digits}"
        for digits, codes in MINOR_DIGITS.items()
    )
    return f"CASE WHEN {typed.is_blank(currency)} THEN NULL {cases} ELSE 2 END"


def _enum_map(step: Step) -> FieldSql:
    values: dict[str, object] = step.mapping.args["values"]
    cases = " ".join(
        f"WHEN {step.text} = {quote_literal(source)} THEN {typed.write_constant(value)}"
        for source, value in values.items()
    )
    text = typed.trim(step.sources[0])
    args = step.mapping.args
    other = write_string(step.text) if args.get("keep") else typed.write_constant(args.get("default"))
    value = f"CASE {cases} WHEN {typed.is_blank(step.text)} THEN NULL ELSE {other} END"
    takes_all = "default" in args or "keep" in args
    return FieldSql(text, value, None if takes_all else f"one of {', '.join(values)}")


def _concat(step: Step) -> FieldSql:
    parts = ", ".join(f"NULLIF({typed.trim(source)}, '')" for source in step.sources)
    separator = quote_literal(str(step.mapping.args.get("separator", " ")))
    return _typed(step, f"NULLIF(concat_ws({separator}, {parts}), '')")


def _split(step: Step) -> FieldSql:
    index = int(step.mapping.args["index"])
    separator = quote_literal(str(step.mapping.args["separator"]))
    part = f"string_split({step.sources[0]}, {separator})[{index + 1 if index >= 0 else index}]"
    return _typed(step, f"NULLIF({typed.trim(part)}, '')")


def _invert_boolean(step: Step) -> FieldSql:
    value = typed.cast_boolean(step.text, invert=True)
    return FieldSql(step.sources[0], value, typed.EXPECTED["boolean"])


def _coalesce(step: Step) -> FieldSql:
    filled = ", ".join(f"CASE WHEN NOT {typed.is_blank(source)} THEN {source} END" for source in step.sources)
    return _typed(step, f"COALESCE({filled})")


def _constant(step: Step) -> FieldSql:
    return FieldSql(NOTHING, typed.write_constant(step.mapping.args["value"]), None)


def _json_path(step: Step) -> FieldSql:
    source, path = step.sources[0], str(step.mapping.args["path"])
    found = f"json_extract_string({source}, {quote_literal(path)})"
    if "*" in path or "[:" in path or ".." in path:
        found = f"list_filter({found}, lambda found: found IS NOT NULL)[1]"
    return _typed(step, f"CASE WHEN json_valid({source}) THEN {found} END")


_TRANSFORMS: dict[str, Callable[[Step], FieldSql]] = {
    "direct": _plain,
    "cast": _plain,
    "trim": _trim,
    "lower": _lower,
    "parse_date": _parse_time,
    "parse_datetime": _parse_time,
    "minor_units": _minor_units,
    "enum_map": _enum_map,
    "concat": _concat,
    "split": _split,
    "invert_boolean": _invert_boolean,
    "coalesce": _coalesce,
    "constant": _constant,
    "json_path": _json_path,
}
