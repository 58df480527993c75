"""Any history of loads gives the events a simple model gives."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from resources.database import Database
from resources.settings import Settings
from resources.tenants import add_tenant
from tests.canonical.conftest import Stage, build_spec

KEYS = st.sampled_from("abcde")
NAMES = st.sampled_from(["Ada", "Bob", "Eve"])
BAD = "bad"
"""A name that comes with a value that cannot be cast."""

ROWS = st.lists(st.tuples(KEYS, NAMES | st.just(BAD)), max_size=6)
LOADS = st.lists(
    st.tuples(st.sampled_from(["incremental", "snapshot", "deletions"]), ROWS, st.lists(KEYS, max_size=2)),
    min_size=1,
    max_size=7,
)
STOPS = st.lists(st.booleans(), min_size=7, max_size=7)


@dataclass
class Model:
    """What the canonical step promises, record by record."""

    state: dict[str, str | None] = field(default_factory=dict)
    events: list[tuple[str, str, str | None]] = field(default_factory=list)
    sums: list[tuple[int, int, int, int, int]] = field(default_factory=list)

    def take(self, mode: str, rows: list[tuple[str, str]], gone: list[str]) -> None:
        happened = unchanged = refused = 0
        versions: list[tuple[str, str | None]] = [*rows, *((key, None) for key in gone)]
        for key, name in versions:
            if name == BAD:
                refused += 1
            elif key in self.state and self.state[key] == name:
                unchanged += 1
            else:
                happened += 1
                self.emit(key, name)
        absent = sorted(self.state.keys() - {key for key, _ in versions}) if mode == "snapshot" else []
        absent = [key for key in absent if self.state[key] is not None]
        for key in absent:
            self.emit(key, None)
        self.sums.append((len(versions), happened, unchanged, refused, len(absent)))

    def emit(self, key: str, name: str | None) -> None:
        self.state[key] = name
        self.events.append(("upsert" if name else "delete", key, name))


def by_record(events: list[tuple[str, str, str | None]]) -> dict[str, list[tuple[str, str | None]]]:
    return {key: [(op, name) for op, found, name in events if found == key] for key in "abcde"}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(loads=LOADS, stops=STOPS)
def test_histories(
    database: Database,
    settings: Settings,
    loads: list[tuple[str, list[tuple[str, str]], list[str]]],
    stops: list[bool],
) -> None:
    tenant_id = f"t-{uuid.uuid4().hex[:12]}"
    add_tenant(database, tenant_id, "History", "tester")
    stage = Stage(database, settings, tenant_id, {"shop": build_spec(deletion={"type": "snapshot"})})
    stage.publish()
    model = Model()
    for (mode, rows, gone), stop in zip(loads, stops, strict=False):
        model.take(mode, rows, gone)
        records = [{"id": k, "name": n, "revenue": "x" if n == BAD else None} for k, n in rows]
        stage.land(records, mode=mode, deleted=gone)
        if stop:
            assert stage.advance().errors == ()
    assert stage.advance().errors == ()
    assert by_record(stage.events()) == by_record(model.events)
    sums = stage.query("SELECT landed, events, unchanged, refused, deleted FROM loads ORDER BY load_id")
    assert sums == model.sums
    refused = stage.query("SELECT count(*) FROM quarantine WHERE stage = 'canonical'")
    assert refused == [(sum(one[3] for one in model.sums),)]
