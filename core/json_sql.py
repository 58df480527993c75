"""SQL that writes JSON text which jsonb surely takes.

DuckDB's parser is more lenient than jsonb: it takes NaN, Infinity and trailing commas, and knows no limit
of depth. A nested value that jsonb might refuse is kept as text, so nothing is lost and no load can stick
on it. SQL is DuckDB's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from core.names import quote_literal

MAX_BRACKETS = 500
"""A value with more opening brackets is kept as text: it may nest deeper than a reader can follow."""

_SUSPICIOUS = r"(?i)nan|inf|,\s*[\]}]|e[+-]?\d{4}|[\x00-\x1f]"
_STRINGS = r'"(?:[^"\\]|\\.)*"'
_NUL = r"(^|[^\\])(\\\\)*\\u0000"


def write_key(name: str) -> str:
    """SQL literal ``"name":``, the beginning of an object's member."""
    return quote_literal(json.dumps(name.replace("\0", "�"), ensure_ascii=False) + ":")


def join_members(members: list[str]) -> str:
    """SQL of an object of the members that are not NULL, ``{}`` when there are none."""
    return f"concat('{{', concat_ws(',', {', '.join(members)}), '}}')" if members else "'{}'"


def join_values(values: Mapping[str, str]) -> str:
    """SQL of the members, comma-separated, of those values (name → SQL) that are not NULL; else ''.

    One expression serves all values: planning a query with hundreds of copies of it takes seconds.
    """
    if not values:
        return "''"
    names = ", ".join(map(write_key, values))
    pairs = f"list_filter(list_zip([{names}], [{', '.join(values.values())}]), lambda p: p[2] IS NOT NULL)"
    return f"array_to_string(list_transform({pairs}, lambda p: p[1] || {write_embedded('p[2]')}), ',')"


def write_string(value: str) -> str:
    """SQL of a JSON string; NULL stays NULL."""
    return f"CAST(to_json({value}) AS VARCHAR)"


def write_embedded(value: str) -> str:
    """SQL of a source value inside an object: nested JSON as it is, all else as a string."""
    return f"CASE WHEN {looks_nested(value)} THEN {value} ELSE {write_string(value)} END"


def looks_nested(value: str) -> str:
    """SQL condition: the text is a JSON object or array that jsonb takes."""
    return (
        f"CASE WHEN ascii({value}) NOT IN (91, 123) OR NOT json_valid({value}) THEN false "
        f"WHEN {has_nul(value)} THEN false "
        f"WHEN length({value}) > {MAX_BRACKETS} AND length({value}) - "
        f"length(replace(replace({value}, '[', ''), '{{', '')) > {MAX_BRACKETS} THEN false "
        f"WHEN NOT regexp_matches({value}, {quote_literal(_SUSPICIOUS)}) THEN true "
        f"ELSE NOT regexp_matches(regexp_replace({value}, {quote_literal(_STRINGS)}, '', 'g'), "
        f"{quote_literal(_SUSPICIOUS)}) END"
    )


def has_nul(text: str) -> str:
    """SQL condition: the JSON text holds the character U+0000, which neither text nor jsonb can."""
    return (
        f"CASE WHEN contains({text}, '\\u0000') THEN regexp_matches({text}, {quote_literal(_NUL)}) "
        "ELSE false END"
    )
