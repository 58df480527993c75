"""Files of questions and proposals: strict CSV in, CSV out, errors with line and column.

Question columns: source_system, source_entity, source_field, canonical_entity (may be empty), optionally
type, description, profile (JSON of shares, as ``core/mapper/profile.py`` reads it). Others are left alone.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from core.errors import ConfigError
from core.mapper.profile import Profile, read_profile
from core.mapper.question import Question
from core.ontology import Ontology
from core.ontology.model import suggest_near

KEY = ("source_system", "source_entity", "source_field", "canonical_entity")
OPTIONAL = ("type", "description", "profile")
OUT = (*KEY, "canonical_field", "confidence", "rank", "method")
MAX_CELL = 10_000
"""Characters of one cell; more is no field name or description."""


def read_questions(path: Path, ontology: Ontology) -> list[Question]:
    """The questions of a file, in order; ConfigError names line and column of what is wrong."""
    return [_read_question(row, where, ontology) for row, where in _read_rows(path, KEY)]


def read_labels(truth: Path, unmapped: Path) -> dict[Question, frozenset[str]]:
    """Decided questions of two files: with ``canonical_field``, and those without a counterpart."""
    found: dict[Question, set[str]] = {}
    for row, _ in _read_rows(truth, (*KEY, "canonical_field")):
        found.setdefault(_bare_question(row), set()).add(row["canonical_field"])
    for row, _ in _read_rows(unmapped, KEY):
        found.setdefault(_bare_question(row), set())
    return {question: frozenset(found[question]) for question in sorted(found, key=order_questions)}


def order_questions(one: Question) -> tuple[str, str, str, str]:
    """The order in which questions are trained and listed."""
    return (one.system, one.stream, one.field, one.entity)


def write_proposals(path: Path, rows: Iterable[Sequence[str | int | float]]) -> None:
    """Write ``OUT``'s columns; the file appears whole or not at all."""
    temporary = path.with_name(f".{path.name}.part")
    try:
        with temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(OUT)
            writer.writerows(rows)
        temporary.replace(path)
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", where=str(path)) from error


def _read_rows(path: Path, needed: Sequence[str]) -> Iterator[tuple[dict[str, str], str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            yield from _parse(file, str(path), needed)
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=str(path)) from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            "is not UTF-8 text", found=f"byte {error.object[error.start]:#04x}", where=str(path)
        ) from error


def _parse(file: TextIO, name: str, needed: Sequence[str]) -> Iterator[tuple[dict[str, str], str]]:
    reader = csv.reader(file, strict=True)
    line = 1
    try:
        header = _read_header(next(reader, []), name, needed)
        line = reader.line_num + 1
        for row in reader:
            where = f"{name}:{line}"
            if row:
                _check_row(row, header, where)
                yield dict(zip(header, row, strict=True)), where
            line = reader.line_num + 1
    except csv.Error as error:
        raise ConfigError(f"is not CSV: {error}", where=f"{name}:{line}") from error


def _read_header(header: Sequence[str], name: str, needed: Sequence[str]) -> list[str]:
    names = [cell.strip() for cell in header]
    for column in needed:
        if column not in names:
            raise ConfigError(
                f"column {column!r} is missing",
                expected=", ".join((*needed, *(f"[{one}]" for one in OPTIONAL))),
                found=", ".join(names) or "an empty file",
                where=f"{name}:1",
            )
    twice = next((one for one in names if names.count(one) > 1), None)
    if twice is not None:
        at = len(names) - names[::-1].index(twice)
        raise ConfigError(f"column {twice!r} stands twice", where=f"{name}:1:{at}")
    return names


def _check_row(row: Sequence[str], header: Sequence[str], where: str) -> None:
    if len(row) != len(header):
        raise ConfigError(
            "has another number of columns than the header",
            expected=str(len(header)),
            found=str(len(row)),
            where=f"{where}:{min(len(row), len(header)) + 1}",
        )
    for column, cell in enumerate(row, 1):
        if len(cell) > MAX_CELL or "\0" in cell:
            raise ConfigError(
                f"column {header[column - 1]!r} holds no readable text",
                expected=f"at most {MAX_CELL} characters, none of them NUL",
                where=f"{where}:{column}",
            )


def _bare_question(row: Mapping[str, str]) -> Question:
    system, stream, field, entity = (row[name] for name in KEY)
    return Question(system, stream, field, entity)


def _read_question(row: Mapping[str, str], where: str, ontology: Ontology) -> Question:
    place = f"{where}:{list(row).index('source_field') + 1}"
    if not row["source_field"].strip():
        raise ConfigError("column 'source_field' is empty", where=place)
    entity = row["canonical_entity"].strip()
    if entity and entity not in ontology.entities:
        raise ConfigError(
            f"no canonical entity {entity!r}",
            remedy=suggest_near(entity, ontology.entities) or "Leave it empty to have one proposed",
            where=f"{where}:{list(row).index('canonical_entity') + 1}",
        )
    return Question(
        row["source_system"],
        row["source_entity"],
        row["source_field"],
        entity,
        type=row.get("type", "").strip(),
        description=row.get("description", "").strip(),
        profile=_read_profile(row, where),
    )


def _read_profile(row: Mapping[str, str], where: str) -> Profile | None:
    text = row.get("profile", "").strip()
    if not text:
        return None
    place = f"{where}:{list(row).index('profile') + 1}"
    try:
        return read_profile(json.loads(text))
    except (ValueError, TypeError, RecursionError) as error:
        raise ConfigError(
            "column 'profile' is no value profile",
            expected='a JSON object of shares, such as {"null": 0.1, "email": 0.95}',
            found=str(error)[:80],
            where=place,
        ) from error
