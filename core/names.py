"""Names: identifiers, asset keys, field paths, SQL quoting. The only file that knows their grammar."""

from __future__ import annotations

import re

from core.errors import ConfigError

IDENTIFIER = re.compile(r"^[a-z0-9][a-z0-9_-]{0,62}$")
GLOBAL_TENANT = "*"
"""Owner of mapping sets that hold for every tenant; cannot be a tenant's identifier."""

DRIFT_CHECK = "schema_drift"
"""The asset check every raw stream has."""

Path = tuple[str | int, ...]
"""A field path: a column, then keys (str), array positions (int) or ``"*"`` for any element."""


def check_identifier(value: str, what: str) -> str:
    """Return ``value`` if it may name a tenant, connector or stream, else raise ConfigError."""
    if not IDENTIFIER.fullmatch(value):
        raise ConfigError(
            f"{what} has an unusable name",
            expected="lower-case letters, digits, '_' or '-', at most 63, starting with a letter or digit",
            found=repr(value),
        )
    return value


def raw_key(connector: str, stream: str) -> list[str]:
    """Asset key of a raw stream: ``raw/<connector>/<stream>``."""
    return ["raw", connector, stream]


def canonical_key(entity: str) -> list[str]:
    """Asset key of a canonical stream: ``canonical/<entity>``."""
    return ["canonical", entity]


def view_key(entity: str) -> list[str]:
    """Asset key of a view: ``views/<entity>``."""
    return ["views", entity]


def parse_path(text: str) -> Path:
    """Read ``properties.name``, ``email.0.value``, ``"a.b".c``.

    Dots separate, a bare number after the first part is an array position, ``*`` is any element;
    double quotes keep a part literal (``""`` inside quotes is one quote, ``""`` alone an empty key).
    """
    parts: list[str | int] = []
    rest = text
    while True:
        if rest.startswith('"'):
            match = re.match(r'"((?:[^"]|"")*)"', rest)
            if match is None:
                raise ConfigError("field path has an open quote", found=repr(text))
            parts.append(match.group(1).replace('""', '"'))
            rest = rest[match.end() :]
        else:
            bare = re.match(r'[^."]*', rest)
            part = bare.group(0) if bare else ""
            if not part:
                raise ConfigError("field path has an empty part", found=repr(text))
            parts.append(int(part) if parts and part.isdigit() else part)
            rest = rest[len(part) :]
        if not rest:
            return tuple(parts)
        if not rest.startswith("."):
            raise ConfigError("field path needs a dot between its parts", found=repr(text))
        rest = rest[1:]


def format_path(path: Path) -> str:
    """Write a path so that ``parse_path`` reads it back."""
    return ".".join(_format_part(part, first=not i) for i, part in enumerate(path))


def _format_part(part: str | int, *, first: bool) -> str:
    if isinstance(part, int):
        return str(part)
    needs_quotes = part == "" or "." in part or '"' in part or (part.isdigit() and not first)
    return '"' + part.replace('"', '""') + '"' if needs_quotes else part


def quote_identifier(name: str) -> str:
    """SQL identifier in double quotes; any field name is safe."""
    return '"' + name.replace('"', '""') + '"'


def quote_literal(text: str) -> str:
    """SQL string literal in single quotes."""
    return "'" + text.replace("'", "''") + "'"


def join_name(connector: str, stream: str) -> str:
    """``connector/stream``, as users write it."""
    return f"{connector}/{stream}"
