"""The raw lake: where dlt's load packages lie, which of them are complete, and what is inside.

``<lake>/<tenant>/<connector>/<stream>/<load_id>.<file_id>.parquet``. A load counts once its marker
``_dlt_loads/raw__<load_id>.jsonl`` is there; files without a marker are what a crash left behind.
How packages are written is ``resources/loader.py``.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import TYPE_CHECKING, Any

from core.errors import StorageUnavailable
from core.names import check_identifier
from resources.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA_NAME = "raw"
"""Name of the dlt source; part of each marker's name."""
MANIFEST = "_aos_manifest"
QUARANTINE = "_aos_quarantine"
STATE = "aos"
"""Key of a stream's state in its dlt resource state; the value is JSON text, which dlt leaves alone."""
_MARKERS = "_dlt_loads"
_STATES = "_dlt_pipeline_state"


@dataclass(frozen=True)
class ManifestRow:
    """What one stream did in one load.

    ``mode``: incremental, snapshot (complete: what is absent is gone) or deletions. ``records`` came from
    the source, ``landed`` + ``quarantined`` are in this load. ``schema_json``: the observed TableSchema.
    ``renamed_json``: source field → column, where these differ. ``run_id``: of the Dagster run, or empty.
    """

    stream: str
    mode: str
    records: int
    landed: int
    quarantined: int
    complete: bool
    schema_json: str
    renamed_json: str
    run_id: str = ""


def order_load_ids(load_ids: Iterable[str]) -> list[str]:
    """Load ids oldest first: they are seconds since 1970 as decimal text."""
    return sorted(load_ids, key=Decimal)


