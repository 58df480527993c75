"""Settings: defaults, environment, errors, and that each one is documented."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from core.errors import ConfigError
from resources.settings import PREFIX, Settings, load_settings


def test_everything_lives_under_home(tmp_path: Path) -> None:
    found = load_settings(home=tmp_path)
    assert found.lake == str(tmp_path / "lake")
    assert found.warehouse_dir == tmp_path / "warehouse"
    assert found.master_key_file == tmp_path / "master.key"


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AOS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("AOS_CONFIG_PATHS", os.pathsep.join([str(tmp_path / "a"), str(tmp_path / "b")]))
    monkeypatch.setenv("AOS_LAKE_URL", "s3://bucket/lake/")
    monkeypatch.setenv("AOS_LOG_LEVEL", "info")
    monkeypatch.setenv("AOS_DATABASE_URL", "")
    found = load_settings()
    assert found.home == tmp_path / "home"
    assert found.config_paths == (tmp_path / "a", tmp_path / "b")
    assert found.lake == "s3://bucket/lake"
    assert found.log_level == "INFO"
    assert found.database_url is None


def test_a_relative_path_counts_from_where_the_command_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings(warehouse_dir="w").warehouse_dir == tmp_path / "w"
    assert load_settings(lake_url="l").lake == str(tmp_path / "l")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AOS_SYNC_THREADS", "0"),
        ("AOS_SYNC_THREADS", "many"),
        ("AOS_RUN_MAX_S", "1"),
        ("AOS_LOG_LEVEL", "LOUD"),
        ("AOS_REVIEW_CONFIDENCE", "0.9"),
        ("AOS_AUTO_APPLY_CONFIDENCE", "0.8"),
        ("AOS_LLM_PRICE_IN_USD_PER_1M", "inf"),
        ("AOS_LLM_MONTHLY_BUDGET_USD", "inf"),
    ],
)
def test_a_wrong_value_is_one_clear_error(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as caught:
        load_settings()
    assert name in str(caught.value) or "review_confidence" in str(caught.value)


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    found = load_settings(
        home=tmp_path, database_url="postgresql://u:hunter2@h/d", master_key="c2VjcmV0LWtleQ=="
    )
    assert "hunter2" not in repr(found) + str(found)
    assert "c2VjcmV0LWtleQ" not in repr(found) + str(found)


def test_each_setting_is_documented(project_root: Path) -> None:
    text = (project_root / "docs" / "settings.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \|.*?\| ([^|]+) \|$", text, flags=re.MULTILINE))
    wanted = {PREFIX + name.upper(): field.description for name, field in Settings.model_fields.items()}
    assert rows == wanted


def test_nothing_else_reads_the_environment(project_root: Path) -> None:
    """Only settings.py knows the environment; a child process gets it whole from there."""
    readers = re.compile(r"os\.environ|os\.getenv|environ\[")
    rooms = ["core", "resources", "aam_assets", "dcl_assets", "sensors", "cli"]
    files = [path for room in rooms for path in (project_root / room).rglob("*.py")]
    found = [str(p.relative_to(project_root)) for p in files if readers.search(p.read_text())]
    assert found == ["resources/settings.py"]
