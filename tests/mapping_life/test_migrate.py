"""From YAML files to the registry: shadow, canary, cut-over, and the ways back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.errors import CheckFailed, FixInput, MappingRefused, UnknownName
from resources import yaml_migration
from resources.yaml_archive import archive_files
from tests.mapping_life.conftest import KEY, Steward, people


@pytest.fixture
def folder(steward: Steward, tmp_path: Path) -> Path:
    """The team's files: as the registry, but they map the website as well."""
    steward.stage.land(people(100))
    steward.stage.advance()
    made = tmp_path / "mappings"
    made.mkdir()
    exported = steward.run("export", steward.tenant, *KEY).stdout
    (made / "accounts.yaml").write_text(exported + "  website: web\n")
    return made


def moved(steward: Steward) -> set[str]:
    return {record for record, data in steward.state().items() if "website" not in data}


def test_the_three_phases(steward: Steward, folder: Path) -> None:
    mine = ("--tenant", steward.tenant)
    begun = steward.json("migrate", "start", str(folder), *mine)
    assert (begun["phase"], begun["streams"][0]["differ"]) == ("SHADOW", 100)
    assert begun["streams"][0]["fields"] == "website (100)"
    assert moved(steward) == set()  # the files hold the truth
    assert steward.number() == 1

    steward.json("migrate", "canary", *mine, "--percent", "20")
    first = moved(steward)
    assert 8 < len(first) < 35
    steward.json("migrate", "canary", *mine, "--percent", "70")
    assert first < moved(steward)
    assert steward.run("migrate", "status", *mine).exit_code == 1

    assert isinstance(steward.refused("migrate", "cut-over", *mine), CheckFailed)
    steward.json("edit", steward.tenant, *KEY, "website", "--from", "web")
    assert steward.run("migrate", "status", *mine).exit_code == 0
    over = steward.json("migrate", "cut-over", *mine)
    assert over["phase"] == "CUT_OVER"
    assert moved(steward) == set()
    assert not (folder / "accounts.yaml").exists()
    archive = Path(over["archive"])
    manifest = json.loads((archive / "manifest.json").read_text())
    assert manifest["files"][0]["path"] == "accounts.yaml"
    assert "website: web" in (archive / "accounts.yaml").read_text()
    assert steward.json("canary", "status", steward.tenant)["canaries"] == []
    actions = [one["action"] for one in reversed(steward.json("history", steward.tenant))]
    assert [a for a in actions if a.startswith("yaml")] == [
        "yaml_migration.started",
        "yaml_migration.canary",
        "yaml_migration.canary",
        "yaml_migration.cut_over",
    ]
    assert isinstance(steward.refused("migrate", "abort", *mine), UnknownName)


def test_an_aborted_migration_leaves_files_and_records(steward: Steward, folder: Path) -> None:
    before = steward.state()
    mine = ("--tenant", steward.tenant)
    steward.json("migrate", "start", str(folder), *mine)
    assert steward.state() != before
    assert steward.json("migrate", "abort", *mine)["phase"] == "ABORTED"
    assert steward.state() == before
    assert (folder / "accounts.yaml").exists()
    assert steward.json("migrate", "start", str(folder), *mine)["phase"] == "SHADOW"


def test_changed_files_have_to_be_taken_up(steward: Steward, folder: Path) -> None:
    mine = ("--tenant", steward.tenant)
    steward.json("migrate", "start", str(folder), *mine)
    file = folder / "accounts.yaml"
    file.write_text(file.read_text().replace("website: web", "website: name"))
    assert "have changed" in str(steward.refused("migrate", "cut-over", *mine, "--accept-discrepancies"))
    steward.json("migrate", "start", str(folder), *mine)
    assert steward.state()["1"]["website"] == "N1"
    file.write_text(file.read_text().replace("  website: name\n", ""))
    again = steward.json("migrate", "start", str(folder), *mine)
    assert again["streams"][0]["agrees"]
    assert steward.json("canary", "status", steward.tenant)["canaries"] == []
    assert steward.json("migrate", "cut-over", *mine, "--keep-files")["phase"] == "CUT_OVER"
    assert file.exists()


