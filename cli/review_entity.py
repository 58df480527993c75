"""The first question of a review: which canonical entity a stream is, where its config does not say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from cli.output import console, plain, plain_name
from cli.review_keys import read_key
from core.errors import MeshError
from core.names import join_name

if TYPE_CHECKING:
    from resources.mesh import Mesh
    from resources.stream_entities import StreamEntity

KEYS = (
    "[bold]a[/] accept · [bold]1-9[/] that one · [bold]e[/] other entity · "
    "[bold]n[/] none, it stays raw · [bold]s[/] skip the stream · [bold]q[/] quit"
)
_BAR = 20


class EntityReview:
    """What came of the questions: streams that were decided, those left, and whether to stop."""

    def __init__(self, mesh: Mesh, tenant: str, actor: str, reason: str) -> None:
        self.mesh, self.tenant, self.actor, self.reason = mesh, tenant, actor, reason
        self.confirmed: list[str] = []
        self.left: list[str] = []
        self.quitting = False

    def accept_above(self, guesses: Sequence[StreamEntity], bound: float) -> None:
        """Confirm the guesses that are at least so sure; the others are left."""
        for one in guesses:
            if one.confidence >= bound:
                self._decide(one, one.entity)
            else:
                told = f"which entity it is has to be confirmed: {one.entity} {one.confidence:.2f}"
                self.left.append(f"{join_name(*one.key)}: {told}")

    def ask(self, guesses: Sequence[StreamEntity]) -> None:
        """Put each guess to the person."""
        for number, one in enumerate(guesses, start=1):
            console.rule(f"entity {number} of {len(guesses)} · {plain(join_name(*one.key))}")
            self._show(one)
            while not self._act(read_key(KEYS), one):
                pass
            if self.quitting:
                return

    def _show(self, one: StreamEntity) -> None:
        fields = _list_fields(self.mesh, self.tenant, one.key)
        told = plain_name(", ".join(fields[:12]))
        console.print(f"[dim]fields[/]  {told}{' …' if len(fields) > 12 else ''}")
        for number, (name, sure) in enumerate(one.candidates[:9], start=1):
            bar = "█" * round(sure * _BAR)
            console.print(f"  [bold]{number:>6}[/]  {plain(name):<32} {sure:.2f} [cyan]{bar}[/]")

    def _act(self, key: str, one: StreamEntity) -> bool:
        """True when the stream is done with."""
        if key in ("s", "", "q"):
            self.quitting = key == "q"
            return True
        if key == "n":
            return self._decide(one, None)
        if key == "a":
            return self._decide(one, one.entity)
        if key.isdecimal() and 1 <= int(key) <= len(one.candidates):
            return self._decide(one, one.candidates[int(key) - 1][0])
        if key == "e":
            name = typer.prompt("Entity", default="", show_default=False).strip()
            return bool(name) and self._decide(one, name)
        return False

    def _decide(self, one: StreamEntity, entity: str | None) -> bool:
        from resources.stream_entities import decide_entity

        who = (self.actor, self.reason)
        try:
            decide_entity(self.mesh.db, self.mesh.ontology, self.tenant, one.key, entity, *who)
        except MeshError as error:
            console.print(plain(str(error)), style="yellow", highlight=False)
            return False
        self.confirmed += [join_name(*one.key)] if entity else []
        return True


def _list_fields(mesh: Mesh, tenant: str, key: tuple[str, str]) -> list[str]:
    from resources.stream_facts import read_schemas

    schema = read_schemas(mesh.db, tenant, [key[0]]).get(key)
    return [field.path for field in schema.fields] if schema else []
