"""Entry point of ``aos``: collects the commands and turns every error into a sentence and an exit code.

Exit 0: done. 1: it failed, or checks found something. 2: bad input.
"""

from __future__ import annotations

import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path

import typer
from typer import TyperException

from cli import (
    configs,
    connections,
    demo,
    llm,
    mapping,
    quarantine,
    reading,
    running,
    secrets,
    syncing,
    tenants,
)
from cli.output import clean, errors, print_json
from core.errors import FixInput, MeshError

app = typer.Typer(
    name="aos",
    help="The AutonomOS mesh: connect, sync, query and trace many companies' data.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.add_typer(tenants.app, name="tenant")
app.add_typer(connections.app, name="connection")
app.add_typer(configs.app, name="config")
app.add_typer(secrets.app, name="secrets")
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(mapping.app, name="mapping")
app.add_typer(llm.app, name="llm")
for module in (syncing, reading, running, demo):
    module.register(app)


def main(argv: list[str] | None = None) -> None:
    """Run one command and exit; never with a bare traceback."""
    arguments = sys.argv[1:] if argv is None else argv
    try:
        _check_text(arguments)
        code = app(arguments, standalone_mode=False)
    except MeshError as error:
        code = _report(error, as_json="--json" in arguments)
    except TyperException as error:
        error.show() if hasattr(error, "show") else errors.print(str(error))
        code = 2
    except (KeyboardInterrupt, typer.Abort):
        errors.print("Interrupted.")
        code = 130
    except BrokenPipeError:
        code = 0
    except Exception as error:  # noqa: BLE001 - the outermost edge: a defect becomes a sentence and a file
        code = _report_defect(error)
    sys.exit(code if isinstance(code, int) else 0)


def _check_text(arguments: list[str]) -> None:
    """Refuse an argument that is no text: nothing could store it."""
    for one in arguments:
        try:
            one.encode()
        except UnicodeEncodeError:
            raise FixInput("an argument is not UTF-8", found=repr(one)) from None


def _report(error: MeshError, *, as_json: bool) -> int:
    notes = getattr(error, "__notes__", [])
    if as_json:
        print_json(
            {
                "error": type(error).__name__,
                "problem": error.problem,
                "expected": error.expected,
                "found": error.found,
                "where": error.where,
                "remedy": error.remedy,
                "notes": notes,
            }
        )
    else:
        errors.print(f"[bold red]{type(error).__name__}[/]: ", end="")
        errors.print(clean(str(error)), markup=False, highlight=False, soft_wrap=True)
        for note in notes:
            errors.print(clean(note), markup=False, highlight=False, soft_wrap=True)
    return error.exit_code


def _report_defect(error: Exception) -> int:
    from resources.settings import load_settings

    path = _write_defect(load_settings().home / "logs")
    errors.print(f"[bold red]Unexpected {type(error).__name__}[/]; this is a defect of the mesh.")
    errors.print(f"The details are in {path}; please report it with that file.", markup=False)
    return 1


def _write_defect(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"defect-{datetime.now(UTC):%Y%m%dT%H%M%S%f}.txt"
    path.write_text(traceback.format_exc(), encoding="utf-8")
    path.chmod(0o600)
    return path


if __name__ == "__main__":
    main()
