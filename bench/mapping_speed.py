"""How fast many fields of many vendors are answered: real names, every vendor and entity a stream.

Needs the evaluation data; hits are claims, as nothing here says what is right.
"""

from __future__ import annotations

import csv
import gzip
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bench.measure import Measure

if TYPE_CHECKING:
    from core.mapper.question import Question

FIELDS = 50_000


def measure_speed() -> Iterator[Measure]:
    """Seconds for 50,000 fields with a loaded model: nothing embedded before, then everything."""
    from core.mapper.model import load_model
    from core.ontology import load_ontology
    from resources.embeddings import load_embedder
    from resources.mapper_answers import Answerer
    from resources.settings import load_settings, project_root

    folder = load_settings().shared_data or project_root().parent / "shared" / "data"
    file, embedder = folder / "openapi_fields.csv.gz", load_embedder()
    if not file.is_file() or embedder is None:
        yield Measure("mapping_speed", 0.0, "s", note="no evaluation data or no embedding model")
        return
    answerer = Answerer(load_ontology(), load_model(), embedder)
    questions = _read_questions(file)
    for name in ("cold", "warm"):
        started = time.perf_counter()
        answers = answerer.answer(questions)
        seconds = time.perf_counter() - started
        methods = Counter(one.method for one in answers)
        sure = sum(one.confidence >= 0.85 for one in answers)
        told = ", ".join(f"{method} {count}" for method, count in methods.most_common())
        yield Measure(
            f"mapping_speed_{name}", seconds, "s", note=f"{len(answers)} fields, {sure} sure; best by {told}"
        )


def _read_questions(file: Path) -> list[Question]:
    """Fields of entities whose name an ontology entity is known by; 50,000 at most."""
    from core.mapper.question import Question
    from core.ontology import load_ontology

    entities = load_ontology().entities.values()
    known = {name.replace("_", ""): one.name for one in entities for name in (one.name, *one.aliases)}
    names = sorted(known.values())
    found = []
    with gzip.open(file, "rt", encoding="utf-8", newline="") as rows:
        for row in csv.DictReader(rows):
            squashed = row["entity"].lower().replace("_", "").rstrip("s")
            entity = known.get(squashed) or names[len(squashed) % len(names)]
            found.append(Question(row["provider"], row["entity"], row["field"], entity, row["type"]))
            if len(found) == FIELDS:
                break
    return found
