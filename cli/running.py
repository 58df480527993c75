"""``aos up``, ``sandbox``, ``env``: the processes of a running mesh."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import console, say
from cli.services import open_mesh
from core.errors import TryAgain

if TYPE_CHECKING:
    from resources.mesh import Mesh

PROJECT = Path(__file__).resolve().parent.parent

CODE_LOCATION = {"DAGSTER_MODULE_NAME": "definitions", "DAGSTER_WORKING_DIRECTORY": str(PROJECT)}
"""What plain ``dagster`` commands load; those that are given a workspace refuse it."""


def register(app: typer.Typer) -> None:
    """Add this file's commands to ``aos``."""
    app.command("up")(up)
    app.command("sandbox")(sandbox)
    app.command("env")(env)


def dagster_env(mesh: Mesh) -> dict[str, str]:
    """The environment plain ``dagster`` commands need."""
    from resources.dagster_home import prepare_home
    from resources.settings import dagster_environment

    prepare_home(mesh.settings)
    return dagster_environment(mesh.settings)


def up(
    port: Annotated[int, typer.Option(help="Port of the Dagster UI.")] = 3000,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    with_sandbox: Annotated[
        bool, typer.Option("--sandbox/--no-sandbox", help="Start the vendor sandbox too.")
    ] = True,
) -> None:
    """Run the Dagster UI and daemon on the mesh's Postgres; Ctrl-C stops all of it."""
    from resources.settings import child_environment

    with open_mesh() as mesh:
        given = {name: value for name, value in child_environment().items() if name not in CODE_LOCATION}
        environment = given | dagster_env(mesh)
        # `dagster dev` gives web server and daemon one code server; each by itself would start its own,
        # the daemon a new one every minute
        address = ["-h", host, "-p", str(port)]
        commands = {
            "dagster": ["-W", "ignore:Function", "-m", "dagster", "dev", "-w", "workspace.yaml", *address]
        }
        if with_sandbox:
            commands["sandbox"] = ["-m", "cli.main", "sandbox", "--port", str(mesh.settings.sandbox_port)]
        say(f"Dagster UI: http://{host}:{port}   (Ctrl-C stops everything)")
        _run_together(commands, environment)


def sandbox(
    port: Annotated[int | None, typer.Option(help="Port; the settings' sandbox_port when absent.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
) -> None:
    """Run the vendor sandbox: small stand-ins for the shipped SaaS sources."""
    from resources.settings import load_settings
    from sandbox.server import serve

    serve(host=host, port=port or load_settings().sandbox_port)


def env() -> None:
    """Print the environment for plain ``dagster`` commands: ``eval "$(aos env)"``."""
    with open_mesh() as mesh:
        for name, value in (dagster_env(mesh) | CODE_LOCATION).items():
            sys.stdout.write(f"export {name}={shlex.quote(value)}\n")


def start_process(
    arguments: list[str], environment: dict[str, str], *, quiet: bool = False
) -> subprocess.Popen[bytes]:
    """A Python child in its own process group, so that it can be stopped with all its children."""
    return subprocess.Popen(
        [sys.executable, *arguments],
        env=environment,
        cwd=PROJECT,
        start_new_session=True,
        stdout=subprocess.DEVNULL if quiet else None,
    )


def stop_processes(processes: list[subprocess.Popen[bytes]], grace_s: float = 15.0) -> None:
    """Ask every process group to end, then insist; nothing is left running."""
    for process in processes:
        _signal_group(process, signal.SIGINT)
    deadline = time.monotonic() + grace_s
    for process in processes:
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(0.1, deadline - time.monotonic()))
        _signal_group(process, signal.SIGKILL)
        process.wait()


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return


def _run_together(commands: dict[str, list[str]], environment: dict[str, str]) -> None:
    """Run until one ends or a signal comes; then stop the others."""
    stopping: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _frame: stopping.append(received))
    processes = {name: start_process(command, environment) for name, command in commands.items()}
    try:
        while not stopping:
            for name, process in processes.items():
                if process.poll() is not None:
                    raise TryAgain(
                        f"the {name} ended with code {process.returncode}", remedy="see its output above"
                    )
            time.sleep(0.2)
    finally:
        console.print("Stopping …")
        stop_processes(list(processes.values()))
