"""Baseline mappings: from the words of a config to field mappings that hold against the ontology.

Also the check every mapping set passes before it is published, whoever proposed it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NoReturn, cast

from core.connector import MappingSpec, StreamSpec
from core.errors import ConfigError, FixInput, MappingRefused
from core.mapping import FieldMapping, Transform
from core.ontology.model import TEXT_TYPES, CanonicalField, Entity, Ontology, suggest_near
from core.transforms import Problem, find_problem


def baseline_mappings(stream: StreamSpec, ontology: Ontology, where: str = "") -> tuple[FieldMapping, ...]:
    """The checked mappings of a stream's config, sorted by target; empty for a stream without any.

    ``where`` (``connector/stream``) begins each message. Raises ConfigError naming stream and field.
    """
    if stream.entity is None:
        return ()
    place = where or stream.title or stream.entity
    entity = _find_entity(stream.entity, ontology, place)
    mappings = []
    for target, spec in sorted(stream.mappings.items()):
        field = entity.fields.get(target)
        if field is None:
            _refuse(ConfigError, unknown_target(target, entity), f"{place}.mappings.{target}")
        mapping = _resolve(target, spec, field)
        problem = find_problem(mapping, field)
        if problem is not None:
            _refuse(ConfigError, problem, f"{place}.mappings.{target}")
        mappings.append(mapping)
    missing = _missing(mappings, entity) if mappings else None
    if missing is not None:
        _refuse(ConfigError, missing, f"{place}.mappings")
    return tuple(mappings)


def check_mappings(mappings: Iterable[FieldMapping], entity: Entity, where: str = "") -> None:
    """Raise MappingRefused unless the mappings can be a set of ``entity``.

    Every target exists and is filled once, every transform gets what it needs, required fields are
    filled.
    """
    mappings = tuple(mappings)
    place = where or entity.name
    seen: set[str] = set()
    for mapping in mappings:
        field = entity.fields.get(mapping.target)
        if field is None:
            problem: Problem | None = unknown_target(mapping.target, entity)
        elif mapping.target in seen:
            problem = Problem("two mappings fill the same field", expected="one")
        else:
            problem = find_problem(mapping, field)
        if problem is not None:
            _refuse(MappingRefused, problem, f"{place}.{mapping.target}")
        seen.add(mapping.target)
    missing = _missing(mappings, entity)
    if missing is not None:
        _refuse(MappingRefused, missing, place)


def unknown_target(target: str, entity: Entity) -> Problem:
    """The problem of a target that is no field of ``entity``, with the nearest fields."""
    owner = entity.spellings.get(target.lower())
    return Problem(
        f"entity {entity.name!r} has no field {target!r}",
        remedy=f"It is called {owner!r}" if owner else suggest_near(target, entity.fields),
    )


def _resolve(target: str, spec: MappingSpec, field: CanonicalField) -> FieldMapping:
    transform = spec.transform or usual_transform(field)
    # The closed list is checked by find_problem; the cast only tells the type checker.
    return FieldMapping(target, spec.from_, cast(Transform, transform), dict(spec.args))


def usual_transform(field: CanonicalField) -> str:
    """What a config means when it names no transform."""
    if field.is_closed:
        return "lower"
    return "direct" if field.type in TEXT_TYPES else "cast"


def _find_entity(name: str, ontology: Ontology, place: str) -> Entity:
    found = ontology.entities.get(name)
    if found is None:
        raise ConfigError(
            f"no canonical entity {name!r}",
            where=f"{place}.entity",
            remedy=suggest_near(name, ontology.entities) or "docs/ontology.md lists them",
        )
    return found


def _missing(mappings: Iterable[FieldMapping], entity: Entity) -> Problem | None:
    filled = {mapping.target for mapping in mappings}
    lacking = [name for name in entity.required if name not in filled]
    if not lacking:
        return None
    return Problem(
        f"entity {entity.name!r} requires {', '.join(map(repr, lacking))}, and nothing fills it",
        remedy="Map the stream's primary key to it" if lacking == ["id"] else None,
    )


def _refuse(kind: type[FixInput] | type[MappingRefused], problem: Problem, where: str) -> NoReturn:
    facts: dict[str, Any] = {"expected": problem.expected, "found": problem.found}
    raise kind(problem.problem, where=where, remedy=problem.remedy, **facts)
