"""Moves a logistic model towards new decisions without forgetting what it knew: MAP with a Gaussian prior.

The prior is centred on the weights the model has, so few decisions move it little. How strongly it holds
was chosen by simulation on vendors held out (docs/mapping.md, "Training").
"""

from __future__ import annotations

from typing import Any

import numpy as np

from core.mapper.model import Logistic
from resources.mapper_features import Matrix
from resources.mapper_scoring import squash

STRENGTH = 100.0
"""Precision of the prior on a weight, in units of its column's spread: worth of 100 decisions or so."""
BIAS_STRENGTH = 10.0
LEAST_SPREAD = 0.1
"""A column that hardly varies among the decisions must not get a huge weight."""
STEPS = 100


def update_logistic(base: Logistic, rows: Matrix, right: Matrix, weights: Matrix) -> Logistic:
    """``base`` after seeing rows (columns ``base.names``) that are right with probability ``right``.

    ``weights``: how much each row counts. Same names; no row, or no weight, gives ``base`` itself.
    """
    if not len(rows) or weights.sum() <= 0:
        return base
    mean = (weights[:, None] * rows).sum(0) / weights.sum()
    spread = np.sqrt((weights[:, None] * (rows - mean) ** 2).sum(0) / weights.sum())
    spread = np.maximum(spread, LEAST_SPREAD)
    given = np.column_stack([(rows - mean) / spread, np.ones(len(rows))])
    before = rows @ np.array(base.weights) + base.bias
    moved = _minimise(given, before, right, weights)
    change = moved[:-1] / spread
    after = tuple(round(float(one), 9) for one in np.array(base.weights) + change)
    return Logistic(base.names, after, round(float(base.bias + moved[-1] - (change * mean).sum()), 9))


def _minimise(given: Matrix, before: Matrix, right: Matrix, weights: Matrix) -> Matrix:
    """Newton's method, each step shortened until it helps: the change of the standardised weights."""
    penalty = np.append(np.full(given.shape[1] - 1, STRENGTH), BIAS_STRENGTH)

    def cost(change: Matrix) -> float:
        logits = before + given @ change
        lost = np.logaddexp(0, logits) - right * logits
        return float((penalty * change**2).sum() / 2 + (weights * lost).sum())

    found: Any = np.zeros(given.shape[1])
    lowest = cost(found)
    for _ in range(STEPS):
        said = squash(before + given @ found)
        slope = penalty * found + given.T @ (weights * (said - right))
        curve = np.diag(penalty) + (given.T * (weights * said * (1 - said))) @ given
        step = np.linalg.solve(curve, slope)
        size = 1.0
        while size > 1e-9 and cost(found - size * step) > lowest:
            size /= 2
        found = found - size * step
        lowest = cost(found)
        if np.abs(size * step).max() < 1e-10:
            break
    return np.asarray(found)
