"""One stream's part of a load: pages in, guarded and spooled; at the end tables for dlt, or nothing.

A stream lands whole or not at all. Its state (reading position, column names, evidence about its schema)
is kept by dlt with the load, so it advances exactly when the load counts.
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.columns import DELETED, ColumnNames
from core.connector import ConnectorSpec, SnapshotDeletion
from core.drift import Operation
from core.evidence import build_schema, columns_from_json, columns_to_json, merge_observation
from core.names import parse_path
from core.observe import Observation
from core.records import RejectedRecord, encode_page
from core.value_text import printable
from resources.arrow_pages import (
    ArrowPage,
    add_helpers,
    build_schema_of_lake,
    table_from_encoded,
    take_table,
)
from resources.connectors.base import Page, Reader
from resources.lake import MANIFEST, QUARANTINE, ManifestRow
from resources.spool import Spool, digest_rows

if TYPE_CHECKING:
    import pyarrow as pa

INCREMENTAL = "incremental"
SNAPSHOT = "snapshot"
DELETIONS = "deletions"


@dataclass
class StreamReport:
    """What came of one stream. records = landed + quarantined + unchanged, unless ``error`` says why not.

    ``unchanged``: records of a source that is read whole and is as it was. ``drift``: operations of the
    schema version this load made.
    """

    records: int = 0
    landed: int = 0
    quarantined: int = 0
    unchanged: int = 0
    mode: str = INCREMENTAL
    error: str | None = None
    load_id: str | None = None
    schema_version: int | None = None
    drift: list[Operation] = field(default_factory=list)
    seconds: float = 0.0


def is_snapshot(spec: ConnectorSpec, stream: str) -> bool:
    """Whether a stream is read whole each time. Files are read once each, unless absence means deletion."""
    given = spec.streams[stream]
    if isinstance(given.deletion, SnapshotDeletion):
        return True
    return given.incremental is None and spec.kind != "files"


class StreamLoad:
    """Reading one stream once. ``state_before`` is what the last load left, as JSON text.

    After ``read`` said that something is new, ``tables`` has it and ``state_after`` goes with it. A position
    left by an earlier connection (another ``connected_at``) does not count: it may be another account's.
    """

    def __init__(
        self,
        spec: ConnectorSpec,
        stream: str,
        state_before: str | None,
        folder: Path,
        run_id: str = "",
        connected_at: str = "",
    ) -> None:
        self.stream = stream
        self._run_id = run_id
        self.state_before = state_before
        self._keys = tuple(parse_path(path) for path in spec.streams[stream].primary_key)
        self._snapshot = is_snapshot(spec, stream)
        self._state: dict[str, Any] = json.loads(state_before) if state_before else {}
        self._connected_at = connected_at
        if self._state.get("connected_at", connected_at) != connected_at:
            self._state |= {"reader": {}, "digest": None}
        self._position: dict[str, Any] = copy.deepcopy(self._state.get("reader", {}))
        self._names = ColumnNames(self._state.get("names"))
        self._rows = Spool(folder / stream / "rows")
        self._refused = Spool(folder / stream / "refused")
        self._observed = Observation()
        self._evidence = columns_from_json(self._state.get("evidence", {}))
        self._declared = False
        self._complete = True
        self._deletions = 0
        self.report = StreamReport(mode=SNAPSHOT if self._snapshot else INCREMENTAL)

    def read(self, reader: Reader) -> bool:
        """Take all pages; whether anything is new, be it only the reading position.

        Raises what the reader raises, and ConfigError for a table that cannot be taken.
        """
        started = time.monotonic()
        try:
            for page in reader.read(self.stream, self._position):
                self._take(page)
            return self._conclude()
        finally:
            self.report.seconds += time.monotonic() - started

    @property
    def state_after(self) -> str:
        """The state to be kept with this load."""
        return json.dumps(self._state, separators=(",", ":"))

    def tables(self) -> Iterator[tuple[str, pa.Table]]:
        """(table of the lake, rows) to land: the stream's rows, what was refused, the manifest's row."""
        for chunk in self._rows.chunks(build_schema_of_lake(self._names.columns)):
            yield self.stream, chunk
        for chunk in self._refused.chunks(_quarantine_schema()):
            yield QUARANTINE, chunk
        yield MANIFEST, _manifest_table(self._manifest())

    def _conclude(self) -> bool:
        report = self.report
        digest = self._digest() if self._snapshot else None
        known = bool(self._state)
        if digest is not None and digest == self._state.get("digest"):
            report.unchanged = report.records
            return False
        if digest is None and known and not report.records and self._position == self._state.get("reader"):
            return False
        report.landed, report.quarantined = self._rows.rows, self._refused.rows
        self._evidence = merge_observation(self._evidence, self._observed, whole=self._shows_all)
        self._state = {
            "reader": self._position,
            "digest": digest,
            "connected_at": self._connected_at,
            "names": self._names.given,
            "evidence": columns_to_json(self._evidence),
        }
        self._rows.shrink()
        return True

    @property
    def _shows_all(self) -> bool:
        """Whether what this load lacks is not in the source either."""
        return self._declared or (self._snapshot and self._complete)

    def _manifest(self) -> ManifestRow:
        report = self.report
        if self._snapshot and not self._complete:
            report.mode = INCREMENTAL  # part was not read: absence proves nothing
        elif not self._snapshot and self._deletions and self._deletions == report.landed:
            report.mode = DELETIONS
        return ManifestRow(
            stream=self.stream,
            mode=report.mode,
            records=report.records,
            landed=report.landed,
            quarantined=report.quarantined,
            complete=report.mode == SNAPSHOT,
            schema_json=json.dumps(build_schema(self._evidence).to_json(), ensure_ascii=False),
            renamed_json=json.dumps(self._names.renamed, ensure_ascii=False),
            run_id=self._run_id,
        )

    def _take(self, page: Page) -> None:
        taken = self._guard(page)
        self._complete = self._complete and page.complete
        self.report.records += taken.table.num_rows + len(taken.rejects) + len(page.rejects)
        if page.deleted:
            self._deletions += taken.table.num_rows
        else:
            self._observed.absorb(taken.observation)
        self._rows.append(add_helpers(taken.table, self._rows.rows, deleted=page.deleted))
        unread = [
            RejectedRecord(
                "unreadable", _say_place(one.file, one.line, one.reason), None, printable(one.raw, 65_536)
            )
            for one in page.rejects
        ]
        if taken.rejects or unread:
            self._refused.append(_quarantine_table(self.stream, [*taken.rejects, *unread]))

    def _guard(self, page: Page) -> ArrowPage:
        if isinstance(page.records, list):
            return table_from_encoded(encode_page(page.records, self._keys, self._names))
        self._declared = self._declared or not page.deleted
        return take_table(page.records, self._keys, self._names)

    def _digest(self) -> str:
        """Of all that makes a snapshot different from the last: rows, their shape, what was refused."""
        shape = build_schema(merge_observation({}, self._observed, whole=True)).fingerprint
        columns = sorted(self._names.columns, key=str.encode)
        rows = digest_rows(self._rows.chunks(build_schema_of_lake(self._names.columns)), [DELETED, *columns])
        refused = digest_rows(self._refused.chunks(_quarantine_schema()), _quarantine_schema().names)
        return f"{self._complete}:{shape}:{rows}:{refused}"


def _say_place(file: str, line: int, reason: str) -> str:
    place = f"{file} line {line}" if file and line else file or (f"line {line}" if line else "")
    return printable(f"{place}: {reason}" if place else reason, 2_000)


def _quarantine_schema() -> pa.Schema:
    import pyarrow as pa

    return pa.schema({name: pa.string() for name in ("stream", "record_id", "code", "reason", "record")})


def _quarantine_table(stream: str, rejects: list[RejectedRecord]) -> pa.Table:
    import pyarrow as pa

    rows = [
        {
            "stream": stream,
            "record_id": one.record_id,
            "code": one.code,
            "reason": one.reason,
            "record": one.record,
        }
        for one in rejects
    ]
    return pa.Table.from_pylist(rows, schema=_quarantine_schema())


def _manifest_table(row: ManifestRow) -> pa.Table:
    import pyarrow as pa

    kinds: dict[type, Any] = {int: pa.int64(), bool: pa.bool_(), str: pa.string()}
    schema = pa.schema({name: kinds[type(value)] for name, value in vars(row).items()})
    return pa.Table.from_pylist([vars(row)], schema=schema)
