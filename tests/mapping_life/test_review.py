"""A steward decides: in the terminal, from a script, all at once; contradictions are refused."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.errors import FixInput, MappingRefused, UnknownName
from core.mapper.proposal import Proposal
from core.mapping import FieldMapping, Transform
from core.schema import FieldSchema, TableSchema
from resources.approvals import Choice, approve_fields
from resources.mapper_run import LOCK, run_mapper
from resources.proposals import list_proposals, reject_proposal, save_proposals
from resources.registry import active_set
from resources.registry_changes import publish_in
from resources.registry_rows import wait_turn
from resources.schema_versions import record_schema
from tests.mapping_life.conftest import KEY, Steward, people

PROPOSED = [
    ("web", "website", 0.95),
    ("site", "website", 0.91),
    ("mail", "description", 0.8),
    ("size", "employee_count", 0.7),
    ("colour", None, 0.4),
]


def propose(field: str, target: str | None, sure: float, **facts: Any) -> Proposal:
    transform: Transform = "cast" if target == "employee_count" else "direct"
    others = [name for name in (target, "phone", "industry") if name]
    given: dict[str, Any] = {"evidence": {"exact_last": 2.5, "cos_name": -0.7}, "remarks": ("rare",)} | facts
    candidates = tuple((name, sure / n) for n, name in enumerate(others, 1))
    return Proposal(*KEY, field, "account", target, transform, {}, sure, "lexical", candidates, **given)


@pytest.fixture
def place(steward: Steward) -> tuple[str, str, str]:
    rows = [{**row, "size": "7", "mail": "m"} for row in people(3)]
    steward.stage.land(rows)
    steward.stage.advance()
    with steward.mesh.db.tenant(steward.tenant) as conn:
        for one in PROPOSED:
            save_proposals(conn, steward.tenant, [propose(*one)])
    return steward.tenant, *KEY


def statuses(steward: Steward) -> dict[str, str]:
    return {one.field: one.status for one in list_proposals(steward.mesh.db, steward.tenant)}


def mapped(steward: Steward) -> dict[str, list[str]]:
    found = steward.json("show", steward.tenant, *KEY)["mappings"]
    return {one["target"]: one["sources"] for one in found}


def test_a_review_in_the_terminal(steward: Steward, place: tuple[str, str, str]) -> None:
    # accept, skip, take the second candidate, name another (after a slip), reject
    keys = "a\ns\n2\ne\nemploye_count\ne\nemployee_count\nr\n"
    done = steward.run("review", place[0], "--unknown", "--user", "eve", "--reason", "weekly", keys=keys)
    assert done.exit_code == 0, done.exception
    for said in (
        "1 of 5",
        "account.website",
        "0.95 sure",
        "the name is a known spelling",
        "rare",
        "employee_count",
    ):
        assert said in done.output
    assert "3 approved, 1 rejected, 1 left for later" in done.output
    assert steward.number() == 2  # one set with all of them
    assert mapped(steward) | {"website": ["web"], "phone": ["mail"], "employee_count": ["size"]} == mapped(
        steward
    )
    assert statuses(steward) == {
        "web": "approved", "site": "pending", "mail": "approved", "size": "approved", "colour": "rejected",
    }  # fmt: skip
    assert steward.state()["1"]["employee_count"] == 7
    approved = [one for one in steward.json("history", *place) if one["action"] == "mapping_set.published"]
    assert (approved[0]["by"], approved[0]["reason"]) == ("eve", "weekly")
    decided = {one["subject"]: one["action"] for one in steward.json("history", *place)}
    assert decided["shop/accounts.web"] == "proposal.approved"
    assert decided["shop/accounts.colour"] == "proposal.rejected"


def test_quitting_publishes_what_was_accepted(steward: Steward, place: tuple[str, str, str]) -> None:
    done = steward.run("review", place[0], "--unknown", keys="a\nnonsense\nq\n")
    assert "1 approved, 0 rejected, 4 left" in done.output
    assert mapped(steward)["website"] == ["web"]


def test_a_review_cut_off_publishes_nothing(steward: Steward, place: tuple[str, str, str]) -> None:
    assert steward.run("review", place[0], "--unknown", keys="a\n").exit_code != 0
    assert steward.number() == 1
    assert set(statuses(steward).values()) == {"pending"}


def test_the_second_field_for_one_target_is_not_taken(steward: Steward, place: tuple[str, str, str]) -> None:
    done = steward.run("review", place[0], "--unknown", keys="a\na\nq\n")
    assert "several fields for one target" in done.output
    assert "1 approved" in done.output
    assert mapped(steward)["website"] == ["web"]
    assert statuses(steward)["site"] == "pending"


def test_bulk_acceptance_above_a_bound(steward: Steward, place: tuple[str, str, str]) -> None:
    done = steward.json("review", place[0], "--accept-above", "0.7")
    assert (done["pending"], done["approved"]) == (5, 2)
    assert sorted(done["published"][0]["fields"]) == ["mail", "size"]
    assert len([one for one in done["left"] if "several fields for one target" in one]) == 2
    assert statuses(steward)["web"] == "pending"
    assert steward.json("review", place[0], "--accept-above", "0.9")["approved"] == 0


def test_deciding_from_a_script(steward: Steward, place: tuple[str, str, str]) -> None:
    listed = steward.json("review", place[0])
    assert [(one["field"], one["candidates"][0]["field"]) for one in listed[:2]] == [
        ("web", "website"),
        ("site", "website"),
    ]
    done = steward.json("approve", *place, "web", "mail", "--user", "eve", "--reason", "obvious")
    assert done["after"]["number"] == 2
    assert done["replays"][0]["outcome"]["upserts"] == 3
    steward.json("reject", *place, "colour", "--no-counterpart")
    explained = steward.json("explain", *place, "web")
    assert (explained["proposal"]["status"], explained["proposal"]["decided_by"]) == ("approved", "eve")
    assert explained["mapped"][0]["target"] == "website"
    assert "website ←" in steward.run("explain", *place, "web").output
    assert "maps it: name" in steward.run("explain", *place, "name").output  # mapped without a proposal


CONTRADICTIONS = [
    (("site",), "'website' is filled already", MappingRefused),
    (("size", "mail", "--target", "phone"), "is for one field", FixInput),
    (("web", "--target", "phone"), "decided otherwise before", MappingRefused),
    (("colour",), "nothing is proposed", MappingRefused),
    (("nothing",), "no proposal for", UnknownName),
    (("size", "--target", "employes"), "has no field", UnknownName),
    (("size", "--transform", "eval"), "there is no transform", MappingRefused),
]


@pytest.mark.parametrize(
    ("words", "said", "kind"), CONTRADICTIONS, ids=[" ".join(w) for w, _, _ in CONTRADICTIONS]
)
def test_contradictions_are_refused(
    steward: Steward, place: tuple[str, str, str], words: tuple[str, ...], said: str, kind: type[Exception]
) -> None:
    steward.json("approve", *place, "web")
    refused = steward.refused("approve", *place, *words)
    assert isinstance(refused, kind)
    assert said in str(refused)
    assert steward.number() == 2


def test_overruling_moves_the_field(steward: Steward, place: tuple[str, str, str]) -> None:
    steward.json("approve", *place, "web")
    steward.json("approve", *place, "web", "--target", "phone", "--overrule")
    assert mapped(steward)["phone"] == ["web"]
    assert "website" not in mapped(steward)
    steward.json("reject", *place, "size")
    assert "rejected before" in str(steward.refused("approve", *place, "size"))
    steward.json("approve", *place, "size", "--overrule")
    assert statuses(steward)["size"] == "approved"


def test_what_is_in_use_is_not_rejected_but_taken_out(steward: Steward, place: tuple[str, str, str]) -> None:
    steward.json("approve", *place, "web")
    assert "edit" in str(steward.refused("reject", *place, "web"))
    steward.json("edit", *place, "website", "--remove")
    steward.json("reject", *place, "web", "--no-counterpart")
    assert statuses(steward)["web"] == "rejected"


def test_a_field_approved_meanwhile_is_not_rejected(steward: Steward, place: tuple[str, str, str]) -> None:
    db, ontology = steward.mesh.db, steward.mesh.ontology
    held = active_set(db, steward.tenant, *KEY)
    assert held is not None
    with ThreadPoolExecutor(1) as others:
        with db.tenant(steward.tenant) as conn:  # one steward approves
            wait_turn(conn, steward.tenant)
            # and another one rejects at the same time
            late = others.submit(reject_proposal, db, ontology, steward.tenant, KEY, "web", "eve", "no")
            with pytest.raises(TimeoutError):
                late.result(0.5)
            mappings = [*held.mappings, FieldMapping("website", ("web",))]
            publish_in(conn, steward.tenant, KEY, ontology.entity("account"), mappings, "ada")
        with pytest.raises(MappingRefused, match="in use"):
            late.result()
    assert statuses(steward)["web"] == "pending"


def test_a_review_goes_on_where_another_decided(
    steward: Steward, place: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from cli.review_keys import Asker

    def ask_late(self: Asker, one: Proposal) -> bool:  # eve approves what this steward is looking at
        if one.field == "web":
            approve_fields(steward.mesh.db, self.mesh.ontology, place[0], KEY, [Choice("web")], "eve", "mine")
        self.review.reject(one)
        return True

    monkeypatch.setattr(Asker, "ask", ask_late)
    done = steward.run("review", place[0], "--unknown")
    assert done.exit_code == 0, done.exception
    assert "web: " in done.output
    assert "in use" in done.output
    assert "0 approved, 4 rejected, 1 left for later" in done.output
    assert statuses(steward)["web"] == "approved"


def test_rejecting_is_all_or_nothing(steward: Steward, place: tuple[str, str, str]) -> None:
    steward.json("approve", *place, "web")
    assert isinstance(steward.refused("reject", *place, "size", "web"), MappingRefused)
    assert statuses(steward)["size"] == "pending"


def test_nothing_pending(steward: Steward) -> None:
    assert "Nothing waits for review" in steward.run("review", steward.tenant).output
    assert isinstance(steward.refused("explain", steward.tenant, *KEY, "xyz"), UnknownName)


def test_two_runs_do_not_ask_the_same(
    steward: Steward, place: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = [FieldSchema(name, ("string",), True) for name in ("id", "name", "zzz", "zodiac_blob")]
    with steward.mesh.db.tenant(steward.tenant) as conn:
        record_schema(conn, steward.tenant, *KEY, TableSchema(tuple(sorted(fields))), "1763000001.25")
    specs = [steward.mesh.specs["shop"]]
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(run_mapper, steward.mesh, steward.tenant, specs) for _ in range(2)]
    assert sorted(one.result().asked for one in runs) == [0, 2]
    monkeypatch.setenv("AOS_LOCK_WAIT_S", "0.1")
    with steward.mesh.db.lock(steward.tenant, LOCK):
        (warning,) = steward.json("propose", *place)["warnings"]
    assert "left to the run that asks about them" in warning
    assert "another process works on" in warning


def test_proposing_now_and_from_a_file(steward: Steward, place: tuple[str, str, str], tmp_path: Path) -> None:
    fields = [FieldSchema(name, ("string",), True) for name in ("id", "name", "web", "phone_number", "zzz")]
    with steward.mesh.db.tenant(steward.tenant) as conn:
        record_schema(conn, steward.tenant, *KEY, TableSchema(tuple(sorted(fields))), "1763000001.25")
    done = steward.json("propose", *place)
    assert done["asked"] > 0
    found = {one["field"]: one for one in done["proposals"]}
    assert found["phone_number"]["target"] == "phone"
    assert steward.run("propose", *place).exit_code == 0
    question = tmp_path / "fields.csv"
    question.write_text(
        "source_system,source_entity,source_field,canonical_entity\nx,companies,web_site,account\n"
    )
    answers = tmp_path / "answers.csv"
    assert steward.json("propose", "--fields", str(question), "--out", str(answers))["fields"] == 1
    assert "website" in answers.read_text()
    assert isinstance(steward.refused("propose"), FixInput)
    assert isinstance(steward.refused("propose", "--fields", str(question)), FixInput)


def test_a_key_approved_along_is_counted(steward: Steward, place: tuple[str, str, str]) -> None:
    orders = [
        replace(propose("ref", "number", 0.9), stream="orders", entity="order"),
        replace(propose("no", "id", 0.8), stream="orders", entity="order", method="key"),
        replace(propose("note", "status", 0.7), stream="orders", entity="order"),
    ]
    with steward.mesh.db.tenant(steward.tenant) as conn:
        save_proposals(conn, steward.tenant, orders)
    done = steward.run("review", place[0], "shop", "orders", keys="a\ns\ns\n")
    assert "2 fields approved, set 1 holds" in done.output
    assert "2 approved, 0 rejected, 1 left for later" in done.output
    with steward.mesh.db.tenant(steward.tenant) as conn:  # the same, where the key itself is not asked about
        unsure = [orders[0], replace(orders[1], confidence=0.1)]
        save_proposals(conn, steward.tenant, [replace(one, connector="mart") for one in unsure])
    again = steward.run("review", place[0], "mart", keys="a\n")
    assert "2 approved, 0 rejected, 0 left for later" in again.output
