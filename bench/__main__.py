"""``python -m bench [NAME …]``: measures figures of design.md, one JSON line each. Without a name: all.

Needs nothing but the installed project: every benchmark makes its own home in a temporary folder.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module

from bench.measure import Measure

BENCHES = {
    "canonical_throughput": "bench.canonical:measure_throughput",
    "canonical_vs_copy": "bench.canonical:measure_against_copy",
    "canonical_rss": "bench.canonical:measure_memory",
    "views_full": "bench.views:measure_full",
    "views_delta": "bench.views:measure_delta",
    "sync_vs_dlt": "bench.sync:measure_against_dlt",
    "noop_sync": "bench.sync:measure_noop",
    "import_shipped": "bench.imports:measure_shipped",
    "import_1000": "bench.imports:measure_thousand",
    "mapping_quality": "bench.mapping_quality:measure_quality",
    "entity_first": "bench.entity_quality:measure_entities",
    "mapping_tools": "bench.mapping_tools:measure_tools",
    "rag_progress": "bench.rag_progress:measure_progress",
    "onboard_1000": "bench.onboard:measure_onboarding",
    "lookup": "bench.lookup:measure_lookups",
    "mapping_training": "bench.mapping_training:measure_training",
    "llm_cost": "bench.llm_cost:measure_cost",
}
"""Name → ``module:function``; the function takes nothing and yields ``Measure``s."""


def load_bench(name: str) -> Callable[[], Iterable[Measure]]:
    """The function behind a name."""
    module, function = BENCHES[name].split(":")
    found: Callable[[], Iterable[Measure]] = getattr(import_module(module), function)
    return found


def main(arguments: Sequence[str]) -> int:
    """Run the named benches in the order of the table; 2 for an unknown name."""
    unknown = [name for name in arguments if name not in BENCHES]
    if unknown:
        print(f"no bench {unknown[0]!r}; there are: {', '.join(BENCHES)}", file=sys.stderr)
        return 2
    for name in arguments or BENCHES:
        for measure in load_bench(name)():
            print(measure.to_json(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
