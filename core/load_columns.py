"""How a mapping reaches into a load: SQL text for columns, and for values inside nested ones.

A load's columns are text; a nested value is JSON text. Each nested column is parsed once a record, however
many of its keys are mapped. SQL is DuckDB's.
"""

from __future__ import annotations

from collections.abc import Sequence

from core.columns import RESERVED
from core.names import Path, parse_path, quote_identifier, quote_literal

NOTHING = "CAST(NULL AS VARCHAR)"


class LoadColumns:
    """The columns of one load, and the SQL that reads a field path from them.

    Use: ask ``read`` for every path, then put ``select_columns`` and ``select_nested`` into the query.
    """

    def __init__(self, columns: Sequence[str]) -> None:
        own = [name for name in columns if not name.lower().startswith(RESERVED)]
        self.aliases = {name: f"c{number}" for number, name in enumerate(own)}
        """Source column → its short name inside the query."""
        self._helpers = set(columns) - set(own)
        self._pointers: dict[str, list[str]] = {}

    def helper(self, name: str, default: str) -> str:
        """SQL of a helper column, or of ``default`` when the load lacks it."""
        return quote_identifier(name) if name in self._helpers else default

    def read(self, path: str | Path) -> str:
        """SQL of the text at ``path``, NULL where the load has nothing there."""
        root, *rest = parse_path(path) if isinstance(path, str) else path
        column = self.aliases.get(str(root))
        if column is None:
            return NOTHING
        if not rest:
            return column
        if "*" in rest:
            return f"list_filter({_find_all(_json(column), rest)}, lambda found: found IS NOT NULL)[1]"
        pointers = self._pointers.setdefault(column, [])
        pointer = write_pointer(rest)
        if pointer not in pointers:
            pointers.append(pointer)
        return f"x{column}[{pointers.index(pointer) + 1}]"

    def select_columns(self) -> list[str]:
        """Select items that give every source column its short name."""
        return [
            f"CAST({quote_identifier(name)} AS VARCHAR) AS {alias}" for name, alias in self.aliases.items()
        ]

    def select_nested(self) -> list[str]:
        """Select items with the values of all paths read so far, a list a nested column."""
        return [
            f"CASE WHEN json_valid({column}) THEN json_extract_string({column}, "
            f"[{', '.join(map(quote_literal, pointers))}]) END AS x{column}"
            for column, pointers in self._pointers.items()
        ]


def write_pointer(parts: Sequence[str | int]) -> str:
    """JSON pointer (RFC 6901) of keys and positions; unlike a JSON path it can name any key."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def _json(column: str) -> str:
    return f"CASE WHEN json_valid({column}) THEN CAST({column} AS JSON) END"


def _find_all(value: str, parts: Sequence[str | int], depth: int = 0) -> str:
    """SQL list of the texts below ``value``: elements of arrays, or values of objects, at each ``*``."""
    star = list(parts).index("*")
    inner = f"json_extract({value}, {quote_literal(write_pointer(parts[:star]))})" if star else value
    every = f"COALESCE(NULLIF(json_extract({inner}, '$[*]'), []), json_extract({inner}, '$.*'))"
    rest = parts[star + 1 :]
    element = f"e{depth}"
    if "*" in rest:
        return f"flatten(list_transform({every}, lambda {element}: {_find_all(element, rest, depth + 1)}))"
    pointer = quote_literal(write_pointer(rest)) if rest else "'$'"
    return f"list_transform({every}, lambda {element}: json_extract_string({element}, {pointer}))"
