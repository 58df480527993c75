"""How good answers are: the figures of docs/mapping.md, from ranked candidates and what is right."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from core.mapper.answer import MAX_RANKS, Answer
from core.mapper.decision import AUTO, REVIEW

BINS = 10
Row = tuple[Answer, frozenset[str]]


@dataclass(frozen=True)
class Score:
    """Ratios of 0 to 1; ``fields`` and ``mapped`` are counts. Meanings: ``docs/mapping.md``."""

    fields: int
    mapped: int
    top1: float
    mrr: float
    auto_precision: float
    auto_recall: float
    false_auto: float
    review_share: float
    review_top3: float
    ece: float
    hard_mapped: int
    hard_top1: float
    hard_mrr: float


def score_answers(rows: Iterable[Row]) -> Score:
    """The figures over all rows. An empty set of right fields: no counterpart."""
    all_ = list(rows)
    mapped = [row for row in all_ if row[1]]
    hard = [row for row in mapped if is_hard(row)]
    auto = [row for row in all_ if row[0].confidence >= AUTO]
    review = [row for row in all_ if REVIEW <= row[0].confidence < AUTO]
    empty = len(all_) - len(mapped)
    right = sum(is_right(row) for row in auto)
    return Score(
        fields=len(all_),
        mapped=len(mapped),
        top1=_share(sum(map(is_right, mapped)), len(mapped)),
        mrr=_share(sum(map(reciprocal_rank, mapped)), len(mapped)),
        auto_precision=_share(right, len(auto)),
        auto_recall=_share(right, len(mapped)),
        false_auto=_share(sum(not row[1] for row in auto), empty),
        review_share=_share(len(review), len(all_)),
        review_top3=_share(sum(_in_top(row, 3) for row in review), len(review)),
        ece=measure_ece(all_),
        hard_mapped=len(hard),
        hard_top1=_share(sum(map(is_right, hard)), len(hard)),
        hard_mrr=_share(sum(map(reciprocal_rank, hard)), len(hard)),
    )


def is_right(row: Row) -> bool:
    """Whether the best candidate is right."""
    best = row[0].best
    return best is not None and best.field in row[1]


def reciprocal_rank(row: Row) -> float:
    """1 / rank of the first right candidate, 0 past the tenth."""
    ranked = enumerate(row[0].candidates[:MAX_RANKS], 1)
    return next((1 / rank for rank, one in ranked if one.field in row[1]), 0.0)


def is_hard(row: Row) -> bool:
    """Whether the name's last part differs from every right canonical name."""
    last = re.split(r"[./]", row[0].question.field)[-1]
    return _squash(last) not in {_squash(name) for name in row[1]}


def build_reliability(rows: Sequence[Row]) -> list[tuple[float, float, int, float, float]]:
    """Per tenth of confidence that occurs: (from, to, count, mean confidence, share that is right)."""
    bins: list[list[Row]] = [[] for _ in range(BINS)]
    for row in rows:
        if row[0].best is not None:
            bins[min(BINS - 1, int(row[0].confidence * BINS))].append(row)
    return [
        (
            at / BINS,
            (at + 1) / BINS,
            len(held),
            round(sum(row[0].confidence for row in held) / len(held), 4),
            round(sum(map(is_right, held)) / len(held), 4),
        )
        for at, held in enumerate(bins)
        if held
    ]


def measure_ece(rows: Sequence[Row]) -> float:
    """Expected calibration error: mean distance of confidence and share right, weighted by count."""
    table = build_reliability(rows)
    total = sum(count for _, _, count, _, _ in table)
    return _share(sum(count * abs(said - right) for _, _, count, said, right in table), total)


def _in_top(row: Row, ranks: int) -> bool:
    return any(one.field in row[1] for one in row[0].candidates[:ranks])


def _share(part: float, whole: int) -> float:
    return part / max(1, whole)


def _squash(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
