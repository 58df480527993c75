"""From the model's probability to the confidence that decides: apply, ask, or unknown.

The probability is calibrated over all answers; where it is near the bound for applying by itself, its
errors are not evenly spread, so confidence there is lower than probability. Where evidence of a kind is
missing altogether, no probability makes up for it.
"""

from __future__ import annotations

from typing import Literal

AUTO = 0.85
REVIEW = 0.60
"""The bounds the confidence is made for; settings may put others."""
BELOW_AUTO = 0.84
"""The most an answer may get that a person has to look at."""
NO_COUNTERPART = 0.59
"""The most an answer may get whose name people said has no counterpart: it is not proposed."""
CAREFUL = 0.80
"""Where probabilities between ``AUTO`` and the model's caution begin."""

Verdict = Literal["apply", "review", "unknown"]


def settle_confidence(probability: float, caution: float, *, needs_person: bool) -> float:
    """The confidence of an answer: monotone in ``probability``, at most ``BELOW_AUTO`` if a person decides.

    Probabilities between ``AUTO`` and ``caution`` become ``CAREFUL`` … ``BELOW_AUTO``.
    """
    confidence = probability
    if CAREFUL < probability < caution:
        span = (probability - CAREFUL) / (caution - CAREFUL)
        confidence = CAREFUL + span * (BELOW_AUTO - CAREFUL)
    return min(confidence, BELOW_AUTO) if needs_person else confidence


def decide(confidence: float, auto: float = AUTO, review: float = REVIEW) -> Verdict:
    """What happens to an answer of that confidence."""
    if confidence >= auto:
        return "apply"
    return "review" if confidence >= review else "unknown"
