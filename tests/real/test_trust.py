"""Views of the real input can be traced back and are checked."""

from __future__ import annotations

import json

from resources.lineage import trace
from resources.mesh import Mesh
from resources.quality import CheckResult, run_checks
from resources.sync_result import SyncResult
from sandbox.real import TENANTS


def test_a_column_leads_back_to_the_file(synced: dict[str, SyncResult], mesh: Mesh) -> None:
    tree = json.dumps(trace(mesh.db, "crm", "views.account.industry").to_json())
    assert "sector" in tree
    assert "crm_sales" in tree
    assert "enum_map" in tree


def test_a_column_of_several_vendors_leads_back_to_each(synced: dict[str, SyncResult], mesh: Mesh) -> None:
    tree = json.dumps(trace(mesh.db, "saas", "views.ticket.status").to_json())
    for vendor, field in (("github", "state"), ("zendesk", "status"), ("hubspot", "hs_pipeline_stage")):
        assert f"seed_{vendor}" in tree
        assert field in tree


def test_checks_find_what_is_odd_and_nothing_that_is_wrong(synced: dict[str, SyncResult], mesh: Mesh) -> None:
    failed = {
        tenant: [one for one in run_checks(mesh.settings, mesh.ontology, tenant) if not one.passed]
        for tenant in TENANTS
    }
    assert not [_say(one) for found in failed.values() for one in found if one.severity == "error"]
    assert [_say(one) for one in failed["crm"] + failed["shops"]] == []
    # One unit price of the sample bill is -3: a credit written as usage.
    assert [_say(one) for one in failed["cloud"]] == ["cost_line.contracted_unit_price range 1"]
    # Anonymised e-mail addresses and times that were moved one by one.
    odd = {(one.entity, one.column, one.kind) for one in failed["saas"]}
    assert {("user", "email", "format"), ("ticket", "updated_at", "order")} <= odd


def _say(one: CheckResult) -> str:
    return f"{one.entity}.{one.column} {one.kind} {one.unexpected_count}"
