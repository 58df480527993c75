"""Every record of the real input is accounted for: records = events + unchanged + quarantined."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import text

from cli.real import connect_real
from resources.connections import list_connections
from resources.loads import count_quarantine, list_unconsumed
from resources.mesh import Mesh
from resources.settings import load_settings
from resources.sync_result import SyncResult
from sandbox.real import TENANTS
from tests.real.conftest import Sync
from tests.real.sources import count_records, read_rows

FLAGS = {
    ("seed_salesforce", "account"): ("sf_account_data.csv", "is_deleted", "true"),
    ("seed_salesforce", "opportunity"): ("sf_opportunity_data.csv", "is_deleted", "true"),
    ("seed_salesforce", "user"): ("sf_user_data.csv", "_fivetran_deleted", "true"),
    ("seed_hubspot", "deal_pipeline_stage"): ("deal_pipeline_stage_data.csv", "_fivetran_deleted", "true"),
    ("seed_stripe", "customer"): ("customer_data.csv", "is_deleted", "true"),
    ("seed_zendesk", "ticket"): ("ticket_data.csv", "status", "deleted"),
    ("seed_xero", "invoice"): ("xero_invoice_data.csv", "status", "deleted"),
}
"""Streams with deleted records: file, column and the word that marks them."""


def test_every_sync_did_all_it_should(synced: dict[str, SyncResult]) -> None:
    assert list(synced) == list(TENANTS)
    assert not [result.failures for result in synced.values() if not result.success]


def test_what_was_read_is_what_the_sources_hold(
    synced: dict[str, SyncResult], mesh: Mesh, rows: Path
) -> None:
    read = {(s.connector, s.stream): s.records for result in synced.values() for s in result.streams}
    assert read == count_records(mesh, rows)
    assert sum(read.values()) == 28_034


def test_every_record_is_an_event_or_unchanged_or_quarantined(
    synced: dict[str, SyncResult], mesh: Mesh, rows: Path
) -> None:
    held = count_records(mesh, rows)
    for tenant, result in synced.items():
        assert [w for w in list_unconsumed(mesh.db, tenant) if _has_entity(mesh, w.connector, w.stream)] == []
        made = _read_loads(mesh, tenant)
        for stream in result.streams:
            key = (stream.connector, stream.stream)
            if not _has_entity(mesh, *key):
                assert stream.landed == held[key], key
                continue
            events, unchanged, quarantined = made.get(key, (0, 0, 0))
            assert events + unchanged + quarantined == held[key], key
            assert _count_events(mesh, tenant, *key) == events, key


def test_nothing_of_the_real_input_has_to_be_refused(synced: dict[str, SyncResult], mesh: Mesh) -> None:
    assert not [found for tenant in synced if (found := count_quarantine(mesh.db, tenant))]


def test_deleted_records_become_deletions(synced: dict[str, SyncResult], mesh: Mesh, rows: Path) -> None:
    query = text(
        "SELECT connector, stream, count(*) FROM canonical_streams WHERE op = 'delete' GROUP BY 1, 2"
    )
    with mesh.db.tenant("saas") as conn:
        found = {(row[0], row[1]): row[2] for row in conn.execute(query)}
    marked = {
        (connector, stream): sum(
            record[column].lower() == word
            for record in read_rows(rows / "fivetran" / connector.removeprefix("seed_") / file)
        )
        for (connector, stream), (file, column, word) in FLAGS.items()
    }
    assert found == marked


def test_a_second_sync_takes_nothing_twice(synced: dict[str, SyncResult], mesh: Mesh, sync: Sync) -> None:
    before = {tenant: _count_all(mesh, tenant) for tenant in TENANTS}
    for tenant, first in synced.items():
        again = sync(tenant)
        assert again.success, again.failures
        assert again.total("landed") == 0
        assert again.total("quarantined") == 0
        assert {name: facts["dagster/row_count"] for name, facts in again.views.items()} == {
            name: facts["dagster/row_count"] for name, facts in first.views.items()
        }
    assert {tenant: _count_all(mesh, tenant) for tenant in TENANTS} == before


def test_connecting_again_changes_nothing(synced: dict[str, SyncResult], mesh: Mesh, rows: Path) -> None:
    before = {tenant: list_connections(mesh.db, tenant) for tenant in TENANTS}
    connect_real(mesh, rows)  # the folder of rows itself will do
    assert {tenant: list_connections(mesh.db, tenant) for tenant in TENANTS} == before
    assert load_settings(home=mesh.settings.home).config_paths[-1] == mesh.settings.home / "connector_configs"


def _has_entity(mesh: Mesh, connector: str, stream: str) -> bool:
    return mesh.specs[connector].streams[stream].entity is not None


def _read_loads(mesh: Mesh, tenant: str) -> dict[tuple[str, str], tuple[int, int, int]]:
    """(connector, stream) → events, unchanged, quarantined (before landing or after)."""
    query = text(
        "SELECT connector, stream, sum(events), sum(unchanged), sum(refused + quarantined) "
        "FROM loads GROUP BY 1, 2"
    )
    with mesh.db.tenant(tenant) as conn:
        return {(r[0], r[1]): (int(r[2] or 0), int(r[3] or 0), int(r[4] or 0)) for r in conn.execute(query)}


def _count_events(mesh: Mesh, tenant: str, connector: str, stream: str) -> int:
    query = text("SELECT count(*) FROM canonical_streams WHERE connector = :connector AND stream = :stream")
    with mesh.db.tenant(tenant) as conn:
        return int(conn.execute(query, {"connector": connector, "stream": stream}).scalar_one())


def _count_all(mesh: Mesh, tenant: str) -> tuple[int, int]:
    """Loads and events of a tenant."""
    with mesh.db.tenant(tenant) as conn:
        counts = [
            conn.execute(text(f"SELECT count(*) FROM {t}")).scalar_one()
            for t in ("loads", "canonical_streams")
        ]
    return counts[0], counts[1]
