"""What the canonical step does with loads, on real Postgres and real parquet."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.connector import ConnectorSpec
from core.mapping import FieldMapping
from resources.canonical import CanonicalReport, StreamOutcome
from tests.canonical.conftest import MAPPINGS, Stage, build_spec, with_stream


def counts(report: CanonicalReport) -> list[tuple[int, int, int, int, int]]:
    """(landed, events, unchanged, refused, deleted) per stream."""
    assert report.errors == ()
    return [(s.landed, s.events, s.unchanged, s.refused, s.deleted) for s in report.streams]


def only(report: CanonicalReport) -> StreamOutcome:
    assert len(report.streams) == 1
    return report.streams[0]


def test_records_become_events_once(stage: Stage) -> None:
    load = stage.land(
        [{"id": "1", "name": "Ada", "revenue": "10.50", "extra": "x"}, {"id": "2", "name": "Bob"}]
    )
    assert counts(stage.advance()) == [(2, 2, 0, 0, 0)]
    rows = stage.query("SELECT op, record_id, data, unknown_fields, load_id, entity FROM canonical_streams")
    assert sorted(rows, key=lambda row: str(row[1])) == [
        (
            "upsert",
            "1",
            {"id": "1", "name": "Ada", "annual_revenue": 10.5},
            {"extra": "x"},
            load,
            "account",
        ),
        ("upsert", "2", {"id": "2", "name": "Bob"}, None, load, "account"),
    ]
    assert stage.query("SELECT events, unchanged, refused, deleted FROM loads") == [(2, 0, 0, 0)]
    assert stage.advance().streams == ()


def test_unchanged_records_emit_nothing(stage: Stage) -> None:
    stage.land([{"id": "1", "name": "Ada"}, {"id": "2", "name": "Bob"}])
    stage.advance()
    stage.land([{"id": "1", "name": "Ada"}, {"id": "2", "name": "Rob"}])
    assert counts(stage.advance()) == [(2, 1, 1, 0, 0)]
    assert stage.events()[-1] == ("upsert", "2", "Rob")


def test_going_back_is_a_fact_of_its_own(stage: Stage) -> None:
    for name in ("Ada", "Eve", "Ada"):
        stage.land([{"id": "1", "name": name}])
        stage.advance()
    assert [name for _, _, name in stage.events()] == ["Ada", "Eve", "Ada"]


def test_versions_within_a_load_come_in_their_order(stage: Stage) -> None:
    names = ["Ada", "Eve", "Eve", "Ada", "Ada"]
    rows: list[dict[str, str | None]] = [{"id": "1", "name": name} for name in names]
    stage.land([rows[0], {"id": "2", "name": "Bob"}, *rows[1:]])
    assert counts(stage.advance()) == [(6, 4, 2, 0, 0)]
    assert [name for _, key, name in stage.events() if key == "1"] == ["Ada", "Eve", "Ada"]


def test_a_refused_version_leaves_the_others_in_their_order(stage: Stage) -> None:
    stage.land(
        [
            {"id": "1", "name": "Ada", "revenue": "1"},
            {"id": "1", "name": "Ada", "revenue": "much"},
            {"id": "1", "name": "Ada", "revenue": "1"},
            {"id": "1", "name": "Ada", "revenue": "2"},
        ]
    )
    assert counts(stage.advance()) == [(4, 2, 1, 1, 0)]


def test_several_loads_at_once_equal_one_after_the_other(stage: Stage) -> None:
    for name in ("Ada", "Ada", "Eve"):
        stage.land([{"id": "1", "name": name}])
    outcome = only(stage.advance())
    assert (outcome.loads, outcome.events, outcome.unchanged) == (3, 2, 1)
    assert [name for _, _, name in stage.events()] == ["Ada", "Eve"]


def test_refused_rows_are_kept_with_their_reason(stage: Stage) -> None:
    stage.land(
        [
            {"id": "1", "revenue": "much", "updated": "yesterday"},
            {"id": "2", "revenue": "7"},
            {"id": None, "name": "nobody"},
        ]
    )
    assert counts(stage.advance()) == [(3, 1, 0, 2, 0)]
    rows = stage.query(
        "SELECT record_id, stage, entity, code, reason, record FROM quarantine ORDER BY record_id"
    )
    assert rows == [
        (
            "1",
            "canonical",
            "account",
            "wrong_type",
            'annual_revenue (from revenue): expected an amount, found "much"; '
            'updated_at (from updated): expected a date and time (ISO 8601), found "yesterday"',
            '{"id":"1","revenue":"much","updated":"yesterday"}',
        ),
        (
            None,
            "canonical",
            "account",
            "missing_key",
            "primary key id: required, found nothing",
            '{"name":"nobody"}',
        ),
    ]


def test_tombstones_delete_and_delete_only_once(stage: Stage) -> None:
    stage.land([{"id": "1", "name": "Ada"}])
    stage.land([], mode="deletions", deleted=["1", "7"])
    stage.land([], mode="deletions", deleted=["1"])
    outcome = only(stage.advance())
    assert (outcome.landed, outcome.events, outcome.unchanged) == (4, 3, 1)
    assert [(op, key) for op, key, _ in stage.events()] == [("upsert", "1"), ("delete", "1"), ("delete", "7")]


def test_a_flag_deletes_and_its_absence_brings_back(stage: Stage) -> None:
    stage = with_stream(stage, deletion={"type": "flag", "field": "gone", "values": ["TRUE", "x"]})
    for gone in ("false", "True", " X ", None):
        stage.land([{"id": "1", "name": "Ada", "gone": gone}])
    assert counts(stage.advance()) == [(4, 3, 1, 0, 0)]
    assert [op for op, _, _ in stage.events()] == ["upsert", "delete", "upsert"]
    assert stage.query("SELECT DISTINCT unknown_fields FROM canonical_streams") == [(None,)]


def test_a_flagged_record_is_deleted_whatever_its_values(stage: Stage) -> None:
    stage = with_stream(stage, deletion={"type": "flag", "field": "gone"})
    stage.land([{"id": "1", "gone": "true", "revenue": "much", "name": "Ada"}])
    assert counts(stage.advance()) == [(1, 1, 0, 0, 0)]
    assert stage.query("SELECT op, data FROM canonical_streams") == [("delete", {"id": "1", "name": "Ada"})]


def test_what_a_snapshot_lacks_is_deleted(stage: Stage) -> None:
    stage = with_stream(stage, deletion={"type": "snapshot"})
    stage.land([{"id": "1", "name": "Ada"}, {"id": "2", "name": "Bob"}], mode="snapshot")
    stage.land([{"id": "2", "name": "Bob"}, {"id": "3", "name": "Eve"}], mode="snapshot")
    outcome = only(stage.advance())
    assert (outcome.landed, outcome.events, outcome.unchanged, outcome.deleted) == (4, 3, 1, 1)
    stage.land([], mode="snapshot")
    assert counts(stage.advance()) == [(0, 0, 0, 0, 2)]
    stage.land([{"id": "1", "name": "Ada"}], mode="snapshot")
    assert counts(stage.advance()) == [(1, 1, 0, 0, 0)]
    assert [(op, key) for op, key, _ in stage.events() if key == "1"] == [
        ("upsert", "1"),
        ("delete", "1"),
        ("upsert", "1"),
    ]


def test_an_incomplete_read_deletes_nothing(stage: Stage) -> None:
    stage = with_stream(stage, deletion={"type": "snapshot"})
    stage.land([{"id": "1", "name": "Ada"}, {"id": "2", "name": "Bob"}], mode="snapshot")
    stage.land([{"id": "2", "name": "Bob"}], mode="incremental")
    assert counts(stage.advance()) == [(3, 2, 1, 0, 0)]


@pytest.mark.parametrize(("refused", "deleted", "kept"), [("1", 0, 0), ("9", 1, 0), (None, 0, 1)])
def test_a_record_refused_before_landing_is_not_absent(
    stage: Stage, refused: str | None, deleted: int, kept: int
) -> None:
    stage = with_stream(stage, deletion={"type": "snapshot"})
    stage.land([{"id": "1", "name": "Ada"}, {"id": "2", "name": "Bob"}], mode="snapshot")
    stage.advance()
    load = stage.land([{"id": "2", "name": "Bob"}], mode="snapshot", quarantined=1)
    stage.refuse(load, refused)
    outcome = only(stage.advance())
    assert (outcome.deleted, outcome.kept) == (deleted, kept)


def test_a_key_of_several_parts_is_unambiguous(stage: Stage) -> None:
    stage = with_stream(stage, primary_key=["id", "part"])
    stage.land([{"id": "a,b", "part": "c"}, {"id": "a", "part": "b,c"}, {"id": 'a"', "part": "\\"}])
    assert counts(stage.advance()) == [(3, 3, 0, 0, 0)]
    keys = {key for _, key, _ in stage.events()}
    assert keys == {'["a,b","c"]', '["a","b,c"]', '["a\\"","\\\\"]'}


def test_a_stream_without_a_set_waits(stage: Stage) -> None:
    stage.land([{"id": "1"}], stream="orders")
    stage.land([{"id": "1"}], connector="unheard-of")
    report = stage.advance()
    assert report.streams == ()
    assert [(w.connector, w.stream, w.loads) for w in report.waiting] == [
        ("shop", "orders", 1),
        ("unheard-of", "accounts", 1),
    ]
    assert stage.query("SELECT count(*) FROM loads WHERE consumed_at IS NULL") == [(2,)]


def test_one_failing_stream_leaves_the_others(stage: Stage) -> None:
    facts = {"primary_key": ["id"], "entity": "account", "table": {"name": "x"}}
    streams = {"accounts": facts, "broken": facts}
    spec = ConnectorSpec.model_validate(
        {"connector": "shop", "title": "Shop", "kind": "sql", "streams": streams}, strict=False
    )
    stage.specs["shop"] = spec
    stage.publish(stream="broken")
    stage.land([{"id": "1"}], stream="broken")
    stage.land([{"id": "1", "name": "Ada"}])
    for path in stage.lake.files(stage.tenant_id, "shop", "broken", f"{1_763_000_001}.25"):
        Path(path).write_bytes(b"no parquet")
    report = stage.advance()
    assert [(s.stream, s.events, s.error is None) for s in report.streams] == [
        ("accounts", 1, True),
        ("broken", 0, False),
    ]
    assert "shop/broken" in str(report.errors[0])


def test_rows_missing_from_the_lake_are_noticed(stage: Stage) -> None:
    load = stage.land([{"id": "1"}, {"id": "2"}])
    stage.query_write("UPDATE loads SET landed = 3, records = 3")
    report = stage.advance()
    assert "expected 3 records, found 2" in str(report.errors[0])
    assert stage.query("SELECT load_id, consumed_at FROM loads") == [(load, None)]
    assert stage.events() == []


def test_only_the_asked_entities_advance(stage: Stage) -> None:
    stage.land([{"id": "1"}])
    assert stage.advance(entities=["contact"]).streams == ()
    assert counts(stage.advance(entities=["account"])) == [(1, 1, 0, 0, 0)]


def test_a_new_set_applies_to_new_loads(stage: Stage) -> None:
    stage.land([{"id": "1", "name": "Ada", "web": "ada.example"}])
    stage.advance()
    stage.publish([*MAPPINGS, FieldMapping("website", ("web",))])
    stage.land([{"id": "1", "name": "Ada", "web": "ada.example"}])
    assert counts(stage.advance()) == [(1, 1, 0, 0, 0)]
    rows = stage.query("SELECT data, unknown_fields FROM canonical_streams ORDER BY seq")
    assert rows == [
        ({"id": "1", "name": "Ada"}, {"web": "ada.example"}),
        ({"id": "1", "name": "Ada", "website": "ada.example"}, None),
    ]


def test_awkward_text_survives(stage: Stage) -> None:
    text = "tab\t newline\n return\r backslash\\ \\N quote\" 'single' emoji 😀 \\u0000 \x01"
    stage.land([{"id": f"k{text}", "name": text, "new\n'\"\t field": text}])
    assert counts(stage.advance()) == [(1, 1, 0, 0, 0)]
    rows = stage.query("SELECT record_id, data ->> 'name', unknown_fields FROM canonical_streams")
    assert rows == [(f"k{text}", text, {"new\n'\"\t field": text})]
    stage.land([{"id": f"k{text}", "name": text, "new\n'\"\t field": text}])
    assert counts(stage.advance()) == [(1, 0, 1, 0, 0)]


def test_a_text_with_nul_is_refused(stage: Stage) -> None:
    stage.land([{"id": "1", "name": "a\0b"}, {"id": "2\0", "name": "x"}, {"id": "3", "other": "\0"}])
    assert counts(stage.advance()) == [(3, 0, 0, 3, 0)]
    assert stage.query("SELECT DISTINCT code FROM quarantine") == [("unstorable_text",)]


def test_tenants_do_not_see_each_other(stage: Stage, stage_of_another: Stage) -> None:
    stage.land([{"id": "1", "name": "Ada"}])
    stage_of_another.land([{"id": "1", "name": "Ada"}])
    assert counts(stage.advance()) == [(1, 1, 0, 0, 0)]
    assert counts(stage_of_another.advance()) == [(1, 1, 0, 0, 0)]
    assert stage.events() == stage_of_another.events() == [("upsert", "1", "Ada")]


def test_streams_of_one_entity_keep_apart(stage: Stage) -> None:
    stage.specs["till"] = build_spec("till")
    stage.publish(connector="till")
    for connector in ("shop", "till"):
        stage.land([{"id": "1", "name": "Ada"}], connector=connector)
    assert counts(stage.advance()) == [(1, 1, 0, 0, 0)] * 2
    for connector in ("shop", "till"):
        stage.land([{"id": "1", "name": "Ada"}], connector=connector)
    assert counts(stage.advance()) == [(1, 0, 1, 0, 0)] * 2


def test_a_set_that_cannot_run_says_why_and_quotes_no_data(stage: Stage) -> None:
    broken = FieldMapping("phone", ("name",), "json_path", {"path": "$["})
    stage.publish([*MAPPINGS, broken])
    stage.land([{"id": "1", "name": '{"secret": 1}'}])
    (error,) = stage.advance().errors
    assert "cannot be applied" in str(error)
    assert "secret" not in str(error)
    assert stage.query("SELECT consumed_at FROM loads") == [(None,)]
