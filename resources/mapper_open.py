"""Which fields of a tenant are open: no set maps them, and nobody answered them on the same basis before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

from sqlalchemy import select

from core.names import join_name
from core.ontology import Ontology
from resources.coverage import StreamCoverage
from resources.database import Database
from resources.proposals import expire_proposals, read_derived, read_known
from resources.registry_rows import StreamKey
from resources.stream_entities import forget_guesses
from resources.tables import connections


def find_open(
    db: Database,
    tenant_id: str,
    readable: Collection[str],
    streams: Sequence[StreamCoverage],
    coverage: Sequence[StreamCoverage],
    basis: str,
) -> dict[StreamKey, dict[str, str]]:
    """Unmapped fields by stream that have no proposal, or a pending one from another basis, which is told.

    What waits and is no question any more is closed: of fields, and which entity a stream is.
    ``readable``: connectors whose config says what they have; while another one is connected, it waits.
    """
    with db.tenant(tenant_id) as conn:
        connected = select(connections.c.connector).where(connections.c.tenant_id == tenant_id)
        silent = set(conn.execute(connected).scalars()) - set(readable)
        asked = {(one.connector, one.stream) for one in streams if not one.entity}
        forget_guesses(conn, tenant_id, asked, silent)
        known = read_known(conn, tenant_id)
        unknown = {(one.connector, one.stream, path) for one in coverage for path in one.unknown}
        there = {
            (one.connector, one.stream, path)
            for one in streams
            if not one.stays_raw
            for path in (*one.mapped, *one.unknown)
        }
        derived = {
            key
            for key, parts in read_derived(conn, tenant_id).items()
            if all((*key[:2], part) in there for part in parts)
        }
        gone = [
            key
            for key, (status, _) in known.items()
            if status == "pending" and key not in unknown and key not in derived and key[0] not in silent
        ]
        expire_proposals(conn, tenant_id, gone)
    found: dict[StreamKey, dict[str, str]] = defaultdict(dict)
    for connector, stream, path in unknown:
        status, made_from = known.get((connector, stream, path), ("", ""))
        if not status or status == "expired" or (status == "pending" and made_from != basis):
            found[connector, stream][path] = made_from if status == "pending" else ""
    return found


def leave_unknown(
    ontology: Ontology, coverage: Sequence[StreamCoverage], open_fields: dict[StreamKey, dict[str, str]]
) -> list[str]:
    """Take out streams of entities that there are not, in place; what to say of them."""
    told = []
    for one in coverage:
        key = (one.connector, one.stream)
        if one.entity and one.entity not in ontology.entities and open_fields.pop(key, {}):
            told.append(f"{join_name(*key)}: no canonical entity {one.entity!r}, its unmapped fields wait")
    return told
