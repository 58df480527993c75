"""Runs the sandbox: ``serve`` until interrupted, ``Sandbox`` in a thread of a test or demo."""

from __future__ import annotations

import ipaddress
import shutil
import socket
import struct
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from core.errors import ConfigError, StorageUnavailable
from sandbox.app import SandboxApp, add_fault, change, create_app, make_token, mutate, set_rate
from sandbox.faults import MODES, Fault
from sandbox.site import Change, Mutation, Site

FILE_CONNECTORS = ("files", "aws_cost")
"""Connectors that read a folder; ``Sandbox.options`` writes it."""


def serve(
    host: str = "127.0.0.1",
    port: int = 8765,
    *,
    seed: int = 0,
    admin_token: str | None = None,
    on_ready: Callable[[str, str], None] | None = None,
) -> None:
    """Serve until interrupted. ``on_ready`` gets the URL and the token of the switches; else it is printed.

    Raises ConfigError for an address that is not loopback, StorageUnavailable when the port is taken.
    """
    app = create_app(seed, admin_token)
    listener = _listen(host, port)
    (on_ready or _announce)(_url_of(listener), app.state.admin_token)
    _build_server(app).run(sockets=[listener])


class Sandbox:
    """A sandbox in a thread, for tests and the demo::

        with Sandbox() as sandbox:
            httpx.get(sandbox.base_url("acme", "hubspot") + "/crm/v3/owners", headers=…)

    The switches are methods; what they change holds until ``reset``.
    """

    def __init__(self, *, seed: int = 0, port: int = 0, folder: Path | None = None) -> None:
        self.app = create_app(seed)
        self.seed = seed
        self._port = port
        self._folder = folder
        self._own_folder: Path | None = None
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self.url = ""

    def start(self) -> Self:
        """Start serving; returns when requests are answered."""
        listener = _listen("127.0.0.1", self._port)
        self.url = _url_of(listener)
        server = self._server = _build_server(self.app)
        self._thread = threading.Thread(
            target=server.run, kwargs={"sockets": [listener]}, name="sandbox", daemon=True
        )
        self._thread.start()
        deadline = time.monotonic() + 10
        while not server.started:
            if time.monotonic() > deadline or not self._thread.is_alive():
                raise StorageUnavailable("the sandbox did not start", where=self.url)
            time.sleep(0.005)
        return self

    def stop(self) -> None:
        """Stop serving and remove the files it wrote of its own accord."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._server.force_exit = True
            self._thread.join(timeout=10)
        if self._own_folder is not None:
            shutil.rmtree(self._own_folder, ignore_errors=True)
            self._own_folder = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, e: BaseException | None, t: TracebackType | None
    ) -> None:
        self.stop()

    # --- what a connection needs --------------------------------------------------------------

    def base_url(self, tenant: str, connector: str) -> str | None:
        """The base URL of a tenant's account; None for connectors that are not asked over HTTP."""
        return f"{self.url}/{tenant}/{connector}" if connector in self.app.state.vendors else None

    def credentials(self, connector: str, tenant: str = "") -> dict[str, str]:
        """Credentials as ``core.connector.CREDENTIAL_FIELDS`` names them; for one tenant, or for all.

        Postgres gives its own: ``sandbox.seed.load_postgres`` returns them.
        """
        return credentials(connector, tenant)

    def options(self, tenant: str, connector: str) -> dict[str, str]:
        """Connection options; for files and aws_cost the folder with the tenant's exports, written now."""
        if connector not in FILE_CONNECTORS:
            return {}
        from sandbox.seed import write_files

        folder = self._home() / tenant
        if not (folder / connector).exists():
            write_files(folder, tenant, seed=self.seed)
        return {"path": str(folder / connector)}

    # --- switches -----------------------------------------------------------------------------

    def site(self, tenant: str, connector: str) -> Site:
        """A tenant's account: its tables, counters of requests and of token refreshes."""
        return self.app.state.site(tenant, connector)

    def fault(self, connector: str, mode: str, tenant: str = "*", **settings: Any) -> Fault:
        """Switch a fault of ``sandbox.faults.MODES`` on; settings as ``Fault`` has them."""
        if mode not in MODES:
            raise ValueError(f"mode is one of {', '.join(MODES)}, found {mode!r}")
        fault = Fault(tenant=tenant, vendor=connector, mode=mode, **settings)
        add_fault(self.app.state, fault)
        return fault

    def clear_faults(self) -> None:
        """Switch every fault off."""
        self.app.state.faults.clear()

    def mutate(
        self,
        tenant: str,
        connector: str,
        stream: str,
        change: Change,
        field: str,
        *,
        to: str | None = None,
        value: Any = None,
        touch: int = 0,
    ) -> list[str]:
        """Change a stream's schema as ``sandbox.site.Mutation`` says; returns the keys of touched records."""
        return mutate(self.site(tenant, connector), Mutation(stream, change, field, to, value), touch)

    def touch(self, tenant: str, connector: str, stream: str, count: int = 1) -> list[str]:
        """Change records, so that the next incremental read sees them; returns their keys."""
        return change(self.site(tenant, connector), stream, "touch", count)

    def add(self, tenant: str, connector: str, stream: str, count: int = 1) -> list[str]:
        """Add records; returns their keys."""
        return change(self.site(tenant, connector), stream, "add", count)

    def delete(self, tenant: str, connector: str, stream: str, count: int = 1) -> list[str]:
        """Delete records as the vendor does; returns their keys."""
        return change(self.site(tenant, connector), stream, "delete", count)

    def limit(self, tenant: str, connector: str, per_s: float, burst: int) -> None:
        """Change what a tenant may ask a vendor."""
        set_rate(self.site(tenant, connector), per_s, burst)

    def reset(self, tenant: str | None = None) -> None:
        """Forget all changes of a tenant, or of every tenant."""
        self.app.state.reset(tenant)

    def _home(self) -> Path:
        if self._folder is None and self._own_folder is None:
            self._own_folder = Path(tempfile.mkdtemp(prefix="aos-sandbox-"))
        return self._folder or self._own_folder or Path()


