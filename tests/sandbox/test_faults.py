"""Faults as a client feels them, each for as often as it was told."""

from __future__ import annotations

import contextlib
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest

from sandbox.faults import MODES
from sandbox.server import Sandbox
from tests.sandbox.conftest import Connect

PATH = "/crm/v3/owners?limit=2"


@pytest.fixture
def client(connect: Connect) -> httpx.Client:
    return connect("hubspot")


def test_a_reset_connection(sandbox: Sandbox, client: httpx.Client) -> None:
    sandbox.fault("hubspot", "reset", times=1)
    with pytest.raises(httpx.ReadError):
        client.get(PATH)
    assert client.get(PATH).status_code == 200


def test_a_truncated_body(sandbox: Sandbox, client: httpx.Client) -> None:
    sandbox.fault("hubspot", "truncated", times=1)
    with pytest.raises(httpx.RemoteProtocolError):
        client.get(PATH)
    assert client.get(PATH).status_code == 200


def test_broken_json(sandbox: Sandbox, client: httpx.Client) -> None:
    sandbox.fault("hubspot", "invalid_json", times=1)
    answer = client.get(PATH)
    assert answer.status_code == 200
    with pytest.raises(ValueError, match=r"delimiter|Unterminated|Expecting"):
        answer.json()


def test_a_storm_of_429(sandbox: Sandbox, client: httpx.Client) -> None:
    sandbox.fault("hubspot", "rate_limit", times=2, retry_after_s=7)
    answers = [client.get(PATH) for _ in range(3)]
    assert [a.status_code for a in answers] == [429, 429, 200]
    assert answers[0].headers["retry-after"] == "7"


def test_errors_after_the_first_requests(sandbox: Sandbox, client: httpx.Client) -> None:
    sandbox.fault("hubspot", "error", status=503, skip=1, times=1)
    assert [client.get(PATH).status_code for _ in range(3)] == [200, 503, 200]


def test_only_matching_paths_and_tenants(sandbox: Sandbox, client: httpx.Client, connect: Connect) -> None:
    sandbox.fault("hubspot", "error", tenant="acme", match="/objects/deals")
    assert client.get(PATH).status_code == 200
    assert client.get("/crm/v3/objects/deals").status_code == 500
    assert connect("hubspot", "globex").get("/crm/v3/objects/deals").status_code == 200
    sandbox.clear_faults()
    assert client.get("/crm/v3/objects/deals").status_code == 200


def test_pages_that_are_no_data(sandbox: Sandbox, client: httpx.Client) -> None:
    sandbox.fault("hubspot", "wrong_type", times=1)
    page = client.get(PATH)
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    sandbox.fault("hubspot", "empty", times=1)
    assert client.get(PATH).content == b""


def test_slow_and_dripping_answers_arrive_whole(sandbox: Sandbox, client: httpx.Client) -> None:
    whole = client.get(PATH).content
    sandbox.fault("hubspot", "slow", times=1, delay_s=0.2)
    with pytest.raises(httpx.ReadTimeout):
        client.get(PATH, timeout=0.05)
    sandbox.fault("hubspot", "drip", times=1, delay_s=0.0001)
    assert client.get(PATH).content == whole


def test_a_redirect_leads_to_another_origin(sandbox: Sandbox, client: httpx.Client) -> None:
    asked: list[str] = []

    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    with HTTPServer(("127.0.0.1", 0), Elsewhere) as other:
        threading.Thread(target=other.handle_request, daemon=True).start()
        location = f"http://127.0.0.1:{other.server_port}/elsewhere"
        sandbox.fault("hubspot", "redirect", times=1, location=location)
        answer = client.get(PATH)
        assert (answer.status_code, answer.headers["location"]) == (302, location)
        assert client.get(location).status_code == 204
    assert asked == ["/elsewhere"]


def test_links_of_a_body_can_lead_elsewhere(sandbox: Sandbox, connect: Connect) -> None:
    zendesk = connect("zendesk")
    sandbox.fault("zendesk", "foreign_links", location="http://evil.example")
    body = zendesk.get("/api/v2/organizations.json?page%5Bsize%5D=10").json()
    assert body["links"]["next"].startswith("http://evil.example/acme/zendesk/")
    sandbox.fault("github", "foreign_links", location="http://evil.example")
    answer = connect("github").get("/user/repos?per_page=2")
    assert answer.links["next"]["url"].startswith("http://evil.example/")


def test_every_mode_is_tried_here(sandbox: Sandbox, client: httpx.Client) -> None:
    """Whatever is switched, the vendor answers again afterwards."""
    for mode in MODES:
        sandbox.fault("hubspot", mode, times=1, delay_s=0.0001)
        breaks = mode in ("reset", "truncated")
        with pytest.raises(httpx.HTTPError) if breaks else contextlib.nullcontext():
            client.get(PATH, timeout=5)
        assert client.get(PATH).status_code == 200
    with pytest.raises(ValueError, match="mode is one of"):
        sandbox.fault("hubspot", "gremlins")
