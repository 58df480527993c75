"""What the canonical step does with loads, on real Postgres and real parquet."""

from __future__ import annotations

from tests.canonical.conftest import Stage


def test_records_become_events_once(stage: Stage) -> None:
    stage.land([{"id": "1", "name": "Ada", "revenue": "10.50", "extra": "x"}, {"id": "2", "name": "Bob"}])
    report = stage.advance()
    assert report.errors == ()
    assert [(s.landed, s.events, s.unchanged, s.refused) for s in report.streams] == [(2, 2, 0, 0)]
    rows = stage.query("SELECT op, record_id, data, unknown_fields FROM canonical_streams ORDER BY record_id")
    assert rows == [
        ("upsert", "1", {"id": "1", "name": "Ada", "annual_revenue": 10.5}, {"extra": "x"}),
        ("upsert", "2", {"id": "2", "name": "Bob"}, None),
    ]
    assert stage.advance().streams == ()
