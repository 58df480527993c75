"""Strict YAML: the few parts of YAML a config needs, each value with the line it stands on.

Refused: duplicate keys, aliases and anchors, tags, keys that are not text, several documents, deep
nesting. Plain scalars are text unless they are ``true``, ``false``, ``null`` or a decimal number, so
``no``, ``22:22`` and ``2024-01-01`` stay what they look like.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from core.errors import ConfigError
from core.names import Path, format_path

MAX_BYTES = 256 * 1024
MAX_DEPTH = 24
MAX_NODES = 50_000

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"[-+]?(0|[1-9][0-9]{0,17}|(?=\.))(\.[0-9]{1,17})?([eE][-+]?[0-9]{1,3})?")
_WORDS: dict[str, Any] = {"": None, "~": None, "null": None, "true": True, "false": False}
_UNUSABLE = re.compile("[\ud800-\udfff\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass
class Document:
    """Plain Python data (dict, list, str, int, float, bool, None) and the line (from 1) of each path."""

    file: str
    data: Any = None
    lines: dict[Path, int] = field(default_factory=dict)

    def where(self, path: Path) -> str:
        """``file:line path`` of the nearest node that exists."""
        at = path
        while at and at not in self.lines:
            at = at[:-1]
        spot = f"{self.file}:{self.lines.get(at, 1)}"
        return f"{spot} {format_path(path)}" if path else spot


def read_yaml(text: str, file: str) -> Document:
    """Read one YAML document; ConfigError names file, line and path of what is wrong."""
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise ConfigError(
            "the file is too large", expected=f"at most {MAX_BYTES} bytes", where=file, remedy="Split it."
        )
    bad = _UNUSABLE.search(text)
    if bad is not None:
        line = text.count("\n", 0, bad.start()) + 1
        raise ConfigError(
            "the file holds a character that text cannot have",
            found=f"U+{ord(bad.group()):04X}",
            where=f"{file}:{line}",
        )
    builder = _Builder(Document(file))
    try:
        builder.build(yaml.parse(text, Loader=_LOADER))
    except yaml.MarkedYAMLError as error:
        mark: Any = error.problem_mark or error.context_mark
        raise ConfigError(
            f"not YAML: {error.problem or error.context}",
            where=f"{file}:{mark.line + 1 if mark else 1}",
            remedy="Check indentation, quotes and colons around that line.",
        ) from None
    except yaml.YAMLError as error:
        raise ConfigError(f"not YAML: {str(error).splitlines()[0]}", where=file) from None
    return builder.document


class _Builder:
    """Turns parse events into a Document without recursion, so that no nesting can exhaust the stack."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.nodes = 0
        self.stack: list[tuple[Any, Path]] = []
        self.keys: list[str | None] = []

    def build(self, events: Iterator[Any]) -> None:
        documents = 0
        for event in events:
            documents += isinstance(event, yaml.DocumentStartEvent)
            if documents > 1:
                raise self._error("a second document", (), event, expected="one document a file")
            if isinstance(event, yaml.AliasEvent):
                raise self._error("aliases are not allowed", self._place(), event, found=f"*{event.anchor}")
            if isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
                self.stack.pop()
                self.keys.pop()
            elif isinstance(event, yaml.NodeEvent):
                self._take(event)

    def _take(self, event: Any) -> None:
        if self._waits_for_key():
            self._take_key(event)
            return
        path = self._place()
        self._refuse_extras(event, path)
        value: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
        if isinstance(event, yaml.ScalarEvent):
            self._attach(_scalar(event, self, path), path, event)
            return
        self._attach(value, path, event)
        self.stack.append((value, path))
        self.keys.append(None)
        if len(self.stack) > MAX_DEPTH:
            raise self._error("nested too deeply", path, event, expected=f"at most {MAX_DEPTH} levels")

    def _waits_for_key(self) -> bool:
        return bool(self.stack) and isinstance(self.stack[-1][0], dict) and self.keys[-1] is None

    def _take_key(self, event: Any) -> None:
        container, path = self.stack[-1]
        self._refuse_extras(event, path)
        if not isinstance(event, yaml.ScalarEvent):
            raise self._error("a key that is not text", path, event, expected="a plain word as key")
        key = event.value
        if event.implicit[0] and not isinstance(_plain(key), str):
            raise self._error(
                "a key that is not text", path, event, found=key or "nothing", remedy=f'Quote it: "{key}".'
            )
        self.refuse_unusable(key, path, event)
        if key in container:
            first = self.document.lines[(*path, key)]
            raise self._error("the key stands twice", (*path, key), event, found=f"first on line {first}")
        self.keys[-1] = key
        self.document.lines[(*path, key)] = _line(event)

    def _attach(self, value: Any, path: Path, event: Any) -> None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise self._error("too many values", path, event, expected=f"at most {MAX_NODES}")
        self.document.lines.setdefault(path, _line(event))
        if not self.stack:
            self.document.data = value
            return
        container = self.stack[-1][0]
        if isinstance(container, list):
            container.append(value)
        else:
            container[self.keys[-1]] = value
            self.keys[-1] = None

    def _place(self) -> Path:
        if not self.stack:
            return ()
        container, path = self.stack[-1]
        return (*path, len(container) if isinstance(container, list) else self.keys[-1] or "")

    def _refuse_extras(self, event: Any, path: Path) -> None:
        if event.anchor is not None:
            raise self._error("anchors are not allowed", path, event, found=f"&{event.anchor}")
        if event.tag is not None and event.tag != "!":
            raise self._error("tags are not allowed", path, event, found=event.tag)

    def refuse_unusable(self, text: str, path: Path, event: Any) -> None:
        bad = _UNUSABLE.search(text)
        if bad:
            code = f"U+{ord(bad.group()):04X}"
            raise self._error("an escape for a character that text cannot have", path, event, found=code)

    def _error(self, problem: str, path: Path, event: Any, **facts: str) -> ConfigError:
        spot = f"{self.document.file}:{_line(event)}"
        return ConfigError(problem, where=f"{spot} {_show(path)}" if path else spot, **facts)


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _show(path: Path) -> str:
    return format_path(path) if "" not in path else ".".join(map(str, path))


def _scalar(event: Any, builder: _Builder, path: Path) -> Any:
    builder.refuse_unusable(event.value, path, event)
    return _plain(event.value) if event.implicit[0] else event.value


def _plain(text: str) -> Any:
    """The value of an unquoted scalar."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    return text
