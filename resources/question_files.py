"""Files of questions and proposals: strict CSV in, CSV out, errors with line and column.

Question columns: source_system, source_entity, source_field, canonical_entity (may be empty), optionally
type, description, profile (JSON of shares, as ``core/mapper/profile.py`` reads it). Others are left alone.
"""

from __future__ import annotations

import csv
import json
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from core.errors import ConfigError
from core.mapper.profile import Profile, read_profile
from core.mapper.question import Question
from core.ontology import Ontology
from core.ontology.model import suggest_near

KEY = ("source_system", "source_entity", "source_field", "canonical_entity")
OPTIONAL = ("type", "description", "profile")
OUT = (*KEY, "canonical_field", "confidence", "rank", "method", "entity")
MAX_CELL = 10_000
"""Characters of one cell; more is no field name or description."""
MAX_LINE = 1_000_000
"""Characters of one line; more is no file of fields, and is not read into memory."""
_OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
_NOT_TEXT = re.compile("[\udc80-\udcff]")


def read_questions(path: Path, ontology: Ontology) -> list[Question]:
    """The questions of a file, in order; ConfigError names line and column of what is wrong.

    A field that stands there twice is asked once, as it stands first: it is not its own rival.
    """
    found: dict[tuple[str, str, str, str], Question] = {}
    for row, where in _read_rows(path, KEY):
        one = _read_question(row, where, ontology)
        found.setdefault(order_questions(one), one)
    return list(found.values())


def read_labels(
    truth: Path | Sequence[Path], unmapped: Path | Sequence[Path]
) -> dict[Question, frozenset[str]]:
    """Decided questions: files with ``canonical_field``, and files of those without a counterpart.

    An empty ``canonical_field`` says that there is no counterpart, too.
    """
    found: dict[Question, set[str]] = {}
    for path in [truth] if isinstance(truth, Path) else truth:
        for row, _ in _read_rows(path, (*KEY, "canonical_field")):
            target = row["canonical_field"].strip()
            found.setdefault(_bare_question(row), set()).update([target] if target else [])
    for path in [unmapped] if isinstance(unmapped, Path) else unmapped:
        for row, _ in _read_rows(path, KEY):
            found.setdefault(_bare_question(row), set())
    return {question: frozenset(found[question]) for question in sorted(found, key=order_questions)}


def order_questions(one: Question) -> tuple[str, str, str, str]:
    """The order in which questions are trained and listed."""
    return (one.system, one.stream, one.field, one.entity)


def write_proposals(path: Path, rows: Iterable[Sequence[str | int | float]]) -> None:
    """Write ``OUT``'s columns; the file appears whole or not at all."""
    write_rows(path, OUT, rows)


def write_rows(path: Path, columns: Sequence[str], rows: Iterable[Sequence[str | int | float]]) -> None:
    """Write a CSV with a header; the file appears whole or not at all. ConfigError when it cannot."""
    with open_whole(path) as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)


@contextmanager
def open_whole(path: Path) -> Iterator[TextIO]:
    """A new text file that takes its place, behind links too, when all is written; ConfigError if it cannot.

    What is no ordinary file, such as a pipe, stays what it is and is written to.
    """
    try:
        if path.exists() and not path.is_file():
            with path.open("w", newline="", encoding="utf-8") as file:
                yield file
            return
        place = path.resolve()
        temporary = place.with_name(f".{uuid.uuid4().hex}.part")  # others may be writing the same file
        try:
            with temporary.open("w", newline="", encoding="utf-8") as file:
                yield file
            temporary.replace(place)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", where=str(path)) from error


def _read_rows(path: Path, needed: Sequence[str]) -> Iterator[tuple[dict[str, str], str]]:
    try:
        # bytes that are no UTF-8 become surrogates, so that the cell they stand in can be told
        with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
            yield from _parse(file, str(path), needed)
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=str(path)) from error


def _parse(file: TextIO, name: str, needed: Sequence[str]) -> Iterator[tuple[dict[str, str], str]]:
    record: list[str] = []
    reader = csv.reader(_read_lines(file, name, record), strict=True)
    header: list[str] = []
    while True:
        line = reader.line_num + 1
        record.clear()
        try:
            row = next(reader, None)
        except csv.Error as error:
            where = f"{name}:{line}:{_find_column(record)}"
            raise ConfigError(f"is not CSV: {error}", where=where) from error
        if not header:
            _check_text(row or [], f"{name}:{line}", MAX_CELL)
            header = _read_header(row or [], name, needed)
        elif row is None:
            return
        elif row:
            where = f"{name}:{line}"
            _check_row(row, header, where)
            yield dict(zip(header, row, strict=True)), where


def _read_lines(file: TextIO, name: str, record: list[str]) -> Iterator[str]:
    """The lines, none of them longer than any honest one; ``record`` collects those of the current row."""
    number = 0
    while line := file.readline(MAX_LINE + 1):
        number += 1
        record.append(line)
        if len(line) > MAX_LINE:
            raise ConfigError(
                "a line is too long",
                expected=f"at most {MAX_LINE:,} characters",
                where=f"{name}:{number}:{_find_column(record)}",
            )
        yield line


def _find_column(record: Sequence[str]) -> int:
    """The number of the cell where a row stops being CSV: an open quote, or text after a closing one."""
    column, state = 1, "start"
    for char in "".join(record):
        if state == "quoted":
            state = "closed" if char == '"' else "quoted"
        elif char == ",":
            column, state = column + 1, "start"
        elif char == '"' and state in ("start", "closed"):
            state = "quoted"
        elif state == "closed" and char not in "\r\n":
            return column
        else:
            state = "plain" if state == "start" else state
    return column


def _read_header(header: Sequence[str], name: str, needed: Sequence[str]) -> list[str]:
    names = [cell.strip() for cell in header]
    for column in needed:
        if column not in names:
            other = next((one for one in _OTHER_SEPARATORS if len(names) == 1 and one in names[0]), None)
            raise ConfigError(
                f"column {column!r} is missing",
                expected=", ".join((*needed, *(f"[{one}]" for one in OPTIONAL))),
                found=", ".join(names) or "an empty file",
                where=f"{name}:1",
                remedy=f"Separate its columns by commas, not by {_OTHER_SEPARATORS[other]}."
                if other
                else None,
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
    _check_text(row, where, MAX_CELL, header)


def _check_text(row: Sequence[str], where: str, most: int, header: Sequence[str] = ()) -> None:
    for column, cell in enumerate(row, 1):
        named = f"column {header[column - 1]!r}" if header else "the header"
        strange = _NOT_TEXT.search(cell)
        if strange is not None:
            raise ConfigError(
                "is not UTF-8 text", found=f"byte {ord(strange[0]) - 0xDC00:#04x}", where=f"{where}:{column}"
            )
        if len(cell) > most or "\0" in cell:
            raise ConfigError(
                f"{named} holds no readable text",
                expected=f"at most {most} characters, none of them NUL",
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
