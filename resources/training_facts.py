"""Types, descriptions and value profiles for decided fields that carry none: joined from catalogues.

A catalogue is a CSV (``.gz`` too) of systems' fields: system (or provider), stream (or entity), field,
type, optionally service, format, description. Rows are CSV files ``<folder>/<system>/<stream>.csv``; of
their values only profiles are kept. Joined are equal words of system, stream and field; nothing is guessed.
"""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from core.errors import ConfigError
from core.mapper.lexicon import to_singular
from core.mapper.profile import Profile
from core.mapper.question import Question

_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_ASIDE = re.compile(r"\(.*?\)|^cs:")
_DRESS = re.compile(r"^(properties|fields|attributes|property|_?embedded)[._]|(\.value)$", re.IGNORECASE)
_NOISE = frozenset({"data", "history", "gql", "sf", "object", "resource", "entity"})
_FORMATS = {
    "date-time": "datetime",
    "datetime": "datetime",
    "google-datetime": "datetime",
    "date": "date",
    "unix-time": "epoch",
    "email": "email",
    "uri": "url",
    "url": "url",
}
Key = tuple[str, frozenset[str]]
"""System and the words of a stream."""


@dataclass(frozen=True)
class Fact:
    """What a catalogue says about one field."""

    type: str
    description: str


def add_facts(
    questions: Iterable[Question], catalogues: Sequence[Path], rows: Sequence[Path] = ()
) -> dict[Question, Question]:
    """The questions about which something is known, each with its type, description and profile."""
    asked = list(questions)
    systems = {squash(one.system) for one in asked}
    known = _read_catalogues(catalogues, systems)
    measured = _Rows(rows, systems)
    found: dict[Question, Question] = {}
    for one in asked:
        facts, profile = _look_up(known, one), measured.find(one)
        types = Counter(fact.type for fact in facts if fact.type)
        told = max((fact.description for fact in facts), key=len, default="")
        if types or told or profile is not None:
            kind = min(types, key=lambda name: (-types[name], name)) if types else ""
            found[one] = replace(one, type=kind, description=told, profile=profile)
    return found


@lru_cache(maxsize=65_536)
def squash(name: str) -> str:
    """Letters and digits only, in lower case."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


@lru_cache(maxsize=65_536)
def read_stream_words(stream: str, system: str) -> frozenset[str]:
    """A stream's words, singular, without what is said in brackets and without the system's name."""
    plain = _ASIDE.sub("", stream)
    words = {to_singular(word.lower()) for word in _WORD.findall(plain)}
    return frozenset(words - _NOISE - {system, to_singular(system)} - {w for w in words if w.isdigit()})


def _field_keys(field: str) -> list[str]:
    """How a field may be written: whole, and without what surrounds it."""
    return list(dict.fromkeys([squash(field), squash(_DRESS.sub("", field))]))


_Facts = dict[Key, dict[str, list[Fact]]]


def _read_catalogues(paths: Sequence[Path], systems: set[str]) -> _Facts:
    found: _Facts = defaultdict(lambda: defaultdict(list))
    for path in paths:
        for row in _read(path):
            named = (row.get("system") or row.get("provider", "").split(".")[0], row.get("service", ""))
            system = _match_system([squash(name) for name in named if name], systems)
            stream, field = row.get("stream") or row.get("entity", ""), row.get("field", "")
            if system is None or not stream or not field:
                continue
            kind = to_logical(row.get("type", ""), row.get("format", ""))
            fact = Fact(kind, row.get("description", "").strip())
            for key in _field_keys(field):
                found[system, read_stream_words(stream, system)][key].append(fact)
    return found


def _match_system(named: Sequence[str], systems: set[str]) -> str | None:
    """The asked system that is called so, or of which this is a part (``zendesk-support``)."""
    if not named:
        return None
    near = [one for name in named for one in systems if name == one or name.startswith(one)]
    return max(near, key=len, default=None)


def to_logical(kind: str, form: str) -> str:
    """One word for a type and its format."""
    wanted = _FORMATS.get(form.lower())
    return wanted if wanted and kind in ("string", "integer", "") else kind


def _look_up(known: _Facts, one: Question) -> list[Fact]:
    system = squash(one.system)
    keys = _field_keys(one.field)
    for words in _stream_keys(one, system):
        found = [fact for key in keys for fact in known.get((system, words), {}).get(key, ())]
        if found:
            return found
    return []


def _stream_keys(one: Question, system: str) -> list[frozenset[str]]:
    """The stream's words; for a part of another stream (``Invoice.LineItem``) also the part's own."""
    names = [one.stream, _ASIDE.sub("", one.stream).rsplit(".", 1)[-1], one.entity]
    return list(dict.fromkeys(read_stream_words(name, system) for name in names))


class _Rows:
    """Files of rows by system and stream; each is measured when a question needs it."""

    def __init__(self, folders: Sequence[Path], systems: set[str]) -> None:
        self._files: dict[Key, list[Path]] = defaultdict(list)
        self._measured: dict[Path, dict[str, Profile]] = {}
        for folder in folders:
            if not folder.is_dir():
                raise ConfigError("is no folder of rows", where=str(folder))
            for file in sorted(folder.glob("*/*.csv")):
                system = _match_system([squash(file.parent.name)], systems)
                if system is not None:
                    self._files[system, read_stream_words(file.stem, system)].append(file)

    def find(self, one: Question) -> Profile | None:
        """The profile that rests on most values."""
        system, keys = squash(one.system), _field_keys(one.field)
        for words in _stream_keys(one, system):
            files = [self._measure(file) for file in self._files.get((system, words), ())]
            held = [file[key] for file in files for key in keys if key in file]
            usable = [profile for profile in held if profile.null < 1 and not is_masked(profile)]
            if usable:
                return max(usable, key=lambda profile: profile.count * (1 - profile.null))
        return None

    def _measure(self, file: Path) -> dict[str, Profile]:
        from resources.profiles import measure_csv_profiles

        if file not in self._measured:
            found = measure_csv_profiles(str(file))
            self._measured[file] = {squash(path): profile for path, profile in found.items()}
        return self._measured[file]


def is_masked(profile: Profile) -> bool:
    """Whether the values are hashes (MD5 in hex or base64) that somebody put in place of the real ones."""
    if profile.length == 32:
        return profile.id >= 0.9
    return profile.length == 24 and not (profile.id or profile.number or profile.datetime or profile.worded)


def _read(path: Path) -> Iterator[dict[str, str]]:
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file, restval="")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"the catalogue cannot be read: {error}", where=str(path)) from error
