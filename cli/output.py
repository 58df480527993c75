"""How results look: tables for people, one JSON document for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

console = Console(emoji=False)
errors = Console(stderr=True, emoji=False)

NUMERIC = (int, float, Decimal, type(None))

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document for programs.")]
"""The option every command takes whose result a program may want to read."""


def print_json(payload: Any) -> None:
    """Write ``payload`` to standard output as one JSON document."""
    sys.stdout.write(json.dumps(payload, default=str, ensure_ascii=False) + "\n")


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print a table; columns whose every value is a number are right-aligned."""
    table = Table(title=plain(title), title_justify="left", header_style="bold")
    for index, column in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[index], NUMERIC) for row in rows)
        table.add_column(plain(column), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    console.print(table)


def print_down(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print rows one below the other, a line a column: for more columns than the terminal is wide."""
    width = max(map(len, columns), default=0)
    for number, row in enumerate(rows, start=1):
        console.rule(f"row {number:,}")
        for column, value in zip(columns, row, strict=True):
            console.print(f"[dim]{plain_name(column):>{width}}[/]  {_cell(value)}", highlight=False)


def show_records(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, as_json: bool) -> None:
    """A result that is a list of records: JSON objects for programs, a table for people."""
    if as_json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    elif rows:
        print_table(title, columns, rows)
    else:
        console.print(f"{title}: none")


def tell_apart(names: Sequence[str]) -> list[str]:
    """The names, each once: a repeated one gets the first free number, as in ``id``, ``id_2``."""
    found: list[str] = []
    for name in names:
        number, told = 1, name
        while told in found or (number > 1 and told in names):
            number += 1
            told = f"{name}_{number}"
        found.append(told)
    return found


def say(text: str, *, as_json: bool = False) -> None:
    """A sentence for people; silent where a program reads."""
    if not as_json:
        console.print(clean(text), markup=False, highlight=False, soft_wrap=True)


def number_of(number: int, thing: str) -> str:
    """A number with its thing: ``1 field``, ``2,000 fields``."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.2f}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, Decimal):
        return f"{value:,.2f}" if value == round(value, 2) else f"{value.normalize():,f}"
    return plain(str(value))


def plain(text: str) -> str:
    """``text`` as rich shows it letter by letter: no markup, and nothing that would steer the terminal."""
    return escape(clean(text))


def plain_name(text: str) -> str:
    """As ``plain``, in one line: a name with line breaks could look like a line of ours."""
    return plain(text.replace("\n", "\\n"))


def clean(text: str) -> str:
    """``text`` without anything that would steer the terminal: control characters as escapes."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def first_line(text: str | None, most: int = 120) -> str | None:
    """As much of an error as a table has room for; ``aos connection show`` has all of it."""
    if text is None:
        return None
    line = text.partition("\n")[0]
    return line if line == text and len(line) <= most else f"{line[:most].rstrip()} …"
