"""Editing, publishing, rolling back, moving sets about: what holds, what the history looks like after."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import ConfigError, FixInput, LockBusy, MappingRefused, UnknownName
from core.schema import FieldSchema, TableSchema
from resources.canonical import LOCK
from resources.canonical_due import replay_due
from resources.query import run_query
from resources.schema_versions import record_schema
from resources.set_changes import roll_back
from tests.mapping_life.conftest import KEY, Steward, people


@pytest.fixture
def place(steward: Steward) -> tuple[str, str, str]:
    steward.stage.land(people(5))
    steward.stage.advance()
    return steward.tenant, *KEY


def test_an_edit_publishes_and_replays(steward: Steward, place: tuple[str, str, str]) -> None:
    done = steward.json("edit", *place, "website", "--from", "web", "--user", "eve", "--reason", "they asked")
    assert done["after"]["number"] == 2
    assert (done["replays"][0]["outcome"]["upserts"], done["replays"][0]["error"]) == (5, None)
    assert steward.state()["1"]["website"] == "https://n1.example"
    seen = run_query(steward.mesh.settings, steward.tenant, "SELECT count(website) FROM account")
    assert list(map(tuple, seen.rows)) == [(5,)]
    entry = steward.json("history", *place)
    published = next(one for one in entry if one["action"] == "mapping_set.published")
    assert (published["by"], published["reason"]) == ("eve", "they asked")
    diff = steward.json("diff", *place, "--from", "1", "--to", "2")
    assert [(one["change"], one["target"]) for one in diff["changes"]] == [("added", "website")]
    assert steward.due() == []


def test_an_edit_keeps_what_it_does_not_name(steward: Steward, place: tuple[str, str, str]) -> None:
    steward.json("edit", *place, "website", "--from", "web", "--transform", "split",
                 "--arg", "separator=:", "--arg", "index=1")  # fmt: skip
    steward.json("edit", *place, "website", "--arg", "index=0")
    (made,) = [m for m in steward.json("show", *place)["mappings"] if m["target"] == "website"]
    assert (made["sources"], made["args"]) == (["web"], {"separator": ":", "index": 0})
    assert made["origin"] == "steward"
    assert steward.state()["0"]["website"] == "https"
    assert not steward.json("edit", *place, "website", "--arg", "index=0")["changed"]
    assert steward.number() == 3


BAD_EDITS = [
    (("website",), "nothing to do"),
    (("website", "--from", "web", "--remove"), "nothing to do"),
    (("websit", "--from", "web"), "has no field 'websit'"),
    (("website", "--from", "web", "--transform", "eval"), "there is no transform"),
    (("website", "--from", "a", "--from", "b"), "takes 1 source"),
    (("website", "--from", "a..b"), "empty part"),
    (("website", "--from", "web", "--arg", "x"), "key=value"),
    (("website", "--remove"), "no mapping fills 'website'"),
    (("id", "--remove"), "requires 'id'"),
]


@pytest.mark.parametrize(("words", "said"), BAD_EDITS, ids=[" ".join(w) for w, _ in BAD_EDITS])
def test_an_edit_that_cannot_stand_changes_nothing(
    steward: Steward, words: tuple[str, ...], said: str
) -> None:
    assert said in str(steward.refused("edit", steward.tenant, *KEY, *words))
    assert steward.number() == 1


def test_rollback_restores_every_record(steward: Steward, place: tuple[str, str, str]) -> None:
    before = steward.state()
    steward.json("edit", *place, "website", "--from", "web")
    steward.json("edit", *place, "annual_revenue", "--remove")
    done = steward.json("rollback", *place, "--to", "1", "--reason", "wrong")
    assert (steward.number(), steward.state()) == (1, before)
    assert done["replays"][0]["outcome"]["upserts"] == 5
    steward.json("rollback", *place, "--to", "3")
    assert steward.json("rollback", *place)["after"]["number"] == 2
    assert isinstance(steward.refused("rollback", *place, "--to", "9"), UnknownName)
    steward.json("rollback", *place, "--to", "1")
    assert "nothing to go back to" in str(steward.refused("rollback", *place))


def test_a_rollback_goes_to_what_held_before(steward: Steward, place: tuple[str, str, str]) -> None:
    steward.json("edit", *place, "website", "--from", "web", "--draft")  # set 2, which holds for nobody
    steward.json("edit", *place, "phone", "--from", "web")
    assert steward.json("rollback", *place)["after"]["number"] == 1
    steward.json("edit", *place, "annual_revenue", "--remove")  # set 4, in place of the bad set 3
    assert steward.json("rollback", *place)["after"]["number"] == 1
    for number in ("0", "99999999999999999999"):
        assert isinstance(steward.refused("rollback", *place, "--to", number), UnknownName)
        assert isinstance(steward.refused("show", *place, "--set", number), UnknownName)
    assert steward.number() == 1


def test_another_entity_changes_both_views(
    steward: Steward, place: tuple[str, str, str], tmp_path: Path
) -> None:
    def count() -> tuple[int, int]:
        asked = "SELECT (SELECT count(*) FROM account), (SELECT count(*) FROM customer)"
        (row,) = run_query(steward.mesh.settings, steward.tenant, asked).rows
        return row[0], row[1]

    file = tmp_path / "set.yaml"
    file.write_text("connector: shop\nstream: accounts\nentity: customer\nmappings: {id: id, name: name}\n")
    steward.json("edit", *place, "website", "--from", "web")
    assert count() == (5, 0)
    steward.json("publish", steward.tenant, str(file))
    assert count() == (0, 5)
    steward.json("rollback", *place)
    assert count() == (5, 0)


def test_a_rollback_that_dies_half_way_is_completed_by_the_next_sync(
    steward: Steward, place: tuple[str, str, str]
) -> None:
    before = steward.state()
    steward.json("edit", *place, "website", "--from", "web")
    roll_back(steward.mesh.db, steward.tenant, KEY, "ada", "wrong")  # and here the process dies
    assert steward.number() == 1
    assert steward.state() != before
    assert steward.due() == [KEY]
    (done,) = replay_due(steward.mesh, steward.tenant, ["account"])
    assert done.outcome is not None
    assert (steward.state(), steward.due()) == (before, [])
    assert replay_due(steward.mesh, steward.tenant) == []


def test_a_replay_of_a_stream_without_config_waits(
    steward: Steward, place: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with monkeypatch.context() as patch:
        patch.setenv("AOS_CONFIG_PATHS", str(empty))
        done = steward.json("edit", *place, "website", "--from", "web")
    assert done["replays"][0]["error"] is None
    assert steward.due() == [KEY]
    assert [one.error for one in replay_due(steward.mesh, steward.tenant)] == [None]
    assert steward.due() == []


def test_a_replay_that_cannot_run_now_stays_due(
    steward: Steward, place: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AOS_LOCK_WAIT_S", "0.1")
    with steward.mesh.db.lock(steward.tenant, LOCK):
        done = steward.json("edit", *place, "website", "--from", "web")
    assert done["replays"][0]["replay"] == "due"
    assert "another process" in done["replays"][0]["error"]
    assert steward.due() == [KEY]
    (late,) = replay_due(steward.mesh, steward.tenant)
    assert not isinstance(late.error, LockBusy)
    assert steward.state()["1"]["website"] == "https://n1.example"


def test_sets_travel_as_files_exactly(steward: Steward, place: tuple[str, str, str], tmp_path: Path) -> None:
    steward.json("edit", *place, "website", "--from", "web", "--transform", "concat", "--from", "name",
                 "--arg", "separator= | ")  # fmt: skip
    shown = steward.json("show", *place)
    (file,) = steward.json("export", steward.tenant, "shop", "--to", str(tmp_path / "out"))
    assert file["fingerprint"] == shown["fingerprint"]
    steward.json("rollback", *place)
    done = steward.json("import", steward.tenant, str(tmp_path / "out"))
    assert done["sets"][0]["changed"]
    again = steward.json("show", *place)
    assert (again["number"], again["fingerprint"]) == (3, shown["fingerprint"])
    assert steward.run("export", *place).stdout == Path(file["file"]).read_text()


def test_an_export_that_cannot_be_written_is_refused(steward: Steward, tmp_path: Path) -> None:
    place = (steward.tenant, *KEY)
    (tmp_path / "file").touch()
    assert isinstance(steward.refused("export", steward.tenant, "--to", str(tmp_path / "file")), FixInput)
    # a number means nothing without its stream
    assert isinstance(
        steward.refused("export", steward.tenant, "--set", "1", "--to", str(tmp_path)), FixInput
    )
    assert steward.json("export", *place)["yaml"] == steward.run("export", *place).stdout


def test_an_import_is_all_or_nothing(steward: Steward, tmp_path: Path) -> None:
    folder = tmp_path / "sets"
    steward.json("export", steward.tenant, "shop", "--to", str(folder))
    good = folder / "shop" / "accounts.yaml"
    text = good.read_text().replace("  updated_at:", "  created_at:")
    good.write_text(text)
    other = folder / "shop" / "broken.yaml"
    other.write_text(text.replace("accounts", "orders").replace("cast", "eval"))
    assert isinstance(steward.refused("import", steward.tenant, str(folder)), MappingRefused)
    other.write_text(text)
    assert isinstance(steward.refused("import", steward.tenant, str(folder)), ConfigError)
    assert steward.number() == 1


def test_a_published_draft_holds_for_nobody(steward: Steward, tmp_path: Path) -> None:
    file = tmp_path / "set.yaml"
    file.write_text(steward.run("export", steward.tenant, *KEY).stdout + "  website: web\n")
    assert steward.json("publish", steward.tenant, str(file), "--draft")["after"]["number"] == 2
    assert steward.number() == 1
    listed = steward.json("list", steward.tenant, *KEY)
    assert [(one["number"], one["holds"]) for one in listed] == [(2, False), (1, True)]
    steward.json("publish", steward.tenant, str(file), "--draft")
    assert len(steward.json("list", steward.tenant, *KEY)) == 2


def test_tables_for_people(steward: Steward, place: tuple[str, str, str]) -> None:
    said = steward.run("edit", *place, "website", "--from", "web").output
    assert "Set 2 holds now (before: set 1)" in said
    assert "5 records changed" in said
    for words in (
        ["list", place[0]],
        ["show", *place],
        ["history", place[0]],
        ["diff", *place, "--from", "1"],
    ):
        result = steward.run(*words)
        assert result.exit_code == 0
        assert "shop" in result.output or "website" in result.output
    assert isinstance(steward.refused("show", *place, "--set", "one"), Exception)
    assert isinstance(steward.refused("list", "nobody"), UnknownName)


def test_a_global_set_changes_for_every_tenant_that_follows_it(steward: Steward, tmp_path: Path) -> None:
    def publish(more: str) -> None:
        file = tmp_path / "mart.yaml"
        text = steward.run("export", steward.tenant, *KEY).stdout
        file.write_text(text.replace("connector: shop", "connector: mart") + more)
        steward.json("publish", "*", str(file))

    publish("")
    steward.stage.land(people(3), connector="mart")
    steward.stage.advance()
    before = steward.state()
    publish("  website: web\n")
    assert steward.state()["1"]["website"] == "https://n1.example"
    assert {one["tenant"] for one in steward.json("rollback", "*", "mart", "accounts")["replays"]} == {
        steward.tenant
    }
    assert steward.state() == before
    own = steward.json("edit", steward.tenant, "mart", "accounts", "website", "--from", "web")
    assert (own["after"]["tenant"], own["after"]["number"]) == (steward.tenant, 1)
    steward.json("rollback", steward.tenant, "mart", "accounts")  # before its own there was the global one
    assert steward.state() == before
    assert "follows the global set" in str(steward.refused("rollback", steward.tenant, "mart", "accounts"))


SHOWN = TableSchema(tuple(FieldSchema(one, ("string",), True) for one in ("id", "name", "web", '"a.b".c')))
SET = "connector: {0}\nstream: {1}\nentity: account\nmappings:\n  id: id\n  website: {2}\n"


def test_what_nothing_will_ever_fill_is_said(steward: Steward, tmp_path: Path) -> None:
    place, file = (steward.tenant, *KEY), tmp_path / "set.yaml"
    with steward.mesh.db.tenant(steward.tenant) as conn:
        record_schema(conn, steward.tenant, *KEY, TableSchema((FieldSchema("site", ("string",), True),)), "1")
        record_schema(conn, steward.tenant, *KEY, SHOWN, "2")
    unseen = "no load of shop/accounts ever had the field 'wbe'"
    assert steward.json("edit", *place, "website", "--from", "wbe")["warnings"] == [unseen]
    assert f"warning: {unseen}" in steward.run("edit", *place, "phone", "--from", "wbe").output
    for known in ("web", "site", "web.deeper.0", '"a.b".other'):  # nested, and in an earlier load
        assert steward.json("edit", *place, "website", "--from", known)["warnings"] == []
    assert steward.json("edit", *place, "phone", "--remove")["warnings"] == []  # whatever else is in the set
    file.write_text(SET.format(*KEY, "wbe"))
    for owner in (steward.tenant, "*"):
        found = steward.json("publish", owner, str(file), "--draft")["warnings"]
        assert found == [unseen], owner


def test_a_stream_that_no_config_names_is_said(steward: Steward, tmp_path: Path) -> None:
    unheard = "no connector config describes {}: the set fills nothing before one does"
    folder, file = tmp_path / "sets", tmp_path / "sets" / "a.yaml"
    folder.mkdir()
    file.write_text(SET.format("unheard", "accounts", "web"))
    (folder / "b.yaml").write_text(SET.format("shop", "acounts", "web"))
    (folder / "c.yaml").write_text(SET.format(*KEY, "web"))  # of which nothing is recorded yet
    told = [unheard.format("unheard/accounts"), unheard.format("shop/acounts")]
    assert steward.json("publish", steward.tenant, str(file))["warnings"] == told[:1]
    assert steward.json("import", steward.tenant, str(folder))["warnings"] == told
    said = steward.run("import", steward.tenant, str(folder)).output.splitlines()
    assert [one for one in said if "warning" in one] == [f"warning: {one}" for one in told]
    place = (steward.tenant, "unheard", "accounts")
    assert steward.json("edit", *place, "phone", "--from", "tel")["warnings"] == told[:1]
