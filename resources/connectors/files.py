"""Kind ``files``: CSV, JSON lines, Parquet and Excel files of a folder or an fsspec URL, each read once."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Generator, Iterator
from typing import Any

import pyarrow as pa

from core.connector import Files, SnapshotDeletion
from core.errors import ConfigError
from core.names import join_name, parse_path
from resources.connectors.base import Page, Reject, SourceContext
from resources.connectors.file_formats import choose_format
from resources.connectors.file_listing import FileUnreadableError, SourceFile, check_folder, list_files
from resources.connectors.file_row_key import RowKeys


def open_reader(context: SourceContext) -> FilesReader:
    """A reader of one folder; looks at nothing yet."""
    return FilesReader(context)


def check_source(context: SourceContext) -> None:
    """List the folder."""
    check_folder(_folder(context), context.where)


class FilesReader:
    """Reads the files each stream's pattern names."""

    def __init__(self, context: SourceContext) -> None:
        self._context = context
        self._folder = _folder(context)

    def read(self, stream: str, state: dict[str, Any]) -> Iterator[Page]:
        """See ``base.Reader``. State: ``{"files": {path: [size, time or tag]}}`` of what was read.

        A file that changed is read wholly again. With deletion by snapshot all files are read each time.
        """
        spec = self._context.stream(stream)
        files = spec.files or Files(pattern="")
        where = join_name(self._context.where, stream)
        found = list_files(self._folder, files.pattern, where)
        whole = isinstance(spec.deletion, SnapshotDeletion)
        known: dict[str, Any] = {} if whole else state.get("files", {})
        done = {file.path: known[file.path] for file in found if file.path in known}
        row_keys = RowKeys(files.row_key) if files.row_key else None
        for file in found:
            if done.get(file.path) == file.fingerprint:
                continue
            done.pop(file.path, None)
            again = yield from self._read_file(file, files, spec.primary_key, row_keys)
            if not again:
                done[file.path] = file.fingerprint
        if not found and whole:
            # An empty folder is more likely a delivery that failed than the end of all records.
            yield Page([], complete=False)
        state["files"] = done

    def close(self) -> None:
        """Nothing stays open between files."""

    def _read_file(
        self, file: SourceFile, spec: Files, keys: tuple[str, ...], row_keys: RowKeys | None
    ) -> Generator[Page, None, bool]:
        """Pages of one file; what cannot be read becomes one reject. Returns whether to try again."""
        records = 0
        try:
            for page in choose_format(file, spec)(file, spec):
                if row_keys is not None:
                    row_keys.add_to(page)
                _check_keys(page, keys)
                records += len(page.records)
                yield page
        except FileUnreadableError as error:
            yield _refuse(file, str(error), records)
        except (EOFError, gzip.BadGzipFile, zlib.error):
            yield _refuse(file, "its compressed data is cut off or damaged", records)
        except FileNotFoundError:
            yield _refuse(file, "it vanished before it could be read", records)
            return True
        except OSError as error:
            yield _refuse(file, f"it cannot be read ({error.strerror or type(error).__name__})", records)
            return True
        return False


def _check_keys(page: Page, keys: tuple[str, ...]) -> None:
    """Refuse a file without the key columns: it is another one than the pattern meant."""
    if not isinstance(page.records, pa.Table):
        return
    names = page.records.column_names
    missing = [key for key in keys if str(parse_path(key)[0]) not in names]
    if missing:
        has = ", ".join(names[:20])
        raise FileUnreadableError(f"it has no column {', '.join(missing)} (the primary key); it has {has}")


def _refuse(file: SourceFile, reason: str, records: int) -> Page:
    after = f", after {records} records" if records else ""
    return Page([], rejects=[Reject(0, file.path, reason + after, file.path)], complete=False)


def _folder(context: SourceContext) -> str:
    path = context.option("path") or context.base_url or context.spec.base_url
    if not path:
        raise ConfigError(
            f"connector {context.spec.connector!r} does not know its folder",
            expected="the connection option path: a folder or an fsspec URL",
            where=context.where,
        )
    return path.removeprefix("file://")
