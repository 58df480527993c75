"""The command line as a user calls it: in this process, on a home of its own, against the sandbox."""

from __future__ import annotations

import io
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cli.main import main
from resources.database import Database
from resources.settings import load_settings
from sandbox.server import Sandbox


@dataclass(frozen=True)
class Answer:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as the one JSON document it should be."""
        return json.loads(self.out)


Aos = Callable[..., Answer]


@pytest.fixture(scope="package")
def home() -> Iterator[Path]:
    """A home whose Postgres runs as long as the tests, as under ``aos up``; not in pytest's 0700 folder."""
    folder = Path(tempfile.mkdtemp(prefix="aos-test-"))
    with closing(Database.open(load_settings(home=folder))):
        yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="package")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def aos(home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Aos:
    """Run ``aos`` with arguments and, if given, text on standard input."""
    monkeypatch.setenv("AOS_HOME", str(home))
    monkeypatch.setenv("COLUMNS", "300")

    def run(*arguments: str, stdin: str = "") -> Answer:
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        said = capfd.readouterr()
        assert "Traceback" not in said.out + said.err
        return Answer(int(ended.value.code or 0), said.out, said.err)

    return run
