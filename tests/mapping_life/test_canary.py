"""A set on trial gets its share of records, exactly those, and gives them back."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.canary import BUCKETS, bucket_of, count_buckets, read_percent, write_share
from core.errors import FixInput, MappingRefused, UnknownName
from resources.registry_changes import publish_in
from tests.mapping_life.conftest import KEY, WIDER, Steward, people

ids = st.text(min_size=1, max_size=40).filter(lambda text: "\0" not in text and text.isprintable())
ratios = st.integers(0, BUCKETS).map(lambda count: count / BUCKETS)


@given(ids, ids)
def test_sql_and_python_agree_on_the_bucket(salt: str, record_id: str) -> None:
    bucket = bucket_of(salt, record_id)
    assert bucket == bucket_of(salt, record_id)
    for ratio, inside in ((bucket / BUCKETS, False), ((bucket + 1) / BUCKETS, True)):
        found = duckdb.execute(f"SELECT {write_share(salt, ratio, '$1')}", [record_id]).fetchall()
        assert found == [(inside,)]


@given(ids, st.lists(ids, max_size=50), ratios, ratios)
def test_a_growing_share_only_adds(salt: str, records: list[str], one: float, other: float) -> None:
    small, large = sorted((one, other))
    chosen = {record for record in records if bucket_of(salt, record) < count_buckets(small)}
    assert chosen <= {record for record in records if bucket_of(salt, record) < count_buckets(large)}


def test_a_share_is_what_it_says() -> None:
    hit = sum(bucket_of("t/shop/accounts/x", str(n)) < count_buckets(0.2) for n in range(20_000))
    assert 3_800 < hit < 4_200


@pytest.mark.parametrize("percent", [-1, 100.1, float("nan"), float("inf")])
def test_a_share_is_a_percentage(percent: float) -> None:
    with pytest.raises(FixInput):
        read_percent(percent)


def draft(steward: Steward) -> str:
    entity = steward.mesh.ontology.entity("account")
    with steward.mesh.db.tenant(steward.tenant) as conn:
        return publish_in(conn, steward.tenant, KEY, entity, WIDER, "ada", "wider", activate=False).set_id


def on_trial(steward: Steward, set_id: str) -> set[str]:
    return {record for record, found in steward.sets_of_records().items() if found == set_id}


def test_a_canary_from_start_to_promotion(steward: Steward) -> None:
    steward.stage.land(people(200))
    steward.stage.advance()
    trial = draft(steward)
    assert steward.number() == 1
    place = (steward.tenant, *KEY)
    steward.json("canary", "start", *place, "--set", "2", "--percent", "20", "--reason", "try websites")
    first = on_trial(steward, trial)
    assert 20 < len(first) < 60
    assert all(("website" in data) == (record in first) for record, data in steward.state().items())

    changed = [{**row, "name": "again"} for row in people(250)]  # a later load: the same records again
    steward.stage.land(changed)
    steward.stage.advance()
    second = on_trial(steward, trial)
    assert first == {record for record in second if int(record) < 200}

    found = steward.json("canary", "start", *place, "--set", "2", "--percent", "60")
    third = on_trial(steward, trial)
    assert second < third
    assert found["canaries"][0]["records_on_trial"] == len(third)
    assert found["canaries"][0]["records_active"] == 250 - len(third)

    steward.json("canary", "promote", *place)
    assert steward.number() == 2
    assert all("website" in data for data in steward.state().values())
    assert steward.json("canary", "status", steward.tenant)["canaries"] == []
    history = steward.json("history", *place)
    actions = [one["action"] for one in reversed(history) if one["action"].startswith("canary")]
    assert actions == ["canary.started", "canary.changed", "canary.promoted"]


def test_an_aborted_canary_leaves_no_trace_in_the_records(steward: Steward) -> None:
    steward.stage.land(people(50))
    steward.stage.advance()
    before = steward.state()
    draft(steward)
    place = (steward.tenant, *KEY)
    steward.json("canary", "start", *place, "--set", "2", "--percent", "50")
    assert steward.state() != before
    steward.json("canary", "abort", *place)
    assert steward.state() == before
    assert steward.number() == 1


def test_several_versions_and_refused_records_beside_a_canary(steward: Steward) -> None:
    draft(steward)
    steward.run("canary", "start", steward.tenant, *KEY, "--set", "2", "--percent", "50")
    rows = [{**row, "revenue": "much" if n % 10 == 0 else "1"} for n, row in enumerate(people(40))]
    again = [{**row, "name": "later"} for row in rows]
    steward.stage.land([*rows, *again, {"id": None, "name": "no key"}])
    report = steward.stage.advance()
    assert [(one.landed, one.events, one.refused, one.error) for one in report.streams] == [(81, 72, 9, None)]
    assert {data["name"] for data in steward.state().values()} == {"later"}


def test_what_cannot_be_tried(steward: Steward) -> None:
    place = (steward.tenant, *KEY)
    assert isinstance(steward.refused("canary", "abort", *place), UnknownName)
    assert isinstance(steward.refused("canary", "start", *place, "--set", "7", "--percent", "5"), UnknownName)
    assert "active" in str(steward.refused("canary", "start", *place, "--set", "1", "--percent", "5"))
    draft(steward)
    steward.json("canary", "start", *place, "--set", "2", "--percent", "5")
    steward.json("edit", *place, "annual_revenue", "--remove")
    refused = steward.refused("canary", "promote", *place)
    assert isinstance(refused, MappingRefused)
    assert "has changed" in str(refused)
    assert "another set" in str(steward.refused("canary", "start", *place, "--set", "1", "--percent", "5"))
