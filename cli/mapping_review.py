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

from cli.mapping_card import describe_proposal, show_proposal
from cli.mapping_common import User, bring_into_effect, check_tenant, name_set, show_replays
from cli.mapping_explain import read_types
from cli.output import Json, console, errors, number_of, print_json, say
from cli.services import open_mesh
from core.errors import FixInput, MappingRefused
from core.names import join_name

if TYPE_CHECKING:
    from cli.review_stream import StreamReview
    from core.mapper.proposal import Proposal
    from core.mapping import MappingSet
    from resources.mesh import Mesh
    from resources.stream_entities import StreamEntity

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
    unknown: int = 0
    undeclared: set[StreamKey] = field(default_factory=set)
    changed: set[StreamKey] = field(default_factory=set)


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
    unknown: Annotated[
        bool, typer.Option("--unknown", help="Also ask about fields nothing is likely for.")
    ] = False,
    user: User = None,
    reason: Annotated[str, typer.Option(help="Why; stands in the audit log.")] = "reviewed",
    as_json: Json = False,
) -> None:
    """Go through the pending proposals; with --json and no bound, print them with their evidence."""
    from cli.mapping_propose import check_stream
    from resources.proposals import list_proposals

    with open_mesh() as mesh:
        check_tenant(mesh, tenant)
        check_stream(mesh, connector, stream)
        pending = list_proposals(mesh.db, tenant, connector, stream, status="pending")
        if as_json and accept_above is None:
            print_json([describe_proposal(one) for one in pending])
            return
        session = Session(mesh, tenant, user or mesh.settings.actor, reason, as_json)
        _settle_entities(session, connector, stream, accept_above)
        pending = list_proposals(mesh.db, tenant, connector, stream, status="pending")
        pending = [one for one in pending if one.key not in session.undeclared]
        if accept_above is None and not unknown:
            low = mesh.settings.review_confidence
            session.unknown = sum(one.confidence < low for one in pending)
            pending = [one for one in pending if one.confidence >= low]
        try:
            for key, group in groupby(pending, key=lambda one: one.key):
                if not session.quitting:
                    _review_stream(session, key, list(group), accept_above)
        except (KeyboardInterrupt, typer.Abort):
            _say_interrupted(session)
            raise typer.Exit(130) from None
        touched = {one.key for one in pending} | session.changed
        session.replays = bring_into_effect(mesh, tenant, sorted(touched))
    _finish(session, pending, as_json=as_json)


def _settle_entities(
    session: Session, connector: str | None, stream: str | None, bound: float | None
) -> None:
    """Ask first what the streams are that do not say; the fields of those confirmed are asked anew."""
    from cli.mapping_propose import ask_mapper
    from cli.review_entity import EntityReview
    from resources.stream_entities import PROPOSED, list_entities

    def list_guesses() -> list[StreamEntity]:
        known = list_entities(session.mesh.db, session.tenant)
        asked = [one for one in known if connector in (None, one.connector) and stream in (None, one.stream)]
        return [one for one in asked if one.status == PROPOSED]

    asked = EntityReview(session.mesh, session.tenant, session.actor, session.reason)
    guesses = list_guesses()
    if bound is not None:
        asked.accept_above(guesses, bound)
    else:
        asked.ask(guesses)
    session.left += asked.left
    session.quitting = asked.quitting
    session.undeclared = {one.key for one in list_guesses()}
    if not asked.confirmed:
        return
    report = ask_mapper(session.mesh, session.tenant)
    session.left += report.warnings
    told = f"Their fields were asked: {report.applied} applied by themselves, {report.review} to review."
    say(f"Confirmed: {', '.join(asked.confirmed)}. {told}", as_json=session.quiet)
    session.changed = {(one.connector, one.stream) for one in report.sets}


def _review_stream(session: Session, key: StreamKey, pending: list[Proposal], bound: float | None) -> None:
    from cli.review_stream import StreamReview
    from resources.proposals import list_proposals
    from resources.registry import active_set

    known = {one.field: one for one in list_proposals(session.mesh.db, session.tenant, *key)}
    held = active_set(session.mesh.db, session.tenant, *key)
    review = StreamReview(key, pending, known, held)
    if bound is not None:
        _, left = review.accept_above(bound)
        session.left += [f"{review.name}.{field}: {why}" for field, why in left.items()]
    else:
        _ask_all(session, review)
    if review.accepted:
        _publish(session, review)
    _reject(session, review)


