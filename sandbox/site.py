"""What one tenant has at one vendor: its records, allowance, tokens, and how its schema was changed."""

from __future__ import annotations

import copy
import hashlib
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from starlette.requests import Request

from sandbox.limits import Bucket, Rate
from sandbox.table import Record, Row, Table, read, write
from sandbox.world import SEED_NOW

Change = Literal["add", "remove", "rename", "retype", "nest"]
CHANGES: tuple[str, ...] = ("add", "remove", "rename", "retype", "nest")


@dataclass(frozen=True)
class Mutation:
    """A change of a stream's schema, seen in every record from now on.

    ``add`` field (with ``value``, default text), ``remove`` it, ``rename`` it to ``to``, ``retype`` it to
    ``to`` (string, number, boolean, object, array), ``nest`` it inside a new object named ``to``.
    """

    stream: str
    change: Change
    field: str
    to: str | None = None
    value: Any = None

    def apply(self, record: Record, key: str) -> None:
        """Change a record in place."""
        if self.change == "add":
            write(
                record, self.field, f"{self.field.split('.')[-1]} {key}" if self.value is None else self.value
            )
            return
        holder, name = _holder(record, self.field)
        if not isinstance(holder, dict) or name not in holder:
            return
        if self.change == "retype":
            holder[name] = _retyped(holder[name], self.to or "string")
            return
        value = holder.pop(name)
        if self.change == "rename":
            holder[self.to or f"{name}_new"] = value
        elif self.change == "nest":
            holder[self.to or f"{name}_info"] = {name: value}


@dataclass
class Site:
    """One tenant's account at one vendor."""

    tenant: str
    vendor: str
    tables: dict[str, Table]
    bucket: Bucket
    tokens: frozenset[str] = frozenset()
    aliases: Mapping[str, str] = field(default_factory=dict)
    mutations: list[Mutation] = field(default_factory=list)
    sessions: dict[str, float] = field(default_factory=dict)
    locators: dict[str, tuple[str, bool]] = field(default_factory=dict)
    requests: int = 0
    refreshes: int = 0
    session_ttl_s: float = 7200.0
    _clock: float = SEED_NOW

    def now(self) -> float:
        """The time changes are stamped with: the real one, at least a millisecond after the last."""
        self._clock = max(self._clock + 0.001, time.time())
        return self._clock

    def table(self, stream: str) -> Table:
        """The table a stream is read from. Raises KeyError naming the known ones."""
        name = self.aliases.get(stream, stream)
        if name not in self.tables:
            raise KeyError(f"{self.vendor} has no stream {stream!r}; it has {', '.join(self.tables)}")
        return self.tables[name]

    def serve(self, table: Table, row: Row) -> Record:
        """The record as it looks today."""
        mutations = [m for m in self.mutations if m.stream == table.name]
        if not mutations:
            return row.data
        record = copy.deepcopy(row.data)
        for mutation in mutations:
            mutation.apply(record, row.key)
        return record

    def set_rate(self, rate: Rate) -> None:
        """Change the allowance; it is full again."""
        self.bucket = Bucket(rate)

    def open_session(self) -> str:
        """A new OAuth access token."""
        token = f"00D{secrets.token_hex(8)}!{secrets.token_urlsafe(24)}"
        self.sessions[token] = time.monotonic() + self.session_ttl_s
        self.refreshes += 1
        return token

    def knows_session(self, token: str) -> bool:
        """Whether an access token was given and has not expired."""
        return self.sessions.get(token, 0.0) > time.monotonic()

    def locate(self, query: str, everything: bool) -> str:
        """The name under which a query may be gone on with."""
        name = "0r8" + hashlib.sha256(f"{self.tenant} {everything} {query}".encode()).hexdigest()[:15]
        self.locators[name] = (query, everything)
        return name


def site_of(request: Request) -> Site:
    """The site a request is for."""
    site: Site = request.scope["site"]
    return site


def base_of(request: Request) -> str:
    """The site's own URL, for links in bodies."""
    site = site_of(request)
    return f"{request.scope.get('scheme', 'http')}://{request.headers['host']}/{site.tenant}/{site.vendor}"


def _holder(record: Record, path: str) -> tuple[Any, str]:
    way, _, name = path.rpartition(".")
    return (read(record, way) if way else record), name


def _retyped(value: Any, to: str) -> Any:
    if to == "number":
        return len(value) if isinstance(value, (str, list, dict)) else float(value or 0)
    if to == "boolean":
        return bool(value)
    if to == "object":
        return {"value": value}
    if to == "array":
        return [value]
    return None if value is None else str(value)
