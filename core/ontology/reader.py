"""Reads ontology files, strictly: what is not understood is refused with file and line.

Only the shape of the files is known here; what the words mean is in ``core/ontology/model.py``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn

import yaml

from core.errors import ConfigError
from core.ontology.model import (
    FIELD_TYPES,
    FORMATS,
    NUMBER_TYPES,
    TEXT_TYPES,
    CanonicalField,
    Entity,
    Ontology,
    suggest_near,
)

NAME = re.compile(r"^[a-z][a-z0-9_]{0,62}$")
ALIAS = re.compile(r"^[a-z0-9][a-z0-9_]*$")
# Every scalar stays text, so `no`, `on` and 22:22 keep their spelling; libyaml is ten times faster.
_LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


@dataclass(slots=True)
class _Value:
    """A YAML node with the place it stands at, so that every complaint can name it."""

    node: yaml.Node
    file: str
    path: str

    def refuse(self, problem: str, *, expected: str | None = None, found: str | None = None) -> NoReturn:
        line = self.node.start_mark.line + 1
        where = f"{self.file}:{line}" + (f" ({self.path})" if self.path else "")
        raise ConfigError(problem, where=where, expected=expected, found=found)

    def _kind(self) -> str:
        if isinstance(self.node, yaml.ScalarNode):
            return repr(self.node.value) if self.node.value else "nothing"
        return "a list" if isinstance(self.node, yaml.SequenceNode) else "a mapping"

    def text(self) -> str:
        if not isinstance(self.node, yaml.ScalarNode) or not self.node.value:
            self.refuse("needs a text", found=self._kind())
        return str(self.node.value)

    def flag(self) -> bool:
        text = self.text()
        if text not in ("true", "false"):
            self.refuse("is a flag", expected="true or false", found=repr(text))
        return text == "true"

    def number(self) -> float:
        text = self.text()
        try:
            return float(text)
        except ValueError:
            self.refuse("is a number", found=repr(text))

    def items(self) -> tuple[_Value, ...]:
        if not isinstance(self.node, yaml.SequenceNode):
            self.refuse("needs a list", found=self._kind())
        return tuple(_Value(item, self.file, self.path) for item in self.node.value)

    def texts(self) -> tuple[str, ...]:
        texts: dict[str, None] = {}
        for item in self.items():
            text = item.text()
            if text in texts:
                item.refuse(f"names {text!r} twice")
            texts[text] = None
        return tuple(texts)

    def one_of(self, allowed: tuple[str, ...]) -> str:
        text = self.text()
        if text not in allowed:
            self.refuse("is not one of the closed list", expected=", ".join(allowed), found=repr(text))
        return text

    def name(self) -> str:
        text = self.text()
        if not NAME.match(text):
            self.refuse("is no usable name", expected="snake_case", found=repr(text))
        return text

    def entries(self) -> Iterator[tuple[str, _Value]]:
        if not isinstance(self.node, yaml.MappingNode):
            self.refuse("needs a mapping", found=self._kind())
        seen: set[str] = set()
        for key, value in self.node.value:
            name = _Value(key, self.file, self.path).text()
            inner = _Value(value, self.file, f"{self.path}.{name}" if self.path else name)
            if name in seen:
                inner.refuse("key stands twice")
            seen.add(name)
            yield name, inner

    def read(self, schema: dict[str, Callable[[_Value], Any]]) -> dict[str, Any]:
        """Read a mapping whose keys are exactly of ``schema``."""
        read: dict[str, Any] = {}
        for key, value in self.entries():
            if key not in schema:
                value.refuse(f"unknown key {key!r}", expected=", ".join(schema))
            read[key] = schema[key](value)
        return read


def _read_aliases(value: _Value) -> tuple[str, ...]:
    aliases = value.texts()
    for position, alias in enumerate(aliases):
        if not ALIAS.match(alias):
            value.items()[position].refuse("alias is not snake_case", found=repr(alias))
    return aliases


_FIELD: dict[str, Callable[[_Value], Any]] = {
    "type": lambda v: v.one_of(FIELD_TYPES),
    "description": _Value.text,
    "required": _Value.flag,
    "identity": _Value.flag,
    "pii": _Value.flag,
    "references": _Value.texts,
    "enum": _Value.texts,
    "open": _Value.flag,
    "unit": _Value.text,
    "currency": _Value.text,
    "format": lambda v: v.one_of(FORMATS),
    "min": _Value.number,
    "max": _Value.number,
    "aliases": _read_aliases,
    "opposites": _read_aliases,
}
_ONLY_FOR: dict[str, frozenset[str]] = {
    "enum": frozenset({"enum"}),
    "open": frozenset({"enum"}),
    "currency": frozenset({"currency"}),
    "unit": NUMBER_TYPES,
    "min": NUMBER_TYPES,
    "max": NUMBER_TYPES,
    "format": TEXT_TYPES,
    "references": frozenset({"string"}),
    "opposites": frozenset({"boolean"}),
}
"""Keys that make sense for some types only."""


def read_ontology(folder: Path) -> Ontology:
    """Read every ``*.yaml`` of ``folder``; raises ConfigError at the first thing that is wrong."""
    entities: dict[str, Entity] = {}
    roots: dict[str, _Value] = {}
    digest = hashlib.sha256()
    for file in sorted(folder.glob("*.yaml")):
        content = file.read_bytes()
        digest.update(content)
        root = _compose(content, file.name)
        entity = _read_entity(root)
        if entity.name != file.stem:
            root.refuse("entity and file name differ", expected=file.stem, found=entity.name)
        entities[entity.name], roots[entity.name] = entity, root
    if not entities:
        raise ConfigError("the ontology is empty", expected="*.yaml files, one an entity", where=str(folder))
    for entity in entities.values():
        _check_references(entity, entities, roots[entity.name])
    return Ontology(MappingProxyType(entities), digest.hexdigest())


def _compose(content: bytes, file: str) -> _Value:
    try:
        node = yaml.compose(content, _LOADER)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"is not YAML: {error.problem}", where=f"{file}:{line}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError("is not YAML in UTF-8", where=file) from error
    if node is None:
        raise ConfigError("is empty", expected="an entity", where=f"{file}:1")
    return _Value(node, file, "")


def _read_entity(root: _Value) -> Entity:
    read = root.read(
        {
            "entity": _Value.name,
            "domain": _Value.name,
            "owner": _Value.text,
            "description": _Value.text,
            "aliases": _read_aliases,
            "fields": lambda v: {name: _read_field(name, inner) for name, inner in v.entries()},
        }
    )
    for key in ("entity", "domain", "owner", "description", "fields"):
        if key not in read:
            root.refuse(f"key {key!r} is missing")
    entity = Entity(
        name=read["entity"],
        domain=read["domain"],
        owner=read["owner"],
        description=read["description"],
        aliases=read.get("aliases", ()),
        fields=MappingProxyType(read["fields"]),
    )
    _check_entity(entity, root)
    return entity


def _read_field(name: str, value: _Value) -> CanonicalField:
    if not NAME.match(name):
        value.refuse("field has no usable name", expected="snake_case", found=repr(name))
    read = value.read(_FIELD)
    for key in ("type", "description"):
        if key not in read:
            value.refuse(f"key {key!r} is missing")
    for key, types in _ONLY_FOR.items():
        if key in read and read["type"] not in types:
            fitting = " or ".join(sorted(types))
            value.refuse(f"{key!r} does not fit type {read['type']}", expected=f"type {fitting}")
    if read["type"] == "enum" and not read.get("open") and not read.get("enum"):
        value.refuse("a closed enum needs its values", expected="'enum' or 'open: true'")
    if any(text != text.lower() for text in read.get("enum", ())):
        value.refuse("enum values are lower case")
    if read.get("min", float("-inf")) > read.get("max", float("inf")):
        value.refuse("min is above max")
    return CanonicalField(name=name, **read)


def _check_entity(entity: Entity, root: _Value) -> None:
    """What only shows when the fields stand side by side."""
    places = _field_places(root)
    if not entity.required:
        root.refuse("no field is required", expected="'required: true' on at least one")
    owner: dict[str, str] = dict.fromkeys(entity.fields, "")
    for field in entity.fields.values():
        for alias in (*field.aliases, *field.opposites):
            if alias in owner:
                other = owner[alias] or alias
                places[field.name].refuse(f"alias {alias!r} belongs to field {other!r} already")
            owner[alias] = field.name
        sibling = entity.fields.get(field.currency) if field.currency else None
        if field.currency and (sibling is None or sibling.type != "enum"):
            places[field.name].refuse("'currency' names no enum field of the entity", found=field.currency)


def _check_references(entity: Entity, entities: dict[str, Entity], root: _Value) -> None:
    for field in entity.fields.values():
        for name in field.references:
            if name not in entities:
                near = suggest_near(name, entities) or ""
                _field_places(root)[field.name].refuse(f"refers to a missing entity {name!r}. {near}".strip())


def _field_places(root: _Value) -> dict[str, _Value]:
    fields = next(value for key, value in root.entries() if key == "fields")
    return dict(fields.entries())
