"""Where the command line takes credentials from: a prompt, a file, standard input. Never from arguments."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import typer

from core.connector import CREDENTIAL_FIELDS, ConnectorSpec
from core.errors import CredentialError


def read_credentials(spec: ConnectorSpec, source: str | None) -> dict[str, str]:
    """Values for each credential the connector's auth asks for; raises CredentialError otherwise."""
    names = CREDENTIAL_FIELDS[spec.auth.type]
    if not names:
        return {}
    if source is None:
        values = _prompt(names)
    elif source == "-":
        values = _parse(sys.stdin.read(), "standard input")
    else:
        values = _parse(_read_file(Path(source)), source)
    _check(values, names, source or "the prompt")
    return values


def _prompt(names: tuple[str, ...]) -> dict[str, str]:
    if not sys.stdin.isatty():
        raise CredentialError(
            "credentials are needed",
            expected=", ".join(names),
            remedy="pass --credentials FILE, or --credentials - and write them to standard input",
        )
    return {name: typer.prompt(name, hide_input=True) for name in names}


def _read_file(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CredentialError(
            "the credentials file cannot be read", where=str(path), found=type(error).__name__
        ) from None


def _parse(text: str, where: str) -> dict[str, str]:
    """A JSON object, or ``name=value`` lines. Values never appear in errors."""
    if text.lstrip().startswith("{"):
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise CredentialError("not valid JSON", where=f"{where}, line {error.lineno}") from None
        if not all(isinstance(value, str) for value in values.values()):
            raise CredentialError("every credential is a text", where=where)
        return dict(values)
    values = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, separator, value = line.partition("=")
        if not separator:
            raise CredentialError("no name=value", where=f"{where}, line {number}")
        values[name.strip()] = value.strip()
    return values


def _check(values: dict[str, str], names: tuple[str, ...], where: str) -> None:
    missing = [name for name in names if not values.get(name)]
    extra = sorted(set(values) - set(names))
    if missing or extra:
        faults = [f"missing {', '.join(missing)}"] if missing else []
        faults += [f"unknown {', '.join(extra)}"] if extra else []
        raise CredentialError(
            "credentials do not fit the connector",
            expected=", ".join(names),
            found="; ".join(faults),
            where=where,
        )
