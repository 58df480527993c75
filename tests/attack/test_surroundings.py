"""What the model says of one field changes nothing about another that is sure, not even its arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from core.config_reader import read_config
from core.llm.question import LlmAnswer, StreamQuestion
from resources.mapper import map_tenant
from resources.registry import active_set, publish_baselines
from tests.attack.conftest import Engine
from tests.mapper.tenants import land_fields

BOOKS = """
connector: books
title: Books
kind: rest
base_url: https://books.example
streams:
  ledgers:
    endpoint: {path: /ledgers}
    primary_key: [id]
    entity: ledger_account
    mappings: {id: id}
  prices:
    endpoint: {path: /prices}
    primary_key: [id]
    entity: price
    mappings: {id: id}
"""
LANDED = {
    "ledgers": ["balance_with_children_minor", "local_currency_type"],
    "prices": ["unit_price_cents", "local_currency_type", "old_currency"],
}
"""Amounts that are sure, beside fields that may hold their currency."""


def _lift(tenant: str, asked: StreamQuestion) -> list[LlmAnswer]:
    """A victim that makes one field the currency, and another none."""
    said = {"local_currency_type": "currency"}
    return [LlmAnswer(one.field, said.get(one.field), 1.0, "name") for one in asked.fields]


def _map(engine: Engine, ask: Any) -> dict[str, list[tuple[str, tuple[str, ...], str, dict[str, Any]]]]:
    spec = read_config(BOOKS, "books.yaml")
    publish_baselines(engine.database, [spec], engine.ontology, "tester")
    land_fields(engine.database, engine.tenant, {("books", key): names for key, names in LANDED.items()})
    map_tenant(
        engine.database,
        engine.settings,
        engine.ontology,
        [spec],
        engine.tenant,
        ask_model=ask,
        load=lambda: engine.embedder,
    )
    held = {key: active_set(engine.database, engine.tenant, "books", key) for key in LANDED}
    return {
        key: [(one.target, one.sources, one.transform, dict(one.args)) for one in found.mappings]
        for key, found in held.items()
        if found is not None
    }


@pytest.mark.parametrize("stream", LANDED)
def test_an_amount_is_read_in_the_currency_that_calibration_knows(
    start: Callable[[], Engine], stream: str
) -> None:
    alone, attacked = _map(start(), None), start()
    assert _map(attacked, _lift)[stream] == alone[stream]
    lifted = {one.field: one for one in attacked.proposals("pending")}["local_currency_type"]
    assert (lifted.method, lifted.target) == ("llm", "currency"), "the victim is no victim"
