"""``python -m bench.canonical_step HOME``: one run of the canonical step, for ``bench/canonical.py``.

Prints seconds, events and the peak resident memory of this process as JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

from bench.canonical import CONNECTOR, SPEC
from bench.workspace import TENANT, open_settings
from core.ontology import load_ontology
from resources.canonical import advance_canonical
from resources.database import Database
from resources.lake import Lake


def main(home: Path) -> None:
    """Consume what waits in ``home`` and print what it took."""
    settings = open_settings(home)
    db, ontology = Database.open(settings), load_ontology()
    started = time.perf_counter()
    report = advance_canonical(db, Lake(settings), settings, ontology, {CONNECTOR: SPEC}, TENANT)
    seconds = time.perf_counter() - started
    db.close()
    for error in report.errors:
        raise error
    rss_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "events": report.events, "rss_mib": rss_mib}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
