"""Says pydantic's errors about a connector spec in the operator's words, with file, line and path."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Sequence
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from core.connector import ConnectorSpec
from core.errors import ConfigError
from core.names import Path
from core.strict_yaml import Document

_TYPES = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "keys and values",
    "model_type": "keys and values",
    "model_attributes_type": "keys and values",
}
_STREAM_MESSAGE = re.compile(r"(streams(?:\.[a-z0-9_-]+)+): (.*)", re.DOTALL)


def translate(error: ValidationError, document: Document) -> list[ConfigError]:
    """Every mistake pydantic found, in order of lines."""
    details = error.errors(include_url=False)
    explained = sorted((_explain(detail, document) for detail in details), key=lambda pair: pair[0])
    return [error for _, error in explained]


def _explain(detail: Any, document: Document) -> tuple[int, ConfigError]:
    path = _document_path(detail["loc"], document.data)
    kind, facts = detail["type"], detail.get("ctx", {})
    found: str | None = show(_value_at(document.data, path))
    remedy: str | None = None
    problem, expected = _reason(kind, facts, detail["msg"])
    if kind == "extra_forbidden":
        known = _known_keys(path[:-1], document.data)
        expected, found = "one of " + ", ".join(known), repr(path[-1])
        remedy = suggest(str(path[-1]), known)
    elif kind == "missing":
        found = None
    elif kind == "union_tag_not_found":
        path, found = (*path, "type"), None
    elif kind == "union_tag_invalid":
        path, found = (*path, "type"), repr(facts["tag"])
        remedy = suggest(str(facts["tag"]), re.findall(r"'([^']+)'", facts["expected_tags"]))
    elif kind == "value_error":
        match = _STREAM_MESSAGE.fullmatch(problem)
        found = None if match or isinstance(_value_at(document.data, path), dict) else found
        if match:
            path, problem = tuple(match.group(1).split(".")), match.group(2)
    explained = mistake(document, path, problem, expected=expected, found=found, remedy=remedy)
    return _line(document, path), explained


def _reason(kind: str, facts: dict[str, Any], message: str) -> tuple[str, str | None]:
    """Problem and what was expected, for one of pydantic's error types."""
    if kind in _TYPES:
        return "wrong type", _TYPES[kind]
    if kind == "missing":
        return "a required key is missing", None
    if kind == "extra_forbidden":
        return "unknown key", None
    if kind == "union_tag_not_found":
        return "a required key is missing", "one of " + str(_tags(message, facts))
    if kind == "union_tag_invalid":
        return "unknown type", "one of " + str(facts["expected_tags"]).replace("'", "")
    if kind == "literal_error":
        return "not an allowed value", str(facts["expected"])
    if kind == "string_pattern_mismatch":
        return "unusable name", "lower-case letters, digits, '_' or '-', starting with a letter or digit"
    if kind == "value_error":
        return message.removeprefix("Value error, "), None
    return "value out of range", message[:1].lower() + message[1:]


def _tags(message: str, facts: dict[str, Any]) -> str:
    return str(facts.get("expected_tags") or "the types listed in core/connector.py").replace("'", "")


def _document_path(loc: Sequence[str | int], data: Any) -> Path:
    """The place in the document pydantic speaks of: its location without the tags of unions."""
    path: list[str | int] = []
    for i, part in enumerate(loc):
        if part == "[key]":
            break
        if isinstance(data, dict) and isinstance(part, str):
            if part not in data:
                if i == len(loc) - 1:
                    path.append(part)
                continue
            data = data[part]
        elif isinstance(data, list) and isinstance(part, int):
            data = data[part]
        else:
            break
        path.append(part)
    return tuple(path)


def _value_at(data: Any, path: Path) -> Any:
    for part in path:
        inside = isinstance(data, dict) and part in data
        inside |= isinstance(data, list) and isinstance(part, int) and part < len(data)
        if not inside:
            return None
        data = data[part]
    return data


def _known_keys(path: Path, data: Any) -> list[str]:
    """Keys allowed at a place, found by walking the spec's own types along the document."""
    kind: Any = ConnectorSpec
    for part in path:
        data = _value_at(data, (part,))
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            kind = next(f.annotation for n, f in kind.model_fields.items() if part in (n, f.alias))
        else:
            kind = get_args(kind)[-1]
        kind = _choose(kind, data)
    if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
        return []
    return sorted(f.alias or n for n, f in kind.model_fields.items())


def _choose(kind: Any, data: Any) -> Any:
    """Strip Annotated and optional; of a tagged union take the member whose tag the data carries."""
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if get_origin(kind) in (Union, type(int | str)):
        members = [_choose(m, data) for m in get_args(kind) if m is not type(None)]
        tag = data.get("type") if isinstance(data, dict) else None
        named = [m for m in members if _tag_of(m) == tag]
        return (named or members)[0]
    return kind


def _tag_of(member: Any) -> Any:
    fields = getattr(member, "model_fields", {})
    return get_args(fields["type"].annotation)[0] if "type" in fields else None


def mistake(document: Document, path: Path, problem: str, **facts: str | None) -> ConfigError:
    """A ConfigError about a place of the document; ``facts`` are expected, found, remedy."""
    return ConfigError(problem, where=document.where(path), **facts)


def _line(document: Document, path: Path) -> int:
    while path and path not in document.lines:
        path = path[:-1]
    return document.lines.get(path, 1)


def suggest(word: str, known: Sequence[str]) -> str | None:
    """``Did you mean …?`` if one of the known words is near, else None."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"Did you mean {near[0]!r}?" if near else None


def show(value: Any) -> str:
    """A value as found in the document, cut at 80 characters."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."
