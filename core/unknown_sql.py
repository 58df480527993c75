"""What the mapping leaves over: SQL of ``unknown_fields``, the source fields nothing consumed.

Whole columns, and within a nested column the keys and array elements no mapping took. Nulls are left out,
so an object of nulls leaves nothing over. SQL is DuckDB's.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Union

from core.json_sql import join_values, looks_nested, write_key, write_string
from core.load_columns import LoadColumns, write_pointer
from core.names import Path, quote_literal

Node = dict[str | int, Union["Node", None]]
"""Consumed keys below a nested value; None = consumed with all that is below it."""


def compile_unknown(columns: LoadColumns, consumed: Iterable[Path]) -> str:
    """SQL of the JSON text of everything not under one of the ``consumed`` paths, NULL when empty.

    Members are in order of their names, whatever order the columns of a load have.
    """
    tree: Node = {}
    for path in consumed:
        _consume(tree, path)
    named = sorted(columns.aliases.items())
    whole = {name: column for name, column in named if name not in tree}
    parts = [
        f"{write_key(name)} || ({_write_rest(column, node)})"
        for name, column in named
        if (node := tree.get(name)) is not None
    ]
    members = ", ".join([f"NULLIF({join_values(whole)}, '')", *parts])
    return f"NULLIF('{{' || concat_ws(',', {members}) || '}}', '{{}}')"


def compile_record(columns: LoadColumns) -> str:
    """SQL of the whole source record as JSON text, nulls left out."""
    return f"'{{' || {join_values(columns.aliases)} || '}}'"


def _consume(node: Node, path: Path) -> None:
    head, rest = path[0], path[1:]
    if not rest or rest[0] == "*":
        node[head] = None
        return
    below = node.setdefault(head, {})
    if below is not None:
        _consume(below, rest)


def _write_rest(column: str, node: Node) -> str:
    rest = _write_nested(column, node)
    return f"CASE WHEN {looks_nested(column)} THEN {rest} ELSE {write_string(column)} END"


def _write_nested(value: str, node: Node) -> str:
    """SQL of what is left of a JSON value; ``value`` holds an object, an array or a scalar."""
    keys = {str(key): below for key, below in node.items()}
    positions = [key + 1 for key in node if isinstance(key, int)]
    members = [
        f"{quote_literal(key)}, CAST({_write_nested(_step(value, key), below)} AS JSON)"
        for key, below in keys.items()
        if below is not None
    ]
    taken = quote_literal(json.dumps(dict.fromkeys(keys), ensure_ascii=False))
    added = f", json_object({', '.join(members)})" if members else ""
    left = f"NULLIF(CAST(json_merge_patch('{{}}', {value}, {taken}{added}) AS VARCHAR), '{{}}')"
    cases = [f"WHEN 'OBJECT' THEN {left}", "WHEN 'NULL' THEN NULL"]
    if positions:
        kept = (
            f"list_filter(json_extract({value}, '$[*]'), "
            f"lambda element, position: position NOT IN ({', '.join(map(str, positions))}))"
        )
        cases.append(f"WHEN 'ARRAY' THEN NULLIF(CAST(to_json({kept}) AS VARCHAR), '[]')")
    return f"CASE json_type({value}) {' '.join(cases)} ELSE CAST({value} AS VARCHAR) END"


def _step(value: str, key: str) -> str:
    return f"json_extract({value}, {quote_literal(write_pointer([key]))})"
