"""The canonical model: what entities and fields exist, what they mean, and what vendors call them.

One YAML file an entity stands beside this file. ``model`` holds the types, ``reader`` reads the files
strictly, ``markdown`` writes docs/ontology.md. What maps to a field is not here: see ``core/mapping.py``.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from core.ontology.model import FIELD_TYPES, FORMATS, TEXT_TYPES, CanonicalField, Entity, Ontology
from core.ontology.reader import read_ontology

__all__ = [
    "FIELD_TYPES",
    "FORMATS",
    "TEXT_TYPES",
    "CanonicalField",
    "Entity",
    "Ontology",
    "load_ontology",
]


@lru_cache(maxsize=4)
def load_ontology(folder: Path | None = None) -> Ontology:
    """The ontology of ``folder`` (default: the shipped one), read once a process.

    Raises ConfigError, with file and line, when a file is not as ``reader`` demands.
    """
    return read_ontology(folder or Path(__file__).parent)
