"""Fits logistic regressions for training: from nothing, and of few weights beside logits that stand.

Needs scikit-learn and scipy; what comes out is data. Every fit ends with Newton steps, so that the same
rows give the same weights to the ninth digit.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from core.errors import ConfigError
from core.mapper.model import Logistic
from resources.mapper_features import Matrix
from resources.mapper_scoring import squash

STEPS = 25


def fit_logistic(rows: Matrix, right: Any, names: Sequence[str], strength: float) -> Logistic:
    """A regularised logistic regression; the weights returned fit values that are not standardised.

    ConfigError where all is right, or nothing.
    """
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    if len(np.unique(right)) < 2:
        raise ConfigError("the decided fields do not tell right answers from wrong ones; more are needed")
    mean, spread = rows.mean(0), rows.std(0)
    spread = np.where(spread < 1e-9, 1.0, spread)
    learner = LogisticRegression(C=strength, max_iter=2000, tol=1e-6)
    # small matrices: more threads only wait for each other, and one is reproducible
    with threadpool_limits(limits=1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        standard = (rows - mean) / spread
        learner.fit(standard, right)
        found = np.append(learner.coef_[0], learner.intercept_[0])
        found = _polish(found, standard, np.asarray(right, np.float64), strength)
    weights = found[:-1] / spread
    bias = float(found[-1] - (weights * mean).sum())
    return Logistic(tuple(names), tuple(round(float(one), 9) for one in weights), round(bias, 9))


def _polish(found: Matrix, rows: Matrix, right: Matrix, strength: float) -> Matrix:
    """Newton steps from near the optimum to the optimum itself; where lbfgs stops depends on rounding."""
    given = np.column_stack([rows, np.ones(len(rows))])
    penalty = np.append(np.ones(rows.shape[1]), 0.0)
    for _ in range(STEPS):
        said = squash(given @ found)
        slope = penalty * found + strength * (given.T @ (said - right))
        curve = np.diag(penalty) + strength * (given.T * (said * (1 - said))) @ given
        step = np.linalg.solve(curve, slope)
        found = found - step
        if np.abs(step).max() < 1e-11:
            break
    return found


def fit_beside(
    logits: Matrix, rows: Matrix, right: Any, prior: Sequence[float], spread: Sequence[float]
) -> tuple[float, ...]:
    """Weights of ``rows`` that improve on ``logits`` most, with a Gaussian prior about each.

    A weight keeps the sign of its prior, or is 0: what can only speak for a field never speaks against it.
    """
    from threadpoolctl import threadpool_limits

    centre, narrow = np.array(prior, float), 1 / np.square(np.array(spread, float))
    sign = np.where(centre >= 0, 1.0, -1.0)
    truth = np.asarray(right, np.float64)
    found, held = centre.copy(), np.zeros(len(centre), bool)
    with threadpool_limits(limits=1):
        for _ in range(4 * STEPS):
            said = squash(logits + rows @ found)
            slope = rows.T @ (said - truth) + narrow * (found - centre)
            held &= slope * sign > 0  # one at 0 is let go when it would move the right way
            free = ~held
            step = np.zeros(len(found))
            part = rows[:, free]
            curve = (part.T * (said * (1 - said))) @ part + np.diag(narrow[free])
            step[free] = np.linalg.solve(curve, slope[free])
            found = found - step
            crossed = found * sign < 0
            found[crossed], held = 0.0, held | crossed
            if np.abs(step).max() < 1e-11:
                break
    return tuple(round(float(one), 9) + 0.0 for one in found)
