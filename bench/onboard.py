"""A thousand connectors from nothing to mapped: schemas, entities, answers, sets and proposals, no LLM.

``python -m bench onboard_1000``. Real names of real API documents (``bench/onboard_data.py``), real
Postgres, the function behind the asset ``mappings``. What is applied is a claim of the engine: nothing
here says what is right, and which share is right is measured elsewhere (``mapping_quality``).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from bench.measure import Measure
from bench.workspace import TENANT, Workspace, open_workspace

if TYPE_CHECKING:
    from bench.onboard_data import Vendor
    from core.ontology import Ontology
    from resources.embeddings import Embedder
    from resources.mapper import MapperReport

CONNECTORS = 1_000
COLD_S, WARM_S = 60.0, 20.0
_AGAIN = "warm"
"""A second tenant with the same connectors, whose names are in its cache already."""


def measure_onboarding() -> Iterator[Measure]:
    """Seconds for ``CONNECTORS``: with an empty cache of embeddings, then with a filled one."""
    yield from measure_connectors(CONNECTORS)


def measure_connectors(count: int) -> Iterator[Measure]:
    """As ``measure_onboarding``, for fewer."""
    from bench.onboard_data import read_vendors
    from core.ontology import load_ontology
    from resources.embeddings import load_embedder
    from resources.settings import load_settings, project_root
    from resources.tenants import add_tenant

    folder = load_settings().shared_data or project_root().parent / "shared" / "data"
    file, embedder = folder / "openapi_fields.csv.gz", load_embedder()
    if not file.is_file() or embedder is None:
        yield Measure("onboard_1000", 0.0, "s", note="no evaluation data or no embedding model")
        return
    ontology = load_ontology()
    vendors = read_vendors(file, ontology, count)
    with open_workspace() as place:
        add_tenant(place.db, _AGAIN, "Again", "bench")
        for name, tenant, limit in (("cold", TENANT, COLD_S), ("warm", _AGAIN, WARM_S)):
            if name == "warm":
                _copy_cache(place)
            yield from _onboard(place, ontology, vendors, embedder.forget(), tenant, name, limit)


def _onboard(
    place: Workspace,
    ontology: Ontology,
    vendors: Sequence[Vendor],
    embedder: Embedder,
    tenant: str,
    name: str,
    limit: float,
) -> Iterator[Measure]:
    from resources.mapper import map_tenant

    started = time.perf_counter()
    _register(place, vendors, tenant)
    registered = time.perf_counter() - started
    specs = [one.spec for one in vendors]
    report = map_tenant(place.db, place.settings, ontology, specs, tenant, load=lambda: embedder)
    seconds = time.perf_counter() - started
    phases = {"register": registered, **report.seconds}
    fields = sum(one.fields for one in vendors)
    yield Measure(
        f"onboard_1000_{name}",
        seconds,
        "s",
        note=f"{len(vendors)} connectors, {fields} fields; hold <= {limit:.0f}",
    )
    for phase, spent in phases.items():
        yield Measure(f"onboard_1000_{name}_{phase}", spent, "s")
    yield Measure(f"onboard_1000_{name}_embedded", embedder.computed, "texts", note="computed in this run")
    yield from _count(report, vendors, place, tenant, name)


def _register(place: Workspace, vendors: Sequence[Vendor], tenant: str) -> None:
    """What settling a first load writes of a schema: one transaction a connector."""
    from resources.schema_versions import read_all_latest, record_schema

    for vendor in vendors:
        with place.db.tenant(tenant) as conn:
            known = read_all_latest(conn, tenant, vendor.spec.connector)
            for stream, schema in vendor.schemas.items():
                record_schema(conn, tenant, vendor.spec.connector, stream, schema, "bench", known)


def _copy_cache(place: Workspace) -> None:
    """Give the second tenant the first one's names; only a superuser can."""
    with place.db.owner() as conn:
        conn.exec_driver_sql("ALTER TABLE embedding_cache NO FORCE ROW LEVEL SECURITY")
        conn.exec_driver_sql(
            f"INSERT INTO embedding_cache SELECT '{_AGAIN}', model, words, embedding "
            f"FROM embedding_cache WHERE tenant_id = '{TENANT}'"
        )
        conn.exec_driver_sql("ALTER TABLE embedding_cache FORCE ROW LEVEL SECURITY")


def _count(
    report: MapperReport, vendors: Sequence[Vendor], place: Workspace, tenant: str, name: str
) -> Iterator[Measure]:
    """What became of the fields, by whom, and from where; a hit is a claim, not a fact."""
    from resources.proposals import list_proposals

    prefix, claims = f"onboard_1000_{name}", "claims: nothing says what is right"
    found = [one for one in list_proposals(place.db, tenant) if one.target is not None]
    for method, count in Counter(one.method for one in found).most_common():
        yield Measure(f"{prefix}_hits_{method}", count, "fields", note=claims)
    declared = {
        (one.spec.connector, name) for one in vendors for name, s in one.spec.streams.items() if s.entity
    }
    told = sum((one.connector, one.stream) in declared for one in found)
    yield Measure(f"{prefix}_hits_declared", told, "fields", note=f"streams that declare an entity; {claims}")
    guessed = len(found) - told
    yield Measure(
        f"{prefix}_hits_guessed", guessed, "fields", note=f"streams whose entity is guessed; {claims}"
    )
    yield Measure(f"{prefix}_applied", report.applied, "fields", note=f"{len(report.sets)} sets published")
    yield Measure(f"{prefix}_review", report.review, "fields")
    yield Measure(f"{prefix}_unknown", report.unknown, "fields")
