"""The shipped model is what training makes, and holds its figures on vendors it has not seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.mapper.model import load_model
from core.ontology import Ontology
from resources.embeddings import Embedder
from resources.question_files import read_labels
from resources.training import describe_labels, train_model
from resources.training_facts import add_facts


@pytest.mark.timeout(900)
def test_training_makes_the_shipped_model(
    truth: tuple[Path, Path], shared_data: Path, ontology: Ontology, embedder: Embedder
) -> None:
    fresh = Embedder(embedder._encode)  # texts in other company differ in the seventh digit
    labels = read_labels(*truth)
    shipped = load_model()
    catalogues = [shared_data / name for name in ("tap_fields.csv.gz", "openapi_fields.csv.gz")]
    known = add_facts(labels, catalogues, [shared_data / "rows" / "fivetran"])
    assert describe_labels(labels, known) == shipped.training
    made = train_model(labels, ontology, fresh, known)
    np.testing.assert_allclose(made.facts.weights, shipped.facts.weights, rtol=0, atol=2e-6)
    assert made.caution == shipped.caution
    for mode in (True, False):
        for one, other in zip(
            (made.stages(embedded=mode).pick, made.stages(embedded=mode).trust),
            (shipped.stages(embedded=mode).pick, shipped.stages(embedded=mode).trust),
            strict=True,
        ):
            assert one.names == other.names
            np.testing.assert_allclose(one.weights, other.weights, rtol=0, atol=2e-6)
    _check_figures(made.figures)


def test_the_shipped_figures_hold() -> None:
    _check_figures(load_model().figures)


def _check_figures(figures: object) -> None:
    for mode in ("embedded_full", "embedded_strict", "embedded_full_known", "embedded_strict_known"):
        held = figures[mode]  # type: ignore[index]
        assert held["top1"] >= 0.92
        assert held["mrr"] >= 0.95
        assert held["auto_precision"] >= 0.985
        assert held["auto_recall"] >= 0.75
        assert held["false_auto"] <= 0.005
        assert held["ece"] <= 0.03
        assert held["hard_top1"] >= 0.80
