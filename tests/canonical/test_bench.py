"""The bench command: its table, its output."""

from __future__ import annotations

import json

import pytest

from bench.__main__ import BENCHES, load_bench, main
from bench.measure import Measure, compare


def test_an_unknown_name_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nothing"]) == 2
    assert "no bench 'nothing'" in capsys.readouterr().err


@pytest.mark.parametrize("name", [name for name in BENCHES if name.startswith(("canonical", "import"))])
def test_every_name_leads_to_a_function(name: str) -> None:
    assert callable(load_bench(name))


def test_a_line_is_json_with_the_ratio() -> None:
    line = compare("x", 3.0, 2.0, "s", "why").to_json()
    expected = {"name": "x", "value": 3.0, "unit": "s", "baseline": 2.0, "ratio": 1.5, "note": "why"}
    assert json.loads(line) == expected
    assert json.loads(Measure("y", 123456.789, "events/s").to_json())["value"] == 123500
