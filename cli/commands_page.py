"""Writes ``docs/commands.md``, every command of ``aos``: ``python -m cli.commands_page``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import typer

from cli.main import app

HEAD = """# Commands

Made by `python -m cli.commands_page`. `--help` after any of them lists its options; `--json` prints one
document for programs. Exit 0: done; 1: it failed, or checks found something; 2: bad input.

| command | what it does |
|---|---|
"""


def list_commands() -> list[tuple[str, str]]:
    """(words, first sentence of the help) of every command, sorted."""
    return sorted(_walk(typer.main.get_command(app), "aos"))


def write_page() -> str:
    """The page as markdown."""
    return HEAD + "".join(f"| `{words}` | {text} |\n" for words, text in list_commands())


def _walk(command: Any, words: str) -> Iterator[tuple[str, str]]:
    children = getattr(command, "commands", None)
    if not children:
        text = " ".join((command.help or "").split("\n\n")[0].split())
        yield words, text.replace("|", "\\|").replace("``", "`")
    for name, child in (children or {}).items():
        yield from _walk(child, f"{words} {name}")


if __name__ == "__main__":
    sys.stdout.write(write_page())
