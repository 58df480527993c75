"""A source that misbehaves is stopped in time, named, and never given a credential it should not have."""

from __future__ import annotations

import gzip
import logging
import resource
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from core.errors import ConfigError, CredentialError, MeshError, SourceUnavailable, UnexpectedAnswer
from resources.connectors.base import check_source, open_reader
from tests.connectors.conftest import MakeContext, read_all
from tests.connectors.server import Exchange, Site

SECRET = "sk_live_51HxQ/secret+value=="


def fail(context: Any, kind: type[MeshError] = SourceUnavailable) -> str:
    """What the operator reads when the stream ``items`` cannot be read."""
    with pytest.raises(kind) as caught:
        read_all(open_reader(context))
    return str(caught.value)


def drip(exchange: Exchange) -> None:
    exchange.send_response(200)
    exchange.send_header("Content-Type", "application/json")
    exchange.end_headers()
    for _ in range(60):
        exchange.wfile.write(b" ")
        exchange.wfile.flush()
        time.sleep(0.1)
    exchange.close_connection = True


def drip_chunked(exchange: Exchange) -> None:
    exchange.send_response(200)
    exchange.send_header("Transfer-Encoding", "chunked")
    exchange.end_headers()
    exchange.wfile.write(b"FFFF\r\n")
    for _ in range(60):
        exchange.wfile.write(b" ")
        exchange.wfile.flush()
        time.sleep(0.1)


def drip_headers(exchange: Exchange) -> None:
    for byte in b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 20:
        exchange.wfile.write(bytes([byte]))
        exchange.wfile.flush()
        time.sleep(0.1)


def hang(exchange: Exchange) -> None:
    time.sleep(6)


@pytest.mark.parametrize("behaviour", [drip, drip_chunked, drip_headers, hang])
def test_the_deadline_holds_whatever_the_server_does(
    behaviour: Callable[[Exchange], None], site: Site, rest_context: MakeContext
) -> None:
    site.routes["/items"] = behaviour
    context = rest_context(limits={"page_deadline_s": 1})
    began = time.monotonic()
    said = fail(context)
    assert time.monotonic() - began < 2.0
    assert "at most 1 s a page" in said
    assert "acme/acme-crm/items" in said


def test_the_deadline_holds_on_a_kept_connection(site: Site, rest_context: MakeContext) -> None:
    def second_page_drips(exchange: Exchange) -> None:
        if "after" in exchange.query:
            drip(exchange)
        else:
            exchange.json({"results": [{"id": 1}], "next": "x"})

    site.routes["/items"] = second_page_drips
    paging = {"type": "cursor", "param": "after", "next": "next"}
    context = rest_context({"records": "results", "pagination": paging}, limits={"page_deadline_s": 1})
    began = time.monotonic()
    fail(context)
    assert time.monotonic() - began < 2.0


def test_a_body_announced_too_large_is_not_read(site: Site, rest_context: MakeContext) -> None:
    site.routes["/items"] = lambda x: x.answer(200, b"[", Content_Length=str(10**9))
    assert "1000000000 bytes announced" in fail(rest_context())


def test_a_body_without_an_end_is_cut_at_the_cap(site: Site, rest_context: MakeContext) -> None:
    def endless(exchange: Exchange) -> None:
        exchange.send_response(200)
        exchange.end_headers()
        while True:
            exchange.wfile.write(b" " * 65536)

    site.routes["/items"] = endless
    assert "too large" in fail(rest_context(limits={"page_max_bytes": 1_000_000}))


def test_a_gzip_bomb_costs_no_memory(site: Site, rest_context: MakeContext) -> None:
    bomb = gzip.compress(b" " * (1 << 28), 9)
    site.routes["/items"] = lambda x: x.answer(200, bomb, Content_Encoding="gzip")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "too large" in fail(rest_context(limits={"page_max_bytes": 1_000_000}))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000


@pytest.mark.parametrize(
    ("content", "headers", "expected"),
    [
        (b'[{"id": 1}, {"id"', {}, "not JSON"),
        (b"<!DOCTYPE html><title>Log in</title>", {"Content_Type": "text/html"}, "Log in"),
        (b'["\xe9\xff"]', {"Content_Type": "application/json; charset=utf-8"}, "not utf-8 text"),
        (gzip.compress(b"[1,2,3]" * 100, mtime=0)[:-30], {"Content_Encoding": "gzip"}, "not JSON"),
        (b"", {}, "not JSON"),
        (b"not gzip at all", {"Content_Encoding": "gzip"}, "failed 2 times"),
        (b'"text"', {}, "JSON str where an object or a list should be"),
        (b"[" * 100_000, {}, "nested deeper"),
    ],
)
def test_bodies_that_are_not_json(
    content: bytes, headers: dict[str, str], expected: str, site: Site, rest_context: MakeContext
) -> None:
    site.routes["/items"] = lambda x: x.answer(200, content, **headers)
    said = fail(rest_context())
    assert expected in said
    assert "/items" in said


