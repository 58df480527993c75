"""How a trained model is judged: figures on connectors it has not learned from, and when that is enough."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from core.mapper.decision import AUTO
from core.mapper.score import BINS
from resources.mapper_features import Matrix

MARGIN = 0.02
"""By how much of itself the log loss on connectors held out has to fall."""
FEW = 5
"""Decisions a connector needs to have a say in whether most connectors gain."""
PRECISE = 0.985
"""Precision of what applies by itself that no training may fall below, unless it was there before."""
_LEAST = 1e-3


@dataclass(frozen=True)
class Measurement:
    """How sure a model was of answers that people judged: one row a decision, in the same order."""

    connectors: list[str]
    confidences: Matrix
    right: Matrix
    weights: Matrix

    @property
    def losses(self) -> Matrix:
        """Log loss (nats) of each row."""
        said = np.clip(self.confidences, _LEAST, 1 - _LEAST)
        lost: Matrix = -(self.right * np.log(said) + (1 - self.right) * np.log(1 - said))
        return lost

    def figures(self) -> dict[str, float]:
        """Weighted figures; ``auto_`` is about what would apply by itself."""
        auto = self.confidences >= AUTO
        figures = {
            "decisions": float(len(self.right)),
            "log_loss": _mean(self.losses, self.weights),
            "ece": sum(share * abs(said - right) for *_, share, said, right in self._bins()),
            "mean_confidence": _mean(self.confidences, self.weights),
            "right": _mean(self.right, self.weights),
            "auto_share": _mean(auto.astype(float), self.weights),
            "auto_precision": _mean(self.right, self.weights * auto),
            "auto_recall": _mean(auto.astype(float), self.weights * self.right),
        }
        return {name: round(value, 4) for name, value in figures.items()}

    def reliability(self) -> list[list[float]]:
        """Per tenth of confidence that occurs: from, to, count, mean confidence, share right."""
        return [[low, high, count, said, right] for low, high, count, _, said, right in self._bins()]

    def _bins(self) -> list[tuple[float, float, int, float, float, float]]:
        found = []
        tenth = np.minimum(BINS - 1, (self.confidences * BINS).astype(int))
        for at in range(BINS):
            held = tenth == at
            if held.any():
                weights = self.weights * held
                said, right = _mean(self.confidences, weights), _mean(self.right, weights)
                share = float(weights.sum() / self.weights.sum())
                found.append(
                    (at / BINS, (at + 1) / BINS, int(held.sum()), share, round(said, 4), round(right, 4))
                )
        return found


def judge_candidate(before: Measurement, after: Measurement) -> str | None:
    """Why the trained model must not be used; None when it is better by the margin."""
    if before.connectors != after.connectors or not before.connectors:
        return "the decisions do not tell which answers are right"
    old, new = _mean(before.losses, before.weights), _mean(after.losses, after.weights)
    told = f"log loss {old:.4f} before, {new:.4f} after, on connectors held out"
    if new > old * (1 - MARGIN):
        return f"not better by {MARGIN:.0%}: {told}"
    gains = before.losses - after.losses
    if _mean(gains, before.weights) < _error_of_mean(gains, before.weights):
        return f"better by no more than chance: {told}"
    summed: dict[str, list[float]] = defaultdict(list)
    for connector, gain, weight in zip(before.connectors, gains, before.weights, strict=True):
        summed[connector].append(float(gain * weight))
    judged = [sum(one) > 0 for one in summed.values() if len(one) >= FEW]
    if 2 * sum(judged) <= len(judged):
        return f"better for {sum(judged)} of {len(judged)} connectors only: {told}"
    was, now = before.figures(), after.figures()
    worst = min(was["auto_precision"], PRECISE) if was["auto_share"] > 0 else PRECISE
    if now["auto_share"] > was["auto_share"] and now["auto_precision"] < worst:
        return (
            f"what would apply by itself is right in {now['auto_precision']:.3f} of cases, "
            f"before in {was['auto_precision']:.3f}"
        )
    return None


def _mean(values: Matrix, weights: Matrix) -> float:
    total = float(weights.sum())
    return float((values * weights).sum() / total) if total > 0 else 0.0


def _error_of_mean(values: Matrix, weights: Matrix) -> float:
    spread = _mean((values - _mean(values, weights)) ** 2, weights)
    return float(np.sqrt(spread * (weights**2).sum()) / weights.sum())
