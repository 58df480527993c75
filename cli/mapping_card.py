"""How a proposal looks in the terminal: the field, its values, what is proposed and why, what else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

from cli.output import console, plain, plain_name

if TYPE_CHECKING:
    from core.mapper.proposal import Proposal

SHOWN = 9
"""Candidates a person can pick by one key."""
_WHY = 4
"""Lines of evidence of each side."""
_BAR = 20
_UNLIKELY, _LEAST = 0.01, 3
"""Candidates below are left out, as long as some are shown."""


def show_proposal(one: Proposal, kind: str | None) -> None:
    """A proposal as a person reads it: field, values, verdict, doubt, evidence, runners-up."""
    from core.mapper.describe import describe_profile

    console.print(f"[bold]{plain_name(one.field)}[/] [dim]{plain(kind or '')}[/]", highlight=False)
    values = describe_profile(one.profile)
    if values:
        _line("values", " · ".join(values))
    if len(one.parts) > 1:
        _line("reads", ", ".join(one.parts))
    show_verdict(one)
    if one.target is not None:  # of what nobody proposes, there is nothing to say
        for remark in dict.fromkeys(one.remarks):
            if remark != one.doubt:
                _line("note", remark)
        _show_evidence(one.evidence)
    likely = sum(sure >= _UNLIKELY for _, sure in one.candidates[:SHOWN])
    for number, (name, sure) in enumerate(one.candidates[: max(likely, _LEAST)], start=1):
        bar = "█" * round(sure * _BAR)
        console.print(f"  [bold]{number:>6}[/]  {escape(name):<32} {sure:.2f} [cyan]{bar}[/]")


def show_verdict(one: Proposal) -> None:
    """What is proposed: target, transform with its arguments, doubt, and what was decided."""
    who = f", {one.status}" + (f" by {one.decided_by}: {one.reason or ''}" if one.decided_by else "")
    if one.target is None:
        console.print(f"       →  [bold]no likely counterpart[/] in {escape(one.entity)}[dim]{plain(who)}[/]")
        return
    named = f"[cyan]{escape(one.entity)}.{escape(one.target)}[/]"
    console.print(f"       →  [bold]{named}  {one.confidence:.2f}[/] sure  [dim]{plain(one.method + who)}[/]")
    _line("by", write_transform(one.transform, one.args))
    if one.doubt:
        _line("look", one.doubt, "yellow")


def write_transform(transform: str, args: Mapping[str, Any]) -> str:
    """A transform with its arguments as a person reads them."""
    if transform == "enum_map":
        pairs = [f"{source} → {_write(value)}" for source, value in dict(args.get("values", {})).items()]
        rest = "others as they are" if args.get("keep") else "others refused"
        rest = f"others → {_write(args['default'])}" if "default" in args else rest
        return f"enum_map: {', '.join([*pairs, rest])}"
    told = ", ".join(f"{name} {_write(value)}" for name, value in sorted(args.items()))
    return f"{transform}: {told}" if told else transform


def describe_proposal(one: Proposal) -> dict[str, Any]:
    """A proposal as JSON data."""
    from core.mapper.describe import describe_profile

    facts = {
        **vars(one),
        "args": dict(one.args),
        "evidence": dict(one.evidence),
        "profile": dict(one.profile),
    }
    facts |= {"remarks": list(one.remarks), "parts": list(one.parts), "values": describe_profile(one.profile)}
    return facts | {"candidates": [{"field": name, "confidence": sure} for name, sure in one.candidates]}


def _show_evidence(evidence: Mapping[str, float]) -> None:
    from core.mapper.answer import describe_evidence

    told = describe_evidence(evidence, 2 * _WHY)
    for label, colour, side in (
        ("for", "green", [item for item in told if item[1] > 0]),
        ("against", "red", [item for item in told if item[1] < 0]),
    ):
        for words, amount in side[:_WHY]:
            console.print(f"  [dim]{label:>6}[/]  [{colour}]{amount:+.1f}[/] {escape(words)}")
            label = ""


def _line(label: str, text: str, style: str = "") -> None:
    """A labelled text, wrapped under itself."""
    row = Table.grid(padding=(0, 2, 0, 0))
    row.add_column(justify="right", width=8, style=f"bold {style}" if style else "dim", no_wrap=True)
    row.add_column(overflow="fold", style=style)
    row.add_row(label, plain(text))
    console.print(row)


def _write(value: Any) -> str:
    if isinstance(value, str):
        return value if value.strip() and value == value.strip() else repr(value)
    return str(value).lower() if isinstance(value, bool) else str(value)