@pytest.mark.parametrize(
    ("content", "headers", "name"),
    [
        ('[{"id": "é"}]'.encode("latin-1"), {"Content_Type": "application/json; charset=ISO-8859-1"}, "é"),
        ('[{"id": "é"}]'.encode(), {"Content_Type": "application/json; charset=ISO-8859-1"}, "é"),
        ('[{"id": "价"}]'.encode("utf-16"), {}, "价"),
        (b"\xef\xbb\xbf" + '[{"id": "é"}]'.encode(), {}, "é"),
        ('[{"id": "é"}]'.encode(), {"Content_Type": "application/json; charset=martian"}, "é"),
    ],
)
def test_encodings(
    content: bytes, headers: dict[str, str], name: str, site: Site, rest_context: MakeContext
) -> None:
    site.routes["/items"] = lambda x: x.answer(200, content, **headers)
    assert read_all(open_reader(rest_context())) == [{"id": name}]


def test_numbers_keep_the_source_s_spelling(site: Site, rest_context: MakeContext) -> None:
    text = '[{"a": 1.10, "b": 12345678901234567890.123, "c": 1E5, "d": 2.5, "e": %s}]' % ("9" * 5000)
    site.routes["/items"] = lambda x: x.answer(200, text.encode())
    [record] = read_all(open_reader(rest_context()))
    assert [str(record[key]) for key in "abcd"] == ["1.10", "12345678901234567890.123", "1E+5", "2.5"]
    assert record["e"] == "9" * 5000


def test_retry_after_is_honoured_and_capped(site: Site, rest_context: MakeContext) -> None:
    def busy_once(exchange: Exchange) -> None:
        if len(site.asked) == 1:
            exchange.json({}, 429, Retry_After="86400")
        else:
            exchange.json([{"id": 1}])

    site.routes["/items"] = busy_once
    began = time.monotonic()
    assert read_all(open_reader(rest_context(limits={"retry_after_max_s": 0.3}))) == [{"id": 1}]
    assert 0.3 <= time.monotonic() - began < 1.0


def test_waiting_longer_than_the_deadline_is_given_up_at_once(site: Site, rest_context: MakeContext) -> None:
    site.routes["/items"] = lambda x: x.json({}, 429, Retry_After="86400")
    began = time.monotonic()
    assert "status 429, asked to wait 86400 s" in fail(rest_context())
    assert time.monotonic() - began < 1.0


def test_server_errors_are_retried_then_named(site: Site, rest_context: MakeContext) -> None:
    site.routes["/items"] = lambda x: x.json({}, 503)
    assert "failed 3 times; found status 503" in fail(rest_context(limits={"retries": 2}))
    assert len(site.asked) == 3


def test_an_endpoint_that_breaks_is_told_from_a_source_that_is_down(
    site: Site, rest_context: MakeContext
) -> None:
    site.routes["/items"] = lambda x: x.json({}, 500)
    fail(rest_context(limits={"retries": 0}), UnexpectedAnswer)
    site.routes["/items"] = lambda x: x.json({}, 503)
    with pytest.raises(SourceUnavailable) as caught:
        read_all(open_reader(rest_context(limits={"retries": 0})))
    assert not isinstance(caught.value, UnexpectedAnswer)


def test_a_spent_allowance_is_no_refusal(site: Site, rest_context: MakeContext) -> None:
    def spent_once(exchange: Exchange) -> None:
        if len(site.asked) == 1:
            exchange.json({"message": "API rate limit exceeded"}, 403, X_RateLimit_Remaining="0")
        else:
            exchange.json([{"id": 1}])

    site.routes["/items"] = spent_once
    assert read_all(open_reader(rest_context())) == [{"id": 1}]


def test_nobody_listens(site: Site, rest_context: MakeContext) -> None:
    context = rest_context(limits={"retries": 0})
    closed = context.spec.model_copy(update={"base_url": "http://127.0.0.1:9"})
    said = fail(replace(context, spec=closed))
    assert "ConnectionRefusedError" in said


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_credential_follows_a_redirect_to_another_origin(
    status: int, site: Site, other_site: Site, rest_context: MakeContext
) -> None:
    site.routes["/items"] = lambda x: x.answer(status, b"", Location=f"{other_site.url}/items")
    said = fail(rest_context(auth={"type": "bearer"}, credentials={"token": SECRET}), ConfigError)
    assert site.url in said
    assert other_site.url in said
    assert other_site.asked == []


@pytest.mark.parametrize(
    "link",
    [
        "{other}/items",
        "//{other_host}/items",
        "{other}\\@{host}/items",
        "http://{host}@{other_host}/items",
        "https://{host}/items",
        "file:///etc/passwd",
    ],
)
def test_no_credential_follows_a_link_to_another_origin(
    link: str, site: Site, other_site: Site, rest_context: MakeContext
) -> None:
    host, other_host = site.url[7:], other_site.url[7:]
    target = link.format(other=other_site.url, other_host=other_host, host=host)
    site.routes["/items"] = lambda x: x.json({"data": [{"id": 1}], "next": target})
    endpoint = {"records": "data", "pagination": {"type": "next_link", "next": "next"}}
    context = rest_context(endpoint, auth={"type": "bearer"}, credentials={"token": SECRET})
    assert "another origin" in fail(context, ConfigError)
    assert other_site.asked == []
    assert len(site.asked) == 1


