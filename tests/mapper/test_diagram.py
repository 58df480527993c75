"""The pictures and figures of docs/mapping.md are those of the shipped model."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from core.mapper.diagram import draw_model
from core.mapper.model import load_model


def test_the_picture_is_the_models(project_root: Path) -> None:
    drawn = draw_model(load_model().reliability)
    ElementTree.fromstring(drawn)
    assert (project_root / "docs" / "mapping-reliability.svg").read_text() == drawn


def test_the_figures_are_the_models(project_root: Path) -> None:
    page = (project_root / "docs" / "mapping.md").read_text()
    figures = load_model().figures
    for name in ("top1", "mrr", "auto_precision", "auto_recall", "false_auto", "ece", "hard_top1"):
        for mode in ("embedded_full", "embedded_strict"):
            assert f"{figures[mode][name]:.3f}" in page, (mode, name)
