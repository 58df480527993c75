"""Ontology files that are wrong: each is refused with file, line and what was expected."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import ConfigError
from core.ontology import load_ontology

GOOD = """\
entity: thing
domain: crm
owner: sales
description: A thing
aliases: [object]
fields:
  id:
    type: string
    description: Key
    required: true
    aliases: [thing_id, no, on]
  state:
    type: enum
    description: State
    enum: [open, closed]
  currency:
    type: enum
    description: Code
    open: true
  amount:
    type: currency
    description: "Value: how much"
    currency: currency
    min: 0
"""

INVALID = [
    ("owner: sales", "owner: sales\ncolour: red", r"thing.yaml:4 \(colour\): unknown key 'colour'"),
    ("owner: sales", "owner: sales\nowner: me", r"thing.yaml:4 \(owner\): key stands twice"),
    ("owner: sales\n", "", r"thing.yaml:1: key 'owner' is missing"),
    ("type: currency", "type: money", r"thing.yaml:21 \(fields.amount.type\): .*found 'money'"),
    ("aliases: [thing_id,", "aliases: [thing_id, thing_id,", r"thing.yaml:11 .*names 'thing_id' twice"),
    ("aliases: [thing_id,", "aliases: [state,", r"thing.yaml:8 .*alias 'state' belongs to field 'state'"),
    ("aliases: [thing_id,", "aliases: [Thing-ID,", r"thing.yaml:11 .*alias is not snake_case"),
    ("    required: true\n", "", r"no field is required"),
    ("required: true", "required: yes", r"expected true or false, found 'yes'"),
    ("min: 0", "min: none", r"thing.yaml:24 \(fields.amount.min\): is a number"),
    ("min: 0", "min: 3\n    max: 2", r"min is above max"),
    ("currency: currency", "currency: coin", r"'currency' names no enum field"),
    ("enum: [open, closed]", "enum: []", r"a closed enum needs its values"),
    ("enum: [open, closed]", "enum: [Open]", r"enum values are lower case"),
    ("enum: [open, closed]", "open: true\n    min: 1", r"'min' does not fit type enum"),
    ("description: Key", "description: Key\n    references: [thin]", r"missing entity 'thin'.*'thing'"),
    ("description: Key", "description: Key\n    opposites: [x]", r"'opposites' does not fit type string"),
    ("description: Key", "description: Key\n    format: uuid", r"expected domain, iban"),
    ("description: Key", "description:", r"needs a text.*found nothing"),
    ("aliases: [object]", "aliases: object", r"needs a list.*found 'object'"),
    ("entity: thing", "entity: other", r"entity and file name differ"),
    ("entity: thing", "entity: [", r"thing.yaml:\d+: is not YAML"),
    (GOOD, "", r"thing.yaml:1: is empty"),
    (GOOD, "- thing\n", r"needs a mapping.*found a list"),
]


def write(folder: Path, text: str) -> Path:
    (folder / "thing.yaml").write_text(text)
    return folder


def test_a_good_file_is_read(tmp_path: Path) -> None:
    thing = load_ontology(write(tmp_path, GOOD)).entity("thing")
    assert thing.required == ("id",)
    assert thing.fields["id"].aliases == ("thing_id", "no", "on")
    assert thing.fields["state"].is_closed
    assert not thing.fields["currency"].is_closed
    assert thing.fields["amount"].min == 0


@pytest.mark.parametrize(("old", "new", "message"), INVALID)
def test_a_wrong_file_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(ConfigError, match=message):
        load_ontology(write(tmp_path, GOOD.replace(old, new, 1)))


def test_no_files_are_no_ontology(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the ontology is empty"):
        load_ontology(tmp_path)


def test_the_fingerprint_follows_the_definitions(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
    one = load_ontology(write(tmp_path / "a", GOOD))
    same = load_ontology(write(tmp_path / "b", GOOD))
    other = load_ontology(write(tmp_path / "c", GOOD.replace("A thing", "A matter")))
    assert one.fingerprint == same.fingerprint != other.fingerprint