def test_redirects_within_the_origin_are_followed_with_credentials(
    site: Site, rest_context: MakeContext
) -> None:
    site.routes["/items"] = lambda x: x.answer(302, b"", Location="/moved?x=1")
    site.routes["/moved"] = lambda x: x.json([{"id": 1}])
    context = rest_context(auth={"type": "bearer"}, credentials={"token": SECRET})
    assert read_all(open_reader(context)) == [{"id": 1}]
    assert site.asked[-1].headers["authorization"] == f"Bearer {SECRET}"
    site.routes["/moved"] = lambda x: x.answer(302, b"", Location="/items")
    assert "redirected more than 5 times" in fail(context)


@pytest.mark.parametrize(("status", "kind"), [(400, ConfigError), (404, ConfigError), (418, ConfigError)])
def test_refusals_name_stream_and_endpoint(
    status: int, kind: type[MeshError], site: Site, rest_context: MakeContext
) -> None:
    site.routes["/items"] = lambda x: x.json({"message": "unknown property 'foo'"}, status)
    said = fail(rest_context(), kind)
    assert "acme/acme-crm/items" in said
    assert "/items" in said.replace("acme-crm/items", "")
    assert "unknown property 'foo'" in said


AUTHS = [
    ({"type": "bearer"}, {"token": SECRET}),
    ({"type": "api_key", "name": "X-Api-Key", "prefix": "Token token="}, {"api_key": SECRET}),
    ({"type": "api_key", "name": "api_token", "location": "query"}, {"api_key": SECRET}),
    ({"type": "basic", "username_suffix": "/token"}, {"username": "ann@acme.test", "password": SECRET}),
]


@pytest.mark.parametrize(("auth", "credentials"), AUTHS)
@pytest.mark.parametrize("status", [401, 403, 400, 500, 200])
def test_secrets_are_never_said(
    auth: dict[str, Any],
    credentials: dict[str, str],
    status: int,
    site: Site,
    rest_context: MakeContext,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def echo(exchange: Exchange) -> None:
        said = (
            f"bad {exchange.path} {exchange.headers.get('Authorization')} {exchange.headers.get('X-Api-Key')}"
        )
        exchange.answer(status, (said + " " + SECRET).encode())

    site.routes["/items"] = echo
    caplog.set_level(logging.DEBUG)
    context = rest_context(auth=auth, credentials=credentials)
    reader = open_reader(context)
    with pytest.raises(MeshError) as caught:
        read_all(reader)
    told = "".join([*traceback.format_exception(caught.value), *capsys.readouterr(), caplog.text])
    told += repr(context) + repr(vars(reader)) + repr(vars(vars(reader)["_session"]))
    assert "51HxQ" not in told
    assert len(site.asked) == (2 if status == 500 else 1)


def test_each_auth_arrives(site: Site, rest_context: MakeContext) -> None:
    site.routes["/items"] = lambda x: x.json([])
    for auth, credentials in AUTHS:
        read_all(open_reader(rest_context(auth=auth, credentials=credentials)))
    bearer, key, query, basic = site.asked
    assert bearer.headers["authorization"] == f"Bearer {SECRET}"
    assert key.headers["x-api-key"] == f"Token token={SECRET}"
    assert query.query == {"api_token": SECRET}
    assert basic.headers["authorization"].startswith("Basic YW5uQGFjbWUudGVzdC90b2tlbjpza")


def test_a_credential_no_header_can_carry(rest_context: MakeContext) -> None:
    with pytest.raises(CredentialError) as caught:
        open_reader(rest_context(auth={"type": "bearer"}, credentials={"token": "line\nX-Evil: 1"}))
    assert "Evil" not in str(caught.value)


def test_missing_credentials_are_named(rest_context: MakeContext) -> None:
    with pytest.raises(CredentialError, match="expected username, password, found no password"):
        open_reader(rest_context(auth={"type": "basic"}, credentials={"username": "ann"}))


@pytest.mark.parametrize("url", ["ftp://x", "http://u:p@x", "nonsense", "http://"])
def test_unusable_base_urls(url: str, rest_context: MakeContext) -> None:
    context = rest_context()
    with pytest.raises(ConfigError) as caught:
        open_reader(replace(context, base_url=url))
    assert "u:p" not in str(caught.value)


def test_probe(site: Site, rest_context: MakeContext) -> None:
    site.routes["/items"] = lambda x: x.json([{"id": 1}])
    check_source(rest_context())
    site.routes["/items"] = lambda x: x.json({}, 401)
    with pytest.raises(CredentialError):
        check_source(rest_context())
