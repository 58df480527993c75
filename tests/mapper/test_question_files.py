"""Question files: what is read, and what is refused with line and column."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import ConfigError
from core.ontology import Ontology
from resources.question_files import open_whole, read_labels, read_questions

HEADER = "source_system,source_entity,source_field,canonical_entity"

VALID = [
    (f"{HEADER}\nacme,people,email,contact\n", 1),
    (f"\ufeff{HEADER}\nacme,people,email,contact\n", 1),
    (f"{HEADER}\r\nacme,people,email,\r\n\r\nacme,people,name,contact\r\n", 2),
    (f'{HEADER},type,description,profile\nacme,p,e,contact,string,"a, ""b""","{{""null"": 0.1}}"\n', 1),
    (f"extra,{HEADER}\n1,acme,people,email,contact\n", 1),
    (f"{HEADER}\n", 0),
]


@pytest.mark.parametrize(("text", "count"), VALID)
def test_good_files_are_read(tmp_path: Path, ontology: Ontology, text: str, count: int) -> None:
    file = tmp_path / "f.csv"
    file.write_text(text, encoding="utf-8", newline="")
    assert len(read_questions(file, ontology)) == count


INVALID = [
    ("", "'source_system' is missing", ":1"),
    ("source_system,source_entity\n", "'source_field' is missing", ":1"),
    (f"{HEADER},source_field\n", "stands twice", ":1:5"),
    (f"{HEADER}\nacme,people,email\n", "another number of columns", ":2:4"),
    (f"{HEADER}\nacme,people,email,contact,x\n", "another number of columns", ":2:5"),
    (f'{HEADER}\nacme,people,"email,contact\n', "is not CSV", ":2:3"),
    (f'{HEADER}\nacme,people,"em"ail,contact\n', "is not CSV", ":2:3"),
    (f'{HEADER}\n"a,""b",people,"em"ail,contact\n', "is not CSV", ":2:3"),
    (f'{HEADER}\nacme,people,e,\nacme,"peo\nple,x,contact\n', "is not CSV", ":3:2"),
    (f"{HEADER}\nacme,people,em\0ail,contact\n", "no readable text", ":2:3"),
    ("source_system,sour\0ce,source_field,canonical_entity\n", "no readable text", ":1:2"),
    (f"{HEADER},profile\nacme,p,e,contact,[1]\n", "no value profile", ":2:5"),
    (f"{HEADER},profile\nacme,p,e,contact,{'[' * 9_000}\n", "no value profile", ":2:5"),
    (f"{HEADER}\n{'x' * 1_000_001}", "a line is too long", ":2:1"),
    (f'{HEADER}\nacme,"{"x" * 1_000_001}', "a line is too long", ":2:2"),
    ("SELECT 1;\n", "'source_system' is missing", ":1"),
    (f"{HEADER}\nacme,people,,contact\n", "'source_field' is empty", ":2:3"),
    (f"{HEADER}\nacme,people,email,contakt\n", "no canonical entity 'contakt'", ":2:4"),
    (f'{HEADER}\nacme,"a\nb",email,contact\nacme,x,y,zzz\n', "no canonical entity", ":4:4"),
    (f"{HEADER},profile\nacme,p,e,contact,nope\n", "no value profile", ":2:5"),
    (f'{HEADER},profile\nacme,p,e,contact,"{{""email"": 7}}"\n', "no value profile", ":2:5"),
    (f'{HEADER},profile\nacme,p,e,contact,"{{""email"": NaN}}"\n', "no value profile", ":2:5"),
    (f"{HEADER}\nacme,people,{'x' * 10_001},contact\n", "no readable text", ":2:3"),
]


@pytest.mark.parametrize(("text", "problem", "place"), INVALID)
def test_bad_files_are_refused_with_their_place(
    tmp_path: Path, ontology: Ontology, text: str, problem: str, place: str
) -> None:
    file = tmp_path / "f.csv"
    file.write_text(text, encoding="utf-8", newline="")
    with pytest.raises(ConfigError, match=problem) as caught:
        read_questions(file, ontology)
    assert str(caught.value.where).endswith(f"f.csv{place}")