def test_a_stream_without_set_gets_the_files(steward: Steward, folder: Path) -> None:
    text = (folder / "accounts.yaml").read_text()
    (folder / "orders.yaml").write_text(text.replace("accounts", "orders"))
    begun = steward.json("migrate", "start", str(folder), "--tenant", steward.tenant)
    assert [one["agrees"] for one in begun["streams"]] == [False, True]


def test_a_killed_cut_over_is_completed_by_running_it_again(
    steward: Steward, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = ("--tenant", steward.tenant)
    steward.json("migrate", "start", str(folder), *mine)
    archive_files(yaml_migration.find_migration(steward.mesh.db, steward.tenant))  # killed after the archive
    with monkeypatch.context() as patch:
        patch.setattr(yaml_migration, "remove_originals", _die)  # killed after the commit
        with pytest.raises(KeyboardInterrupt):
            yaml_migration.cut_over(steward.mesh, steward.tenant, "ada", accept=True)
    assert (folder / "accounts.yaml").exists()
    steward.json("migrate", "cut-over", *mine)
    assert not (folder / "accounts.yaml").exists()
    assert moved(steward) == {str(n) for n in range(100)}


def _die(_: object) -> None:
    raise KeyboardInterrupt


def test_what_cannot_be_migrated(steward: Steward, folder: Path, tmp_path: Path) -> None:
    mine = ("--tenant", steward.tenant)
    assert isinstance(steward.refused("migrate", "status", *mine), UnknownName)
    empty = tmp_path / "empty"
    empty.mkdir()
    assert isinstance(steward.refused("migrate", "start", str(empty), *mine), FixInput)
    steward.json("migrate", "start", str(folder), *mine)
    assert isinstance(steward.refused("canary", "abort", steward.tenant, *KEY), FixInput)
    other = tmp_path / "other"
    other.mkdir()
    (other / "a.yaml").write_text((folder / "accounts.yaml").read_text())
    assert isinstance(steward.refused("migrate", "start", str(other), *mine), MappingRefused)


def test_a_stream_without_config_is_told_and_the_others_go_on(
    steward: Steward, folder: Path, tmp_path: Path
) -> None:
    mine = ("--tenant", steward.tenant)
    orders = folder / "orders.yaml"
    text = (folder / "accounts.yaml").read_text().replace("connector: shop", "connector: unheard")
    orders.write_text(text)
    steward.json("migrate", "start", str(folder), *mine)
    orders.write_text(text.replace("website: web", "website: name"))  # and now it differs
    again = steward.json("migrate", "start", str(folder), *mine)
    told = {one["stream"]: one for one in again["streams"]}
    assert told["shop/accounts"]["differ"] == 100
    assert (told["unheard/accounts"]["agrees"], told["unheard/accounts"]["records"]) == (False, None)
    assert "no connector config describes unheard/accounts" in told["unheard/accounts"]["problem"]
    seen = steward.run("migrate", "status", *mine)
    assert (seen.exit_code, "website (100)" in seen.output) == (1, True)
    assert "unheard/accounts cannot be compared: no connector config" in seen.output
    steward.json("edit", steward.tenant, *KEY, "website", "--from", "web")
    refused = steward.refused("migrate", "cut-over", *mine)
    assert isinstance(refused, CheckFailed)
    assert "unheard/accounts (not compared)" in str(refused)
    assert steward.json("migrate", "cut-over", *mine, "--accept-discrepancies")["phase"] == "CUT_OVER"


def test_a_file_that_cannot_be_applied_is_told(steward: Steward, folder: Path) -> None:
    file = folder / "accounts.yaml"
    broken = "{from: name, transform: json_path, args: {path: '$['}}"
    file.write_text(file.read_text().replace("website: web", f"website: {broken}"))
    begun = steward.json("migrate", "start", str(folder), "--tenant", steward.tenant)
    assert "mapping set 2 cannot be applied" in begun["streams"][0]["problem"]
