"""What landed before its stream had a set goes under it at once; explaining says what does not hold."""

from __future__ import annotations

from tests.mapping_life.conftest import KEY, Steward, people


def test_loads_that_waited_are_taken_with_the_set(steward: Steward) -> None:
    steward.stage.land(people(3))
    done = steward.json("edit", steward.tenant, *KEY, "website", "--from", "web", "--reason", "first")
    (replay,) = done["replays"]
    assert (replay["replay"], replay["outcome"]["upserts"]) == ("done", 3)
    assert {one["website"] for one in steward.state().values()} == {f"https://n{n}.example" for n in range(3)}
    assert steward.due() == []


def test_a_review_of_what_is_not_there_is_refused(steward: Steward) -> None:
    assert "no stream 'nosuch'" in str(steward.refused("review", steward.tenant, "shop", "nosuch"))
    assert "nosuch" in str(steward.refused("review", steward.tenant, "nosuch"))
