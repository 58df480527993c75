"""What the tests of the warehouse share: events written as the canonical step writes them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import insert, null

from core.ontology import Ontology, load_ontology
from resources.database import Database
from resources.settings import Settings
from resources.tables import canonical_streams
from resources.warehouse import ViewReport, advance_views

SET_ID = "11111111-1111-1111-1111-111111111111"


@dataclass
class Event:
    """One canonical event; ``data`` None deletes the record."""

    record_id: str
    data: dict[str, Any] | None = field(default_factory=dict)
    entity: str = "account"
    connector: str = "hubspot"
    stream: str = "companies"
    unknown: dict[str, Any] | None = None


Writer = Callable[[Sequence[Event]], None]
Advance = Callable[[], ViewReport]


@pytest.fixture(scope="session")
def ontology() -> Ontology:
    return load_ontology()


@pytest.fixture
def write_events(database: Database, tenant: str) -> Writer:
    """Append events of the tenant in the order given, in one transaction."""

    def write(events: Sequence[Event]) -> None:
        append_events(database, tenant, events)

    return write


def append_events(database: Database, tenant_id: str, events: Sequence[Event]) -> None:
    rows = [
        {
            "tenant_id": tenant_id,
            "event_id": str(uuid.uuid4()),
            "entity": event.entity,
            "connector": event.connector,
            "stream": event.stream,
            "record_id": event.record_id,
            "op": "delete" if event.data is None else "upsert",
            "data": event.data or {},
            "unknown_fields": null() if event.unknown is None else event.unknown,
            "content_hash": json.dumps(event.data, sort_keys=True),
            "set_id": SET_ID,
            "load_id": "1700000000.1",
        }
        for event in events
    ]
    if rows:
        with database.tenant(tenant_id) as conn:
            for row in rows:  # one by one: sequence numbers in this order
                conn.execute(insert(canonical_streams).values(**row))


@pytest.fixture
def advance(database: Database, settings: Settings, ontology: Ontology, tenant: str) -> Advance:
    return lambda: advance_views(database, settings, ontology, tenant)
