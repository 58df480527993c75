"""The demo's sources: a running vendor sandbox, and every tenant connected to all nine of them."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cli.output import console
from cli.running import start_process, stop_processes
from cli.services import find_spec
from core.errors import SourceUnavailable

if TYPE_CHECKING:
    from resources.mesh import Mesh

CONNECTORS = (
    "salesforce",
    "hubspot",
    "pipedrive",
    "zendesk",
    "stripe",
    "github",
    "postgres",
    "files",
    "aws_cost",
)
START_S = 20.0


@contextmanager
def running_sandbox(port: int) -> Iterator[str]:
    """The URL of the sandbox: the one that runs already, else a child process that ends with the demo."""
    from resources.settings import child_environment

    url = f"http://127.0.0.1:{port}"
    if _is_sandbox(url):
        yield url
        return
    child = start_process(["-m", "cli.main", "sandbox", "--port", str(port)], child_environment(), quiet=True)
    try:
        deadline = time.monotonic() + START_S
        while not _is_sandbox(url):
            if child.poll() is not None or time.monotonic() > deadline:
                raise SourceUnavailable(
                    "the vendor sandbox did not start",
                    where=url,
                    remedy="If another program uses the port, set AOS_SANDBOX_PORT",
                )
            time.sleep(0.05)
        yield url
    finally:
        stop_processes([child])


def _is_sandbox(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/_sandbox/health", timeout=2) as answer:
            return bool(json.load(answer).get("ok"))
    except (OSError, urllib.error.URLError, ValueError):
        return False


def connect_sandbox(mesh: Mesh, tenants: Mapping[str, str], url: str) -> int:
    """Make the tenants and their connections where they are missing; returns how many were added."""
    from resources.connections import add_connection, list_connections, set_status
    from resources.tenants import add_tenant, list_tenants

    actor = mesh.settings.actor
    known = {tenant.tenant_id for tenant in list_tenants(mesh.db)}
    added = 0
    for tenant, title in tenants.items():
        if tenant not in known:
            add_tenant(mesh.db, tenant, title, actor)
        present = {one.connector for one in list_connections(mesh.db, tenant)}
        for connector in CONNECTORS:
            if connector in present:
                continue
            with console.status(f"Connecting {tenant} to {connector} …"):
                facts = _source_of(mesh, tenant, connector, url)
                add_connection(
                    mesh.db, mesh.secrets, tenant, find_spec(mesh, connector), actor=actor, **facts
                )
                set_status(mesh.db, tenant, connector, "ACTIVE", actor=actor)
            added += 1
    return added


def _source_of(mesh: Mesh, tenant: str, connector: str, url: str) -> dict[str, Any]:
    """Where a tenant's source is in the sandbox and what opens it."""
    from sandbox.seed import load_postgres, write_files
    from sandbox.server import FILE_CONNECTORS, credentials

    if connector == "postgres":
        return {"credentials": load_postgres(mesh.db.sample_url(), tenant)}
    if connector in FILE_CONNECTORS:
        folder = mesh.settings.home / "sandbox" / tenant
        write_files(folder, tenant)
        return {"credentials": {}, "options": {"path": str(folder / connector)}}
    return {"credentials": credentials(connector, tenant), "base_url": f"{url}/{tenant}/{connector}"}
