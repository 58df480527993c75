"""Casting text to a canonical type: SQL of the value as JSON text, NULL where the text does not fit.

Numbers keep the source's digits, instants become ISO 8601 in UTC (``…Z``), dates stay the day the source
names. Blank text is no value, except in fields of type string. Formats of text types (e-mail, phone) are
data-quality checks, not casts. SQL is DuckDB's; the session's time zone must be UTC.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from core.json_sql import write_string
from core.names import quote_literal
from core.ontology.model import CanonicalField

# Fast patterns take what sources usually send, as it is; all else is cleaned first and looked at again.
_INTEGER = r"-?(0|[1-9][0-9]{0,17})"
_DECIMAL = r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,12})?"
_NUMBER = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?"
_ISO = r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}(:?\d{2})?)?)?"
_ZONE = r":\d{2}(\.\d+)?(Z|[+-]\d{2}(:?\d{2})?)$"
_BLANKS = " \t\n\r\f\v\u00a0\u2000\u2001\u2002\u2003\u2009\u200b\u202f\u3000\ufeff"

TRUE = ("true", "t", "1", "1.0", "yes", "y")
FALSE = ("false", "f", "0", "0.0", "no", "n")

EXPECTED = {
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "currency": "an amount",
    "date": "a date (ISO 8601)",
    "datetime": "a date and time (ISO 8601)",
}
"""What a cast asks for, in words; types missing here take any text."""


def trim(text: str) -> str:
    """SQL of the text without white space around it."""
    # trimming a set of characters is slow, and nearly no text needs it
    tight = _fits(text, r"(?s)[!-~](.*[!-~])?")
    return f"(CASE WHEN {tight} THEN {text} ELSE trim({text}, {quote_literal(_BLANKS)}) END)"


def is_blank(text: str) -> str:
    """SQL condition: NULL, or nothing but white space."""
    filled = f"ascii({text}) BETWEEN 33 AND 126"
    trimmed = f"trim({text}, {quote_literal(_BLANKS)})"
    return f"(CASE WHEN {text} IS NULL THEN true WHEN {filled} THEN false ELSE {trimmed} = '' END)"


def cast_value(text: str, field: CanonicalField) -> str:
    """SQL of the canonical value as JSON text; NULL for NULL, blank and what does not fit.

    Not for datetime, which is parsed and written in two steps: ``parse_instant``, ``write_instant``.
    """
    match field.type:
        case "string":
            return write_string(text)
        case "enum" if field.is_closed:
            return f"CASE WHEN {text} IN ({write_list(field.enum)}) THEN {write_string(text)} END"
        case "enum" if field.format == "iso_4217":  # vendors differ in case; a join must not
            return f"CASE WHEN NOT {is_blank(text)} THEN {write_string(f'upper({trim(text)})')} END"
        case "boolean":
            return cast_boolean(text)
        case "integer":
            return f"CASE WHEN {_fits(text, _INTEGER)} THEN {text} ELSE {_clean_integer(trim(text))} END"
        case "number" | "currency":
            limit = "DECIMAL(38, 12)" if field.type == "currency" else "DOUBLE"
            return (
                f"CASE WHEN {_fits(text, _DECIMAL)} THEN {text} ELSE {_clean_number(trim(text), limit)} END"
            )
        case "date":
            return _iso_or_clean(text, _iso_date)
        case _:
            return f"CASE WHEN NOT {is_blank(text)} THEN {write_string(text)} END"


def cast_boolean(text: str, *, invert: bool = False) -> str:
    """SQL ``true``/``false`` of the usual spellings, turned round when ``invert``."""
    folded = f"lower({trim(text)})"
    words = ((TRUE, "false" if invert else "true"), (FALSE, "true" if invert else "false"))
    plain = " ".join(f"WHEN {text} = '{texts[0]}' THEN '{value}'" for texts, value in words)
    other = " ".join(f"WHEN {folded} IN ({write_list(texts)}) THEN '{value}'" for texts, value in words)
    return f"CASE {plain} {other} END"


def cast_minor_units(text: str, exponent: str) -> str:
    """SQL of an amount divided by ten to the power of ``exponent`` (SQL integer; below zero it grows)."""
    amount = f"TRY_CAST({trim(text)} || 'e' || -{exponent} AS DECIMAL(38, 12))"
    plain = _fits(trim(text), r"[+-]?[0-9]+(\.[0-9]+)?")
    return f"CASE WHEN {plain} THEN rtrim(rtrim(CAST({amount} AS VARCHAR), '0'), '.') END"


def parse_instant(text: str, zone: str | None = None) -> str:
    """SQL TIMESTAMPTZ of an ISO 8601 text; without an offset it is UTC, or the local time of ``zone``."""
    return _iso_or_clean(text, lambda spelled: _iso_instant(spelled, zone))


def parse_format(text: str, pattern: str, zone: str | None = None) -> str:
    """SQL TIMESTAMPTZ of a text in a strptime format."""
    parsed = f"try_strptime({trim(text)}, {quote_literal(pattern)})"
    if zone is None or "%z" in pattern.lower():
        return f"CAST({parsed} AS TIMESTAMPTZ)"
    return f"timezone({quote_literal(zone)}, {parsed})"


def parse_epoch(text: str, per_second: int) -> str:
    """SQL TIMESTAMPTZ of a count since 1970-01-01 UTC, ``per_second`` of which make a second."""
    number = f"TRY_CAST({_clean_number(trim(text), 'DECIMAL(22, 6)')} AS DECIMAL(22, 6))"
    return f"timezone('UTC', TRY(make_timestamp(CAST({number} * {1_000_000 // per_second} AS BIGINT))))"


def write_instant(instant: str) -> str:
    """SQL of the JSON text of a TIMESTAMPTZ column; NULL outside the years 1 to 9999."""
    local = f"CAST(timezone('UTC', {instant}) AS VARCHAR)"
    return f"""CASE WHEN {_in_calendar(instant)} THEN '"' || replace({local}, ' ', 'T') || 'Z"' END"""


def write_date(instant: str, zone: str | None = None) -> str:
    """SQL of the JSON text of the day a TIMESTAMPTZ lies in, in UTC or ``zone``."""
    day = f"CAST(CAST(timezone({quote_literal(zone or 'UTC')}, {instant}) AS DATE) AS VARCHAR)"
    return f"""CASE WHEN {_in_calendar(instant)} THEN '"' || {day} || '"' END"""


def write_constant(value: object) -> str:
    """SQL literal of the JSON text of a value from a config."""
    return "CAST(NULL AS VARCHAR)" if value is None else quote_literal(json.dumps(value, ensure_ascii=False))


def write_list(values: Sequence[str]) -> str:
    """SQL literals, as they stand in ``IN (…)``."""
    return ", ".join(map(quote_literal, values))


def _fits(text: str, pattern: str) -> str:
    return f"regexp_full_match({text}, {quote_literal(pattern)})"


def _in_calendar(instant: str) -> str:
    first, last = "0001-01-01 00:00:00+00", "9999-12-31 23:59:59.999999+00"
    return f"{instant} BETWEEN TIMESTAMPTZ '{first}' AND TIMESTAMPTZ '{last}'"


def _clean_integer(text: str) -> str:
    exact, rough = f"TRY_CAST({text} AS DECIMAL(38, 9))", f"TRY_CAST({text} AS DOUBLE)"
    # 1e-10 is whole after nine places, 2^53 + 0.5 as a double
    whole = f"{_fits(text, _NUMBER)} AND {exact} = trunc({exact}) AND {rough} = trunc({rough})"
    return f"CASE WHEN {whole} THEN CAST(TRY_CAST(trunc({exact}) AS BIGINT) AS VARCHAR) END"


def _clean_number(text: str, limit: str) -> str:
    """The same digits as JSON spells them: no plus, no leading zeros, a digit on both sides of the point."""
    spelled = f"ltrim({text}, '+')"
    for pattern, replacement in (
        (r"^(-?)0+([0-9])", r"\1\2"),
        (r"^(-?)\.", r"\10."),  # group 1, then a zero: RE2 knows one-digit groups only
        (r"\.($|[eE])", r"\1"),
    ):
        spelled = f"regexp_replace({spelled}, {quote_literal(pattern)}, {quote_literal(replacement)})"
    value = f"TRY_CAST({text} AS {limit})"
    sound = f"isfinite({value})" if limit == "DOUBLE" else f"{value} IS NOT NULL"
    return f"CASE WHEN {_fits(text, _NUMBER)} AND {sound} THEN {spelled} END"


def _iso_or_clean(text: str, read: Callable[[str], str]) -> str:
    """Read ISO 8601 as it is, all else cleaned; CASE, unlike COALESCE, cleans only what it must."""
    cleaned = _clean_time(text)
    later = f"CASE WHEN {_fits(cleaned, _ISO)} THEN {read(cleaned)} END"
    return f"CASE WHEN {_fits(text, _ISO)} THEN {read(text)} ELSE {later} END"


def _iso_date(text: str) -> str:
    """The day as the source writes it, whatever the zone; the rest has to be a time of day all the same."""
    sound = f"TRY_CAST({text} AS TIMESTAMP) IS NOT NULL AND NOT starts_with({text}, '0000')"
    return f"""CASE WHEN {sound} THEN '"' || left({text}, 10) || '"' END"""


def _iso_instant(text: str, zone: str | None) -> str:
    instant = f"TRY_CAST({text} AS TIMESTAMPTZ)"
    if zone is None:
        return instant
    local = f"timezone({quote_literal(zone)}, TRY_CAST({text} AS TIMESTAMP))"
    return f"CASE WHEN regexp_matches({text}, {quote_literal(_ZONE)}) THEN {instant} ELSE {local} END"


def _clean_time(text: str) -> str:
    """The usual deviations from ISO 8601: white space, a comma, lower case, ``UTC`` and ``GMT``."""
    plain = f"replace(upper({trim(text)}), ',', '.')"
    zulu = f"regexp_replace({plain}, ' *(Z|UTC|GMT)$', 'Z')"
    return f"regexp_replace({zulu}, ' ([+-][0-9:]+)$', '\\1')"
