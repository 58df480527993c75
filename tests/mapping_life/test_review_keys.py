"""The keys of a review: transforms, value by value; undo; a bound for the stream; a real terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from core.mapper.describe import describe_profile
from resources.proposals import list_proposals, save_proposals
from resources.registry import active_set
from resources.settings import child_environment
from tests.mapping_life.conftest import KEY, Steward
from tests.mapping_life.test_review import mapped, propose, statuses

ROWS: list[dict[str, Any]] = [
    {"id": str(n), "name": f"N{n}", "web": f"https://n{n}.example", "stage": stage, "joined": joined}
    for n, (stage, joined) in enumerate(
        [("Customer", "13/01/2024"), ("Ex", "02/03/2024"), ("customer", "27/11/2023")] * 10
    )
]


@pytest.fixture
def place(steward: Steward) -> tuple[str, str, str]:
    steward.stage.land(ROWS)
    steward.stage.advance()
    made = [
        propose("web", "website", 0.95, profile={"null": 0.02, "unique": 1.0, "url": 1.0, "count": 30}),
        propose("stage", "lifecycle_stage", 0.84, doubt="1 of 3 values mean none of the list"),
        propose("joined", "description", 0.5),
    ]
    with steward.mesh.db.tenant(steward.tenant) as conn:
        save_proposals(conn, steward.tenant, made)
    return steward.tenant, *KEY


def test_values_are_shown_and_completed_one_by_one(steward: Steward, place: tuple[str, str, str]) -> None:
    # skip the first; look at the values; enum_map, a value each: Customer, Ex, customer; keep the others
    keys = "s\nv\nt\nenum_map\ncustomer\nformer_customer\ncustomer\n-\ntrue\na\nq\n"
    done = steward.run("review", place[0], "--unknown", keys=keys)
    assert done.exit_code == 0, (done.output, done.exception)
    assert "10  Ex" in done.output
    assert "1 of 3 values mean none" in done.output
    held = active_set(steward.mesh.db, steward.tenant, *KEY)
    assert held is not None
    made = next(one for one in held.mappings if one.target == "lifecycle_stage")
    values = {"Customer": "customer", "Ex": "former_customer", "customer": "customer"}
    assert (made.transform, made.args) == ("enum_map", {"values": values, "keep": True})
    assert steward.state()["1"]["lifecycle_stage"] == "former_customer"


def test_another_target_brings_the_transform_its_values_need(
    steward: Steward, place: tuple[str, str, str]
) -> None:
    done = steward.run("review", place[0], "--unknown", keys="s\ns\ne\ncreated_at\nq\n")
    assert "1 approved" in done.output, done.output
    held = active_set(steward.mesh.db, steward.tenant, *KEY)
    assert held is not None
    made = next(one for one in held.mappings if one.target == "created_at")
    assert (made.transform, made.args) == ("parse_datetime", {"format": "%d/%m/%Y"})
    assert steward.state()["0"]["created_at"] == "2024-01-13T00:00:00Z"


def test_undo_takes_back_what_is_not_published(steward: Steward, place: tuple[str, str, str]) -> None:
    done = steward.run("review", place[0], "--unknown", keys="u\na\nu\nr\ns\nq\n")
    assert "nothing was decided" in done.output
    assert "Taken back: web" in done.output
    assert statuses(steward) == {"web": "rejected", "stage": "pending", "joined": "pending"}
    assert steward.number() == 1


def test_a_bound_leaves_what_needs_a_look(steward: Steward, place: tuple[str, str, str]) -> None:
    done = steward.run("review", place[0], "--unknown", keys="?\nb\nlots\nb\n0.4\na\n")
    assert "what you accepted so far is published" in done.output
    assert "left: stage: has to be looked at" in done.output
    assert "Accepted: web, joined" in done.output
    assert "3 approved" in done.output
    assert set(statuses(steward).values()) == {"approved"}


def test_a_bound_is_a_share(steward: Steward, place: tuple[str, str, str]) -> None:
    done = steward.run("review", place[0], "--unknown", keys="b\n-1\nq\n")
    assert "a number from 0 to 1" in done.output
    assert "0 approved" in done.output


def test_a_script_sees_values_and_doubt(steward: Steward, place: tuple[str, str, str]) -> None:
    listed = {one["field"]: one for one in steward.json("review", place[0])}
    assert listed["web"]["values"] == ["empty 2 %", "unique 100 %", "URLs 100 %", "30 seen"]
    assert listed["web"]["profile"]["url"] == 1.0
    assert listed["stage"]["doubt"]
    done = steward.json("review", place[0], "--accept-above", "0.4")
    assert done["approved"] == 2
    assert any("has to be looked at" in one for one in done["left"])


def test_a_script_gets_the_transform_the_values_need(steward: Steward, place: tuple[str, str, str]) -> None:
    made = steward.json("approve", *place, "joined", "--target", "created_at")["after"]["mappings"]
    assert next(one for one in made if one["target"] == "created_at")["args"] == {"format": "%d/%m/%Y"}


PROFILES = [
    ({}, []),
    ({"null": 1.0, "count": 20}, ["always empty (20 seen)"]),
    ({"null": 0.001, "as %d/%m/%Y": 1.0, "integer": 0.0}, ["empty <1 %", "%d/%m/%Y 100 %"]),
    (
        {"unique": 0.999, "email": 0.97, "length": 23.6},
        ["empty 0 %", "unique >99 %", "e-mail addresses 97 %", "24 characters"],
    ),
    ({"boolean": 1.0, "integer": 1.0, "number": 1.0}, ["empty 0 %", "yes or no 100 %", "numbers 100 %"]),
    ({"integer": 1.0, "number": 1.0, "phone": 0.9, "epoch": 1.0}, ["empty 0 %", "counted seconds 100 %"]),
]


@pytest.mark.parametrize(("shares", "told"), PROFILES)
def test_profiles_in_words(shares: dict[str, float], told: list[str]) -> None:
    assert describe_profile(shares) == told


# --- a real terminal ---------------------------------------------------------------------------


def _take_terminal() -> None:
    """In the child: this terminal's Ctrl-C is for it."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@contextmanager
