"""A thousand connectors made of real API documents: names and types as the vendors wrote them.

A connector is a part of one document: entities in the document's order, until they have about fifty
fields. What an entity is called decides, as for whoever writes a config: is it a name the ontology knows
an entity by, the stream declares that entity; any other declares none.
"""

from __future__ import annotations

import csv
import gzip
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path

from core.connector import ConnectorSpec
from core.ontology import Ontology
from core.schema import FieldSchema, TableSchema

FIELDS = 50
LEAST, MOST = 5, 120
"""Fields of an entity that becomes a stream: fewer is a part of something, more is generated."""
PER_DOCUMENT = 12
_TYPES = {"string": "string", "integer": "integer", "number": "number", "boolean": "boolean"}
_FORMATS = {"date-time": "timestamp", "date": "date"}

Streams = dict[str, TableSchema]
Document = tuple[str, str]


@dataclass(frozen=True)
class Vendor:
    """A connector with the schema of each stream, as a first sync would have found it."""

    spec: ConnectorSpec
    schemas: Streams

    @property
    def fields(self) -> int:
        """Fields of all streams."""
        return sum(len(one.fields) for one in self.schemas.values())


def read_vendors(file: Path, ontology: Ontology, count: int) -> list[Vendor]:
    """The first ``count`` connectors, one of each document in turn."""
    documents = sorted(_read_documents(file).items())
    cut = [[(document, part) for part in _cut(entities)] for document, entities in documents]
    parts = [one for one in chain.from_iterable(zip_longest(*cut)) if one is not None][:count]
    return [_build_vendor(document, number, part, ontology) for number, (document, part) in enumerate(parts)]


def _read_documents(file: Path) -> Mapping[Document, Mapping[str, list[FieldSchema]]]:
    found: dict[Document, dict[str, dict[str, FieldSchema]]] = defaultdict(lambda: defaultdict(dict))
    with gzip.open(file, "rt", encoding="utf-8", newline="") as rows:
        for row in csv.DictReader(rows):
            fields = found[row["provider"], row["service"]][row["entity"]]
            kind = _FORMATS.get(row["format"]) or _TYPES.get(row["type"], "object")
            kind = "array" if row["type"] == "array" else kind
            if '"' not in row["field"] and all(row["field"].split(".")):
                fields.setdefault(row["field"], FieldSchema(row["field"], (kind,), True))
    return {
        document: {name: list(held.values()) for name, held in entities.items()}
        for document, entities in found.items()
    }


def _cut(entities: Mapping[str, list[FieldSchema]]) -> Iterator[dict[str, list[FieldSchema]]]:
    """Parts of a document of about ``FIELDS`` fields; what is left over at the end is left out."""
    part: dict[str, list[FieldSchema]] = {}
    made = 0
    for name, fields in entities.items():
        if not LEAST <= len(fields) <= MOST:
            continue
        part[name] = fields
        if sum(map(len, part.values())) >= FIELDS - LEAST:
            yield part
            part, made = {}, made + 1
        if made == PER_DOCUMENT:
            return


def _build_vendor(
    document: Document, number: int, part: Mapping[str, Sequence[FieldSchema]], ontology: Ontology
) -> Vendor:
    known = {
        _squash(name): one.name for one in ontology.entities.values() for name in (one.name, *one.aliases)
    }
    schemas: Streams = {}
    streams: dict[str, object] = {}
    for name, fields in part.items():
        stream = _slug(name)
        while stream in schemas:
            stream += "_"
        schemas[stream] = TableSchema(tuple(fields))
        streams[stream] = {
            "endpoint": {"path": f"/{stream}"},
            "primary_key": (next((one.path for one in fields if one.path == "id"), fields[0].path),),
            "entity": known.get(_squash(name)),
        }
    facts = {
        "connector": f"c{number:04d}_" + _slug("_".join(document))[:50],
        "title": document[0],
        "kind": "rest",
        "base_url": "https://vendor.example",
        "streams": streams,
    }
    return Vendor(ConnectorSpec.model_validate(facts), schemas)


def _squash(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower()).rstrip("s")


def _slug(name: str) -> str:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")[:60] or "stream"
