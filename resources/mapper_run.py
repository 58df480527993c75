"""One run of the mapper over a tenant at a time: of a sync, of ``aos mapping propose``, of a review."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from core.connector import ConnectorSpec
from core.errors import LockBusy
from resources.llm import open_proposer
from resources.mapper import MapperReport, map_tenant

if TYPE_CHECKING:
    from resources.mesh import Mesh

LOCK = "mappings"


def run_mapper(mesh: Mesh, tenant_id: str, specs: Sequence[ConnectorSpec]) -> MapperReport:
    """Propose, apply or put to review what no set maps; a tenant without such fields pays nothing.

    Two runs at once would pay for the same questions: while another one is at it, this one waits, and then
    leaves it to that, with a warning.
    """
    proposer = open_proposer(mesh.db, mesh.settings)
    try:
        with mesh.db.lock(tenant_id, LOCK):
            return map_tenant(
                mesh.db,
                mesh.settings,
                mesh.ontology,
                specs,
                tenant_id,
                ask_model=proposer.propose if proposer is not None else None,
                read_turn=proposer.read_turn if proposer is not None else None,
                lake=mesh.lake,
            )
    except LockBusy as error:
        return MapperReport(warnings=[f"unmapped fields are left to the run that asks about them: {error}"])
