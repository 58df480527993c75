"""Question files: what is read, and what is refused with line and column."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import ConfigError
from core.ontology import Ontology
from resources.question_files import read_questions

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
    (f'{HEADER}\nacme,people,"email,contact\n', "is not CSV", ":2"),
    (f'{HEADER}\nacme,people,"em"ail,contact\n', "is not CSV", ":2"),
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


def test_a_file_that_is_not_there_or_not_text(tmp_path: Path, ontology: Ontology) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_questions(tmp_path / "none.csv", ontology)
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not UTF-8"):
        read_questions(tmp_path / "b.csv", ontology)
