"""What the documents state: links lead somewhere, every command, kind and transform is told."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from cli.commands_page import list_commands, write_page
from core.connector import CREDENTIAL_FIELDS, Kind
from core.mapping import TRANSFORMS
from resources.settings import project_root

ROOT = project_root()
DOCS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("path", DOCS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
    dead = [t for t in targets if "://" not in t and not (path.parent / t).exists()]
    assert not dead


def test_every_command_is_told() -> None:
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert page == write_page(), "make it anew: python -m cli.commands_page > docs/commands.md"
    assert [words for words, text in list_commands() if not text] == []


def test_a_new_connector_finds_every_kind_auth_and_transform() -> None:
    text = (ROOT / "docs" / "add-a-connector.md").read_text(encoding="utf-8")
    wanted = {*get_args(Kind), *CREDENTIAL_FIELDS, *TRANSFORMS}
    assert {word for word in wanted if f"`{word}`" not in text and word not in text} == set()


def test_the_rooms_are_the_folders() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rooms = {path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()}
    assert {room for room in rooms if f"`{room}/`" not in text} == set()


def test_no_file_names_a_registry_or_a_folder_of_one_machine() -> None:
    for path in (*DOCS, ROOT / "constraints.txt", ROOT / "pyproject.toml", ROOT / "Makefile"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"pypi\.org|pythonhosted|registry\.npmjs|file://", text), path
        assert "/work/" not in text, path
