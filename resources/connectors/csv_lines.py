"""CSV text to well-formed records: separator found, quotes followed, what is malformed set aside by line.

Lines without quotes are only counted; a quote that never closes costs its own line, not the file.
"""

from __future__ import annotations

import csv
import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from resources.connectors.base import Reject
from resources.connectors.file_listing import FileUnreadableError
from resources.connectors.file_text import has_broken_text, show_broken

SEPARATORS = ",;\t|"
MAX_LINE_CHARS = 16 * 1024 * 1024
_SAMPLE_LINES = 200
_SAMPLE_CHARS = 50_000
_MOST_JOINED_LINES = 10_000
_MOST_JOINED_CHARS = 4 * 1024 * 1024


@dataclass
class Batch:
    """Consecutive well-formed records as text, one a line unless quoted, and what stood between them."""

    records: list[str] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    chars: int = 0


def split_lines(blocks: Iterable[str]) -> Iterator[str]:
    """Lines without their end (``\\n``, ``\\r\\n``, or ``\\r`` where the file knows no other)."""
    rest, mac = "", None
    for block in blocks:
        rest += block
        if mac is None and rest:
            mac = "\n" not in rest and "\r" in rest[:-1]
        *lines, rest = rest.split("\r" if mac else "\n")
        yield from lines
        if len(rest) > MAX_LINE_CHARS:
            yield rest
            rest = ""
    if rest:
        yield rest


def find_separator(sample: list[str]) -> str:
    """The separator under which most lines of a sample have the same number of fields, and more than one."""

    def score(separator: str) -> tuple[float, int]:
        rows = list(csv.reader((line[:_SAMPLE_CHARS] for line in sample), delimiter=separator))
        counts = Counter(len(row) for row in rows if row)
        width, share = counts.most_common(1)[0] if counts else (1, 0)
        header = len(rows[0]) if rows else 0
        return (share / max(len(rows), 1) if width > 1 and header > 1 else 0.0, width)

    return max(SEPARATORS, key=score)


class CsvLines:
    """Reads one file's lines: ``header`` first, then ``batches``."""

    def __init__(self, lines: Iterator[str], file: str) -> None:
        self._file = file
        self._number = 0
        self._lines = lines
        self._ahead: deque[str] = deque()
        sample = self._peek(_SAMPLE_LINES)
        hint = re.fullmatch(r"\ufeff?sep=(.)\r?", sample[0]) if sample else None
        if hint:  # Excel's own note about the separator
            self._next()
        self.separator = hint.group(1) if hint else find_separator([line.rstrip("\r") for line in sample])
        self._grammar = _Grammar(self.separator)
        self._most_joined = _MOST_JOINED_LINES

    def header(self) -> list[str]:
        """The first record that is not blank; empty when there is none. Raises FileUnreadableError."""
        while (line := self._next()) is not None:
            text = line.removeprefix("\ufeff")
            if text.strip():
                joined, _ = self._join(text)
                try:
                    return next(csv.reader([joined or text.rstrip("\r")], delimiter=self.separator))
                except csv.Error:
                    raise FileUnreadableError("its first line is no header") from None
        return []

    def batches(self, width: int, most_chars: int) -> Iterator[Batch]:
        """Records of ``width`` fields, in batches of about ``most_chars`` characters."""
        batch = Batch()
        while (line := self._next()) is not None:
            if line and not line.isspace():
                self._take(line, width, batch)
            if batch.chars >= most_chars:
                yield batch
                batch = Batch()
        if batch.records or batch.rejects:
            yield batch

    def _take(self, line: str, width: int, batch: Batch) -> None:
        number = self._number
        if '"' in line:
            joined, reason = self._join(line)
            record = line if joined is None else joined
            found = width if joined is None else self._grammar.count(record)
        else:
            record, reason = line.removesuffix("\r"), None
            found = record.count(self.separator) + 1
            if "\r" in record:
                reason = "a carriage return in a field without quotes"
        if len(record) >= MAX_LINE_CHARS:
            reason = f"a line of more than {MAX_LINE_CHARS} characters"
        elif reason is None and found != width:
            reason = f"{found} fields where the header has {width}"
        elif reason is None and has_broken_text(record):
            reason = "bytes that are no text in the file's encoding"
        if reason is None:
            batch.records.append(record)
        else:
            batch.rejects.append(Reject(number, show_broken(record), reason, self._file))
        batch.chars += len(record)

    def _join(self, line: str) -> tuple[str | None, str | None]:
        """(record, None), with the lines a quoted field goes on in; or (None, reason) and nothing taken."""
        text, taken = line, 0
        while not self._grammar.is_complete(text):
            if not self._grammar.is_open(text):
                return None, "quotes inside a field that are not doubled"
            following = self._lines_to_quote(taken, len(text))
            if not following:
                # Looking far ahead costs; a file full of open quotes gets less and less of it.
                self._most_joined = max(8, self._most_joined // 2)
                return None, "a quoted field that does not end"
            text = "\n".join([text, *following])
            taken += len(following)
        for _ in range(taken):
            self._next()
        return text.removesuffix("\r"), None

    def _lines_to_quote(self, skipped: int, chars: int) -> list[str]:
        """The lines after the next ``skipped`` up to one with a quote; none when that is too far away."""
        found: list[str] = []
        for position in range(skipped, self._most_joined):
            if position >= len(self._ahead) and not self._read_ahead():
                break
            found.append(self._ahead[position])
            chars += len(found[-1])
            if '"' in found[-1]:
                return found
            if chars > _MOST_JOINED_CHARS:
                break
        return []

    def _read_ahead(self) -> bool:
        line = next(self._lines, None)
        if line is not None:
            self._ahead.append(line)
        return line is not None

    def _peek(self, count: int) -> list[str]:
        while len(self._ahead) < count and self._read_ahead():
            pass
        return list(self._ahead)[:count]

    def _next(self) -> str | None:
        self._number += 1
        return self._ahead.popleft() if self._ahead else next(self._lines, None)


class _Grammar:
    """RFC 4180 with any separator: what a record may look like."""

    def __init__(self, separator: str) -> None:
        one = re.escape(separator)
        inside = r'[^"]*+(?:""[^"]*+)*+'
        bare = rf'(?:[^"{one}\r\n][^{one}\r\n]*+)?'
        fields = rf'(?:"{inside}"|{bare})'
        self._separator = separator
        self._complete = re.compile(rf"{fields}(?:{one}{fields})*+\r?")
        self._open = re.compile(rf'(?:{fields}{one})*+"{inside}')
        self._quoted = re.compile(rf'(?:(?<={one})|^)"{inside}"')

    def is_complete(self, text: str) -> bool:
        return self._complete.fullmatch(text) is not None

    def is_open(self, text: str) -> bool:
        return self._open.fullmatch(text) is not None

    def count(self, record: str) -> int:
        return self._quoted.sub("", record).count(self._separator) + 1
