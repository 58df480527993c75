"""Events as documents: what the canonical step writes is valid, what belongs elsewhere is refused."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.compile import compile_projection
from core.errors import RecordRefused, UnknownName
from core.events import event_model, event_of_row, event_schema, read_event
from core.mapping import FieldMapping, MappingSet
from core.ontology import CanonicalField, Entity, load_ontology

ONTOLOGY = load_ontology()


def build_event(entity: str, data: dict[str, Any], op: str = "upsert") -> dict[str, Any]:
    return {
        "meta": {
            "event_id": "5f0f5c2e-6f0b-5b0e-9a53-8a3f6a3f2c11",
            "tenant_id": "acme",
            "set_id": "5f0f5c2e-6f0b-5b0e-9a53-8a3f6a3f2c12",
            "load_id": "1700000000.1",
            "emitted_at": "2024-05-01T12:00:00.123456Z",
        },
        "source": {"connector": "hubspot", "stream": "companies", "record_id": "1"},
        "entity": entity,
        "op": op,
        "data": data,
        "unknown_fields": {"properties": {"x": [1, None]}},
    }


ACCOUNT = {
    "id": "1",
    "name": "Acme",
    "annual_revenue": 12.5,
    "employee_count": 3,
    "is_deleted": False,
    "created_at": "2024-05-01T12:00:00Z",
}


def test_an_event_reads_back_with_its_types() -> None:
    event = read_event(build_event("account", ACCOUNT), ONTOLOGY)
    data = event.data.model_dump(exclude_none=True)
    assert data["created_at"] == dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC)
    assert str(data["annual_revenue"]) == "12.5"
    assert event.unknown_fields == {"properties": {"x": [1, None]}}
    with pytest.raises(ValueError, match="frozen"):
        event.op = "delete"


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"entity": "contact"}, r"^data\.annual_revenue: Extra inputs are not permitted"),
        ({"data": {"name": "Acme"}}, r"an upsert of account needs data\.id"),
        ({"data": {"id": 1}}, r"^data\.id: "),
        ({"data": {"id": "1", "employee_count": "3"}}, r"^data\.employee_count: "),
        ({"data": {"id": "1", "is_deleted": "false"}}, r"^data\.is_deleted: "),
        ({"data": {"id": "1", "created_at": "2024-05-01T12:00:00"}}, r"^data\.created_at: "),
        ({"data": {"id": "1", "website": ""}}, r"^data\.website: "),
        ({"op": "update"}, r"^op: "),
        ({"unknown_fields": []}, r"^unknown_fields: "),
        ({"extra": 1}, r"^extra: "),
        ({"meta": {}}, r"^meta\.event_id: "),
        ({"source": {"connector": "Hub Spot", "stream": "s", "record_id": "1"}}, r"^source\.connector: "),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, Any], where: str) -> None:
    with pytest.raises(RecordRefused, match=where):
        read_event(build_event("account", ACCOUNT) | change, ONTOLOGY)


def test_an_entity_that_is_none_is_refused() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'account'"):
        read_event(build_event("acount", ACCOUNT), ONTOLOGY)
    with pytest.raises(RecordRefused, match=r"^entity: "):
        read_event("{}", ONTOLOGY)
    with pytest.raises(RecordRefused):
        read_event("no json", ONTOLOGY)


def test_a_closed_list_is_closed() -> None:
    line = {"billed_cost": 1, "charge_period_start": "2024-05-01T00:00:00Z"}
    read_event(build_event("cost_line", line | {"charge_category": "usage"}), ONTOLOGY)
    with pytest.raises(RecordRefused, match=r"^data\.charge_category: .*'usage', 'purchase'"):
        read_event(build_event("cost_line", line | {"charge_category": "Usage"}), ONTOLOGY)


def test_a_delete_needs_no_fields() -> None:
    assert read_event(build_event("account", {}, "delete"), ONTOLOGY).op == "delete"


@pytest.mark.parametrize("entity", ONTOLOGY.entities.values(), ids=lambda entity: entity.name)
def test_every_entity_has_a_model_and_a_schema(entity: Entity) -> None:
    model = event_model(entity)
    assert event_model(entity) is model
    schema = event_schema(entity)
    json.dumps(schema)
    data = schema["$defs"][schema["properties"]["data"]["$ref"].rpartition("/")[2]]
    assert list(data["properties"]) == list(entity.fields)
    assert schema["properties"]["entity"]["const"] == entity.name
    marked = {name for name, field in data["properties"].items() if field.get("x-pii")}
    assert marked == {field.name for field in entity.fields.values() if field.pii}


_TEXT = st.text(alphabet=st.characters(codec="utf-8"), max_size=12)
_NUMBERS = st.one_of(
    st.integers(-(10**17), 10**17).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(str),
    st.decimals(-(10**9), 10**9, places=6).map(str),
    st.sampled_from(["+1.50", "1e5", ".5", "007", "-0", " 12 "]),
)
_TIMES = st.one_of(
    st.datetimes().map(dt.datetime.isoformat),
    st.datetimes(timezones=st.timezones()).map(dt.datetime.isoformat),
    st.dates().map(dt.date.isoformat),
)
_BY_TYPE: dict[str, st.SearchStrategy[str]] = {
    "boolean": st.sampled_from(["true", "False", "0", "yes", " 1 "]),
    "integer": st.one_of(st.integers(-(10**17), 10**17).map(str), st.just("3.0")),
    "number": _NUMBERS,
    "currency": _NUMBERS,
    "date": _TIMES,
    "datetime": _TIMES,
}


def _pick_fields(entity: Entity) -> list[CanonicalField]:
    """What is required, then one field of each type: planning fifty casts takes DuckDB a second."""
    fields = list(entity.fields.values())
    by_type = {field.type: field for field in fields}
    required = [field for field in fields if field.required]
    closed = [field for field in fields if field.is_closed][:1]
    return list(dict.fromkeys([*required, *closed, *by_type.values()]))


def _spell(field: CanonicalField) -> st.SearchStrategy[str | None]:
    """Spellings a source may use for the field: mostly right, now and then anything, or nothing."""
    usual = st.sampled_from(field.enum) if field.is_closed else _BY_TYPE.get(field.type, _TEXT)
    return st.integers(0, 19).flatmap(lambda dice: (st.none(), _TEXT)[dice] if dice < 2 else usual)


def _loads(entity: Entity) -> st.SearchStrategy[tuple[Entity, list[tuple[str | None, ...]]]]:
    row = st.tuples(*(_spell(field) for field in _pick_fields(entity)), _TEXT)
    return st.tuples(st.just(entity), st.lists(row, min_size=1, max_size=8))


@pytest.fixture(scope="module")
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as conn:
        conn.execute("SET TimeZone = 'UTC'; SET threads = 1")
        yield conn


@settings(max_examples=30, deadline=None)
@given(load=st.sampled_from(["account", "cost_line", "invoice"]).map(ONTOLOGY.entity).flatmap(_loads))
def test_whatever_canonical_writes_is_a_valid_event(
    engine: duckdb.DuckDBPyConnection, load: tuple[Entity, list[tuple[str | None, ...]]]
) -> None:
    entity, rows = load
    names = [field.name for field in _pick_fields(entity)]
    mappings = tuple(FieldMapping(name, (name,), "cast") for name in names)
    mapping_set = MappingSet("s", "acme", "c", "s", 1, entity.name, mappings)
    columns = [*names, "left_over"]
    table = pa.table(
        {name: pa.array([row[i] for row in rows], pa.string()) for i, name in enumerate(columns)}
    )
    engine.register("load", table)
    sql = compile_projection(mapping_set, entity, columns, primary_key=names[:1]).sql
    written = engine.execute(f"SELECT op, data, unknown_fields FROM ({sql}) WHERE code IS NULL").fetchall()
    for op, data, unknown in written:
        event = build_event(entity.name, json.loads(data), op)
        event["unknown_fields"] = unknown and json.loads(unknown)
        read_event(event, ONTOLOGY)


def test_a_row_of_the_stream_becomes_a_document() -> None:
    document = build_event("account", ACCOUNT)
    row = {**document["meta"], **document["source"]} | {
        key: document[key] for key in ("entity", "op", "data", "unknown_fields")
    }
    row["emitted_at"] = dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC)
    event = read_event(event_of_row(row), ONTOLOGY)
    assert event.source.record_id == "1"
    assert event.meta.emitted_at.year == 2024
