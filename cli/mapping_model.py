"""``aos mapping propose --fields | evaluate``: the engine on files, without database or tenant.

Training, of the shipped model and of a tenant's own, is ``mapping_training.py``.
"""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import mapping_training
from cli.output import Json, number_of, print_json, print_table, say
from core.errors import FixInput

if TYPE_CHECKING:
    from core.mapper.answer import Answer
    from core.mapper.question import Question

Fields = Annotated[
    Path,
    typer.Option(
        help="CSV: source_system, source_entity, source_field, canonical_entity (may be empty), "
        "optionally type, description, profile."
    ),
]
Out = Annotated[Path, typer.Option(help="Where the result is written.")]
Truth = Annotated[Path, typer.Option(help="CSV of decided fields: the question columns and canonical_field.")]
Unmapped = Annotated[Path, typer.Option(help="CSV of fields that have no counterpart: the question columns.")]
Lexical = Annotated[bool, typer.Option("--lexical", help="Without embeddings, as if no model were there.")]


def register(app: typer.Typer) -> None:
    """Add the commands to ``aos mapping``; ``propose`` is in ``mapping_propose.py``."""
    app.command("evaluate")(evaluate)
    mapping_training.register(app)


def propose(fields: Fields, out: Out, lexical: Lexical = False, as_json: Json = False) -> None:
    """Answer fields of any source: up to ten canonical fields each, with confidence."""
    from core.mapper.decision import AUTO
    from core.ontology import load_ontology
    from resources.question_files import read_questions, write_proposals

    if _is_same(out, fields):
        raise FixInput(
            "the answers would overwrite the questions", found=str(out), remedy="Name another --out"
        )
    started = time.perf_counter()
    questions = read_questions(fields, load_ontology())
    answers, embedded = _answer(questions, lexical=lexical)
    write_proposals(out, [row for answer in answers for row in _rows(answer)])
    _warn_lexical(embedded)
    methods = Counter(answer.method for answer in answers)
    seconds = time.perf_counter() - started
    if as_json:
        print_json({"fields": len(answers), "methods": methods, "embedded": embedded, "seconds": seconds})
        return
    sure = sum(answer.confidence >= AUTO for answer in answers)
    say(
        f"{number_of(len(answers), 'field')} answered in {seconds:.1f} s, "
        f"{sure:,} of them surely; written to {out}"
    )


def evaluate(
    truth: Truth,
    unmapped: Unmapped,
    held_out: Annotated[
        bool, typer.Option("--held-out", help="Retrain without each vendor before it is asked (slow).")
    ] = False,
    lexical: Lexical = False,
    as_json: Json = False,
) -> None:
    """Score the shipped model on decided fields: figures, reliability, methods."""
    from resources.question_files import read_labels

    labels = read_labels(truth, unmapped)
    if held_out:
        rows, embedded = _hold_out(labels, lexical=lexical)
    else:
        answers, embedded = _answer(list(labels), lexical=lexical)
        rows = {"shipped model": [(answer, labels[answer.question]) for answer in answers]}
    _warn_lexical(embedded)
    _show_scores(rows, as_json=as_json)


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:  # one of them is not there
        return False


def _answer(questions: list[Question], *, lexical: bool) -> tuple[list[Answer], bool]:
    from core.mapper.model import load_model
    from core.ontology import load_ontology
    from resources.embeddings import load_embedder
    from resources.entity_first import name_entities
    from resources.mapper_answers import Answerer

    embedder = None if lexical else load_embedder()
    answerer = Answerer(load_ontology(), load_model(), embedder)
    return name_entities(answerer, questions), embedder is not None


def _hold_out(labels: Any, *, lexical: bool) -> tuple[dict[str, Any], bool]:
    from core.ontology import load_ontology
    from resources.embeddings import load_embedder
    from resources.training import answer_held, hold_out, measure_dataset

    embedder = None if lexical else load_embedder()
    dataset = measure_dataset(labels, load_ontology(), embedder)
    held = hold_out(dataset, embedded=embedder is not None)
    found = answer_held(held, labels, embedded=embedder is not None)
    return {"all aliases": found["full"], "without the vendor's own": found["strict"]}, embedder is not None


def _rows(answer: Answer) -> list[tuple[str | int | float, ...]]:
    asked = answer.question
    key = (asked.system, asked.stream, asked.field, asked.entity)
    taken = answer.entity or asked.entity
    return [
        (*key, one.field, one.confidence, rank, answer.method, taken)
        for rank, one in enumerate(answer.candidates, 1)
    ]


def _show_scores(rows: dict[str, Any], *, as_json: bool) -> None:
    from dataclasses import asdict

    from core.mapper.score import build_reliability, score_answers

    scores = {name: asdict(score_answers(held)) for name, held in rows.items()}
    reliability = {name: build_reliability(held) for name, held in rows.items()}
    methods = {name: _count_methods(held) for name, held in rows.items()}
    if as_json:
        print_json({"scores": scores, "reliability": reliability, "methods": methods})
        return
    figures = list(next(iter(scores.values())))
    print_table(
        "Figures",
        ["figure", *scores],
        [[one, *(f"{s[one]:.4g}" for s in scores.values())] for one in figures],
    )
    for name in rows:
        table = [
            [f"{a:.1f}–{b:.1f}", n, f"{said:.3f}", f"{right:.3f}"]
            for a, b, n, said, right in reliability[name]
        ]
        print_table(f"Reliability, {name}", ["confidence", "fields", "said", "right"], table)
        print_table(f"Methods, {name}", ["method", "fields", "best is right"], methods[name])


def _count_methods(rows: Any) -> list[tuple[str, int, int]]:
    from core.mapper.score import is_right

    counted = Counter(answer.method for answer, _ in rows)
    right = Counter(row[0].method for row in rows if is_right(row))
    return [(method, count, right[method]) for method, count in counted.most_common()]


def _warn_lexical(embedded: bool) -> None:
    from cli.output import errors

    if not embedded:
        errors.print(
            "[bold yellow]No embeddings:[/] answered by words alone; nothing is sure enough to apply."
        )
