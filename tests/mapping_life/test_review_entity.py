"""A review asks first which entity an undeclared stream is; then its fields."""

from __future__ import annotations

from typing import Any

import pytest

from core.schema import FieldSchema, TableSchema
from resources.embeddings import load_embedder
from resources.registry import active_set
from resources.schema_versions import record_schema
from resources.stream_entities import list_entities
from tests.mapping_life.conftest import Steward, people

STREAM = ("shop", "orders")
FIELDS = ("id", "order_number", "total_price", "currency", "customer_id", "created_at", "zodiac_blob")


@pytest.fixture
def place(steward: Steward) -> str:
    """A tenant whose stream of orders was proposed under a guess."""
    if load_embedder() is None:
        pytest.skip("the embedding model is not installed")
    steward.stage.land(people(3))
    steward.stage.advance()
    schema = TableSchema(tuple(FieldSchema(one, ("string",), True) for one in FIELDS))
    with steward.mesh.db.tenant(steward.tenant) as conn:
        record_schema(conn, steward.tenant, *STREAM, schema, "1")
    assert steward.json("propose", steward.tenant, *STREAM)["applied"] == 0
    return steward.tenant


def read_guess(steward: Steward) -> dict[str, Any]:
    (found,) = steward.json("entity", steward.tenant, *STREAM)
    return dict(found)


def test_accepted_then_what_is_sure_applies(steward: Steward, place: str) -> None:
    assert (read_guess(steward)["entity"], read_guess(steward)["status"]) == ("order", "proposed")
    done = steward.run("review", place, *STREAM, "--user", "eve", keys="a\nq\n")
    assert done.exit_code == 0, (done.output, done.exception)
    assert "entity 1 of 1 · shop/orders" in done.output
    assert "order_number, total_price" in done.output
    assert "Confirmed: shop/orders" in done.output
    held = active_set(steward.mesh.db, place, *STREAM)
    assert held is not None
    assert held.entity == "order"
    assert read_guess(steward)["decided_by"] == "eve"
    assert {"entity.decided"} <= {one["action"] for one in steward.json("history", place, *STREAM)}


def test_skipped_its_fields_are_not_asked(steward: Steward, place: str) -> None:
    done = steward.run("review", place, *STREAM, keys="s\n")
    assert done.exit_code == 0, (done.output, done.exception)
    assert "1 of " not in done.output.replace("entity 1 of 1", "")
    assert [one.status for one in list_entities(steward.mesh.db, place)] == ["proposed"]


def test_another_one_by_name(steward: Steward, place: str) -> None:
    done = steward.run("review", place, *STREAM, keys="e\nordre\ne\ninvoice\nq\n")
    assert "Did you mean" in done.output
    assert read_guess(steward)["entity"] == "invoice"
    assert "fills invoice already" in str(steward.refused("entity", place, *STREAM, "--none"))


def test_a_stream_without_entity_is_not_asked_again(steward: Steward, place: str) -> None:
    assert steward.run("review", place, *STREAM, keys="n\n").exit_code == 0
    assert read_guess(steward)["status"] == "none"
    assert steward.json("propose", place, *STREAM)["proposals"] == []


def test_a_bound_counts_for_the_entity_too(steward: Steward, place: str) -> None:
    sure = read_guess(steward)["confidence"]
    left = steward.run("review", place, *STREAM, "--accept-above", "1.0")
    assert "which entity it is has to be confirmed" in left.output
    done = steward.json("review", place, *STREAM, "--accept-above", str(sure - 0.01))
    assert read_guess(steward)["status"] == "confirmed"
    assert done["left"] == [] or all("shop/orders" in one for one in done["left"])
    assert active_set(steward.mesh.db, place, *STREAM) is not None


def test_what_decides_nothing_is_refused(steward: Steward, place: str) -> None:
    assert "decides nothing" in str(steward.refused("entity", place, "shop", "orders", "order", "--none"))
    assert "no canonical entity" in str(steward.refused("entity", place, "shop", "orders", "contract"))
    assert "not in question" in str(steward.refused("entity", place, "shop", "accounts", "account"))
