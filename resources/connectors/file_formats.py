"""JSON lines, Parquet and Excel files as pages; CSV has its own module."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from datetime import date, datetime, time
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa

from core.connector import Files
from resources.connectors.arrow_text import to_text_table
from resources.connectors.base import Page, Reject
from resources.connectors.bodies import BodyUnreadable, parse_value
from resources.connectors.csv_lines import MAX_LINE_CHARS, split_lines
from resources.connectors.file_csv import open_text, read_csv
from resources.connectors.file_listing import FileUnreadableError, SourceFile
from resources.connectors.file_tables import name_columns, with_types
from resources.connectors.file_text import has_broken_text, read_blocks, show_broken

_PAGE_RECORDS = 5_000
_PAGE_CHARS = 8 * 1024 * 1024
_BATCH_BYTES = 32 * 1024 * 1024
_MOST_WORKBOOK_BYTES = 512 * 1024 * 1024
_SUFFIXES = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".xlsx": "excel",
    ".xlsm": "excel",
    ".xlsb": "excel",
    ".xls": "excel",
    ".ods": "excel",
}
ReadFile = Callable[[SourceFile, Files], Iterator[Page]]


def choose_format(file: SourceFile, spec: Files) -> ReadFile:
    """The function that reads a file, by the spec's format or the file's suffix (before .gz)."""
    suffixes = [suffix.lower() for suffix in PurePosixPath(file.path).suffixes]
    packed = suffixes[-1:] == [".gz"]
    suffix = "".join(suffixes[-2:-1] if packed else suffixes[-1:])
    name = spec.format or _SUFFIXES.get(suffix)
    if name is None:
        raise FileUnreadableError(f"its name ends in {suffix or 'nothing'}, which is no format known here")
    if packed and name not in ("csv", "jsonl"):
        raise FileUnreadableError(f"a compressed {name} file is not read")
    return {"csv": read_csv, "jsonl": read_json_lines, "parquet": read_parquet, "excel": read_excel}[name]


def read_json_lines(file: SourceFile, spec: Files) -> Iterator[Page]:
    """One JSON value a line; a line that is none is set aside."""
    records: list[Any] = []
    rejects: list[Reject] = []
    chars = 0
    with open_text(file) as stream:
        for number, line in enumerate(split_lines(read_blocks(stream)), start=1):
            text = line.removeprefix("\ufeff").strip()
            if text in ("[", "{") and not records:
                raise FileUnreadableError("it is one JSON document over many lines, not one value a line")
            try:
                if text:
                    records.append(_parse_line(text))
            except BodyUnreadable as error:
                rejects.append(Reject(number, show_broken(text), str(error), file.path))
            chars += len(text)
            if len(records) >= _PAGE_RECORDS or chars >= _PAGE_CHARS:
                yield Page(records, rejects=rejects)
                records, rejects, chars = [], [], 0
    if records or rejects:
        yield Page(records, rejects=rejects)


def _parse_line(text: str) -> Any:
    if len(text) >= MAX_LINE_CHARS:
        raise BodyUnreadable(f"a line of more than {MAX_LINE_CHARS} characters")
    if has_broken_text(text):
        raise BodyUnreadable("bytes that are no text in the file's encoding")
    return parse_value(text)


def read_parquet(file: SourceFile, spec: Files) -> Iterator[Page]:
    """Batches of a Parquet file as text columns."""
    import pyarrow.parquet as pq

    try:
        with file.open() as stream, pq.ParquetFile(stream) as parquet:
            names, problems = name_columns(parquet.schema_arrow.names)
            rejects = [Reject(0, ", ".join(parquet.schema_arrow.names), p, file.path) for p in problems]
            facts = parquet.metadata
            total = sum(facts.row_group(index).total_byte_size for index in range(facts.num_row_groups))
            rows = max(1, min(50_000, _BATCH_BYTES * max(facts.num_rows, 1) // max(total, 1)))
            batches: Iterator[Any] = parquet.iter_batches(batch_size=rows)
            if facts.num_rows == 0:
                batches = iter([pa.RecordBatch.from_pylist([], schema=parquet.schema_arrow)])
            for batch in batches:
                table = pa.Table.from_batches([batch]).rename_columns(names)
                yield Page(to_text_table(table), rejects=rejects)
                rejects = []
    except pa.ArrowException as error:
        raise FileUnreadableError(f"it is no whole Parquet file ({type(error).__name__})") from None


def read_excel(file: SourceFile, spec: Files) -> Iterator[Page]:
    """One sheet of a workbook; its first row that is not empty is the header."""
    rows = _read_sheet(file, spec.sheet)
    header_at = next((index for index, row in enumerate(rows) if any(cell != "" for cell in row)), None)
    if header_at is None:
        raise FileUnreadableError("its sheet is empty")
    header = [_spell(cell) for cell in rows[header_at]]
    names, problems = name_columns(header)
    rejects = [Reject(header_at + 1, ", ".join(map(str, header)), p, file.path) for p in problems]
    records = [row for row in rows[header_at + 1 :] if any(cell != "" for cell in row)]
    nulls = frozenset(spec.null_values)
    columns, types = [], []
    for position in range(len(names)):
        cells = [row[position] for row in records]
        filled = [None if _spell(cell) in nulls else cell for cell in cells]
        logical = _join_kinds({_kind(cell) for cell in filled if cell is not None})
        if logical == "timestamp":  # midnight comes as a date
            filled = [datetime(c.year, c.month, c.day) if type(c) is date else c for c in filled]
        columns.append(pa.array([_spell(cell) for cell in filled], pa.string()))
        types.append(logical)
    yield Page(with_types(pa.Table.from_arrays(columns, names=names), types), rejects=rejects)


def _read_sheet(file: SourceFile, sheet: str | None) -> list[list[Any]]:
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        with file.open() as stream:
            _check_size(file, stream)
            workbook = CalamineWorkbook.from_filelike(stream)
            if sheet is not None and sheet not in workbook.sheet_names:
                raise FileUnreadableError(
                    f"it has no sheet {sheet!r}, only {', '.join(workbook.sheet_names)}"
                )
            found = workbook.get_sheet_by_name(sheet) if sheet else workbook.get_sheet_by_index(0)
            rows: list[list[Any]] = found.to_python(skip_empty_area=False)
            return rows
    except (CalamineError, zipfile.BadZipFile) as error:
        raise FileUnreadableError(f"it is no whole workbook ({type(error).__name__})") from None


def _check_size(file: SourceFile, stream: Any) -> None:
    """A workbook is read at once: refuse what unpacks to more than memory should hold."""
    unpacked = file.size
    if zipfile.is_zipfile(stream):
        with zipfile.ZipFile(stream) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
    stream.seek(0)
    if unpacked > _MOST_WORKBOOK_BYTES:
        raise FileUnreadableError(f"it unpacks to {unpacked} bytes, at most {_MOST_WORKBOOK_BYTES} are read")


def _spell(cell: Any) -> str | None:
    if cell is None or isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    return cell.isoformat() if isinstance(cell, (datetime, date, time)) else str(cell)


def _kind(cell: Any) -> str:
    if isinstance(cell, bool):
        return "boolean"
    if isinstance(cell, float):
        return "integer" if cell.is_integer() else "number"
    names = ((int, "integer"), (datetime, "timestamp"), (date, "date"), (time, "time"))
    return next((name for kind, name in names if isinstance(cell, kind)), "string")


def _join_kinds(kinds: set[str]) -> str:
    if not kinds:
        return "null"
    if kinds <= {"integer", "number"}:
        return "number" if "number" in kinds else "integer"
    if kinds == {"date", "timestamp"}:
        return "timestamp"
    return kinds.pop() if len(kinds) == 1 else "string"
