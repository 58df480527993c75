"""CSV files: encoding and separator detected, malformed lines set aside, the rest as Arrow text columns."""

from __future__ import annotations

import gzip
import io
import re
from collections.abc import Iterator
from typing import BinaryIO, cast

import pyarrow as pa
import pyarrow.csv

from core.connector import Files
from resources.connectors.base import Page, Reject
from resources.connectors.csv_lines import Batch, CsvLines, split_lines
from resources.connectors.file_listing import FileUnreadableError, SourceFile
from resources.connectors.file_tables import guess_types, name_columns, with_types
from resources.connectors.file_text import read_blocks

_BATCH_CHARS = 8 * 1024 * 1024
_MAGIC = (
    (b"PK\x03\x04", "a zip archive or an Excel workbook"),
    (b"PAR1", "a Parquet file"),
    (b"\xd0\xcf\x11\xe0", "an old Office document"),
    (b"%PDF", "a PDF document"),
    (b"\x1f\x8b", "gzip-compressed, without .gz in its name"),
)


def open_text(file: SourceFile) -> BinaryIO:
    """The bytes of a text file, decompressed. Raises FileUnreadableError for what is plainly no text."""
    stream = file.open()
    if file.path.endswith(".gz"):
        stream = cast(BinaryIO, gzip.GzipFile(fileobj=stream))
    buffered = io.BufferedReader(cast(io.RawIOBase, stream), 1 << 20)
    head = buffered.peek(4096)[:4096]
    for magic, what in _MAGIC:
        if head.startswith(magic):
            raise FileUnreadableError(f"it is {what}")
    if re.match(rb"\s*(<!doctype|<html|<\?xml)", head.removeprefix(b"\xef\xbb\xbf"), re.IGNORECASE):
        raise FileUnreadableError("it holds HTML or XML")
    return cast(BinaryIO, buffered)


def read_csv(file: SourceFile, spec: Files) -> Iterator[Page]:
    """Pages of one file. Raises FileUnreadableError, OSError or EOFError when it cannot be read (further)."""
    with open_text(file) as stream:
        lines = CsvLines(split_lines(read_blocks(stream)), file.path)
        header = lines.header()
        if not header:
            raise FileUnreadableError("it is empty")
        names, problems = name_columns(header)
        shown = lines.separator.join(header)
        rejects = [Reject(1, shown, problem, file.path) for problem in problems]
        empty = True
        for batch in lines.batches(len(names), _BATCH_CHARS):
            if empty and not batch.records and len(batch.rejects) > 20:
                raise FileUnreadableError(
                    f"none of its first {len(batch.rejects)} lines fits the header; {batch.rejects[0].reason}"
                )
            empty = False
            yield Page(_parse(batch, names, lines.separator, spec), rejects=rejects + batch.rejects)
            rejects = []
        if empty:
            columns = [pa.array([], pa.string()) for _ in names]
            table = pa.Table.from_arrays(columns, names=names)
            yield Page(with_types(table, guess_types(table)), rejects=rejects)


def _parse(batch: Batch, names: list[str], separator: str, spec: Files) -> pa.Table:
    content = "\n".join([*batch.records, ""]).encode()
    if not batch.records:
        table = pa.Table.from_arrays([pa.array([], pa.string()) for _ in names], names=names)
        return with_types(table, ["null"] * len(names))
    numbered = [str(position) for position in range(len(names))]
    table = pyarrow.csv.read_csv(
        io.BytesIO(content),
        # One block: the parser takes no value that lies across two.
        pyarrow.csv.ReadOptions(column_names=numbered, block_size=len(content) + 1, use_threads=False),
        pyarrow.csv.ParseOptions(delimiter=separator, newlines_in_values=True, ignore_empty_lines=False),
        pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(numbered, pa.string()),
            null_values=list(spec.null_values),
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
        ),
    ).rename_columns(names)
    return with_types(table, guess_types(table))
