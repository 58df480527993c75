"""A key for rows that have none: what stands in them, and which of several equal rows it is."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from core.incremental import hash_content
from resources.connectors.base import Page

_NULL = "\x00"
_SEPARATOR = "\x1f"


class RowKeys:
    """Gives keys for one read of a stream. Equal rows are numbered in the order they come.

    The same files give the same keys; a changed row is another row, so the stream needs deletion by
    snapshot to forget what it was.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._seen: Counter[str] = Counter()

    def add_to(self, page: Page) -> None:
        """Add the key to every record of a page, in place."""
        if isinstance(page.records, pa.Table):
            keys = pa.array(self._number(_hash_rows(page.records)), pa.string())
            page.records = page.records.append_column(self._name, keys)
            return
        hashes = (hash_content(record) or "" for record in page.records)
        keyed = zip(page.records, self._number(hashes), strict=True)
        page.records = [{**r, self._name: key} if isinstance(r, dict) else r for r, key in keyed]

    def _number(self, hashes: Iterable[str]) -> list[str]:
        keys = []
        for digest in hashes:
            self._seen[digest] += 1
            count = self._seen[digest]
            keys.append(digest if count == 1 else f"{digest}-{count}")
        return keys


def _hash_rows(table: pa.Table) -> Iterable[str]:
    """One digest a row over names and values, independent of the order of columns; null is not empty."""
    compute: Any = _compute()
    columns = [table[name] for name in sorted(table.column_names)]
    head = _SEPARATOR.join(sorted(table.column_names))
    joined = compute.binary_join_element_wise(
        *columns, _SEPARATOR, null_handling="replace", null_replacement=_NULL
    )
    for text in joined.to_pylist():
        yield hashlib.sha256(f"{head}\n{text}".encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _compute() -> Any:
    import pyarrow.compute

    return pyarrow.compute