def credentials(connector: str, tenant: str = "") -> dict[str, str]:
    """Credentials a sandbox takes, as ``core.connector.CREDENTIAL_FIELDS`` names them."""
    token = make_token(connector, tenant)
    if connector == "salesforce":
        return {
            "client_id": "sandbox-client",
            "client_secret": "sandbox-client-secret",
            "refresh_token": token,
        }
    if connector == "zendesk":
        return {"username": "admin@example.com", "password": token}
    if connector == "pipedrive":
        return {"api_key": token}
    if connector in ("files", "aws_cost", "postgres"):
        return {}
    return {"token": token}


class _Protocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """uvicorn's protocol, which can also hang up without a word."""

    open: dict[Any, _Protocol] = {}  # noqa: RUF012 - one registry for the process, keyed by client address

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        _Protocol.open[self.client] = self

    def connection_lost(self, exc: Exception | None) -> None:
        _Protocol.open.pop(self.client, None)
        super().connection_lost(exc)


def _reset_connection(client: Any) -> None:
    """End a connection with RST: no lingering, then close."""
    protocol = _Protocol.open.get(tuple(client) if client else None)
    if protocol is None:
        return
    sock = protocol.transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    protocol.transport.abort()


def _announce(url: str, token: str) -> None:
    print(f"sandbox at {url}/<tenant>/<vendor>, switches at {url}/_sandbox with token {token}", flush=True)


def _build_server(app: SandboxApp) -> uvicorn.Server:
    app.state.reset_connection = _reset_connection
    config = uvicorn.Config(
        app,
        http=_Protocol,
        ws="none",
        lifespan="off",
        log_level="critical",
        access_log=False,
        timeout_graceful_shutdown=2,
    )
    return uvicorn.Server(config)


def _listen(host: str, port: int) -> socket.socket:
    try:
        is_local = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_local = False
    if not is_local:
        raise ConfigError(
            "the sandbox serves this machine only", expected="a loopback address", found=host, where="--host"
        )
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise StorageUnavailable(
            "the sandbox cannot listen",
            found=error.strerror,
            where=f"{host}:{port}",
            remedy="Choose another port.",
        ) from None
    listener.listen(128)
    return listener


def _url_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
