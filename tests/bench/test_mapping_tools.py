"""The comparison with other tools: what is asked of them, how their ranks are read and scored."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from bench.mapping_quality import FIGURES
from bench.mapping_tools import (
    Result,
    ask_tool,
    build_curve,
    build_ranked,
    find_precision,
    find_recall,
    format_table,
    group_streams,
    name_columns,
    name_missing,
    score_rows,
)
from bench.schema_matchers import TOOLS, Tool, rank_assigned, rank_pairs
from core.mapper.answer import Answer, Candidate
from core.mapper.question import Question
from core.mapper.score import Row
from core.ontology import load_ontology
from resources.question_files import KEY, OUT


def ask(field: str, stream: str = "people", entity: str = "contact") -> Question:
    return Question("acme", stream, field, entity)


def row(confidence: float, right: bool, *, mapped: bool = True) -> Row:
    truth = frozenset({"email"} if mapped else ())
    best = Candidate("email" if right else "phone", confidence)
    return Answer(ask(f"f{confidence}{right}"), (best,), "none"), truth


def test_columns_are_whole_paths_or_last_parts_that_are_unique() -> None:
    asked = [ask("properties.email"), ask("home.city"), ask("work.City")]
    assert name_columns(asked, last_part=False) == ["properties.email", "home.city", "work.City"]
    assert name_columns(asked, last_part=True) == ["email", "home.city", "work.City"]


def test_a_table_is_one_stream_of_one_entity() -> None:
    asked = [ask("a"), ask("b", stream="deals"), ask("c"), ask("a", entity="account")]
    assert [[one.field for one in group] for group in group_streams(asked)] == [["a", "c"], ["b"], ["a"]]


def test_pairs_become_ranks_within_bounds() -> None:
    ranked = rank_pairs([("a", "x", 0.2), ("a", "y", 1.7), ("b", "x", -0.3)])
    assert ranked == {"a": [("y", 1.0), ("x", 0.2)], "b": [("x", 0.0)]}


def test_the_assigned_target_stands_first_and_nothing_above_it() -> None:
    scores = {"x": 0.9, "y": 0.4, "z": 0.5}
    assert rank_assigned(scores, ("z", 0.5)) == [("z", 0.5), ("x", 0.5), ("y", 0.4)]
    assert rank_assigned(scores, None) == [("x", 0.9), ("z", 0.5), ("y", 0.4)]


def test_silence_about_a_column_is_no_counterpart() -> None:
    answers = list(build_ranked([ask("a"), ask("b")], ["a", "b"], {"a": [("email", 0.4)]}))
    assert [one.confidence for one in answers] == [0.4, 0.0]
    assert answers[1].candidates == ()


def test_precision_is_told_where_a_recall_is_reached_and_ties_enter_together() -> None:
    rows = [row(0.9, True), row(0.8, True), row(0.8, False), row(0.3, True), row(0.1, False, mapped=False)]
    curve = build_curve(rows)
    assert curve == [(0.25, 1.0), (0.5, pytest.approx(2 / 3)), (0.75, 0.75), (0.75, 0.6)]
    assert find_precision(curve, 0.3) == pytest.approx(2 / 3)
    assert find_precision(curve, 0.9) is None
    assert find_recall(curve, 0.75) == 0.75
    assert find_recall(curve, 1.1) is None


def test_the_table_has_a_row_a_figure_and_says_what_is_never_reached() -> None:
    figures = score_rows([row(0.9, True), row(0.2, False)])
    table = format_table([Result("mapper", figures), Result("coma", figures, 1.26)])
    assert "| top1 | 0.500 | 0.500 |" in table
    assert "| precision_at_recall_0.75 | – | – |" in table
    assert "| seconds |  | 1.3 |" in table
    assert set(FIGURES) <= set(figures)
    assert score_rows([row(0.2, True)])["auto_precision"] is None


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_a_tool_finds_what_is_written_alike(tool: Tool) -> None:
    if not tool.installed:
        pytest.skip(f"{tool.package} is not installed (extra compare)")
    labels = {ask(name): frozenset({name}) for name in ("email", "first_name", "last_name", "phone")}
    labels[ask("zodiac_blob")] = frozenset()
    result = ask_tool(tool, labels, load_ontology())
    assert result.figures["top1"] == 1.0
    assert result.seconds is not None


def test_what_is_not_installed_is_named_with_the_way_to_install_it() -> None:
    gone = Tool("other", "no_such_matcher", "", lambda: lambda *_: {})
    told = [one.note for one in name_missing([gone])]
    assert told == ["no_such_matcher is not installed: pip install -c constraints.txt -e '.[compare]'"]


def write(path: Path, *lines: Sequence[object]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(lines)
    return path


def test_figures_agree_with_the_shared_scorer(tmp_path: Path, shared_data: Path) -> None:
    scorer = shared_data.parent / "eval" / "score_mapping.py"
    if not scorer.is_file():
        pytest.skip("no scorer beside the evaluation data")
    rows = [row(0.95, True), row(0.7, False), row(0.9, False, mapped=False), row(0.2, True)]
    keys = [(one.question.system, one.question.stream, one.question.field, "contact") for one, _ in rows]
    both = list(zip(keys, rows, strict=True))
    truth = [(*key, "email") for key, (_, right) in both if right]
    empty = [key for key, (_, right) in both if not right]
    said = [(*key, one.candidates[0].field, one.confidence, 1, "x") for key, (one, _) in both]
    files = [
        f"--truth={write(tmp_path / 't.csv', (*KEY, 'canonical_field'), *truth)}",
        f"--unmapped={write(tmp_path / 'u.csv', KEY, *empty)}",
        f"--proposals={write(tmp_path / 'p.csv', OUT, *said)}",
    ]
    done = subprocess.run([sys.executable, scorer, *files, "--json"], capture_output=True, check=True)
    theirs, ours = json.loads(done.stdout), score_rows(rows)
    assert [ours[name] for name in FIGURES] == [pytest.approx(theirs[name], abs=5e-5) for name in FIGURES]
