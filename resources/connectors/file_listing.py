"""Which files of a folder a pattern names: a local folder or an fsspec URL, never anything outside it."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

from core.errors import ConfigError, SourceUnavailable

Fingerprint = list[Any]
"""``[size in bytes, modification time or entity tag]``: JSON data that changes when the file does."""


class FileUnreadableError(Exception):
    """A file that cannot be read as what it should be; the message is the reason."""


@dataclass(frozen=True)
class SourceFile:
    """One file: ``path`` relative to the folder with ``/``, and how to open it."""

    path: str
    fingerprint: Fingerprint
    opener: Callable[[], BinaryIO] = field(repr=False, compare=False)
    problem: str | None = None

    @property
    def size(self) -> int:
        """Bytes, as listed."""
        return int(self.fingerprint[0] or 0)

    def open(self) -> BinaryIO:
        """The content. Raises OSError, or FileUnreadableError for what must not be opened."""
        if self.problem is not None:
            raise FileUnreadableError(self.problem)
        return self.opener()


def list_files(folder: str, pattern: str, where: str) -> list[SourceFile]:
    """Files below ``folder`` that match ``pattern``, sorted by path.

    Raises ConfigError for a pattern that leaves the folder or an unknown protocol, SourceUnavailable
    when the folder cannot be listed.
    """
    wanted = compile_pattern(pattern, where)
    fixed = re.match(r"(?:[^*?\[/]+/)*", pattern)
    below = fixed.group(0) if fixed else ""

    def matches(path: str) -> bool:
        # "~$" marks the lock file of a workbook somebody has open.
        return not path.rpartition("/")[2].startswith("~$") and wanted.fullmatch(path) is not None

    return sorted(_list(folder, below, matches, where), key=lambda file: file.path)


def check_folder(folder: str, where: str) -> None:
    """Raise SourceUnavailable or ConfigError unless the folder can be listed."""
    next(_list(folder, "", lambda _: True, where), None)


def _list(folder: str, below: str, matches: Callable[[str], bool], where: str) -> Iterator[SourceFile]:
    if "://" in folder:
        return _list_remote(folder, below, matches, where)
    return _list_local(Path(folder), below, matches, where)


def compile_pattern(pattern: str, where: str) -> re.Pattern[str]:
    """A glob as a regular expression over relative paths: ``*`` and ``?`` stay in a folder, ``**`` does not.

    As in a shell, names with a leading dot match only a pattern that spells the dot.
    """
    parts = pattern.split("/")
    if pattern.startswith("/") or "\\" in pattern or ".." in parts or "://" in pattern:
        raise ConfigError(
            "a file pattern stays inside the connection's folder",
            expected="a relative pattern with '/', without '..'",
            found=repr(pattern),
            where=where,
        )
    pieces = [r"(?:(?!\.)[^/]+/)*" if part == "**" else _translate(part) + "/" for part in parts[:-1]]
    last = r"(?:(?!\.)[^/]+/)*(?!\.)[^/]+" if parts[-1] == "**" else _translate(parts[-1])
    return re.compile("".join(pieces) + last)


def _translate(part: str) -> str:
    translated = "" if part.startswith(".") else r"(?!\.)"
    for token in re.findall(r"\*+|\?|\[!?[^\]]+\]|.", part, re.DOTALL):
        if token.startswith("*"):
            translated += "[^/]*"
        elif token == "?":
            translated += "[^/]"
        elif token.startswith("[") and len(token) > 1:
            inner = token[1:-1].replace("\\", "\\\\")
            translated += f"[^/{inner[1:]}]" if inner.startswith("!") else f"[{inner}]"
        else:
            translated += re.escape(token)
    return translated


def _list_local(folder: Path, below: str, matches: Callable[[str], bool], where: str) -> Iterator[SourceFile]:
    try:
        root = folder.expanduser().resolve(strict=True)
        next(os.scandir(root), None)
    except OSError as error:
        raise _unlistable(error, where) from None
    # Links to folders are not entered: they may lead out, or in circles.
    for current, folders, names in os.walk(root / below, followlinks=False):
        folders.sort()
        inside = Path(current).relative_to(root).as_posix()
        for name in names:
            if matches(name if inside == "." else f"{inside}/{name}"):
                yield _local_file(root, Path(current) / name)


def _local_file(root: Path, path: Path) -> SourceFile:
    relative = path.relative_to(root).as_posix()
    opener: Callable[[], BinaryIO] = lambda: path.open("rb")  # noqa: E731
    try:
        facts = path.stat()
        fingerprint: Fingerprint = [facts.st_size, str(facts.st_mtime_ns)]
        inside = path.resolve(strict=True).is_relative_to(root)
    except OSError:
        return SourceFile(relative, [0, ""], opener)
    problem = None
    if not inside:
        problem = "it is a link that leads out of the folder"
    elif not stat.S_ISREG(facts.st_mode):
        problem = "it is no regular file"
    return SourceFile(relative, fingerprint, opener, problem)


def _list_remote(folder: str, below: str, matches: Callable[[str], bool], where: str) -> Iterator[SourceFile]:
    from fsspec.core import url_to_fs

    try:
        filesystem, root = url_to_fs(folder)
        prefix = root.rstrip("/") + "/"
        found = cast(dict[str, dict[str, Any]], filesystem.find(prefix + below, detail=True))
    except (ImportError, ValueError) as error:
        raise ConfigError(
            "the connection's path cannot be used",
            expected="a folder or an fsspec URL whose package is installed",
            found=type(error).__name__,
            where=where,
        ) from None
    except OSError as error:
        raise _unlistable(error, where) from None
    for name, facts in found.items():
        relative = name.removeprefix(prefix)
        if name.startswith(prefix) and facts.get("type") == "file" and matches(relative):
            yield SourceFile(relative, _fingerprint(facts), _remote_opener(filesystem, name))


def _remote_opener(filesystem: Any, name: str) -> Callable[[], BinaryIO]:
    return lambda: cast(BinaryIO, filesystem.open(name, "rb"))


def _fingerprint(facts: dict[str, Any]) -> Fingerprint:
    marks = ("ETag", "etag", "LastModified", "last_modified", "mtime", "updated", "created")
    return [facts.get("size"), next((str(facts[mark]) for mark in marks if facts.get(mark)), "")]


def _unlistable(error: OSError, where: str) -> SourceUnavailable:
    return SourceUnavailable(
        "the connection's folder cannot be listed",
        found=type(error).__name__ + (f": {error.strerror}" if error.strerror else ""),
        where=where,
        remedy="Check the option path of the connection",
    )
