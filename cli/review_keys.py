"""What a person can answer to one proposal: keys, another field, another transform, a look at the values."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import typer

from cli.mapping_card import show_verdict, write_transform
from cli.output import clean, console, plain
from cli.review_stream import StreamReview, retarget
from core.errors import MeshError

if TYPE_CHECKING:
    from core.mapper.proposal import Proposal
    from core.mapper.transforms import TransformChoice
    from core.ontology import CanonicalField
    from resources.mapper_transforms import Looker
    from resources.mesh import Mesh

KEYS = (
    "[bold]a[/] accept · [bold]1-9[/] that one · [bold]e[/] other · [bold]t[/] transform · "
    "[bold]r[/] none · [bold]s[/] skip · [bold]?[/] more"
)
MORE = """\
a    accept what is proposed, transform included
1-9  take that candidate instead; its transform is chosen from the values
e    name another canonical field of the entity
t    change the transform and its arguments; for lists, value by value
v    look at the values, where they are a few words (shown only, never stored)
r    the field has no counterpart; it is not asked again
s    skip, also Enter: it stays pending
b    accept everything at least so sure in this stream that needs no look
u    undo the last decision
q    quit; what you accepted so far is published"""


class Asker:
    """Puts one stream's proposals to a person and takes the answers."""

    def __init__(self, mesh: Mesh, review: StreamReview, types: dict[str, str], looker: Looker) -> None:
        self.mesh, self.review, self.types, self.looker = mesh, review, types, looker

    def ask(self, one: Proposal) -> bool:
        """Take one decision; False to end the review. Raises Abort when the terminal is gone."""
        while True:
            key = read_key()
            if key == "q":
                return False
            if key == "?":
                console.print(MORE, markup=False, highlight=False)
                continue
            found = self._act(key, one)
            if found is True:
                return True
            if found:
                one = found

    def _act(self, key: str, one: Proposal) -> Proposal | bool | None:
        """True: decided; a proposal: changed and shown again; None: ask again."""
        if key in ("s", ""):
            self.review.skip(one)
            return True
        if key == "a":
            return self._accept(one)
        if key == "r":
            self.review.reject(one)
            return True
        if key == "u":
            return self._undo()
        if key == "b":
            return self._accept_above(one)
        if key == "v":
            self._show_values(one)
            return None
        if key == "t":
            return self._change_transform(one)
        return self._take(key, one)

    def _accept(self, one: Proposal) -> bool | None:
        if one.target is None:
            _warn("nothing is proposed: name a field with e, or say r for no counterpart")
            return None
        conflict = self.review.accept(one)
        if conflict is None:
            return True
        _warn(f"{conflict.problem}: {conflict.found}. {conflict.remedy}")
        return None

    def _undo(self) -> bool | None:
        last = self.review.undo()
        if last is None:
            _warn("nothing was decided in this stream yet")
            return None
        console.print(f"Taken back: {plain(last)}")
        return True

    def _accept_above(self, one: Proposal) -> bool | None:
        text = typer.prompt("Accept all of this stream at least how sure", default="0.8").strip()
        try:
            bound = float(text)
        except ValueError:
            bound = -1.0
        if not 0 <= bound <= 1:
            _warn("a number from 0 to 1")
            return None
        taken, left = self.review.accept_above(bound)
        for name, why in left.items():
            _warn(f"left: {name}: {why}")
        console.print(f"Accepted: {plain(', '.join(taken)) or 'none'}")
        return True if one.field in self.review.kinds else None

    def _take(self, key: str, one: Proposal) -> Proposal | bool | None:
        """Another target: by its number, or by name."""
        if key == "e":
            target = self._ask_target(one)
        elif key.isdecimal() and 1 <= int(key) <= len(one.candidates):
            target = one.candidates[int(key) - 1][0]
        else:
            target = None
        if target is None:
            return None
        changed = one
        if target != one.target:
            choice = self._choose(one, target)
            changed = retarget(one, target, choice.transform, choice.args, choice.doubt)
        if changed.doubt is None or changed is one:
            return self._accept(changed)
        show_verdict(changed)  # a person looks at a doubtful transform before it is taken
        return changed

    def _choose(self, one: Proposal, target: str) -> TransformChoice:
        from resources.mapper_transforms import choose_for

        kind = self.types.get(one.field, "")
        return choose_for(self.mesh.ontology, one, target, kind, self.review.held, self.looker)

    def _ask_target(self, one: Proposal) -> str | None:
        entity = self.mesh.ontology.entity(one.entity)
        name = typer.prompt(f"Canonical field of {one.entity}", default="", show_default=False).strip()
        if name == "?":
            console.print(", ".join(entity.fields), markup=False, highlight=False)
            return self._ask_target(one)
        try:
            return entity.field(entity.spellings.get(name.lower(), name)).name if name else None
        except MeshError as error:
            _warn(f"{error} (? lists them)")
            return None

    def _show_values(self, one: Proposal) -> None:
        counts = self._count(one)
        if counts is None:
            _warn("no list of a few words, or personal data: not shown")
            return
        for text, count in counts:
            console.print(f"  {count:>8,}  {plain(text)}", highlight=False)

    def _count(self, one: Proposal) -> list[tuple[str, int]] | None:
        """Words of the source and their counts; None for personal data and what is no short list."""
        from resources.looks import count_categories

        target = None if one.target is None else self.mesh.ontology.entity(one.entity).fields.get(one.target)
        files = self.looker.list_files(one.key)
        if not files or len(one.sources) != 1 or (target is not None and target.pii):
            return None
        return count_categories(files, one.sources[0])

    def _change_transform(self, one: Proposal) -> Proposal | None:
        from core.mapping import FieldMapping
        from core.transforms import RULES, find_problem

        if one.target is None:
            _warn("choose a field first: e, or a number")
            return None
        target = self.mesh.ontology.entity(one.entity).fields[one.target]
        count = len(one.sources)
        fitting = [
            name for name, rule in RULES.items()
            if target.type in rule.targets and rule.sources[0] <= count <= (rule.sources[1] or count)
        ]  # fmt: skip
        console.print(f"For a {target.type}: {', '.join(fitting)}", highlight=False)
        name: Any = typer.prompt("Transform", default=one.transform).strip()
        if name not in fitting:
            _warn(f"none of these: {name}")
            return None
        args = self._ask_args(name, one, target)
        problem = find_problem(FieldMapping(target.name, one.sources, name, args), target)
        if problem is not None:
            _warn(". ".join(filter(None, (problem.problem, f"Expected: {problem.expected or ''}"))))
            return None
        changed = retarget(one, target.name, name, args, None)
        console.print(f"Now: {plain(write_transform(name, args))}; [bold]a[/] accepts it")
        return changed

    def _ask_args(self, name: str, one: Proposal, target: CanonicalField) -> dict[str, Any]:
        from core.transforms import RULES

        before = dict(one.args) if name == one.transform else {}
        found = {}
        for arg in RULES[name].args:
            if arg == "keep" and (target.is_closed or target.type != "enum"):
                continue
            if name == "enum_map" and arg == "values":
                found[arg] = self._ask_values(one, target, dict(before.get(arg, {})))
                continue
            shown = json.dumps(before[arg], ensure_ascii=False) if arg in before else ""
            text = typer.prompt(f"  {arg} (- for none)", default=shown, show_default=bool(shown)).strip()
            if text not in ("", "-"):
                found[arg] = _read_value(text)
        return found

    def _ask_values(self, one: Proposal, target: CanonicalField, before: dict[str, Any]) -> dict[str, Any]:
        """The canonical value of each word of the source; the person may leave words out."""
        counts = self._count(one)
        if counts is None:
            text = typer.prompt("  values, as JSON", default=json.dumps(before, ensure_ascii=False))
            return dict(read) if isinstance(read := _read_value(text), dict) else before
        allowed = target.enum or ("true", "false") if target.type in ("enum", "boolean") else ()
        if allowed:
            console.print(f"  one of: {', '.join(allowed)}", highlight=False)
        found = {}
        for word, count in counts:
            known = before.get(word)
            shown = "" if known is None else known if isinstance(known, str) else json.dumps(known)
            text = typer.prompt(
                f"  {clean(word)} ({count:,})", default=shown, show_default=bool(shown)
            ).strip()
            if text not in ("", "-"):
                found[word] = text if target.type == "enum" else _read_value(text)
        return found


def read_key(keys: str = KEYS) -> str:
    """One key where a person types, else a line of standard input; empty is a skip."""
    console.print(keys)
    if not sys.stdin.isatty():
        return str(typer.prompt("Your decision", default="s", show_default=False)).strip().lower()
    console.print("[bold]>[/] ", end="")
    typed = _read_press(sys.stdin.fileno())
    if typed == "\x04":
        raise typer.Abort
    key = "s" if typed in ("\r", "\n") else typed.lower()
    console.print(plain(key), highlight=False)
    return key


def _read_press(terminal: int) -> str:
    """One key; what was typed ahead stays for the next, what arrow keys send counts as one."""
    import os
    import select
    import termios
    import tty

    before = termios.tcgetattr(terminal)
    try:
        tty.setcbreak(terminal, termios.TCSADRAIN)
        typed = os.read(terminal, 1)
        while typed[:1] >= b"\x80" or typed[:1] == b"\x1b":
            if not select.select([terminal], [], [], 0.02)[0]:
                break
            typed += os.read(terminal, 1)
        return typed.decode(errors="replace") if typed else "\x04"
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def _read_value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _warn(text: str) -> None:
    console.print(plain(text), style="yellow", highlight=False)
