"""``aos mapping review``: a steward goes through what the mapper is not sure of, one field at a time.

What is accepted is collected and published as one set a stream. Deciding from a script is
``mapping_decide.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from cli.mapping_common import User, bring_into_effect, check_tenant, describe_set, name_set, show_replays
from cli.mapping_explain import describe_proposal, read_types, show_proposal
from cli.output import Json, console, print_json, say
from cli.services import open_mesh
from core.errors import FixInput, MappingRefused, MeshError
from core.names import join_name

if TYPE_CHECKING:
    from core.mapper.proposal import Proposal
    from core.mapping import MappingSet
    from resources.approvals import Choice
    from resources.mesh import Mesh

HELP = (
    "[bold]a[/] accept · [bold]1–9[/] that candidate · [bold]e[/] another field · "
    "[bold]r[/] no counterpart · [bold]s[/] skip · [bold]q[/] quit"
)
StreamKey = tuple[str, str]


@dataclass
class Session:
    """One review: who decides, and what came of it."""

    mesh: Mesh
    tenant: str
    actor: str
    reason: str
    quiet: bool
    published: list[dict[str, Any]] = field(default_factory=list)
    rejected: int = 0
    left: list[str] = field(default_factory=list)
    replays: list[dict[str, Any]] = field(default_factory=list)
    quitting: bool = False


def register(app: typer.Typer) -> None:
    """Add this file's commands to ``aos mapping``."""
    app.command("review")(review)


def review(
    tenant: Annotated[str, typer.Argument(metavar="TENANT")],
    connector: Annotated[str | None, typer.Argument(metavar="[CONNECTOR]")] = None,
    stream: Annotated[str | None, typer.Argument(metavar="[STREAM]")] = None,
    accept_above: Annotated[
        float | None, typer.Option(min=0, max=1, help="Accept everything at least this sure, ask nothing.")
    ] = None,
    user: User = None,
    reason: Annotated[str, typer.Option(help="Why; stands in the audit log.")] = "reviewed",
    as_json: Json = False,
) -> None:
    """Go through the pending proposals; with --json and no bound, print them with their evidence."""
    from resources.proposals import list_proposals

    with open_mesh() as mesh:
        check_tenant(mesh, tenant)
        pending = list_proposals(mesh.db, tenant, connector, stream, status="pending")
        if as_json and accept_above is None:
            print_json([describe_proposal(one) for one in pending])
            return
        session = Session(mesh, tenant, user or mesh.settings.actor, reason, as_json)
        for key, group in groupby(pending, key=lambda one: one.key):
            if not session.quitting:
                _review_stream(session, key, list(group), accept_above)
        session.replays = bring_into_effect(mesh, tenant, list({one.key for one in pending}), session.actor)
    _finish(session, len(pending), as_json=as_json)


def _review_stream(session: Session, key: StreamKey, pending: list[Proposal], bound: float | None) -> None:
    if bound is not None:
        choices = _choose_sure(session, key, pending, bound)
    else:
        choices = _ask_all(session, key, pending)
    if choices:
        _publish(session, key, choices)


def _choose_sure(session: Session, key: StreamKey, pending: list[Proposal], bound: float) -> list[Choice]:
    """What is sure enough and contradicts nothing; the rest stays pending."""
    from resources.approvals import Choice, find_conflicts
    from resources.proposals import list_proposals
    from resources.registry import active_set

    sure = [one for one in pending if one.target is not None and one.confidence >= bound]
    known = {one.field: one for one in list_proposals(session.mesh.db, session.tenant, *key)}
    held = active_set(session.mesh.db, session.tenant, *key)
    conflicts = {one.field: one for one in find_conflicts(known, held, sure)}
    for one in conflicts.values():
        session.left.append(f"{join_name(*key)}.{one.field}: {one.problem} ({one.found})")
    return [Choice(one.field) for one in sure if one.field not in conflicts]


def _ask_all(session: Session, key: StreamKey, pending: list[Proposal]) -> list[Choice]:
    choices: list[Choice] = []
    types = read_types(session.mesh, session.tenant, key)
    for number, one in enumerate(pending, start=1):
        console.rule(f"{number} of {len(pending)} · {escape(join_name(*key))}")
        show_proposal(one, types.get(one.field))
        if not _ask(session, one, choices):
            session.quitting = True
            break
    return choices


def _ask(session: Session, one: Proposal, choices: list[Choice]) -> bool:
    """Take one decision; False to end the review."""
    from resources.approvals import Choice
    from resources.proposals import reject_proposal

    while True:
        console.print(HELP)
        key = typer.prompt("Your decision", default="s", show_default=False).strip().lower()
        if key == "a" and one.target is not None:
            choices.append(Choice(one.field))
        elif key.isdecimal() and 1 <= int(key) <= len(one.candidates):
            choices.append(Choice(one.field, one.candidates[int(key) - 1][0]))
        elif key == "e":
            target = _ask_target(session, one)
            if target is None:
                continue
            choices.append(Choice(one.field, target))
        elif key == "r":
            reject_proposal(
                session.mesh.db, session.tenant, one.key, one.field, session.actor, session.reason,
                no_counterpart=True,
            )  # fmt: skip
            session.rejected += 1
        elif key == "q":
            return False
        elif key != "s":
            continue
        return True


def _ask_target(session: Session, one: Proposal) -> str | None:
    entity = session.mesh.ontology.entity(one.entity)
    name = typer.prompt(f"Canonical field of {one.entity}", default="", show_default=False).strip()
    try:
        return entity.field(name).name if name else None
    except MeshError as error:
        console.print(str(error), style="yellow", markup=False)
        return None


def _publish(session: Session, key: StreamKey, choices: Sequence[Choice]) -> None:
    """Publish what was accepted as one set; what contradicts stays pending, and it is said why."""
    from resources.approvals import approve_fields

    try:
        mesh, who = session.mesh, (session.actor, session.reason)
        held, made = approve_fields(mesh.db, mesh.ontology, session.tenant, key, choices, *who)
    except (MappingRefused, FixInput) as error:
        session.left += [f"{join_name(*key)}.{one.field}: {error}" for one in choices]
        return
    facts = describe_set(made)
    session.published.append(
        {"fields": [one.field for one in choices], "number": made.number, "set_id": facts["set_id"],
         "connector": key[0], "stream": key[1]}
    )  # fmt: skip
    if not session.quiet:
        _say_published(key, held, made, len(choices))


def _say_published(key: StreamKey, held: MappingSet | None, made: MappingSet, count: int) -> None:
    say(f"{join_name(*key)}: {count} fields approved, {name_set(made)} holds (before: {name_set(held)}).")


def _finish(session: Session, asked: int, *, as_json: bool) -> None:
    accepted = sum(len(one["fields"]) for one in session.published)
    facts = {"pending": asked, "approved": accepted, "rejected": session.rejected, "left": session.left}
    if as_json:
        print_json(facts | {"published": session.published, "replays": session.replays})
        return
    for line in session.left:
        console.print("left: ", style="yellow", end="")
        say(line)
    show_replays(session.replays)
    stay = asked - accepted - session.rejected
    say(
        f"{accepted} approved, {session.rejected} rejected, {stay} left for later."
        if asked
        else "Nothing is pending."
    )