@pytest.mark.parametrize(("separator", "said"), [(";", "semicolons"), ("\t", "tabs"), ("|", "bars")])
def test_another_separator_is_recognized(
    tmp_path: Path, ontology: Ontology, separator: str, said: str
) -> None:
    file = tmp_path / "f.csv"
    file.write_text(HEADER.replace(",", separator) + "\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=f"by commas, not by {said}"):
        read_questions(file, ontology)


NOT_TEXT = [
    (b"acme,people,caf\xe9,contact\n", "0xe9", ":2:3"),
    (b"acme,people,e,contact\nb\x80,p,e,contact\n", "0x80", ":3:1"),
    (b'acme,people,"a,\xff",contact\n', "0xff", ":2:3"),
]


@pytest.mark.parametrize(("rows", "byte", "place"), NOT_TEXT)
def test_bytes_that_are_no_text_are_told_with_their_cell(
    tmp_path: Path, ontology: Ontology, rows: bytes, byte: str, place: str
) -> None:
    file = tmp_path / "f.csv"
    file.write_bytes(HEADER.encode() + b"\n" + rows)
    with pytest.raises(ConfigError, match="not UTF-8") as caught:
        read_questions(file, ontology)
    assert (caught.value.found, str(caught.value.where)[-len(place) :]) == (f"byte {byte}", place)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_another_encoding_is_refused(tmp_path: Path, ontology: Ontology, encoding: str) -> None:
    file = tmp_path / "f.csv"
    file.write_bytes(f"{HEADER}\nacme,p,e,contact\n".encode(encoding))
    with pytest.raises(ConfigError, match=r"not UTF-8|no readable text") as caught:
        read_questions(file, ontology)
    assert str(caught.value.where).endswith(":1:1")


def test_a_line_without_end_is_not_read_into_memory(ontology: Ontology) -> None:
    with pytest.raises(ConfigError, match="a line is too long"):
        read_questions(Path("/dev/zero"), ontology)


def test_a_field_that_stands_twice_is_asked_once(tmp_path: Path, ontology: Ontology) -> None:
    file = tmp_path / "f.csv"
    file.write_text(f"{HEADER},type\n" + "acme,p,e,contact,string\n" * 3 + "acme,p,e,contact,number\n")
    assert [one.type for one in read_questions(file, ontology)] == ["string"]


def test_labels_of_several_files_are_one_truth(tmp_path: Path) -> None:
    one, two, none = (tmp_path / name for name in ("1.csv", "2.csv", "3.csv"))
    one.write_text(f"{HEADER},canonical_field\nacme,p,e,contact,email\nacme,p,x,contact,\n")
    two.write_text(f"{HEADER},canonical_field\nacme,p,e,contact,email_2\n")
    none.write_text(f"{HEADER}\nacme,p,y,contact\n")
    found = {question.field: right for question, right in read_labels([one, two], [none]).items()}
    assert found == {"e": {"email", "email_2"}, "x": set(), "y": set()}
    assert read_labels(one, none).keys() == read_labels([one, two], [none]).keys()


def test_a_file_that_is_not_there_or_not_text(tmp_path: Path, ontology: Ontology) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_questions(tmp_path / "none.csv", ontology)
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not UTF-8"):
        read_questions(tmp_path / "b.csv", ontology)


def test_two_who_write_the_same_file_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    with open_whole(path) as slow:
        slow.write("slow,1\n")
        slow.flush()
        with open_whole(path) as quick:
            quick.write("quick,2\n")
        assert path.read_text() == "quick,2\n"
        slow.write("slow,3\n")
    assert path.read_text() == "slow,1\nslow,3\n"
    assert list(tmp_path.iterdir()) == [path]