class Lake:
    """Reading the lake, and removing from it what does not count. Paths and URLs are ready for DuckDB."""

    def __init__(self, settings: Settings) -> None:
        self.url = settings.lake

    @cached_property
    def _opened(self) -> tuple[Any, str]:
        import fsspec

        filesystem, root = fsspec.core.url_to_fs(self.url)
        return filesystem, root.rstrip("/")

    def loads(self, tenant_id: str, connector: str) -> list[str]:
        """Ids of the complete loads, oldest first."""
        prefix = f"{SCHEMA_NAME}__"
        found = []
        for path in self._list(self._folder(tenant_id, connector, _MARKERS)):
            name = posixpath.basename(path)
            load_id = name.removeprefix(prefix).removesuffix(".jsonl")
            if name.startswith(prefix) and _is_load_id(load_id):
                found.append(load_id)
        return order_load_ids(found)

    def files(self, tenant_id: str, connector: str, stream: str, *load_ids: str) -> list[str]:
        """The parquet files of a stream, load after load as asked; none of loads that landed nothing."""
        there = sorted(self._list(self._folder(tenant_id, connector, stream)))
        names = [(posixpath.basename(path), path) for path in there if path.endswith(".parquet")]
        return [
            self._readable(path)
            for load_id in load_ids
            for name, path in names
            if name.startswith(f"{load_id}.")
        ]

    def manifest(self, tenant_id: str, connector: str, load_id: str) -> list[ManifestRow]:
        """What each stream did in a load, by stream."""
        names = [one.name for one in fields(ManifestRow)]
        rows: list[ManifestRow] = []
        for batch in self._batches(tenant_id, connector, MANIFEST, load_id):
            for row in batch.to_pylist():
                rows.append(ManifestRow(**{name: row[name] for name in names if name in row}))
        return sorted(rows, key=lambda row: row.stream)

    def quarantine(self, tenant_id: str, connector: str, load_id: str) -> Iterator[list[dict[str, Any]]]:
        """Batches of the refused records of a load: stream, record_id, code, reason, record."""
        for batch in self._batches(tenant_id, connector, QUARANTINE, load_id):
            yield batch.to_pylist()

    def delete_tenant(self, tenant_id: str) -> None:
        """Remove every file of a tenant. May be repeated."""
        self._remove(self._folder(tenant_id))

    def restore_states(self, tenant_id: str, connector: str) -> dict[str, str]:
        """The streams' states as the newest complete load left them: stream → JSON text.

        States saved for a load that never completed are removed: dlt writes the state before the marker,
        and killed in between, the next run would start after records that do not count.
        """
        saved = {
            _load_of_state(path): path for path in self._list(self._folder(tenant_id, connector, _STATES))
        }
        if not saved:
            return {}
        done = set(self.loads(tenant_id, connector))
        self._delete([path for load_id, path in saved.items() if load_id not in done])
        complete = order_load_ids(saved.keys() & done)
        return self._read_states(saved[complete[-1]]) if complete else {}

    def _read_states(self, path: str) -> dict[str, str]:
        from dlt.common.versioned_state import decompress_state

        try:
            saved = json.loads(self._opened[0].read_text(path, encoding="utf-8"))
        except OSError as error:
            raise self._unavailable(error) from error
        sources = decompress_state(saved["state"]).get("sources", {})
        streams = sources.get(SCHEMA_NAME, {}).get("resources", {})
        return {name: one[STATE] for name, one in streams.items() if STATE in one}

    def drop_unmarked_files(self, tenant_id: str, connector: str) -> int:
        """Remove the files of loads that never completed; under the connector's lock only; how many."""
        done = set(self.loads(tenant_id, connector))
        left = [
            path
            for folder in self._list(self._folder(tenant_id, connector))
            if not posixpath.basename(folder).startswith("_dlt")
            for path in self._list(folder)
            if path.endswith(".parquet") and _load_of_file(path) not in done
        ]
        self._delete(left)
        return len(left)

    def _folder(self, tenant_id: str, *parts: str) -> str:
        check_identifier(tenant_id, "tenant")
        return posixpath.join(self._opened[1], tenant_id, *parts)

    def _list(self, folder: str) -> list[str]:
        filesystem = self._opened[0]
        filesystem.invalidate_cache(folder)
        try:
            return [str(path) for path in filesystem.ls(folder, detail=False)]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise self._unavailable(error) from error

    def _delete(self, paths: list[str]) -> None:
        for path in paths:
            try:
                self._opened[0].rm_file(path)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise self._unavailable(error) from error

    def _remove(self, folder: str) -> None:
        filesystem = self._opened[0]
        filesystem.invalidate_cache()
        try:
            filesystem.rm(folder, recursive=True)
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._unavailable(error) from error

    def _readable(self, path: str) -> str:
        return str(self._opened[0].unstrip_protocol(path)) if "://" in self.url else path

    def _batches(self, tenant_id: str, connector: str, table: str, load_id: str) -> Iterator[pa.RecordBatch]:
        import pyarrow.parquet as pq

        folder = self._folder(tenant_id, connector, table)
        for path in sorted(self._list(folder)):
            if posixpath.basename(path).startswith(f"{load_id}."):
                with self._opened[0].open(path, "rb") as file:
                    yield from pq.ParquetFile(file).iter_batches(batch_size=5_000)

    def _unavailable(self, error: OSError) -> StorageUnavailable:
        return StorageUnavailable(
            "the lake cannot be read or written",
            where=self.url,
            found=error.strerror or type(error).__name__,
            remedy="Check that it is there, has room and may be written, then run the same again",
        )


def _is_load_id(text: str) -> bool:
    try:
        return Decimal(text).is_finite()
    except InvalidOperation:
        return False


def _load_of_state(path: str) -> str:
    """``<pipeline>__<load_id>__<hash>.jsonl``"""
    return [*posixpath.basename(path).rsplit("__", 2), "", ""][1]


def _load_of_file(path: str) -> str:
    """``<load_id>.<file_id>.parquet``, the load id having a dot of its own."""
    return posixpath.basename(path).removesuffix(".parquet").rsplit(".", 1)[0]