def _ask_all(session: Session, review: StreamReview) -> None:
    """Put every proposal to the person; an interrupt leaves all of the stream as it was."""
    from cli.review_keys import Asker
    from resources.mapper_transforms import Looker

    told, types = read_types(session.mesh, session.tenant, review.key)
    looker = Looker(session.mesh.db, session.mesh.lake, session.tenant)
    asker = Asker(session.mesh, review, types, looker)
    while (one := review.find_next()) is not None:
        number = len(review.pending) - sum(1 for p in review.pending if p.field not in review.kinds) + 1
        console.rule(f"{number} of {len(review.pending)} · {escape(review.name)}")
        show_proposal(one, told.get(one.field))
        if not asker.ask(one):
            session.quitting = True
            return


def _reject(session: Session, review: StreamReview) -> None:
    from resources.proposals import reject_proposal

    for name in review.rejected:
        try:
            reject_proposal(
                session.mesh.db, session.mesh.ontology, session.tenant, review.key, name, session.actor,
                session.reason, no_counterpart=True,
            )  # fmt: skip
        except MappingRefused as error:  # somebody approved it meanwhile
            session.left.append(f"{review.name}.{name}: {error}")
        else:
            session.rejected += 1


def _publish(session: Session, review: StreamReview) -> None:
    """Publish what was accepted as one set; what contradicts stays pending, and it is said why."""
    from resources.approvals import approve_fields

    key, choices = review.key, review.choices
    try:
        mesh, who = session.mesh, (session.actor, session.reason)
        held, made = approve_fields(mesh.db, mesh.ontology, session.tenant, key, choices, *who)
    except (MappingRefused, FixInput) as error:
        session.left += [f"{join_name(*key)}.{one.field}: {error}" for one in choices]
        return
    fields = [one.field for one in choices] + _list_taken_along(session, review, made)
    session.published.append(
        {"fields": fields, "number": made.number, "set_id": made.set_id,
         "connector": key[0], "stream": key[1]}
    )  # fmt: skip
    if not session.quiet:
        _say_published(key, held, made, len(fields))


def _list_taken_along(session: Session, review: StreamReview, made: MappingSet) -> list[str]:
    """The stream's key, where the set could not stand without it and nobody had decided on it."""
    from resources.proposals import list_proposals

    now = list_proposals(session.mesh.db, session.tenant, *review.key, status="approved")
    waited = {one.field for one in review.known.values() if one.status == "pending"} - review.accepted.keys()
    return [one.field for one in now if one.field in waited and one.set_id == made.set_id]


def _say_published(key: StreamKey, held: MappingSet | None, made: MappingSet, fields: int) -> None:
    told = f"{join_name(*key)}: {number_of(fields, 'field')} approved"
    say(f"{told}, {name_set(made)} holds (before: {name_set(held)}).")


def _say_interrupted(session: Session) -> None:
    fields = sum(len(one["fields"]) for one in session.published)
    told = (
        f"{number_of(fields, 'field')} approved before: published, the next sync replays; " if fields else ""
    )
    errors.print(f"\nInterrupted: {told}nothing of the stream at hand was decided.", highlight=False)


def _finish(session: Session, asked: Sequence[Proposal], *, as_json: bool) -> None:
    taken = {(one["connector"], one["stream"], name) for one in session.published for name in one["fields"]}
    accepted = len(taken)
    facts = {"pending": len(asked), "approved": accepted, "rejected": session.rejected, "left": session.left}
    if as_json:
        print_json(facts | {"published": session.published, "replays": session.replays})
        return
    for line in session.left:
        console.print("left: ", style="yellow", end="")
        say(line)
    show_replays(session.replays)
    stay = sum((*one.key, one.field) not in taken for one in asked) - session.rejected
    say(
        f"{accepted} approved, {session.rejected} rejected, {stay} left for later."
        if asked
        else "Nothing waits for review."
    )
    if session.unknown:
        say(f"{number_of(session.unknown, 'unknown field')} not asked: add --unknown.")
