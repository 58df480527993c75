"""Pages as Arrow tables of text columns: those that come so (SQL, files), and those encoded from records.

Nothing here loops over records, except over the few that are refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from core.columns import DELETED, MAX_COLUMNS, MAX_NAME, ROW, ColumnNames
from core.errors import ConfigError
from core.names import Path, format_path
from core.observe import Observation, Seen
from core.records import MAX_RECORD_BYTES, EncodedPage, RejectedRecord, quote_record
from core.schema import TYPES
from core.value_text import printable
from resources.connectors.base import AOS_GUESSED, AOS_TYPE

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass
class ArrowPage:
    """What can land of a page, with the lake's column names, and what cannot."""

    table: pa.Table
    observation: Observation
    rejects: list[RejectedRecord] = field(default_factory=list)


def build_schema_of_lake(columns: list[str]) -> pa.Schema:
    """Columns of a stream's files: arrival order, tombstone flag, then text in order of first appearance."""
    import pyarrow as pa

    kinds: dict[str, Any] = {ROW: pa.int64(), DELETED: pa.bool_()}
    return pa.schema(kinds | {name: pa.string() for name in columns})


def table_from_encoded(page: EncodedPage) -> ArrowPage:
    """The table of a page that ``core.records`` encoded."""
    import pyarrow as pa

    arrays = [pa.array(texts, pa.string()) for texts in page.columns.values()]
    return ArrowPage(pa.table(arrays, names=list(page.columns)), page.observation, page.rejects)


def take_table(table: pa.Table, keys: tuple[Path, ...], names: ColumnNames) -> ArrowPage:
    """Guard and name the columns of a table that is text already.

    Raises ConfigError when a primary key is no column, or the table has too many or too long names:
    then nothing of the stream can be taken.
    """
    import pyarrow as pa

    table = _as_text(table)
    _check_columns(table, keys, names)
    flaws = _find_flaws(table, keys)
    rejects = _reject_rows(table, flaws, keys) if flaws else []
    if flaws:
        table = table.filter(_good_rows(table.num_rows, flaws))
    observed = {names.give(one.name): _see(table[one.name], one) for one in table.schema}
    plain = pa.table(table.columns, names=list(observed))
    return ArrowPage(plain, Observation(table.num_rows, observed), rejects)


def add_helpers(table: pa.Table, first_row: int, *, deleted: bool) -> pa.Table:
    """Add arrival order (from ``first_row``) and the tombstone flag."""
    import pyarrow as pa

    rows = pa.array(range(first_row, first_row + table.num_rows), pa.int64())
    flags = pa.repeat(pa.scalar(deleted), table.num_rows)
    return table.add_column(0, DELETED, flags).add_column(0, ROW, rows)


def _as_text(table: pa.Table) -> pa.Table:
    import pyarrow as pa

    wanted = pa.schema([pa.field(one.name, pa.string(), one.nullable, one.metadata) for one in table.schema])
    return table if table.schema.equals(wanted) else table.cast(wanted)


def _check_columns(table: pa.Table, keys: tuple[Path, ...], names: ColumnNames) -> None:
    found = table.column_names
    for path in keys:
        if len(path) != 1 or path[0] not in found:
            raise ConfigError(
                f"primary key {format_path(path)} is not a column of the source",
                expected="one of " + ", ".join(found[:20]),
                remedy="Correct primary_key in the connector config",
            )
    if len(set(found)) < len(found):
        raise ConfigError("the source has two columns of the same name", found=", ".join(found[:20]))
    if not names.has_room(found):
        raise ConfigError(
            "the stream would have too many columns", expected=f"at most {MAX_COLUMNS}", found=str(len(found))
        )
    for name in found:
        if len(name) > MAX_NAME or "\0" in name:
            raise ConfigError(
                "a column name is too long or has a NUL",
                found=repr(name[:40]),
                expected=f"{MAX_NAME} characters",
            )


def _find_flaws(table: pa.Table, keys: tuple[Path, ...]) -> dict[int, tuple[str, str]]:
    """Row number → (code, reason) of the rows that cannot land."""
    flaws: dict[int, tuple[str, str]] = {}
    for path in keys:
        reason = f"primary key {format_path(path)} is null or empty"
        for row in _where_empty(table[str(path[0])]):
            flaws[row] = ("key_missing", reason)
    if table.nbytes > MAX_RECORD_BYTES:
        for row, size in _oversized(table):
            flaws[row] = ("too_large", f"a record may have {MAX_RECORD_BYTES} bytes, this one has {size}")
    return flaws


def _oversized(table: pa.Table) -> list[tuple[int, int]]:
    import pyarrow as pa

    compute = _compute()
    total: Any = pa.repeat(pa.scalar(0, pa.int64()), table.num_rows)
    for column in table.columns:
        size = compute.cast(compute.fill_null(compute.binary_length(column), 0), pa.int64())
        total = compute.add(total, size)
    rows = compute.indices_nonzero(compute.greater(total, MAX_RECORD_BYTES)).to_pylist()
    return [(row, total[row].as_py()) for row in rows]


def _where_empty(column: Any) -> list[int]:
    compute = _compute()
    mask = compute.fill_null(compute.equal(column, ""), True)
    rows: list[int] = compute.indices_nonzero(mask).to_pylist()
    return rows


def _compute() -> Any:
    """pyarrow's functions, which take more than their stubs say."""
    import pyarrow.compute

    return pyarrow.compute


def _good_rows(count: int, flaws: dict[int, tuple[str, str]]) -> Any:
    import pyarrow as pa

    return pa.array([row not in flaws for row in range(count)])


def _reject_rows(
    table: pa.Table, flaws: dict[int, tuple[str, str]], keys: tuple[Path, ...]
) -> list[RejectedRecord]:
    rejects = []
    for row, record in zip(flaws, table.take(list(flaws)).to_pylist(), strict=True):
        code, reason = flaws[row]
        parts = [record[str(path[0])] for path in keys]
        record_id = printable("|".join(parts), 1_000) if all(parts) else None
        rejects.append(RejectedRecord(code, reason, record_id, quote_record(record)))
    return rejects


def _see(column: Any, field_: Any) -> Seen:
    metadata = field_.metadata or {}
    declared = metadata.get(AOS_TYPE, b"string").decode()
    rows = len(column)
    kind = declared if declared in TYPES else "string"
    nulls = max(column.null_count, int(field_.nullable))  # what is declared holds, seen or not
    guessed = AOS_GUESSED in metadata
    return Seen(parents=rows, present=rows, nulls=nulls, types={kind}, guessed=guessed)
