"""A stream's rows on their way to the lake: kept in memory while few, in temporary files when many.

A stream lands whole or not at all, and all its files have the same columns; both are known only after
the last page, so pages wait here. Nothing here knows about sources or dlt.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from core.names import quote_identifier

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

CHUNK_BYTES = 32 * 1024 * 1024
"""Arrow bytes kept in memory before they go to a file; also about the size of a row group."""


class Spool:
    """Tables appended one by one, read back as tables of at least ``CHUNK_BYTES`` (but the last)."""

    def __init__(self, folder: Path) -> None:
        """``folder`` is made when the first chunk does not fit in memory."""
        self._folder = folder
        self._tables: list[pa.Table] = []
        self._bytes = 0
        self._chunks: list[Path] = []
        self._digest = 0
        self.rows = 0

    def append(self, table: pa.Table) -> None:
        """Add rows. Tables may have different columns."""
        self._tables.append(table)
        self._bytes += table.nbytes
        self.rows += table.num_rows
        if self._bytes >= CHUNK_BYTES:
            self._spill()

    def chunks(self, schema: pa.Schema) -> Iterator[pa.Table]:
        """All rows in the order they came, with exactly the columns of ``schema``; absent ones are null.

        May be read several times.
        """
        import pyarrow as pa

        for path in self._chunks:
            with pa.OSFile(str(path), "rb") as file:
                table = pa.ipc.open_file(file).read_all()
            yield fit_table(table, schema)
        if self._tables:
            yield fit_table(_concat(self._tables), schema)

    def shrink(self) -> None:
        """Keep only a little in memory while other streams are read."""
        if self._bytes >= CHUNK_BYTES // 8:
            self._spill()

    def _spill(self) -> None:
        import pyarrow as pa

        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{len(self._chunks)}.arrow"
        table = _concat(self._tables)
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        with (
            pa.OSFile(str(path), "wb") as file,
            pa.ipc.new_file(file, table.schema, options=options) as writer,
        ):
            writer.write_table(table)
        self._chunks.append(path)
        self._tables, self._bytes = [], 0


def fit_table(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The same rows with exactly the columns of ``schema``, in its order; absent ones are null."""
    import pyarrow as pa

    have = set(table.column_names)
    columns = [table[one.name] if one.name in have else pa.nulls(table.num_rows, one.type) for one in schema]
    return pa.table(columns, schema=schema)


def _concat(tables: list[pa.Table]) -> pa.Table:
    import pyarrow as pa

    return tables[0] if len(tables) == 1 else pa.concat_tables(tables, promote_options="default")


def digest_rows(tables: Iterable[pa.Table], columns: Sequence[str]) -> str:
    """A digest of the rows, over ``columns``, that depends neither on their order nor on their paging."""
    rows, total, odd = 0, 0, 0
    cells = ", ".join(quote_identifier(name) for name in columns)
    cursor = _hashing().cursor()
    try:
        for page in tables:
            cursor.register("page", page)
            found = cursor.execute(
                f"SELECT count(*), sum(hash({cells})::HUGEINT), bit_xor(hash({cells})) FROM page"
            ).fetchall()[0]
            cursor.unregister("page")
            if found[0]:
                rows, total, odd = rows + found[0], total + int(found[1]), odd ^ int(found[2])
    finally:
        cursor.close()
    return f"{rows}:{total:x}:{odd:x}"


@cache
def _hashing() -> duckdb.DuckDBPyConnection:
    """One in-memory database a process: opening one costs more than hashing a small stream."""
    import duckdb

    return duckdb.connect(":memory:", config={"threads": 1})
