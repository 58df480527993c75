"""Heads: the content hash of each record's latest event, so that what has not changed emits nothing.

Postgres knows them, but finding them would read the history. So they are kept in parquet files under the
tenant's warehouse folder: what the events said up to a certain one, and before use what came after it is
added. The files are never more than that: if they are missing, or the event they end with is not in
Postgres as they know it (restored from a copy, another database), they are made anew from the first event.
"""

from __future__ import annotations

import json
import os
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, text

from core.names import check_identifier, quote_literal
from resources.settings import Settings

if TYPE_CHECKING:
    import duckdb

FILES_MAX = 8
"""More files than this are merged into one."""
_CHAIN = "heads.json"
_TOP = text(
    "SELECT seq, event_id::text FROM canonical_streams WHERE tenant_id = :tenant AND entity = :entity "
    "ORDER BY seq DESC LIMIT 1"
)
_KNOWN = text(
    "SELECT EXISTS (SELECT FROM canonical_streams WHERE tenant_id = :tenant AND seq = :seq "
    "AND event_id = CAST(:event_id AS uuid))"
)
_CONSUMED = text(
    "SELECT EXISTS (SELECT FROM loads WHERE tenant_id = :tenant AND connector = :connector "
    "AND stream = :stream AND set_id IS NOT NULL)"
)
_NEWER = (
    "COPY (SELECT record_id, content_hash, op, seq FROM canonical_streams WHERE tenant_id = {tenant} "
    "AND entity = {entity} AND connector = {connector} AND stream = {stream} AND seq > {after} "
    "AND seq <= {until}) TO STDOUT (FORMAT csv, FORCE_QUOTE (record_id), ENCODING 'UTF8')"
)
_READ = (
    "read_csv({path}, auto_detect = false, header = false, delim = ',', quote = '\"', escape = '\"', "
    "parallel = false, max_line_size = 1073741824, columns = "
    "{{'record_id': 'VARCHAR', 'content_hash': 'VARCHAR', 'op': 'VARCHAR', 'seq': 'BIGINT'}})"
)


@dataclass
class _Chain:
    """What the files (name → bytes) hold: events of the entity up to ``seq``, whose id is ``event_id``."""

    seq: int = 0
    event_id: str | None = None
    files: dict[str, int] = field(default_factory=dict)

    def is_whole(self, folder: Path) -> bool:
        """Whether every file is there in its full size."""
        try:
            return all((folder / name).stat().st_size == size for name, size in self.files.items())
        except FileNotFoundError:
            return False


class Heads:
    """The heads of one stream of a tenant in one entity. Use under the tenant's canonical lock."""

    def __init__(self, settings: Settings, tenant_id: str, connector: str, stream: str, entity: str) -> None:
        for name, what in ((tenant_id, "tenant"), (connector, "connector"), (stream, "stream")):
            check_identifier(name, what)
        self._key = {"tenant": tenant_id, "entity": entity, "connector": connector, "stream": stream}
        self._folder = settings.warehouse_dir / tenant_id / "heads" / connector / stream / entity
        self._chain = _read_chain(self._folder / _CHAIN)

    @property
    def seq(self) -> int:
        """The last event these heads know of."""
        return self._chain.seq

    @property
    def known(self) -> bool:
        """Whether the stream has any head at all."""
        return bool(self._chain.files)

    def advance(self, conn: Connection, engine: duckdb.DuckDBPyConnection) -> None:
        """Add the events after the last known one; each is read once in its life."""
        top = conn.execute(_TOP, self._key).first()
        if not self._is_true(conn):
            self._chain = _Chain()
        if top is not None and top.seq > self._chain.seq:
            self._append(conn, engine, top.seq, top.event_id)

    def relation(self, only: str | None = None) -> str:
        """SQL of (record_id, content_hash, op), one row a record; ``only``: a relation of record_ids."""
        if not self.known:
            return "(SELECT '' AS record_id, '' AS content_hash, '' AS op WHERE false) AS heads"
        names = ", ".join(quote_literal(str(self._folder / name)) for name in self._chain.files)
        some = f" SEMI JOIN {only} USING (record_id)" if only else ""
        return (
            "(SELECT record_id, arg_max(content_hash, seq) AS content_hash, arg_max(op, seq) AS op "
            f"FROM read_parquet([{names}]){some} GROUP BY record_id) AS heads"
        )

    def _is_true(self, conn: Connection) -> bool:
        chain = self._chain
        if chain.event_id is None:
            return True
        if not chain.is_whole(self._folder):
            return False
        facts = {**self._key, "seq": chain.seq, "event_id": chain.event_id}
        return bool(conn.execute(_KNOWN, facts).scalar())

    def _append(self, conn: Connection, engine: duckdb.DuckDBPyConnection, until: int, event_id: str) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        feed = self._folder / f"{uuid.uuid4().hex}.csv"
        try:
            if self._has_history(conn) and self._write_feed(conn, feed, until):
                name = f"{until}-{uuid.uuid4().hex[:8]}.parquet"
                rows = _READ.format(path=quote_literal(str(feed)))
                path = self._folder / name
                self._chain.files[name] = _write_parquet(engine, f"SELECT * FROM {rows}", path)
        finally:
            feed.unlink(missing_ok=True)
        if len(self._chain.files) > FILES_MAX:
            self._merge(engine, until)
        self._chain.seq, self._chain.event_id = until, event_id
        _write_chain(self._folder / _CHAIN, self._chain)
        self._tidy()

    def _has_history(self, conn: Connection) -> bool:
        """A stream none of whose loads was consumed has no event, however many its entity has."""
        return bool(conn.execute(_CONSUMED, self._key).scalar())

    def _write_feed(self, conn: Connection, path: Path, until: int) -> bool:
        literals = {name: quote_literal(value) for name, value in self._key.items()}
        statement = _NEWER.format(**literals, after=self._chain.seq, until=until)
        connection: Any = conn.connection.driver_connection
        with path.open("wb", buffering=1 << 20) as file, connection.cursor().copy(statement) as copy:
            for line in copy:
                file.write(line)
        return path.stat().st_size > 0

    def _merge(self, engine: duckdb.DuckDBPyConnection, until: int) -> None:
        name = f"{until}-{uuid.uuid4().hex[:8]}.parquet"
        rows = self.relation()
        query = f"SELECT *, {until}::BIGINT AS seq FROM {rows}"
        self._chain.files = {name: _write_parquet(engine, query, self._folder / name)}

    def _tidy(self) -> None:
        """Remove what no chain names: files a killed process left, and those that were merged."""
        for path in self._folder.iterdir():
            if path.name != _CHAIN and path.name not in self._chain.files:
                path.unlink(missing_ok=True)


def _write_parquet(engine: duckdb.DuckDBPyConnection, query: str, path: Path) -> int:
    """Write a file that survives a power cut; its size in bytes."""
    engine.execute(f"COPY ({query}) TO {quote_literal(str(path))} (FORMAT parquet, COMPRESSION zstd)")
    with path.open("rb") as file:
        os.fsync(file.fileno())
    return path.stat().st_size


def _read_chain(path: Path) -> _Chain:
    try:
        stored = json.loads(path.read_text())
        files = {str(name): int(size) for name, size in stored["files"].items()}
        return _Chain(int(stored["seq"]), str(stored["event_id"]), files)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return _Chain()  # made anew from Postgres


def _write_chain(path: Path, chain: _Chain) -> None:
    """Put the new chain in place in one step."""
    aside = path.with_suffix(".new")
    with aside.open("w") as file:
        json.dump({"seq": chain.seq, "event_id": chain.event_id, "files": chain.files}, file)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
