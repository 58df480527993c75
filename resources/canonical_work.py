"""What the parts of the canonical step share: the stream at work, and lines out of DuckDB."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from core.compile import compile_projection
from core.connector import StreamSpec
from core.event_sql import EventSource
from core.mapping import MappingSet
from core.ontology import Entity
from resources.canary import Trial
from resources.canonical_heads import Heads
from resources.lake import Lake

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

BATCH_ROWS = 8_192


@dataclass(frozen=True)
class StreamWork:
    """All that the loads of one stream have in common while they are consumed."""

    tenant_id: str
    mapping_set: MappingSet
    entity: Entity
    spec: StreamSpec
    lake: Lake
    engine: duckdb.DuckDBPyConnection
    heads: Heads
    trial: Trial | None = None

    def lanes(self, columns: Sequence[str]) -> list[Lane]:
        """Projections of the opened load, over disjoint records: the set that holds, and one on trial."""
        if self.trial is None:
            return [self._lane(columns)]
        tried = replace(self, mapping_set=self.trial.mapping_set)
        return [self._lane(columns, f"NOT ({self.trial.share})"), tried._lane(columns, self.trial.share)]

    def _lane(self, columns: Sequence[str], only: str | None = None) -> Lane:
        made = compile_projection(
            self.mapping_set,
            self.entity,
            columns,
            primary_key=self.spec.primary_key,
            deletion=self.spec.deletion,
        )
        sql = made.sql if only is None else f"SELECT * FROM ({made.sql}) WHERE {only}"
        return Lane(self, sql, made.keys)

    def source_of(self, load_id: str, replay: str = "") -> EventSource:
        """What the events of a load have in common."""
        one = self.mapping_set
        return EventSource(self.tenant_id, one.entity, one.connector, one.stream, one.set_id, load_id, replay)


@dataclass(frozen=True)
class Lane:
    """The records of a load that go under one set: ``sql`` has the columns of a ``Projection``.

    ``keys`` gives the ``record_id`` of every record of the load, whatever lane it is in.
    """

    work: StreamWork
    sql: str
    keys: str


def stream_lines(engine: duckdb.DuckDBPyConnection, query: str, counts: Counter[str]) -> Iterator[memoryview]:
    """The bytes of the query's column ``line``, batch by batch; counts its column ``status``.

    DuckDB goes on working while the caller holds a batch.
    """
    # the Python side reads every word of what sql() is given, which is slow for a long query
    engine.execute(f"CREATE OR REPLACE TEMP VIEW outcomes AS {query}")
    for batch in engine.sql("FROM outcomes").to_arrow_reader(BATCH_ROWS):
        for entry in batch.column("status").value_counts().to_pylist():
            counts[entry["values"]] += entry["counts"]
        yield _read_bytes(batch.column("line"))


def _read_bytes(lines: pa.StringArray) -> memoryview:
    """The texts of an Arrow array one after the other, without copying; a null has no bytes."""
    _, offsets, data = lines.buffers()
    if offsets is None or data is None:
        return memoryview(b"")
    ends = memoryview(offsets).cast("i")
    return memoryview(data)[ends[lines.offset] : ends[lines.offset + len(lines)]]
