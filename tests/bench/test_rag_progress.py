"""Onboarding vendors one after another: the orders, the figures, the picture, decisions that are heard."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from bench.progress_picture import draw_progress
from bench.rag_progress import (
    Place,
    answer_hearing,
    build_orders,
    build_unknowing,
    count_applied,
    decide,
    format_table,
    list_lines,
    sum_place,
)
from core.mapper.answer import Answer, Candidate
from core.mapper.model import load_model
from core.mapper.question import Question
from core.mapper.score import Row
from core.ontology import load_ontology
from resources.database import Database
from resources.embeddings import load_embedder


def row(confidence: float, right: bool, *, mapped: bool = True) -> Row:
    question = Question("acme", "people", f"f{confidence}", "contact")
    best = Candidate("email" if right else "phone", confidence)
    return Answer(question, (best,), "none"), frozenset({"email"} if mapped else ())


def test_every_vendor_stands_once_at_every_place_in_orders_that_differ() -> None:
    vendors = [f"v{number}" for number in range(15)]
    orders = build_orders(vendors, seed=3)
    assert all(sorted(order) == sorted(vendors) for order in orders)
    assert all(sorted(place) == sorted(vendors) for place in zip(*orders, strict=True))
    assert len({tuple(order) for order in orders}) == 15
    assert build_orders(vendors, seed=3) == orders != build_orders(vendors, seed=4)


def test_applied_is_counted_of_all_right_of_applied_and_of_mapped() -> None:
    rows = [row(0.9, True), row(0.86, False), row(0.84, True), row(0.2, False, mapped=False)]
    assert count_applied(rows) == pytest.approx((0.5, 0.5, 1 / 3))
    assert count_applied([]) == (0.0, 0.0, 0.0)


def test_a_place_sums_all_orders_and_the_same_fields_without_decisions() -> None:
    place = sum_place(2, [[row(0.9, True)], [row(0.9, True)]], [[row(0.9, True)], [row(0.5, True)]])
    assert (place.fields, place.share, place.alone_share, place.recall) == (2, 1.0, 0.5, 1.0)


def test_table_and_picture_show_the_places() -> None:
    places = [Place(at, 100, 0.5 + at / 100, 0.99, 0.7, 0.5, 0.98, 0.7) for at in range(1, 16)]
    progress = {"strict": places, "bare": places}
    table = format_table(progress).splitlines()
    assert [line.split("|")[1].strip() for line in table[2:]] == ["1", "2", "5", "10", "15"]
    assert "0.550 (0.500)" in table[4]
    lines = list_lines(progress)
    drawn = draw_progress(lines)
    root = ElementTree.fromstring(drawn)
    groups = root.findall("{http://www.w3.org/2000/svg}g")
    assert len(groups) == len(lines) == 4
    assert all(title in drawn for title in lines)
    assert "prefers-color-scheme: dark" in drawn


def test_the_picture_of_the_documents_is_the_one_the_code_draws(project_root: Path) -> None:
    """Its frame, words and style; the points are figures."""
    shown = (project_root / "docs" / "mapping-progress.svg").read_text(encoding="utf-8")
    places = [Place(at, 1, 0.6, 0.9, 0.6, 0.6, 0.9, 0.6) for at in range(1, 16)]
    drawn = draw_progress(list_lines({"strict": places, "bare": places}))
    assert drawn.partition("<polyline")[0] == shown.partition("<polyline")[0]


def test_what_was_decided_is_heard_by_the_next_vendor_and_by_no_other_tenant(
    database: Database, tenant: str
) -> None:
    embedder, ontology = load_embedder(), load_ontology()
    if embedder is None:
        pytest.skip("the embedding model is not installed")
    answerer = build_unknowing(ontology, load_model(), embedder, set())
    first = [Question("acme", "people", name, "contact") for name in ("gizmo_tag", "email")]
    asked = [Question("bcme", "folk", name, "contact") for name in ("gizmo_tag", "email")]
    before = answer_hearing(database, tenant, answerer, asked)
    truth = [frozenset({"phone"}), frozenset({"email"})]
    decide(database, ontology, tenant, list(zip(answerer.answer(first), truth, strict=True)))
    after = answer_hearing(database, tenant, answerer, asked)

    def rate(answers: list[Answer]) -> float:
        return next((one.confidence for one in answers[0].candidates if one.field == "phone"), 0.0)

    assert rate(after) > rate(before)
    assert after[0].best is not None
    assert answer_hearing(database, "t-other", answerer, asked) == before
