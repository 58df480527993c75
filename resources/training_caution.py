"""The bound of caution: from which probability an answer counts as sure, chosen inside training.

Answers of stage two to vendors it has not seen are drawn again, vendor by vendor. The caution is the
smallest at which precision and false auto hold in ``HOLD`` of the draws, as far as that leaves enough to
apply: a wrong mapping that was applied costs more than a right one that was asked, but not any number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.mapper.decision import AUTO
from resources.mapper_features import Matrix

Flags = NDArray[np.bool_]
PRECISION = 0.985
FALSE_AUTO = 0.005
HOLD = 0.95
"""The share of draws in which both must hold."""
RECALL = 0.76
"""The recall that caution has to leave, even of vendors whose own spellings nobody has written down."""
DRAWS = 2_000
GRID = tuple(round(AUTO + step / 100, 2) for step in range(13))
"""Cautions to choose from; the last where none is enough."""


@dataclass(frozen=True)
class Seen:
    """Answers to one vendor: probability (0 where a person has to look), right, has a counterpart."""

    sure: Matrix
    right: Flags
    mapped: Flags


def choose_caution(vendors: Sequence[Seen], strict: Sequence[Seen]) -> float:
    """The smallest caution that holds, at most the largest that leaves enough of ``strict``.

    ``strict``: the same vendors read without aliases that only they use.
    """
    return min(_find_safe(vendors), _find_bearable(strict))


def _find_safe(vendors: Sequence[Seen]) -> float:
    size = len(vendors)
    draws = np.random.default_rng(size).multinomial(size, np.full(size, 1 / size), size=DRAWS)
    empty = draws @ np.array([float((~one.mapped).sum()) for one in vendors])
    for caution in GRID:
        auto = np.array([float((one.sure >= caution).sum()) for one in vendors])
        right = np.array([float(one.right[one.sure >= caution].sum()) for one in vendors])
        false = np.array([float((~one.mapped)[one.sure >= caution].sum()) for one in vendors])
        precise = draws @ right >= PRECISION * (draws @ auto)
        quiet = draws @ false <= FALSE_AUTO * empty
        if (precise & quiet).mean() >= HOLD:
            return caution
    return GRID[-1]


def _find_bearable(strict: Sequence[Seen]) -> float:
    mapped = sum(int(one.mapped.sum()) for one in strict)
    bearable = [
        caution
        for caution in GRID
        if sum(int(one.right[one.sure >= caution].sum()) for one in strict) >= RECALL * mapped
    ]
    return max(bearable, default=GRID[0])
