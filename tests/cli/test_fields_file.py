"""``aos mapping propose --fields``: a malformed file is one error with line and column, exit 2."""

from __future__ import annotations

import csv
import os
import threading
from pathlib import Path

import pytest

from tests.cli.conftest import Aos

HEADER = b"source_system,source_entity,source_field,canonical_entity"
MALFORMED = {
    "empty": (b"", ":1"),
    "only a BOM": (b"\xef\xbb\xbf", ":1"),
    "wrong header": (b"a,b,c,d\n1,2,3,4\n", ":1"),
    "missing column": (b"source_system,source_entity,source_field\na,b,c\n", ":1"),
    "column twice": (HEADER + b",source_field\n", ":1:5"),
    "another separator": (HEADER.replace(b",", b";") + b"\na;b;c;contact\n", ":1"),
    "open quote": (HEADER + b'\na,b,"c,contact\n', ":2:3"),
    "text after a quote": (HEADER + b'\na,b,c,"con"tact\n', ":2:4"),
    "NUL": (HEADER + b"\na,b,c\x00d,contact\n", ":2:3"),
    "Latin-1": (HEADER + b"\na,b,stra\xdfe,contact\n", ":2:3"),
    "UTF-16": (HEADER.decode().encode("utf-16"), ":1:1"),
    "short row": (HEADER + b"\na,b,c,contact\na,b\n", ":3:3"),
    "long row": (HEADER + b"\na,b,c,contact,x\n", ":2:5"),
    "no field": (HEADER + b"\na,b,,contact\n", ":2:3"),
    "unknown entity": (HEADER + b"\na,b,c,contakt\n", ":2:4"),
    "profile is no JSON": (HEADER + b",profile\na,b,c,contact,{nope\n", ":2:5"),
    "profile with values": (HEADER + b',profile\na,b,c,contact,"{""sample"": ""x""}"\n', ":2:5"),
    "endless cell": (HEADER + b"\na,b," + b"c" * 20_000 + b",contact\n", ":2:3"),
    "endless quoted cell": (HEADER + b'\na,b,"' + b"c\n" * 100_000, ":2:3"),
    "endless line": (HEADER + b"\na,b," + b"c" * 1_100_000, ":2:3"),
    "binary": (bytes(range(256)) * 20, ":1:1"),
}


@pytest.mark.parametrize("name", MALFORMED)
@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
def test_a_malformed_file_is_one_error_with_its_place(
    aos: Aos, tmp_path: Path, name: str, as_json: bool
) -> None:
    content, place = MALFORMED[name]
    file, out = tmp_path / "fields.csv", tmp_path / "out.csv"
    file.write_bytes(content)
    options = ["--json"] if as_json else []
    answer = aos("mapping", "propose", "--fields", str(file), "--out", str(out), *options)
    assert answer.code == 2
    if as_json:
        assert answer.json["where"].endswith(f"fields.csv{place}")
        assert answer.json["error"] == "ConfigError"
    else:
        assert f"fields.csv{place}: " in answer.err
        assert len(answer.err) < 2_000
    assert not out.exists()


def test_a_file_or_place_that_is_not_there(aos: Aos, tmp_path: Path) -> None:
    file = tmp_path / "fields.csv"
    out = str(tmp_path / "out.csv")
    for given in (file, tmp_path):
        assert aos("mapping", "propose", "--fields", str(given), "--out", out).code == 2
    file.write_bytes(HEADER + b"\n")
    nowhere = aos("mapping", "propose", "--fields", str(file), "--out", str(tmp_path / "no" / "out.csv"))
    assert nowhere.code == 2
    assert "cannot be written" in nowhere.err


@pytest.mark.parametrize("place", [".", "", "/", "folder", "a" * 300])
def test_a_place_that_is_no_file_is_one_error_and_leaves_nothing(
    aos: Aos, tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "asked.csv").write_bytes(HEADER + b"\na,b,email,contact\n")
    done = aos("mapping", "propose", "--lexical", "--fields", "asked.csv", "--out", place)
    assert (done.code, "cannot be written" in done.err) == (2, True)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["asked.csv", "folder"]


def test_a_link_stays_a_link_and_a_pipe_a_pipe(aos: Aos, tmp_path: Path) -> None:
    """As a file that takes their place would: ``--out /dev/null`` must not make it a file."""
    asked, real, link, pipe = (tmp_path / name for name in ("asked.csv", "real.csv", "link.csv", "pipe"))
    asked.write_bytes(HEADER + b"\na,b,email,contact\n")
    link.symlink_to(real)
    os.mkfifo(pipe)
    heard: list[str] = []
    reader = threading.Thread(target=lambda: heard.append(pipe.read_text()), daemon=True)
    reader.start()
    for out in (link, pipe):
        assert aos("mapping", "propose", "--lexical", "--fields", str(asked), "--out", str(out)).code == 0
    reader.join(10)
    assert link.is_symlink()
    assert pipe.is_fifo()
    assert heard == [real.read_text()]


def test_rows_that_stand_twice_are_answered_once_and_alike(aos: Aos, tmp_path: Path) -> None:
    file, out = tmp_path / "fields.csv", tmp_path / "out.csv"
    found = []
    for times in (1, 3):
        file.write_bytes(b"\xef\xbb\xbf" + HEADER + b"\r\n" + b"acme,people,first_name,contact\r\n" * times)
        assert aos("mapping", "propose", "--fields", str(file), "--out", str(out)).code == 0
        with out.open(newline="") as opened:
            found.append(list(csv.DictReader(opened)))
    assert found[0] == found[1]
    assert found[0][0]["canonical_field"] == "first_name"


def test_answers_never_overwrite_the_questions(aos: Aos, tmp_path: Path) -> None:
    asked = tmp_path / "asked.csv"
    asked.write_bytes(HEADER + b"\na,b,email,contact\n")
    done = aos("mapping", "propose", "--fields", str(asked), "--out", str(asked))
    assert done.code == 2
    assert "overwrite" in done.err
    assert asked.read_bytes().startswith(HEADER)


def test_an_entity_that_nobody_named_is_told(aos: Aos, tmp_path: Path) -> None:
    asked, out = tmp_path / "asked.csv", tmp_path / "out.csv"
    fields = b"".join(b"acme,invoices,%s,\n" % name for name in (b"invoice_number", b"due_date", b"currency"))
    asked.write_bytes(HEADER + b"\n" + fields)
    assert aos("mapping", "propose", "--fields", str(asked), "--out", str(out)).code == 0
    with out.open(newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert {(one["canonical_entity"], one["entity"]) for one in rows} == {("", "invoice")}
