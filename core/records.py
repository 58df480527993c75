"""From a page of JSON values to text columns, setting aside what cannot be a record.

Every scalar becomes text in the source's own spelling (numbers as their JSON text, ``true``/``false``),
nested values compact JSON; null and absent are None. One physical type means that no source can break a
load by changing its mind. Whole pages are handled column by column; only a page with something odd in it
is looked at record by record.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain
from types import NoneType
from typing import Any

from core.columns import MAX_COLUMNS, MAX_NAME, ColumnNames
from core.names import Path, format_path
from core.observe import Observation, observe_column
from core.value_text import SCALARS, TO_TEXT, printable, say_type, write_nested

MAX_DEPTH = 64
"""Levels of objects and arrays in one record."""
MAX_RECORD_BYTES = 16 * 1024 * 1024
MAX_QUOTED_BYTES = 64 * 1024
"""Of a refused record this much text is kept."""


@dataclass(frozen=True, slots=True)
class RejectedRecord:
    """A record that cannot land: ``code`` is the class of the reason, ``record`` bounded, printable text."""

    code: str
    reason: str
    record_id: str | None
    record: str


@dataclass(slots=True)
class EncodedPage:
    """What can land, as one list of texts a column, and what cannot."""

    rows: int
    columns: dict[str, list[str | None]]
    observation: Observation
    rejects: list[RejectedRecord] = field(default_factory=list)


class _IrregularError(Exception):
    """The page has a value that does not fit; the records must be looked at one by one."""


def encode_page(page: Iterable[Any], keys: tuple[Path, ...], names: ColumnNames) -> EncodedPage:
    """Encode the records of a page; ``keys`` are the paths of the primary key, ``names`` may grow."""
    records = list(page)
    try:
        return _encode(records, keys, names)
    except (_IrregularError, KeyError, TypeError, UnicodeEncodeError, ValueError, RecursionError):
        kept: list[Any] = []
        rejects: list[RejectedRecord] = []
        room = ColumnNames(names.given)
        for record in records:
            flaw = find_flaw(record, keys, room)
            if flaw is None:
                kept.append(record)
                for name in record:
                    room.give(name)
            else:
                rejects.append(RejectedRecord(*flaw, read_record_id(record, keys), quote_record(record)))
        encoded = _encode(kept, keys, names)
        encoded.rejects = rejects
        return encoded


def _encode(records: list[Any], keys: tuple[Path, ...], names: ColumnNames) -> EncodedPage:
    if any(type(record) is not dict for record in records):
        raise _IrregularError
    count = len(records)
    present = Counter(chain.from_iterable(records))
    _check_names(present, names)
    for path in keys:
        _check_key(records, path)
    observation = Observation(records=count)
    columns: dict[str, list[str | None]] = {}
    size = 0
    for name, carriers in present.items():
        if carriers == count:
            values = [record[name] for record in records]
        else:
            values = [record.get(name) for record in records]
        kinds = Counter(map(type, values))
        seen = observe_column(values, kinds, count, count - carriers)
        if dict in kinds or list in kinds:
            _check_depth(values)
        texts = _encode_column(values, kinds)
        size += len("".join(filter(None, texts)).encode())
        columns[name], observation.columns[name] = texts, seen
    if size > MAX_RECORD_BYTES and any(_size(record) > MAX_RECORD_BYTES for record in records):
        raise _IrregularError
    observation.columns = {names.give(name): seen for name, seen in observation.columns.items()}
    return EncodedPage(count, {names.give(name): texts for name, texts in columns.items()}, observation)


def _check_names(present: Counter[Any], names: ColumnNames) -> None:
    if not names.has_room(present):
        raise _IrregularError
    for name in present:
        if _name_flaw(name):
            raise _IrregularError


def _check_key(records: list[dict[str, Any]], path: Path) -> None:
    values: list[Any] = records
    for part in path:
        values = [value[part] for value in values]
    if "" in values or any(kind not in SCALARS for kind in set(map(type, values))):
        raise _IrregularError


def _check_depth(values: list[Any]) -> None:
    below = [value for value in values if type(value) is dict or type(value) is list]
    depth = 1
    while below:
        depth += 1
        if depth > MAX_DEPTH:
            raise _IrregularError
        inner = chain.from_iterable(v.values() if type(v) is dict else v for v in below)
        below = [value for value in inner if type(value) is dict or type(value) is list]


def _encode_column(values: list[Any], kinds: Counter[type]) -> list[str | None]:
    if not kinds.keys() - {str, NoneType}:
        return values
    if len(kinds) == 1:
        (kind,) = kinds
        return list(map(TO_TEXT[kind], values))
    return [TO_TEXT[type(value)](value) for value in values]


# --- one record at a time ---------------------------------------------------------------------


def find_flaw(record: Any, keys: tuple[Path, ...], names: ColumnNames) -> tuple[str, str] | None:
    """Why ``record`` cannot land, as (code, sentence), or None when it can."""
    if type(record) is not dict:
        return "not_an_object", f"a record must be an object, found {say_type(record)}"
    for check in (_find_depth_flaw, _find_name_flaw, _find_value_flaw):
        flaw = check(record)
        if flaw is not None:
            return flaw
    if not names.has_room(record):
        return "too_many_columns", f"the stream would have more than {MAX_COLUMNS} columns with this record"
    for path in keys:
        flaw = _find_key_flaw(record, path)
        if flaw is not None:
            return flaw
    return None


def _find_depth_flaw(record: dict[str, Any]) -> tuple[str, str] | None:
    try:
        _check_depth(list(record.values()))
    except _IrregularError:
        return "too_deep", f"values may be nested {MAX_DEPTH} levels deep, these are deeper"
    return None


def _find_name_flaw(record: dict[str, Any]) -> tuple[str, str] | None:
    if len(record) > MAX_COLUMNS:
        return "too_many_columns", f"a record may have {MAX_COLUMNS} fields, this one has {len(record)}"
    for name in record:
        problem = _name_flaw(name)
        if problem:
            return "bad_field_name", problem
    return None


def _name_flaw(name: Any) -> str | None:
    if type(name) is not str or not name:
        return "a field has an empty name"
    if len(name) > MAX_NAME:
        return f"a field name may have {MAX_NAME} characters, {name[:40]!r}… has {len(name)}"
    if "\0" in name or not _is_unicode(name):
        return f"the field name {name[:40]!r} has a character that cannot be stored"
    return None


def _find_value_flaw(record: dict[str, Any]) -> tuple[str, str] | None:
    size = 0
    for name, value in record.items():
        try:
            text = TO_TEXT[type(value)](value)
            size += len(text.encode()) if text else 0
        except UnicodeEncodeError:
            return "lone_surrogate", f"field {name} has half of a surrogate pair, which is no character"
        except (KeyError, TypeError):
            return "unknown_type", f"field {name} has a value that is not JSON ({say_type(value)})"
        except ValueError:
            return "number_too_long", f"field {name} has a number with too many digits"
    if size > MAX_RECORD_BYTES:
        return "too_large", f"a record may have {MAX_RECORD_BYTES} bytes, this one has {size}"
    return None


def _find_key_flaw(record: dict[str, Any], path: Path) -> tuple[str, str] | None:
    name = format_path(path)
    try:
        value = _value_at(record, path)
    except (KeyError, IndexError, TypeError):
        return "key_missing", f"primary key {name} is missing"
    if value is None or value == "":
        return "key_missing", f"primary key {name} is {'null' if value is None else 'empty'}"
    if type(value) not in SCALARS:
        return "key_not_scalar", f"primary key {name} must be a single value, found {say_type(value)}"
    return None


def _value_at(record: Any, path: Path) -> Any:
    for part in path:
        record = record[part]
    return record


def _size(record: dict[str, Any]) -> int:
    texts = (TO_TEXT[type(value)](value) for value in record.values())
    return sum(len(text.encode()) for text in texts if text)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def read_record_id(record: Any, keys: tuple[Path, ...]) -> str | None:
    """The primary key as printable text (parts joined by ``|``), or None when it cannot be read."""
    try:
        values = [_value_at(record, path) for path in keys]
    except (KeyError, IndexError, TypeError):
        return None
    if any(type(value) not in SCALARS for value in values):
        return None
    return printable("|".join(str(TO_TEXT[type(value)](value)) for value in values), 1_000)


def quote_record(record: Any) -> str:
    """The record as JSON text that any store takes: escaped where it must be, cut where it is too long."""
    try:
        text = write_nested(record)
    except (RecursionError, ValueError, TypeError):
        text = f"<{say_type(record)} that cannot be written as JSON>"
    return printable(text, MAX_QUOTED_BYTES)
