"""Starting up: a fresh interpreter imports ``definitions`` and builds every definition.

Baseline: a fresh interpreter that imports dagster and dlt and nothing else. The thousand connectors are
streams of the shipped configs, one each, under names of their own.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import yaml

from bench.measure import Measure, compare
from core.config_reader import load_configs
from resources.settings import child_environment, project_root

ROUNDS = 5
THOUSAND = 1_000
_DEFINITIONS = (
    "import definitions; repository = definitions.build_definitions().get_repository_def(); "
    "print(len(repository.asset_graph.get_all_asset_keys()))"
)
_BARE = "import dagster, dlt"


def measure_shipped() -> Iterator[Measure]:
    """The shipped connectors, against the bare imports."""
    with tempfile.TemporaryDirectory(prefix="aos-bench-") as home:
        places = {"AOS_HOME": home}
        found, bare = _best_of_each([(_DEFINITIONS, places), (_BARE, {})])
    yield compare("import_shipped", found, bare, "s", "import + definitions; hold <= 2.0")


def measure_thousand() -> Iterator[Measure]:
    """One thousand connectors of one stream each, against the bare imports."""
    with tempfile.TemporaryDirectory(prefix="aos-bench-") as home:
        configs = Path(home) / "configs"
        write_configs(configs, THOUSAND)
        places = {"AOS_HOME": home, "AOS_CONFIG_PATHS": str(configs)}
        found, bare = _best_of_each([(_DEFINITIONS, places), (_BARE, {})])
    yield compare("import_1000", found, bare, "s", f"{THOUSAND} connectors; hold <= 5.0")


def write_configs(folder: Path, count: int) -> None:
    """Write ``count`` configs of one stream each, taken in turn from the shipped ones."""
    folder.mkdir()
    for number, (connector, stream) in enumerate(islice(cycle(_list_streams()), count)):
        name = f"c{number:04d}_{connector['connector']}"
        made = {**connector, "connector": name, "streams": stream}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(made, sort_keys=False, allow_unicode=True))


def _list_streams() -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """(config, one of its streams that needs no other) of every shipped config."""
    specs = load_configs([project_root() / "connector_configs"]).specs
    configs = [spec.model_dump(mode="json", by_alias=True, exclude_unset=True) for spec in specs.values()]
    return [
        (config, {name: stream})
        for config in configs
        for name, stream in config["streams"].items()
        if "parent" not in stream.get("endpoint", {})
    ]


def _best_of_each(runs: list[tuple[str, dict[str, str]]]) -> list[float]:
    """Best seconds of each program, run in turn in fresh interpreters."""
    seconds: list[list[float]] = [[] for _ in runs]
    for _ in range(ROUNDS):
        for mine, (program, places) in zip(seconds, runs, strict=True):
            mine.append(_run(program, places))
    return [min(mine) for mine in seconds]


def _run(program: str, places: dict[str, str]) -> float:
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=project_root(),
        env=child_environment() | places,
        capture_output=True,
        text=True,
        check=True,
    )
    seconds = time.perf_counter() - started
    if "left out" in done.stderr:
        raise AssertionError(done.stderr)
    return seconds
