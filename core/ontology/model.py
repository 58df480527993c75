"""Types of the canonical model. Frozen; built and checked by ``core/ontology/reader.py``."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from core.errors import UnknownName

FIELD_TYPES = (
    "string",
    "url",
    "email",
    "phone",
    "country",
    "enum",
    "boolean",
    "integer",
    "number",
    "currency",
    "date",
    "datetime",
)
"""The closed list. ``currency`` is an amount in major units (decimal); ``datetime`` has a time zone."""

TEXT_TYPES = frozenset({"string", "url", "email", "phone", "country", "enum"})
"""Types whose canonical value is text."""

NUMBER_TYPES = frozenset({"integer", "number", "currency"})

FORMATS = ("domain", "iban", "arn", "iso_4217", "iana_timezone", "bcp_47")
"""Formats a text field may promise; data-quality checks test them, loading does not."""


def suggest_near(name: str, known: Iterable[str]) -> str | None:
    """``did you mean 'x' or 'y'?`` for the nearest known names, else None."""
    near = difflib.get_close_matches(name, list(known), n=3, cutoff=0.6)
    return f"Did you mean {' or '.join(map(repr, near))}?" if near else None


@dataclass(frozen=True)
class CanonicalField:
    """One field of an entity.

    ``identity`` marks what identifies the real-world thing (not the record): a domain, an address of
    e-mail, a tax number. It is evidence, not a unique key. ``references`` are the entities an id may
    point to. ``enum`` are the canonical values; when ``open``, vendors may add their own.
    ``currency`` names the sibling field that holds an amount's currency code. ``aliases`` are what vendors
    call it; ``opposites`` what they call its negation, to be mapped with ``invert_boolean``.
    """

    name: str
    type: str
    description: str
    required: bool = False
    identity: bool = False
    pii: bool = False
    references: tuple[str, ...] = ()
    enum: tuple[str, ...] = ()
    open: bool = False
    unit: str | None = None
    currency: str | None = None
    format: str | None = None
    min: float | None = None
    max: float | None = None
    aliases: tuple[str, ...] = ()
    opposites: tuple[str, ...] = ()

    @property
    def is_closed(self) -> bool:
        """Whether only the values of ``enum`` are allowed."""
        return self.type == "enum" and bool(self.enum) and not self.open


@dataclass(frozen=True, eq=False)
class Entity:
    """A canonical entity. ``owner`` is the team that answers for its meaning. Equal only to itself."""

    name: str
    domain: str
    owner: str
    description: str
    fields: Mapping[str, CanonicalField]
    aliases: tuple[str, ...] = ()

    def field(self, name: str) -> CanonicalField:
        """The field of that name, else UnknownName with the nearest ones."""
        found = self.fields.get(name)
        if found is None:
            raise UnknownName(
                f"entity {self.name!r} has no field {name!r}", remedy=suggest_near(name, self.spellings)
            )
        return found

    @cached_property
    def required(self) -> tuple[str, ...]:
        """Names of the fields every record must fill."""
        return tuple(f.name for f in self.fields.values() if f.required)

    @cached_property
    def spellings(self) -> Mapping[str, str]:
        """Field name by every spelling: names and aliases, not opposites. Unambiguous in the entity."""
        names = {f.name: f.name for f in self.fields.values()}
        aliases = {alias: f.name for f in self.fields.values() for alias in f.aliases}
        return MappingProxyType(aliases | names)


@dataclass(frozen=True, eq=False)
class Ontology:
    """All entities, and a fingerprint that changes when any definition does."""

    entities: Mapping[str, Entity]
    fingerprint: str

    def entity(self, name: str) -> Entity:
        """The entity of that name, else UnknownName with the nearest ones."""
        found = self.entities.get(name)
        if found is None:
            raise UnknownName(
                f"no canonical entity {name!r}",
                remedy=suggest_near(name, self.entities) or "docs/ontology.md lists them",
            )
        return found
