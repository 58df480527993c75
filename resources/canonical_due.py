"""Completes the replays that are due: of a rollback, an approval, a canary, whoever asked and then died."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.errors import MeshError
from core.mapping import MappingSet
from core.names import join_name
from resources.canonical import LOCK, StreamKey
from resources.canonical_replay import ReplayOutcome, replay_stream
from resources.database import Database
from resources.registry import active_sets
from resources.replays import (
    ReplayRequest,
    hand_out_requests,
    has_history,
    list_replay_requests,
    settle_request,
)

if TYPE_CHECKING:
    from resources.mesh import Mesh

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DueReplay:
    """What came of a request: an ``outcome``, or the ``error`` that keeps it due; neither: nothing to do."""

    connector: str
    stream: str
    entity: str | None
    outcome: ReplayOutcome | None = None
    error: MeshError | None = None


def replay_due(mesh: Mesh, tenant_id: str, entities: Collection[str] | None = None) -> list[DueReplay]:
    """Do the replays that are due for a tenant, optionally those that fill some entities only.

    One that fails stays due and leaves the others; it is in the result, not raised.
    """
    hand_out_requests(mesh.db)
    requests = list_replay_requests(mesh.db, tenant_id)
    if not requests:
        return []
    sets = active_sets(mesh.db, tenant_id)
    chosen = [one for one in requests if _is_wanted(sets.get((one.connector, one.stream)), entities)]
    return [replay_one(mesh, tenant_id, one, sets.get((one.connector, one.stream))) for one in chosen]


def replay_one(mesh: Mesh, tenant_id: str, request: ReplayRequest, held: MappingSet | None) -> DueReplay:
    """Do one replay that is due."""
    key: StreamKey = (request.connector, request.stream)
    entity = held.entity if held is not None else None
    try:
        spec = mesh.specs.get(request.connector)
        if held is None or spec is None or request.stream not in spec.streams:
            return DueReplay(*key, entity)  # it waits, as the stream's loads do
        if not _has_history(mesh.db, tenant_id, key, request):
            return DueReplay(*key, entity)
        outcome = replay_stream(
            mesh.db,
            mesh.lake,
            mesh.settings,
            mesh.ontology,
            mesh.specs,
            tenant_id,
            *key,
            request.requested_by,
        )
    except MeshError as error:
        _log.warning("%s: replay of %s stays due: %s", tenant_id, join_name(*key), error)
        return DueReplay(*key, entity, error=error)
    return DueReplay(*key, entity, outcome)


def _is_wanted(held: MappingSet | None, entities: Collection[str] | None) -> bool:
    return entities is None or (held is not None and held.entity in entities)


def _has_history(db: Database, tenant_id: str, key: StreamKey, request: ReplayRequest) -> bool:
    """Settles the request of a stream that has none: its loads go under what holds by themselves."""
    with db.tenant(tenant_id) as conn:
        if has_history(conn, tenant_id, key):
            return True
    # a canonical step at work may have read which set holds before it changed
    with db.lock(tenant_id, LOCK), db.tenant(tenant_id) as conn:
        if has_history(conn, tenant_id, key):
            return True
        settle_request(conn, tenant_id, key, request.request_id)
    return False
