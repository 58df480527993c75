"""What a model's answer may change: the calibrated odds of existing candidates, within bounds.

The law: whatever the model says, nothing is applied by itself afterwards that calibration alone would
not have applied. An answer can lift a field into review, choose what is proposed there, or lower doubt;
it never carries anything over the threshold. Weigh after one-to-one assignment, not before: a share
taken from one candidate must not decide another field.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from core.llm.question import LlmAnswer

MAX_SHIFT = 1.5
"""Natural log of the odds ratio a fully sure answer is worth (4.5 times the odds)."""
BELOW_AUTO = 0.01
"""How far below the threshold the best lifted candidate stays, so that no rounding carries it over."""
_LEAST = 1e-6


def weigh_answer(
    scores: Mapping[str | None, float], answer: LlmAnswer | None, auto_apply: float
) -> dict[str | None, float]:
    """Calibrated probabilities after an answer; same keys, sum not above the sum before or 1.

    ``scores``: probability by canonical field, None for "no counterpart". An answer outside the keys,
    or none at all, changes nothing.
    """
    found = dict(scores)
    if answer is None or answer.target not in found or not math.isfinite(answer.confidence_said):
        return found
    before = found[answer.target]
    sure = min(max(answer.confidence_said, 0.0), 1.0)
    ceiling = max(before, auto_apply - BELOW_AUTO)
    after = max(before, min(_shift(before, MAX_SHIFT * sure), ceiling))
    left = (1 - after) / (1 - before) if before < 1 else 1.0
    found = {target: p * left for target, p in found.items()}
    found[answer.target] = after
    return found


def _shift(p: float, by: float) -> float:
    p = min(max(p, _LEAST), 1 - _LEAST)
    return 1 / (1 + math.exp(-(math.log(p / (1 - p)) + by)))
