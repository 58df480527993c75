"""What a view looks like: its columns, their SQL types and the fingerprint that tells an older layout.

Pure. Who fills the tables is ``resources/view_builder.py``.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from core.ontology import Entity

LAYOUT_VERSION = 1
"""Raise it when a published file has to be rebuilt although no column changed."""

VIEWS_SCHEMA = "views"
META_SCHEMA = "mesh"

SQL_TYPES = {
    "string": "VARCHAR",
    "url": "VARCHAR",
    "email": "VARCHAR",
    "phone": "VARCHAR",
    "country": "VARCHAR",
    "enum": "VARCHAR",
    "boolean": "BOOLEAN",
    "integer": "BIGINT",
    "number": "DOUBLE",
    "currency": "DECIMAL(38,12)",  # unit prices of cloud bills have twelve decimals
    "date": "DATE",
    "datetime": "TIMESTAMPTZ",
}


@dataclass(frozen=True)
class ViewColumn:
    """One column: SQL type, what it means, and the event's key it is filled from (None = provenance)."""

    name: str
    sql_type: str
    description: str
    field: str | None = None


PROVENANCE = (
    ViewColumn("_connector", "VARCHAR", "Connector the record came from"),
    ViewColumn("_stream", "VARCHAR", "Stream of the connector"),
    ViewColumn("_record_id", "VARCHAR", "Key of the record in its stream"),
    ViewColumn("_seq", "BIGINT", "Position of the event among the tenant's events"),
    ViewColumn("_event_id", "UUID", "Event that holds this state"),
    ViewColumn("_set_id", "UUID", "Mapping set that made the event"),
    ViewColumn("_load_id", "VARCHAR", "Load the event was made from"),
    ViewColumn("_updated_at", "TIMESTAMPTZ", "Time the event was emitted"),
    ViewColumn("_unknown_fields", "JSON", "Source fields without a mapping, as they came"),
)
"""Columns every view has after its canonical fields."""

KEY = ("_connector", "_stream", "_record_id")


def list_columns(entity: Entity) -> tuple[ViewColumn, ...]:
    """Columns of the entity's view, in order: canonical fields, then provenance."""
    fields = tuple(
        ViewColumn(field.name, SQL_TYPES[field.type], field.description, field.name)
        for field in entity.fields.values()
    )
    return fields + PROVENANCE


def fingerprint_layout(entity: Entity) -> str:
    """SHA-256 (hex) over the layout version and every column's name and type."""
    facts = [LAYOUT_VERSION, [[c.name, c.sql_type] for c in list_columns(entity)]]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()
