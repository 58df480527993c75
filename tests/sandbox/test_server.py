"""Where the sandbox listens, what it says to strangers, and that tenants are apart."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from core.config_reader import load_configs
from core.connector import CREDENTIAL_FIELDS
from core.errors import ConfigError, StorageUnavailable
from sandbox.server import Sandbox, credentials, serve
from tests.sandbox.conftest import Connect

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.com"])
def test_only_this_machine_is_served(host: str) -> None:
    with pytest.raises(ConfigError, match="serves this machine only"):
        serve(host, 0)


def test_a_taken_port_is_said_plainly() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(StorageUnavailable, match="cannot listen"):
            serve("127.0.0.1", taken.getsockname()[1])


def test_served_by_a_process_of_its_own() -> None:
    command = [sys.executable, "-m", "sandbox", "serve", "--port", "0", "--token", "t"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            url = child.stdout.readline().split()[2].partition("/<tenant>")[0]
            assert httpx.get(f"{url}/_sandbox/health").json()["ok"] is True
        finally:
            child.terminate()


def test_strangers_get_a_hint(sandbox: Sandbox) -> None:
    for path in ("/", "/acme", "/acme/soap/x", "/Acme!/hubspot/x"):
        answer = httpx.get(sandbox.url + path)
        assert answer.status_code == 404
        assert "hubspot" in answer.json()["usage"]


def test_two_sandboxes_and_the_same_world() -> None:
    def first(sandbox: Sandbox) -> object:
        headers = {"Authorization": f"Bearer {sandbox.credentials('stripe')['token']}"}
        return httpx.get(f"{sandbox.base_url('acme', 'stripe')}/v1/customers", headers=headers).json()

    with Sandbox() as one, Sandbox() as two, Sandbox(seed=1) as other:
        assert one.url != two.url
        assert first(one) == first(two) != first(other)


def test_tenants_have_worlds_of_their_own(connect: Connect) -> None:
    def names(tenant: str) -> set[str]:
        body = connect("hubspot", tenant).get("/crm/v3/objects/companies?limit=100&properties=name").json()
        return {c["properties"]["name"] for c in body["results"]}

    assert names("acme") != names("globex")


def test_credentials_are_what_the_configs_ask_for() -> None:
    specs = load_configs([ROOT / "connector_configs"]).specs
    for name, spec in specs.items():
        wanted = () if name == "postgres" else CREDENTIAL_FIELDS[spec.auth.type]
        assert set(credentials(name, "acme")) == set(wanted)
