"""What a benchmark reports: one figure, and what it is compared with in the same run."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Measure:
    """One line of output. ``ratio`` = value / baseline, where both are in ``unit``.

    ``baseline`` is measured in the same run, None where the figure is held against a limit only;
    ``note`` says what was measured, against what, and the limit of design.md.
    """

    name: str
    value: float
    unit: str
    baseline: float | None = None
    ratio: float | None = None
    note: str = ""

    def to_json(self) -> str:
        """The line ``python -m bench`` prints."""
        rounded = {
            key: float(f"{value:.4g}") if isinstance(value, float) else value
            for key, value in asdict(self).items()
        }
        return json.dumps(rounded, ensure_ascii=False)


def compare(name: str, value: float, baseline: float, unit: str, note: str = "") -> Measure:
    """A measure with its ratio to a baseline in the same unit."""
    return Measure(name, value, unit, baseline, value / baseline, note)
