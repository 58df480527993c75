"""``aos mapping explain``: what is proposed for a field, how sure that is, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.mapping_card import describe_proposal, show_proposal
from cli.mapping_common import Connector, Stream, check_tenant, describe_field, name_set
from cli.output import Json, print_json, say
from cli.services import open_mesh
from core.errors import UnknownName
from core.mapping_diff import describe_mapping
from core.names import join_name

if TYPE_CHECKING:
    from core.mapper.proposal import Proposal
    from core.mapping import MappingSet
    from resources.mesh import Mesh


def register(app: typer.Typer) -> None:
    """Add this file's commands to ``aos mapping``."""
    app.command("explain")(explain)


def explain(
    tenant: Annotated[str, typer.Argument(metavar="TENANT")],
    connector: Connector,
    stream: Stream,
    field: Annotated[str, typer.Argument(metavar="FIELD", help="The source field.")],
    as_json: Json = False,
) -> None:
    """Why a source field is mapped as it is, or what is proposed for it."""
    from resources.proposals import list_proposals
    from resources.registry import active_set

    with open_mesh() as mesh:
        check_tenant(mesh, tenant)
        key = (connector, stream)
        proposal = next((p for p in list_proposals(mesh.db, tenant, *key) if p.field == field), None)
        held = active_set(mesh.db, tenant, *key)
        source = proposal.source if proposal else field
        mapped = [m for m in held.mappings if source in m.sources] if held else []
        kind = read_types(mesh, tenant, key)[0].get(field)
    if proposal is None and not mapped:
        raise UnknownName(
            f"nothing is known of {join_name(*key)}.{field}", remedy="Sync, or see aos mapping show"
        )
    if as_json:
        facts = {"proposal": describe_proposal(proposal) if proposal else None}
        print_json(facts | {"mapped": [describe_field(m) for m in mapped], "type": kind})
        return
    for one in mapped:
        how = f"{one.target} ← {describe_mapping(one)} (origin {one.origin})"
        say(f"{name_set(held).capitalize()} maps it: {how}")
    if proposal is not None:
        if proposal.status in ("approved", "applied") and proposal.target not in {m.target for m in mapped}:
            say(_say_gone(proposal, held))
        show_proposal(proposal, kind)


def _say_gone(one: Proposal, held: MappingSet | None) -> str:
    """That a decision does not hold, since a rollback, an edit or another field took its place."""
    if held is None:
        return f"It was {one.status}, but no mapping set holds."
    filled = next((m for m in held.mappings if m.target == one.target), None)
    by = "nothing" if filled is None else describe_mapping(filled)
    return (
        f"It was {one.status}, but {name_set(held)}, which holds, does not map it: "
        f"{held.entity}.{one.target} ← {by}"
    )


def read_types(mesh: Mesh, tenant: str, key: tuple[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """By source field: what its schema says in words, and its types as ``a|b``; none of its values."""
    from resources.schema_versions import latest_version

    found = latest_version(mesh.db, tenant, *key)
    fields = found.schema.fields if found is not None else ()
    told = {
        one.path: f"{' or '.join(one.types)}{', may be empty' if one.nullable else ''}, "
        f"in {one.presence_ratio:.0%} of the records"
        for one in fields
    }
    return told, {one.path: "|".join(kind for kind in one.types if kind != "null") for one in fields}
