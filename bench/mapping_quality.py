"""How good the mapper is on vendors it has not seen, beside cosine alone, in one run.

Needs the evaluation data (AOS_SHARED_DATA, or ``../shared/data`` beside the project); without it says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from bench.measure import Measure

if TYPE_CHECKING:
    from core.mapper.answer import Answer
    from resources.mapper_scoring import Measured

FIGURES = ("top1", "mrr", "auto_precision", "auto_recall", "false_auto", "ece", "hard_top1")
LIMITS = {
    "top1": "≥ .92",
    "mrr": "≥ .95",
    "auto_precision": "≥ .985",
    "auto_recall": "≥ .75",
    "false_auto": "≤ .005",
    "ece": "≤ .03",
    "hard_top1": "≥ .80",
}


def find_truth() -> tuple[Path, Path] | None:
    """The two files of decided fields, or None."""
    from resources.settings import load_settings, project_root

    given = load_settings().shared_data or project_root().parent / "shared" / "data"
    folder = given.parent / "mapping_truth"
    files = (folder / "mapping_truth.csv", folder / "unmapped.csv")
    return files if all(file.is_file() for file in files) else None


def measure_quality() -> Iterator[Measure]:
    """Whole vendors held out: all aliases, without the vendor's own, and cosine alone."""
    from core.mapper.score import score_answers
    from core.ontology import load_ontology
    from resources.embeddings import load_embedder
    from resources.question_files import read_labels
    from resources.training import answer_held, hold_out, measure_dataset

    truth, embedder = find_truth(), load_embedder()
    if truth is None or embedder is None:
        yield Measure("mapping_quality", 0.0, "figures", note="no evaluation data or no embedding model")
        return
    labels = read_labels(*truth)
    dataset = measure_dataset(labels, load_ontology(), embedder)
    answered = answer_held(hold_out(dataset, embedded=True), labels, embedded=True)
    rows = {
        "mapper": answered["full"],
        "mapper_strict": answered["strict"],
        "cosine": [(answer_by_cosine(one), labels[one.question]) for one in dataset.full],
    }
    for name, held in rows.items():
        figures = asdict(score_answers(held))
        for figure in FIGURES:
            yield Measure(f"{name}_{figure}", figures[figure], "ratio", note=f"hold {LIMITS[figure]}")


def answer_by_cosine(one: Measured) -> Answer:
    """Fields by cosine of names with descriptions, the cosine taken for confidence."""
    from core.mapper.answer import Answer, Candidate
    from core.mapper.evidence import FEATURES

    cosine = one.values[:, FEATURES.index("cos_text")]
    ranked = sorted(zip(cosine.tolist(), one.fields, strict=True), reverse=True)[:10]
    found = tuple(Candidate(field, min(1.0, max(0.0, value))) for value, field in ranked)
    return Answer(one.question, found, "retrieval")
