"""Settling: what follows in Postgres from a complete load in the lake, in one transaction a load.

A load says in its own manifest what it did, so whatever a crash left undone is found by comparing the
lake's markers with the table ``loads``. Running it again changes nothing.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass

from core.drift import Operation
from core.schema import TableSchema
from resources.database import Database
from resources.lake import Lake
from resources.loads import read_settled, register_load, register_quarantine
from resources.schema_versions import read_all_latest, record_schema

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SettledLoad:
    """One stream of a load that was settled just now. ``drift``: what its schema version changed."""

    load_id: str
    stream: str
    mode: str
    landed: int
    quarantined: int
    schema_version: int
    drift: list[Operation]


def settle_loads(db: Database, lake: Lake, tenant_id: str, connector: str) -> list[SettledLoad]:
    """Register every complete load that is not yet in Postgres, oldest first. Under the connector's lock.

    Registered are: the row in ``loads``, refused records, a new schema version, the drift event.
    """
    with db.tenant(tenant_id) as conn:
        known = read_settled(conn, tenant_id, connector)
    settled: list[SettledLoad] = []
    for load_id in lake.loads(tenant_id, connector):
        if load_id not in known:
            settled.extend(_settle(db, lake, tenant_id, connector, load_id))
    return settled


def _settle(db: Database, lake: Lake, tenant_id: str, connector: str, load_id: str) -> list[SettledLoad]:
    settled: list[SettledLoad] = []
    with db.tenant(tenant_id) as conn:
        known = read_all_latest(conn, tenant_id, connector)
        for row in lake.manifest(tenant_id, connector, load_id):
            schema = TableSchema.from_json(json.loads(row.schema_json))
            version, drift = record_schema(conn, tenant_id, connector, row.stream, schema, load_id, known)
            register_load(conn, tenant_id, connector, load_id, row, version)
            settled.append(
                SettledLoad(load_id, row.stream, row.mode, row.landed, row.quarantined, version, drift)
            )
        register_quarantine(
            conn, tenant_id, connector, load_id, lake.quarantine(tenant_id, connector, load_id)
        )
    log.info("%s/%s: load %s settled", tenant_id, connector, load_id)
    return settled
