"""The nine shipped connectors and a sandbox for them to ask, in a process of its own."""

from __future__ import annotations

import json
import multiprocessing
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from bench.workspace import Workspace
from core.config_reader import load_configs
from core.connector import ConnectorSpec
from resources.connections import add_connection
from resources.connectors.base import SourceContext
from resources.secrets import SecretStore
from resources.settings import project_root
from resources.tenants import add_tenant
from sandbox.app import TOKEN_HEADER
from sandbox.seed import load_postgres, write_files
from sandbox.server import FILE_CONNECTORS, credentials, serve

ACCOUNT = "acme"
"""Whose accounts at the vendors are read, whoever reads them."""
START_S = 30.0


@dataclass(frozen=True)
class Sources:
    """A running sandbox with the data of ``ACCOUNT``."""

    url: str
    token: str
    specs: dict[str, ConnectorSpec]
    folder: Path
    postgres: dict[str, str]

    def context(self, tenant: str, connector: str) -> SourceContext:
        """A connection as a kind needs it."""
        spec = self.specs[connector]
        return SourceContext(
            tenant_id=tenant,
            spec=spec,
            base_url=None if spec.kind in ("sql", "files") else f"{self.url}/{ACCOUNT}/{connector}",
            credentials=self.postgres if connector == "postgres" else credentials(connector, ACCOUNT),
            options={"path": str(self.folder / connector)} if connector in FILE_CONNECTORS else {},
        )

    def connect(self, workspace: Workspace, tenant: str) -> None:
        """Make a tenant and connect it to all nine."""
        add_tenant(workspace.db, tenant, tenant, "bench")
        secrets = SecretStore(workspace.db, workspace.settings)
        for connector, spec in self.specs.items():
            context = self.context(tenant, connector)
            add_connection(
                workspace.db,
                secrets,
                tenant,
                spec,
                credentials=context.credentials,
                base_url=context.base_url,
                options=context.options,
                actor="bench",
            )

    def switch(self, path: str, **body: Any) -> None:
        """Turn a switch of the sandbox."""
        request = urllib.request.Request(
            f"{self.url}/_sandbox/{path}",
            data=json.dumps(body).encode(),
            headers={TOKEN_HEADER: self.token, "Content-Type": "application/json"},
        )
        urllib.request.urlopen(request, timeout=30).close()


@contextmanager
def running_sources(workspace: Workspace) -> Iterator[Sources]:
    """Start the sandbox and write what is not asked over HTTP. Nobody is held back by rate limits."""
    report = load_configs([project_root() / "connector_configs"])
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(there,), daemon=True)
    process.start()
    try:
        if not here.poll(START_S):
            raise TimeoutError("the sandbox did not start")
        url, token = here.recv()
        folder = workspace.settings.home / "sandbox"
        write_files(folder, ACCOUNT)
        postgres = load_postgres(workspace.db.sample_url(), ACCOUNT)
        specs = {name: _without_limit(spec) for name, spec in report.specs.items()}
        sources = Sources(url, token, specs, folder, postgres)
        for name, spec in specs.items():
            if spec.kind not in ("sql", "files"):
                sources.switch("limits", tenant=ACCOUNT, vendor=name, per_s=1e5, burst=100_000)
        yield sources
    finally:
        process.terminate()
        process.join()


def _without_limit(spec: ConnectorSpec) -> ConnectorSpec:
    quick = spec.limits.model_copy(update={"requests_per_s": 1e5, "burst": 100_000})
    return spec.model_copy(update={"limits": quick})


def _serve(pipe: Connection) -> None:
    serve(port=0, on_ready=lambda url, token: pipe.send((url, token)))
