"""The part of SOQL extracts use: SELECT fields FROM object WHERE … ORDER BY … LIMIT n."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.table import Record
from sandbox.times import read_time

Test = Callable[[Record], bool]

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^'\\]|\\.)*')|(?P<op><=|>=|!=|<>|=|<|>)|(?P<mark>[(),])"
    r"|(?P<word>[A-Za-z0-9_.:+-]+))"
)
_QUERY = re.compile(
    r"\s*SELECT\s+(?P<fields>.+?)\s+FROM\s+(?P<name>\w+)"
    r"(?:\s+WHERE\s+(?P<where>.+?))?(?:\s+ORDER\s+BY\s+(?P<order>.+?))?(?:\s+LIMIT\s+(?P<limit>\d+))?\s*",
    re.IGNORECASE | re.DOTALL,
)


class SoqlError(Exception):
    """A query Salesforce refuses, with its error code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class Query:
    """A query that was understood."""

    name: str
    fields: tuple[str, ...]
    test: Test = lambda record: True
    order: list[tuple[str, bool]] = field(default_factory=list)
    limit: int | None = None


def parse(text: str, objects: Mapping[str, Mapping[str, str]]) -> Query:
    """Read a query against objects (name → field → type). Raises SoqlError as Salesforce would."""
    match = _QUERY.fullmatch(text)
    if match is None:
        raise SoqlError("MALFORMED_QUERY", "unexpected token: " + text[:40])
    name = _canonical(match["name"], objects)
    if name is None:
        raise SoqlError("INVALID_TYPE", f"sObject type '{match['name']}' is not supported.")
    known = {field_.lower(): field_ for field_ in objects[name]}
    reader = _Reader(name, known, objects[name])
    query = Query(name, tuple(reader.field(part.strip()) for part in match["fields"].split(",")))
    if match["where"]:
        query.test = reader.condition(match["where"])
    for part in (match["order"] or "").split(","):
        words = part.split()
        if words:
            query.order.append((reader.field(words[0]), len(words) > 1 and words[1].upper() == "DESC"))
    query.limit = int(match["limit"]) if match["limit"] else None
    return query


def _canonical(name: str, objects: Mapping[str, Any]) -> str | None:
    return next((known for known in objects if known.lower() == name.lower()), None)


class _Reader:
    def __init__(self, name: str, known: Mapping[str, str], types: Mapping[str, str]) -> None:
        self._name, self._known, self._types = name, known, types
        self._tokens: list[str] = []

    def field(self, word: str) -> str:
        found = self._known.get(word.lower())
        if found is None:
            raise SoqlError("INVALID_FIELD", f"No such column '{word}' on entity '{self._name}'.")
        return found

    def condition(self, text: str) -> Test:
        """OR of ANDs with parentheses and NOT."""
        position = 0
        while position < len(text.rstrip()):
            match = _TOKEN.match(text, position)
            if match is None:
                raise SoqlError("MALFORMED_QUERY", f"unexpected token: '{text[position:][:20]}'")
            self._tokens.append(match.group().strip())
            position = match.end()
        test = self._either()
        if self._tokens:
            raise SoqlError("MALFORMED_QUERY", f"unexpected token: '{self._tokens[0]}'")
        return test

    def _either(self) -> Test:
        tests = [self._both()]
        while self._take("OR"):
            tests.append(self._both())
        return lambda record: any(test(record) for test in tests)

    def _both(self) -> Test:
        tests = [self._single()]
        while self._take("AND"):
            tests.append(self._single())
        return lambda record: all(test(record) for test in tests)

    def _single(self) -> Test:
        if self._take("NOT"):
            inner = self._single()
            return lambda record: not inner(record)
        if self._take("("):
            inner = self._either()
            if not self._take(")"):
                raise SoqlError("MALFORMED_QUERY", "expecting a right parenthesis")
            return inner
        return self._comparison()

    def _comparison(self) -> Test:
        name = self.field(self._next())
        operator = self._next().upper()
        kind = self._types[name]
        if operator == "IN":
            values = self._list(kind)
            return lambda record: _key(record.get(name), kind) in values
        wanted = self._value(self._next(), kind)
        if operator in ("=", "!=", "<>"):
            return lambda record: (_key(record.get(name), kind) == wanted) == (operator == "=")
        if operator not in ("<", "<=", ">", ">="):
            raise SoqlError("MALFORMED_QUERY", f"unknown operator '{operator}'")
        return lambda record: _compare(_key(record.get(name), kind), operator, wanted)

    def _list(self, kind: str) -> list[Any]:
        values = []
        if not self._take("("):
            raise SoqlError("MALFORMED_QUERY", "expecting a left parenthesis")
        while not self._take(")"):
            values.append(self._value(self._next(), kind))
            self._take(",")
        return values

    def _value(self, token: str, kind: str) -> Any:
        quoted = token.startswith("'")
        if quoted and kind in ("datetime", "date", "int", "double", "currency", "percent", "boolean"):
            message = f"value of filter criterion for field must be of type {kind} and should not be enclosed"
            raise SoqlError("INVALID_FIELD", message + " in quotes")
        if quoted:
            return re.sub(r"\\(.)", r"\1", token[1:-1])
        if token.upper() in ("NULL", "TRUE", "FALSE"):
            return {"NULL": None, "TRUE": True, "FALSE": False}[token.upper()]
        if kind in ("datetime", "date", "int", "double", "currency", "percent"):
            return _key(token, kind)
        raise SoqlError("MALFORMED_QUERY", f"unexpected token: '{token}'")

    def _next(self) -> str:
        if not self._tokens:
            raise SoqlError("MALFORMED_QUERY", "unexpected end of query")
        return self._tokens.pop(0)

    def _take(self, word: str) -> bool:
        if self._tokens and self._tokens[0].upper() == word:
            self._tokens.pop(0)
            return True
        return False


def _key(value: Any, kind: str) -> Any:
    """What a field's value is compared as: numbers and times as numbers."""
    if value is None or isinstance(value, bool):
        return value
    if kind in ("datetime", "date", "int", "double", "currency", "percent"):
        return read_time(str(value))
    return str(value)


def _compare(have: Any, operator: str, wanted: Any) -> bool:
    if have is None or wanted is None:
        return False
    if operator == "<":
        return bool(have < wanted)
    if operator == "<=":
        return bool(have <= wanted)
    return bool(have > wanted) if operator == ">" else bool(have >= wanted)
