"""A/B: what two sets make of the same loads, counted right, written nowhere, personal data hidden."""

from __future__ import annotations

from typing import Any

import pytest

from core.mapping import FieldMapping
from resources.registry import publish_set
from tests.canonical.conftest import MAPPINGS
from tests.mapping_life.conftest import KEY, Steward


def publish(steward: Steward, *extra: FieldMapping, entity: str = "account") -> None:
    """The stage's mappings, as far as the entity has their fields, and these instead or besides."""
    found = steward.mesh.ontology.entity(entity)
    given = {one.target for one in extra}
    kept = [one for one in MAPPINGS if one.target in found.fields and one.target not in given]
    publish_set(steward.mesh.db, steward.tenant, *KEY, found, [*kept, *extra], "ada")


def compare(steward: Steward, *words: str) -> dict[str, Any]:
    found: dict[str, Any] = steward.json("compare", steward.tenant, *KEY, "--a", "1", "--b", "2", *words)
    return found


def test_fill_validity_and_change(steward: Steward) -> None:
    publish(
        steward,
        FieldMapping("annual_revenue", ("revenue",), "minor_units"),
        FieldMapping("website", ("web",)),
        FieldMapping("employee_count", ("size",), "cast"),
    )
    steward.stage.land(
        [
            {"id": "1", "name": "Ada", "revenue": "100", "web": "a.example", "size": "5"},
            {"id": "2", "name": "Bob", "revenue": None, "web": "", "size": "many"},
            {"id": "3", "name": "Eve", "revenue": "much", "web": None, "size": None},
            {"id": "4", "name": "Zoe", "revenue": "0", "web": None, "size": None},
        ]
    )
    steward.stage.land([{"id": "1", "name": "Ada", "revenue": "200"}], deleted=["9"])
    before = steward.stage.query("SELECT count(*) FROM audit_log")
    found = compare(steward)
    assert (found["records"], found["loads"], found["refused_a"], found["refused_b"]) == (5, 2, 1, 2)
    fields = {one["target"]: one for one in found["fields"]}
    revenue = fields["annual_revenue"]
    assert (revenue["filled_a"], revenue["filled_b"], revenue["misfits_a"], revenue["misfits_b"]) == (
        3,
        3,
        1,
        1,
    )
    assert revenue["change_ratio"] == pytest.approx(2 / 5)
    website, size = fields["website"], fields["employee_count"]
    assert (website["in_a"], website["in_b"], website["filled_b"]) == (False, True, 1)
    assert (size["misfits_b"], size["valid_b_ratio"]) == (1, pytest.approx(4 / 5))
    assert [s["record_id"] for s in revenue["samples"]] == ["1", "1"]
    assert fields["name"]["changed"] == 0
    assert found["changed"] == 3
    assert compare(steward, "--loads", "1")["records"] == 1
    assert steward.stage.query("SELECT count(*) FROM audit_log") == before
    assert steward.stage.query("SELECT count(*) FROM canonical_streams") == [(0,)]


def test_personal_data_never_gets_into_samples(steward: Steward) -> None:
    contact = steward.mesh.ontology.entity("contact")
    assert contact.fields["phone"].pii
    assert not contact.fields["job_title"].pii
    publish(steward, FieldMapping("job_title", ("tel",)), entity="contact")
    publish(steward, FieldMapping("phone", ("tel",)), entity="contact")
    steward.stage.land([{"id": "1", "name": "Ada", "tel": "+49 30 123456"}])
    words = (steward.tenant, *KEY, "--a", "2", "--b", "3")
    found = steward.json("compare", *words)
    fields = {one["target"]: one for one in found["fields"]}
    assert fields["phone"]["samples"][0]["b"] == "•••"
    assert fields["job_title"]["samples"][0]["a"] == "•••"  # the same source, under a name that tells nothing
    shown = steward.run("compare", *words)
    assert "123456" not in shown.output + str(found)
    assert "1 of 1 records differ" in shown.output


def test_sets_of_two_entities(steward: Steward) -> None:
    publish(steward, entity="customer")
    steward.stage.land([{"id": "1", "name": "Ada"}])
    found = compare(steward)
    assert found["differs"]
    assert "B fills customer" in steward.run("compare", steward.tenant, *KEY, "--a", "1", "--b", "2").output


def test_nothing_landed_yet(steward: Steward) -> None:
    publish(steward, FieldMapping("website", ("web",)))
    found = compare(steward)
    assert (found["records"], found["differs"]) == (0, False)
    assert found["fields"][0]["fill_a_ratio"] is None


BROKEN = FieldMapping("phone", ("name",), "json_path", {"path": "$["})


@pytest.mark.parametrize(("a", "b"), [("2", "1"), ("1", "2")])
def test_a_set_that_cannot_be_applied_is_named(steward: Steward, a: str, b: str) -> None:
    publish(steward, BROKEN)
    steward.stage.land([{"id": "1", "name": "Ada"}])
    refused = steward.refused("compare", steward.tenant, *KEY, "--a", a, "--b", b)
    assert "mapping set 2 cannot be applied" in str(refused)
