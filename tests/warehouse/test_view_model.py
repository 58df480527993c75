"""Property: however events come and however often views advance, the file equals a simple model."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from core.ontology import CanonicalField, Entity, Ontology
from resources.database import Database
from resources.settings import Settings
from resources.tenants import add_tenant
from resources.warehouse import advance_views, rebuild_views
from tests.warehouse.conftest import Event, append_events
from tests.warehouse.test_views import read

ENTITIES = ("account", "order")
FIELDS = {
    "name": CanonicalField("name", "string", "Name"),
    "employee_count": CanonicalField("employee_count", "integer", "People"),
}
ONTOLOGY = Ontology({name: Entity(name, "test", "test", "A thing", FIELDS) for name in ENTITIES}, "test")

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
ESCAPES = st.text("\\nNtrb\t\n\r\"',x", max_size=6)
KEYS = st.sampled_from(["a", "b", "c", 'd"\\', "e\tf", "g\nh", "\\N"])
UNKNOWN = st.none() | st.dictionaries(TEXT | ESCAPES, TEXT | ESCAPES, max_size=2)
Rows = set[tuple[Any, ...]]


@st.composite
def events(draw: st.DrawFn) -> Event:
    data: dict[str, Any] | None = None
    if draw(st.integers(0, 3)):
        data = {"name": draw(TEXT | ESCAPES), "employee_count": draw(st.none() | st.integers(-5, 5))}
    entity, connector = draw(st.sampled_from(ENTITIES)), draw(st.sampled_from(["hubspot", "stripe"]))
    return Event(draw(KEYS), data, entity, connector, unknown=draw(UNKNOWN))


def model(history: Sequence[Event], entity: str) -> Rows:
    """The newest event of each record; gone if it deletes."""
    newest = {(e.connector, e.stream, e.record_id): e for e in history if e.entity == entity}
    return {
        (*key, e.data["name"], e.data["employee_count"], e.unknown is None)
        for key, e in newest.items()
        if e.data is not None
    }


def view(path: Path, entity: str) -> Rows:
    columns = "_connector, _stream, _record_id, name, employee_count, _unknown_fields IS NULL"
    rows = read(path, f"SELECT {columns} FROM views.{entity}")
    assert len(rows) == len(set(rows))
    return set(rows)


@examples(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=st.lists(st.lists(events(), max_size=8), min_size=1, max_size=4))
def test_views_equal_the_model(database: Database, settings: Settings, steps: list[list[Event]]) -> None:
    tenant = f"m-{uuid.uuid4().hex[:12]}"
    add_tenant(database, tenant, "", "tester")
    history: list[Event] = []
    for step in steps:
        append_events(database, tenant, step)
        history += step
        report = advance_views(database, settings, ONTOLOGY, tenant)
        for entity in ENTITIES:
            assert view(report.path, entity) == model(history, entity)
            assert report.views[entity].rows == len(model(history, entity))
    advanced = [read(report.path, f"FROM views.{entity} ORDER BY ALL") for entity in ENTITIES]
    rebuild_views(database, settings, ONTOLOGY, tenant)
    assert [read(report.path, f"FROM views.{entity} ORDER BY ALL") for entity in ENTITIES] == advanced
