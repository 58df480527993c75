"""A replay appends exactly what another mapping set makes different, and can be undone by another."""

from __future__ import annotations

from typing import Any

import pytest

from core.errors import UnknownName
from core.mapping import FieldMapping
from core.ontology import load_ontology
from resources.canonical_replay import ReplayOutcome, replay_stream
from resources.registry import read_set
from tests.canonical.conftest import MAPPINGS, Stage, with_stream

WIDER = (*MAPPINGS, FieldMapping("website", ("web",)))


def replay(stage: Stage, set_id: str | None = None, stream: str = "accounts") -> ReplayOutcome:
    return replay_stream(
        stage.database,
        stage.lake,
        stage.settings,
        load_ontology(),
        stage.specs,
        stage.tenant_id,
        "shop",
        stream,
        "tester",
        None if set_id is None else read_set(stage.database, stage.tenant_id, set_id),
    )


def counts(done: ReplayOutcome) -> tuple[int, int, int, int]:
    return done.upserts, done.deleted, done.unchanged, done.refused


def state(stage: Stage) -> dict[str, Any]:
    """Data of the newest event of each record that is not deleted."""
    rows = stage.query("SELECT entity, record_id, op, data FROM canonical_streams ORDER BY seq")
    newest = {(entity, key): (op, data) for entity, key, op, data in rows}
    return {f"{entity}/{key}": data for (entity, key), (op, data) in newest.items() if op == "upsert"}


def test_history_under_another_set(stage: Stage) -> None:
    stage.land([{"id": "1", "name": "Ada", "web": "old"}, {"id": "2", "name": "Bob"}])
    stage.land([{"id": "1", "name": "Ada", "web": "new"}, {"id": "3", "name": "Eve", "web": "eve"}])
    stage.advance()
    first = stage.query("SELECT DISTINCT set_id::text FROM canonical_streams")[0][0]
    second = stage.publish(WIDER)
    assert counts(replay(stage)) == (2, 0, 1, 0)
    assert state(stage)["account/1"] == {"id": "1", "name": "Ada", "website": "new"}
    assert counts(replay(stage)) == (0, 0, 3, 0)
    assert counts(replay(stage, first)) == (2, 0, 1, 0)
    assert state(stage)["account/1"] == {"id": "1", "name": "Ada"}
    assert counts(replay(stage, second)) == (2, 0, 1, 0)
    assert stage.query("SELECT count(*) - count(DISTINCT event_id) FROM canonical_streams") == [(0,)]


def test_unconsumed_loads_are_left_for_the_canonical_step(stage: Stage) -> None:
    stage.land([{"id": "1", "web": "x"}])
    stage.advance()
    stage.land([{"id": "1", "web": "y"}])
    stage.publish(WIDER)
    assert counts(replay(stage)) == (1, 0, 0, 0)
    assert state(stage)["account/1"]["website"] == "x"
    assert stage.advance().events == 1
    assert state(stage)["account/1"]["website"] == "y"


def test_deleted_records_stay_deleted_and_come_back_where_they_did(stage: Stage) -> None:
    stage = with_stream(stage, deletion={"type": "snapshot"})
    rows: list[dict[str, str | None]] = [{"id": str(n), "name": f"N{n}", "web": f"w{n}"} for n in range(4)]
    stage.land(rows, mode="snapshot")
    stage.land(rows[1:], mode="snapshot")
    stage.land([rows[0], rows[2], rows[3]], mode="snapshot")
    stage.land([rows[0], rows[2]], mode="snapshot", deleted=["2"])
    stage.advance()
    before = state(stage)
    assert sorted(before) == ["account/0"]
    stage.publish(WIDER)
    assert counts(replay(stage)) == (1, 0, 1, 0)
    assert state(stage) == {"account/0": {"id": "0", "name": "N0", "website": "w0"}}


def test_what_was_refused_can_be_won_back(stage: Stage) -> None:
    stage.land([{"id": "1", "name": "Ada", "revenue": "12 EUR"}, {"id": "2", "name": "Bob", "revenue": "7"}])
    stage.advance()
    assert sorted(state(stage)) == ["account/2"]
    split = FieldMapping("phone", ("revenue",), "split", {"separator": " ", "index": 0})
    second = stage.publish((*MAPPINGS[:2], split))
    assert counts(replay(stage, second)) == (2, 0, 0, 0)
    assert state(stage)["account/1"]["phone"] == "12"


def test_what_does_not_fit_keeps_its_last_good_state(stage: Stage) -> None:
    stage.land([{"id": "1", "name": "Ada", "web": "5"}])
    stage.land([{"id": "1", "name": "Eve", "web": "many"}, {"id": "2", "web": "x"}])
    stage.advance()
    stage.publish((*MAPPINGS, FieldMapping("employee_count", ("web",), "cast")))
    assert counts(replay(stage)) == (1, 0, 0, 2)
    assert state(stage)["account/1"] == {"id": "1", "name": "Ada", "employee_count": 5}
    assert stage.query("SELECT record_id, code FROM quarantine ORDER BY 1") == [
        ("1", "wrong_type"),
        ("2", "wrong_type"),
    ]
    assert stage.advance().streams == ()


def test_a_stream_that_feeds_another_entity_leaves_the_old_one(stage: Stage) -> None:
    stage.land([{"id": "1", "name": "Ada"}, {"id": "2", "name": "Bob"}])
    stage.advance()
    stage.publish((FieldMapping("id", ("id",)), FieldMapping("name", ("name",))), entity="contact")
    assert counts(replay(stage)) == (2, 2, 0, 0)
    assert state(stage) == {
        "contact/1": {"id": "1", "name": "Ada"},
        "contact/2": {"id": "2", "name": "Bob"},
    }
    assert counts(replay(stage)) == (0, 0, 2, 0)


def test_a_replay_is_in_the_audit_log(stage: Stage) -> None:
    stage.land([{"id": "1", "web": "x"}])
    stage.advance()
    stage.publish(WIDER)
    replay(stage)
    rows = stage.query("SELECT actor, subject, after FROM audit_log WHERE action = 'stream.replayed'")
    assert [(actor, subject, after["upserts"]) for actor, subject, after in rows] == [
        ("tester", "shop/accounts", 1)
    ]


def test_a_stream_without_a_set_cannot_be_replayed(stage: Stage) -> None:
    with pytest.raises(UnknownName):
        replay(stage, stream="orders")
