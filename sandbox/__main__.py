"""``python -m sandbox``: run the sandbox, and turn the switches of a running one.

    python -m sandbox serve --port 8765 --token letmein
    python -m sandbox fault --token letmein --vendor hubspot --mode rate_limit --times 3
    python -m sandbox mutate --token letmein --tenant acme --vendor stripe --stream customers \\
        --change rename --field phone --to phone_number
    python -m sandbox touch --token letmein --tenant acme --vendor pipedrive --stream deals --count 5
"""

from __future__ import annotations

import argparse
import json
import sys
import urllib.error
import urllib.request
from typing import Any

from core.errors import MeshError
from sandbox.app import TOKEN_HEADER
from sandbox.faults import MODES
from sandbox.server import serve
from sandbox.site import CHANGES


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    given = vars(_build_parser().parse_args(arguments))
    command, url, token = given.pop("command"), given.pop("url", ""), given.pop("token", None)
    if command == "serve":
        return _serve(given.pop("host"), given.pop("port"), given.pop("seed"), token)
    if command in ("touch", "add", "delete"):
        given["op"], command = command, "change"
    method, path = {
        "status": ("GET", "status"),
        "clear": ("DELETE", "faults"),
        "fault": ("POST", "faults"),
        "mutate": ("POST", "mutations"),
        "change": ("POST", "changes"),
        "limit": ("POST", "limits"),
        "reset": ("POST", "reset"),
    }[command]
    body = {name: value for name, value in given.items() if value is not None}
    return _switch(url, token or "", method, path, body)


def _serve(host: str, port: int, seed: int, token: str | None) -> int:
    try:
        serve(host, port, seed=seed, admin_token=token)
    except MeshError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def _switch(url: str, token: str, method: str, path: str, body: dict[str, Any]) -> int:
    request = urllib.request.Request(
        f"{url.rstrip('/')}/_sandbox/{path}",
        data=json.dumps(body).encode() if method == "POST" else None,
        headers={TOKEN_HEADER: token, "Content-Type": "application/json"},
        method=method,
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            print(json.dumps(json.load(answer), indent=2))
            return 0
    except urllib.error.HTTPError as error:
        print(error.read().decode(), file=sys.stderr)
        return 2
    except urllib.error.URLError as error:
        print(f"no sandbox at {url}: {error.reason}", file=sys.stderr)
        return 1


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description="Vendor simulators over HTTP.")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("serve", help="run until interrupted")
    run.add_argument("--host", default="127.0.0.1")
    run.add_argument("--port", type=int, default=8765)
    run.add_argument("--seed", type=int, default=0)
    run.add_argument("--token", help="token of the switches; made up when absent")
    _add(commands, "status", "what is switched and what was asked")
    _add(commands, "clear", "switch all faults off")
    fault = _add(commands, "fault", "let a vendor misbehave", "vendor")
    fault.add_argument("--mode", choices=sorted(MODES), required=True)
    fault.add_argument("--tenant")
    fault.add_argument("--match", help="only paths that contain this")
    fault.add_argument("--times", type=int)
    fault.add_argument("--skip", type=int)
    fault.add_argument("--status", type=int)
    fault.add_argument("--retry-after-s", type=int)
    fault.add_argument("--delay-s", type=float)
    fault.add_argument("--location")
    mutate = _add(commands, "mutate", "change a stream's schema", "tenant", "vendor", "stream", "field")
    mutate.add_argument("--change", choices=CHANGES, required=True)
    mutate.add_argument("--to")
    mutate.add_argument("--value")
    mutate.add_argument("--touch", type=int)
    for name in ("touch", "add", "delete"):
        records = _add(commands, name, f"{name} records", "tenant", "vendor", "stream")
        records.add_argument("--count", type=int, default=1)
    limit = _add(commands, "limit", "change what a tenant may ask", "tenant", "vendor")
    limit.add_argument("--per-s", type=float, required=True)
    limit.add_argument("--burst", type=int, required=True)
    _add(commands, "reset", "forget all changes").add_argument("--tenant")
    return parser


def _add(commands: Any, name: str, text: str, *required: str) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name, help=text)
    command.add_argument("--url", default="http://127.0.0.1:8765")
    command.add_argument("--token", required=True, help="what serve said")
    for option in required:
        command.add_argument(f"--{option}", required=True)
    return command


if __name__ == "__main__":
    sys.exit(main())
