"""The mapper beside what a user would pick instead, on the same questions, scored by the same code.

``python -m bench mapping_tools`` prints every figure; ``python -m bench.mapping_tools`` the table of
docs/mapping.md. The tools are the extra ``compare`` (``bench/schema_matchers.py``); those that are not
installed are named and left out. Needs the evaluation data.
"""

from __future__ import annotations

import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from bench.mapping_quality import FIGURES, LIMITS, answer_by_cosine, find_truth
from bench.measure import Measure
from bench.schema_matchers import INSTALL, TOOLS, Ranked, Tool
from core.mapper.answer import MAX_RANKS, Answer, Candidate
from core.mapper.decision import AUTO
from core.mapper.question import Question
from core.mapper.score import Row, is_right, score_answers

if TYPE_CHECKING:
    from core.ontology import Ontology
    from resources.embeddings import Embedder
    from resources.training import Labels

RECALLS = (0.40, 0.55, 0.75)
"""Where precision is told whatever a tool's scores mean."""
PRECISION = 0.985


@dataclass(frozen=True)
class Result:
    """One column of the table. ``seconds`` None: not timed alone."""

    name: str
    figures: Mapping[str, float | None]
    seconds: float | None = None


def measure_tools() -> Iterator[Measure]:
    """Every figure of every column; a line of value 0 for each tool that could not be asked."""
    found = prepare()
    if found is None:
        yield Measure("mapping_tools", 0.0, "figures", note="no evaluation data or no embedding model")
        return
    yield from name_missing(TOOLS)
    for result in compare_all(*found):
        for name, value in result.figures.items():
            held = f"hold {LIMITS[name]}" if name in LIMITS else ""
            told = held if value is not None else "never reached"
            yield Measure(f"{result.name}_{name}", value or 0.0, "ratio", note=told)
        if result.seconds is not None:
            yield Measure(f"{result.name}_seconds", result.seconds, "s", note="all streams, model loaded")


def name_missing(tools: Sequence[Tool]) -> Iterator[Measure]:
    """A line for each tool that cannot be asked, with how to install it."""
    for tool in tools:
        if not tool.installed:
            yield Measure(tool.name, 0.0, "figures", note=f"{tool.package} is not installed: {INSTALL}")


def prepare() -> tuple[Labels, Ontology, Embedder] | None:
    """What the comparison needs, or None."""
    from core.ontology import load_ontology
    from resources.embeddings import load_embedder
    from resources.question_files import read_labels

    truth, embedder = find_truth(), load_embedder()
    if truth is None or embedder is None:
        return None
    return read_labels(*truth), load_ontology(), embedder


def compare_all(labels: Labels, ontology: Ontology, embedder: Embedder) -> Iterator[Result]:
    """The mapper on vendors it has not seen, cosine alone, then each installed tool."""
    from resources.training import answer_held, hold_out, measure_dataset

    dataset = measure_dataset(labels, ontology, embedder)
    answered = answer_held(hold_out(dataset, embedded=True), labels, embedded=True)
    yield Result("mapper", score_rows(answered["full"]))
    yield Result("mapper_strict", score_rows(answered["strict"]))
    yield Result(
        "cosine", score_rows([(answer_by_cosine(one), labels[one.question]) for one in dataset.full])
    )
    for tool in TOOLS:
        if tool.installed:
            yield ask_tool(tool, labels, ontology)


def ask_tool(tool: Tool, labels: Labels, ontology: Ontology) -> Result:
    """One tool over all streams; its fields' candidates are those of the stream's canonical entity."""
    match = tool.open()
    match(["name"], ["name", "id"])  # what it loads at first use is not of its time
    rows: list[Row] = []
    started = time.perf_counter()
    for questions in group_streams(list(labels)):
        columns = name_columns(questions, last_part=tool.last_part)
        ranked = match(columns, list(ontology.entity(questions[0].entity).fields))
        rows += [(answer, labels[answer.question]) for answer in build_ranked(questions, columns, ranked)]
    return Result(tool.name, score_rows(rows), time.perf_counter() - started)


def group_streams(questions: Sequence[Question]) -> list[list[Question]]:
    """The questions of each (system, stream, entity): one table each."""
    found: dict[tuple[str, str, str], list[Question]] = defaultdict(list)
    for one in questions:
        found[one.system, one.stream, one.entity].append(one)
    return list(found.values())


def name_columns(questions: Sequence[Question], *, last_part: bool) -> list[str]:
    """What a stream's fields are called in its table: whole paths, or last parts where they are unique."""
    if not last_part:
        return [one.field for one in questions]
    ends = [re.split(r"[./]", one.field)[-1] for one in questions]
    times = Counter(end.lower() for end in ends)
    return [end if times[end.lower()] == 1 else one.field for end, one in zip(ends, questions, strict=True)]


def build_ranked(questions: Sequence[Question], columns: Sequence[str], ranked: Ranked) -> Iterator[Answer]:
    """A tool's ranks as answers; a column it says nothing about has no counterpart."""
    for question, column in zip(questions, columns, strict=True):
        best = ranked.get(column, [])[:MAX_RANKS]
        yield Answer(question, tuple(Candidate(field, score) for field, score in best), "none")


def score_rows(rows: Sequence[Row]) -> dict[str, float | None]:
    """The figures of the table. None: nothing is applied, or that recall or precision is never reached."""
    all_ = asdict(score_answers(rows))
    figures: dict[str, float | None] = {name: all_[name] for name in FIGURES}
    if all(answer.confidence < AUTO for answer, _ in rows):
        figures["auto_precision"] = None
    curve = build_curve(rows)
    for recall in RECALLS:
        figures[f"precision_at_recall_{recall:.2f}"] = find_precision(curve, recall)
    figures[f"recall_at_precision_{PRECISION}"] = find_recall(curve, PRECISION)
    return figures


def build_curve(rows: Sequence[Row]) -> list[tuple[float, float]]:
    """(recall, precision) of applying everything down to each score that occurs, surest first."""
    mapped = max(1, sum(bool(right) for _, right in rows))
    said = sorted((row for row in rows if row[0].best is not None), key=lambda row: -row[0].confidence)
    points, right, applied = [], 0, 0
    for _, same in groupby(said, key=lambda row: row[0].confidence):
        tied = [is_right(row) for row in same]
        right, applied = right + sum(tied), applied + len(tied)
        points.append((right / mapped, right / applied))
    return points


def find_precision(curve: Sequence[tuple[float, float]], recall: float) -> float | None:
    """Precision where that recall is first reached."""
    return next((precision for reached, precision in curve if reached >= recall), None)


def find_recall(curve: Sequence[tuple[float, float]], precision: float) -> float | None:
    """The highest recall at that precision or better."""
    return max((reached for reached, held in curve if held >= precision), default=None)


def format_table(results: Sequence[Result]) -> str:
    """The table in Markdown: a row a figure, a column a tool."""
    lines = ["| | " + " | ".join(one.name for one in results) + " |", "|---" * (len(results) + 1) + "|"]
    for figure in results[0].figures:
        cells = [_format(one.figures[figure]) for one in results]
        lines.append(f"| {figure} | " + " | ".join(cells) + " |")
    times = ["" if one.seconds is None else f"{one.seconds:.1f}" for one in results]
    return "\n".join([*lines, "| seconds | " + " | ".join(times) + " |"])


def _format(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    given = prepare()
    print(format_table(list(compare_all(*given))) if given else "no evaluation data or no embedding model")
