"""``python -m tests.attack.crashing WHAT HOME TENANT POINT [URL MODEL]``: do it, and be killed at a point.

``WHAT``: ask (the language model), map (the tenant), approve (a proposal). Points are as in
``tests/canonical/crashing.py``; ``none`` runs through.
"""

from __future__ import annotations

import sys
from pathlib import Path

from core.ontology import load_ontology
from resources.approvals import Choice, approve_fields
from resources.database import Database
from resources.llm import open_proposer
from resources.mapper import map_tenant
from resources.settings import Settings, load_settings
from tests.canonical.crashing import arm
from tests.llm.conftest import KEY, make_stream
from tests.mapper.tenants import build_specs

CONNECTOR, STREAM = "rolodex", "contacts"
PRICES = {"llm_price_in_usd_per_1m": 1.0, "llm_price_out_usd_per_1m": 4.0}


def ask(db: Database, settings: Settings, tenant: str, url: str, model: str) -> None:
    """One question of a stream."""
    told = {"llm_api_base": url, "llm_model": model, "llm_api_key": KEY, **PRICES}
    given = load_settings(home=settings.home, database_url=None, **told)
    proposer = open_proposer(db, given)
    assert proposer is not None
    proposer.ask(tenant, make_stream())


def map_(db: Database, settings: Settings, tenant: str) -> None:
    """What a sync does."""
    map_tenant(db, settings, load_ontology(), build_specs([CONNECTOR]), tenant)


def approve(db: Database, settings: Settings, tenant: str) -> None:
    """What a steward does."""
    chosen = [Choice("zodiac_blob", "salutation"), Choice("mystery_no_7", "fax")]
    approve_fields(db, load_ontology(), tenant, (CONNECTOR, STREAM), chosen, "eve", "x", overrule=True)


def main(what: str, home: str, tenant: str, point: str, *rest: str) -> None:
    settings = load_settings(
        home=Path(home), actor="tester", database_url=None, lake_url=None, master_key=None
    )
    db = Database.open(settings)
    if point != "none":
        arm(point)
    if what == "ask":
        ask(db, settings, tenant, *rest)
    else:
        {"map": map_, "approve": approve}[what](db, settings, tenant)
    db.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