def terminal(steward: Steward, *words: str) -> Iterator[Any]:
    """``aos`` in a terminal of 80 columns: a function that types keys and returns what came until a text."""
    main, child = pty.openpty()
    environment = child_environment() | {"COLUMNS": "80", "LINES": "40", "TERM": "xterm-256color"}
    command = [sys.executable, "-m", "cli.main", "mapping", *words]
    ends: dict[str, Any] = {"stdin": child, "stdout": child, "stderr": child, "env": environment}
    process = subprocess.Popen(command, **ends, start_new_session=True, preexec_fn=_take_terminal)
    os.close(child)
    seen = ""

    def until(text: str, type_: str = "") -> str:
        nonlocal seen
        seen = ""
        os.write(main, type_.encode())
        deadline = time.monotonic() + 30
        while text not in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", seen):
            assert time.monotonic() < deadline, seen
            if select.select([main], [], [], 0.2)[0]:
                try:
                    seen += os.read(main, 65536).decode(errors="replace")
                except OSError:  # the other side is closed
                    break
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", seen).replace("\r", "")

    try:
        yield until
    finally:
        process.terminate()
        process.wait(10)
        os.close(main)


def test_single_keys_in_a_terminal(steward: Steward, place: tuple[str, str, str]) -> None:
    with terminal(steward, "review", place[0], "--unknown", "--user", "eve") as until:
        first = until("> ")
        assert "URLs 100 %" in first
        assert max(map(len, first.split("\n"))) <= 80
        assert "2 of 3" in until("> ", "a")
        assert "3 of 3" in until("> ", "\r")
        ended = until("left for later", "q")
    assert "1 approved, 0 rejected, 2 left for later" in ended
    assert mapped(steward)["website"] == ["web"]


def test_ctrl_c_in_a_terminal_changes_nothing(steward: Steward, place: tuple[str, str, str]) -> None:
    with terminal(steward, "review", place[0], "--unknown") as until:
        until("> ")
        until("> ", "a")
        assert "Traceback" not in until("Interrupted", "\x03")
    assert {one.status for one in list_proposals(steward.mesh.db, steward.tenant)} == {"pending"}
