"""Mapping sets as YAML, for people and for version control; what is written is read back exactly.

The words are those of a connector config (``from``, ``transform``, ``args``). A mapping that this YAML
cannot spell (a number of thirty digits, a control character) is written as JSON text instead.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

from core.baseline import check_mappings, unknown_target, usual_transform
from core.errors import ConfigError, MappingRefused
from core.mapping import FieldMapping, MappingSet, Transform, fingerprint_mappings
from core.names import Path, check_identifier, join_name
from core.ontology.model import Entity, Ontology, suggest_near
from core.strict_yaml import Document, read_yaml

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
_FACTS = ("from", "transform", "args", "confidence", "origin")
_HEAD = ("connector", "stream", "entity", "mappings")
WRITTEN = "yaml"
"""Origin of a mapping whose file names none."""


@dataclass(frozen=True)
class SetFile:
    """What a file says: the checked mappings of one stream, by target."""

    connector: str
    stream: str
    entity: Entity
    mappings: tuple[FieldMapping, ...]

    @property
    def key(self) -> tuple[str, str]:
        """(connector, stream)."""
        return self.connector, self.stream

    @property
    def fingerprint(self) -> str:
        """As a mapping set's."""
        return fingerprint_mappings(self.entity.name, self.mappings)


def write_set(one: MappingSet) -> str:
    """The set as YAML text."""
    lines = [
        f"connector: {_spell(one.connector)}",
        f"stream: {_spell(one.stream)}",
        f"entity: {_spell(one.entity)}",
        "mappings:" if one.mappings else "mappings: {}",
    ]
    for mapping in sorted(one.mappings, key=lambda m: m.target):
        lines += _write_mapping(mapping)
    return "\n".join(lines) + "\n"


def _write_mapping(mapping: FieldMapping) -> list[str]:
    facts = _list_facts(mapping)
    lines = [f"  {_spell(mapping.target)}:"]
    lines += [f"    {name}: {_write_value(name, value)}" for name, value in facts.items()]
    if _survives("\n".join(lines), {mapping.target: facts}):
        return lines
    # JSON escapes everything a YAML scalar may not hold, but for DEL
    text = json.dumps(facts, ensure_ascii=True).replace("\x7f", "\\u007f")
    return [f"  {_spell(mapping.target)}: {json.dumps(text)}"]


def _list_facts(mapping: FieldMapping) -> dict[str, Any]:
    sources: Any = mapping.sources[0] if len(mapping.sources) == 1 else list(mapping.sources)
    facts: dict[str, Any] = {"from": sources, "transform": mapping.transform}
    if mapping.args:
        facts["args"] = mapping.args
    return facts | {"confidence": mapping.confidence, "origin": mapping.origin}


def _write_value(name: str, value: Any) -> str:
    return _spell(value) if name in ("from", "transform", "origin") else json.dumps(value, ensure_ascii=False)


def _spell(value: str | list[str]) -> str:
    """A text as a person would write it, quoted where YAML would take it for something else."""
    if isinstance(value, list):
        return f"[{', '.join(json.dumps(one, ensure_ascii=False) for one in value)}]"
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return json.dumps(value, ensure_ascii=False)


def _survives(text: str, facts: dict[str, Any]) -> bool:
    try:
        read = read_yaml(text, "").data
    except ConfigError:
        return False
    return json.dumps(read, sort_keys=True) == json.dumps(facts, sort_keys=True)


def read_set_file(text: str, file: str, ontology: Ontology) -> SetFile:
    """Read and check one set. ConfigError or MappingRefused name file, line and field of what is wrong."""
    document = read_yaml(text, file)
    said = document.data
    if not isinstance(said, dict):
        raise ConfigError("no mapping set", expected=f"the keys {', '.join(_HEAD)}", where=document.where(()))
    _refuse_strange(document, (), said, _HEAD)
    connector = check_identifier(_read_text(document, ("connector",)), "connector")
    stream = check_identifier(_read_text(document, ("stream",)), "stream")
    entity = _find_entity(document, ontology)
    given = said.get("mappings")
    if not isinstance(given, dict):
        raise ConfigError("no mappings", expected="canonical fields", where=document.where(("mappings",)))
    mappings = tuple(_read_mapping(document, target, entity) for target in sorted(given))
    try:
        check_mappings(mappings, entity, join_name(connector, stream))
    except MappingRefused as error:
        error.add_note(f"in {file}")
        raise
    return SetFile(connector, stream, entity, mappings)


def _find_entity(document: Document, ontology: Ontology) -> Entity:
    name = _read_text(document, ("entity",))
    found = ontology.entities.get(name)
    if found is None:
        raise ConfigError(
            f"no canonical entity {name!r}",
            where=document.where(("entity",)),
            remedy=suggest_near(name, ontology.entities),
        )
    return found


def _read_mapping(document: Document, target: str, entity: Entity) -> FieldMapping:
    at: Path = ("mappings", target)
    facts = _read_facts(document, at)
    field = entity.fields.get(target)
    if field is None:
        problem = unknown_target(target, entity)
        raise ConfigError(problem.problem, where=document.where(at), remedy=problem.remedy)
    transform = facts.get("transform") or usual_transform(field)
    args, origin = facts.get("args", {}), facts.get("origin", WRITTEN)
    for name, value, kind in (("transform", transform, str), ("args", args, dict), ("origin", origin, str)):
        if not isinstance(value, kind):
            raise ConfigError(f"{name} cannot be {value!r}", where=document.where((*at, name)))
    # the closed list is checked by check_mappings; the cast only tells the type checker
    sources, confidence = _read_sources(document, at, facts), _read_confidence(document, at, facts)
    return FieldMapping(target, sources, cast(Transform, transform), args, confidence, origin)


def _read_sources(document: Document, at: Path, facts: dict[str, Any]) -> tuple[str, ...]:
    said = facts.get("from", [])
    sources = [said] if isinstance(said, str) else said
    if not isinstance(sources, list) or not all(isinstance(one, str) for one in sources):
        place = document.where((*at, "from"))
        raise ConfigError("no source", expected="a field path or a list of them", where=place)
    return tuple(sources)


def _read_confidence(document: Document, at: Path, facts: dict[str, Any]) -> float:
    value = facts.get("confidence", 1.0)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        place = document.where((*at, "confidence"))
        raise ConfigError("confidence is a number", expected="0 to 1", where=place)
    return float(value)


def _read_facts(document: Document, at: Path) -> dict[str, Any]:
    said = _look(document, at)
    if isinstance(said, str) and said.startswith("{"):
        try:
            said = json.loads(said)
        except ValueError:
            raise ConfigError("not JSON", found=said[:80], where=document.where(at)) from None
    elif isinstance(said, (str, list)):
        said = {"from": said}
    if not isinstance(said, dict):
        raise ConfigError("no mapping", expected="from, transform, args", where=document.where(at))
    _refuse_strange(document, at, said, _FACTS)
    return said


def _refuse_strange(document: Document, at: Path, said: dict[str, Any], known: Iterable[str]) -> None:
    for name in said:
        if name not in known:
            raise ConfigError(
                f"unknown key {name!r}",
                expected=", ".join(known),
                where=document.where((*at, name)),
                remedy=suggest_near(name, known),
            )


def _read_text(document: Document, at: Path) -> str:
    value = _look(document, at)
    if not isinstance(value, str):
        raise ConfigError(f"no {at[-1]}", expected="a name", where=document.where(at))
    return value


def _look(document: Document, at: Path) -> Any:
    value = document.data
    for part in at:
        value = value.get(part) if isinstance(value, dict) else None
    return value
