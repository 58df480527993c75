"""How results are written for programs, and how a command ends that cannot go on."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.output import clean, console, plain_name, print_down, say, tell_apart
from cli.services import open_mesh
from tests.cli.conftest import Aos


def test_repeated_columns_are_told_apart() -> None:
    assert tell_apart(["id", "name", "id", "id"]) == ["id", "name", "id_2", "id_3"]
    assert tell_apart(["id", "id", "id_2"]) == ["id", "id_3", "id_2"]


@given(st.lists(st.sampled_from(["a", "a_2", "a_3", "b"])))
def test_every_column_keeps_a_name_of_its_own(names: list[str]) -> None:
    told = tell_apart(names)
    assert len(set(told)) == len(names)
    assert all(new == old or new.startswith(f"{old}_") for new, old in zip(told, names, strict=True))


HOSTILE = "\x1b[2Jred\x07 \u202eliam :smile: [bold]b[/bold]\n> a"


def test_a_strangers_text_steers_no_terminal() -> None:
    with console.capture() as told:
        say(HOSTILE)
        print_down(["id", HOSTILE], [(1, HOSTILE)])
    for sign in ("\x1b[2J", "\x07", "\u202e"):
        assert sign not in told.get()
    assert told.get().count(":smile: [bold]b[/bold]") == 3
    assert "\n" not in plain_name(HOSTILE)
    assert clean("Größe\nzwei") == "Größe\nzwei"


def test_an_argument_that_is_no_text_is_refused(aos: Aos) -> None:
    said = aos("mapping", "list", "acme", "bad\udcff", "--json")
    assert (said.code, said.json["problem"]) == (2, "an argument is not UTF-8")


def test_ctrl_c_during_a_query_is_no_defect(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    counting = "SELECT sum(a.range * b.range % 7) FROM range(200000) a, range(100000) b"
    pressed = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    pressed.start()
    with pytest.raises(KeyboardInterrupt), open_mesh(home=home), duckdb.connect() as conn:
        conn.execute(counting).fetchall()
    pressed.join()
    assert "Interrupted." in capsys.readouterr().err
