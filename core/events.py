"""The canonical event as a document: pydantic models generated from the ontology, and their JSON schema.

For readers, documentation and tests. The hot path writes events set-wise (``core/compile.py``) and does not
come through here; that what it writes validates here is a test.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Literal, Self, cast
from uuid import UUID

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
    create_model,
    model_validator,
)
from pydantic.config import JsonDict

from core.errors import RecordRefused
from core.names import IDENTIFIER
from core.ontology.model import CanonicalField, Entity, Ontology

Name = Annotated[str, StringConstraints(pattern=IDENTIFIER.pattern)]
Text = Annotated[str, StringConstraints(min_length=1)]
_STRICT = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

VALUE_TYPES: dict[str, Any] = {
    "string": str,
    "url": Text,
    "email": Text,
    "phone": Text,
    "country": Text,
    "enum": Text,
    "boolean": bool,
    "integer": int,
    "number": float,
    "currency": Annotated[Decimal, WithJsonSchema({"type": "number"})],
    "date": dt.date,
    "datetime": AwareDatetime,
}
"""Python type of each canonical type. In JSON, numbers and amounts are numbers, times ISO 8601 texts."""


class Meta(BaseModel):
    """Where an event stands in the mesh: whose it is, which load and mapping set made it, when."""

    model_config = _STRICT

    event_id: UUID
    tenant_id: Name
    set_id: UUID
    load_id: Text
    schema_version: Annotated[int, Field(ge=1)] | None = None
    emitted_at: AwareDatetime


class Source(BaseModel):
    """Which record of which source an event is about."""

    model_config = _STRICT

    connector: Name
    stream: Name
    record_id: Text


class Data(BaseModel):
    """Base of the generated data models: an entity's fields, none of another's. Absent means no value."""

    model_config = _STRICT


class CanonicalEvent(BaseModel):
    """Base of the generated event models. An upsert carries what the entity requires; a delete need not."""

    model_config = _STRICT
    required_fields: ClassVar[tuple[str, ...]] = ()

    meta: Meta
    source: Source
    entity: str
    op: Literal["upsert", "delete"]
    data: Data
    unknown_fields: dict[str, JsonValue] | None = None

    @model_validator(mode="after")
    def _carries_what_is_required(self) -> Self:
        if self.op == "upsert":
            lacking = [name for name in self.required_fields if getattr(self.data, name) is None]
            if lacking:
                raise ValueError(f"an upsert of {self.entity} needs data.{', data.'.join(lacking)}")
        return self


@lru_cache(maxsize=256)
def event_model(entity: Entity) -> type[CanonicalEvent]:
    """The event model of an entity, made once. Its ``data`` takes the entity's fields and no others."""
    name = "".join(part.capitalize() for part in entity.name.split("_"))
    fields: dict[str, Any] = {field.name: _build_field(field) for field in entity.fields.values()}
    data = create_model(f"{name}Data", __base__=Data, __doc__=entity.description, **fields)
    model = create_model(
        f"{name}Event",
        __base__=CanonicalEvent,
        __doc__=entity.description,
        entity=(cast(Any, Literal[entity.name]), ...),
        data=(data, ...),
    )
    model.required_fields = entity.required
    return model


def read_event(event: Mapping[str, Any] | str | bytes, ontology: Ontology) -> CanonicalEvent:
    """Validate an event (JSON text, or data as JSON gives it) against the model of its entity.

    Raises UnknownName for an entity that is none, RecordRefused naming the first field that is wrong.
    """
    text = json.dumps(event) if isinstance(event, Mapping) else event
    try:
        entity = _Entity.model_validate_json(text).entity
        return event_model(ontology.entity(entity)).model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "event"
        raise RecordRefused(first["msg"], where=where) from error


def event_of_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """The document of a row of ``canonical_streams``, as JSON data."""
    return {
        "meta": {
            "event_id": str(row["event_id"]),
            "tenant_id": row["tenant_id"],
            "set_id": str(row["set_id"]),
            "load_id": row["load_id"],
            "emitted_at": row["emitted_at"].isoformat(),
        },
        "source": {name: row[name] for name in ("connector", "stream", "record_id")},
        "entity": row["entity"],
        "op": row["op"],
        "data": row["data"],
        "unknown_fields": row["unknown_fields"],
    }


def event_schema(entity: Entity) -> dict[str, Any]:
    """JSON schema (2020-12) of the entity's events; ``x-`` keys carry what the ontology adds."""
    schema = event_model(entity).model_json_schema()
    upsert = {"properties": {"op": {"const": "upsert"}}}
    filled = {"properties": {"data": {"required": list(entity.required)}}}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "if": upsert, "then": filled}


class _Entity(BaseModel):
    """The one key that tells which model an event is of."""

    entity: str


def _build_field(field: CanonicalField) -> tuple[Any, Any]:
    values = Literal[field.enum] if field.is_closed else VALUE_TYPES[field.type]
    facts: dict[str, Any] = {
        "x-type": field.type,
        "x-identity": field.identity,
        "x-pii": field.pii,
        "x-references": list(field.references),
        "x-unit": field.unit,
        "x-format": field.format,
        "examples": list(field.enum) if field.open else [],
    }
    extra: JsonDict = {key: value for key, value in facts.items() if value}
    return values | None, Field(default=None, description=field.description, json_schema_extra=extra)
