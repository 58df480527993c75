"""Every pagination to its true end, filters as the vendor wants them, parents, deletions, no endless loop."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, cast

import pytest

from core.errors import ConfigError, SourceUnavailable, UnknownName
from resources.connectors.base import Page, open_reader
from resources.connectors.rest import RestReader, read_records
from tests.connectors.conftest import MakeContext, read_all
from tests.connectors.server import Exchange, Site

RECORDS = [{"id": number, "at": f"2024-01-01T00:00:{number:02}Z"} for number in range(25)]

CURSOR = {"type": "cursor", "param": "c", "next": "next"}
MORE = {"has_more": "more"}


def by_cursor(exchange: Exchange) -> None:
    start = int(exchange.query.get("after", 0))
    more = {"next": {"after": start + 10}} if start + 10 < len(RECORDS) else None
    exchange.json({"results": RECORDS[start : start + 10], "paging": more})


def by_last_id(exchange: Exchange) -> None:
    start = int(exchange.query.get("starting_after", -1)) + 1
    exchange.json({"data": RECORDS[start : start + 10], "has_more": start + 10 < len(RECORDS)})


def by_offset(exchange: Exchange) -> None:
    start, size = int(exchange.query["start"]), int(exchange.query["limit"])
    exchange.json({"data": RECORDS[start : start + size], "more": start + size < len(RECORDS)})


def by_page(exchange: Exchange) -> None:
    page, size = int(exchange.query["page"]), int(exchange.query.get("per_page", 10))
    exchange.json(RECORDS[(page - 1) * size : page * size])


def by_next_link(exchange: Exchange) -> None:
    start = int(exchange.query.get("from", 0))
    link = f"/items?from={start + 10}" if start + 10 < len(RECORDS) else None
    exchange.json({"@odata.value": RECORDS[start : start + 10], "@odata.next": link})


def by_stream_end(exchange: Exchange) -> None:
    start = int(exchange.query.get("from", 0))
    ended = start + 10 >= len(RECORDS)
    link = f"http://{exchange.headers['Host']}/items?from={start + 10}"
    exchange.json({"tickets": RECORDS[start : start + 10], "next_page": link, "end_of_stream": ended})


def by_link_header(exchange: Exchange) -> None:
    start = int(exchange.query.get("from", 0))
    link = f'</items?from={start + 10}>; rel="next"' if start + 10 < len(RECORDS) else '</items>; rel="first"'
    exchange.json(RECORDS[start : start + 10], Link=link)


@pytest.mark.parametrize(
    ("route", "records", "pagination", "requests"),
    [
        (by_cursor, "results", {"type": "cursor", "param": "after", "next": "paging.next.after"}, 3),
        (
            by_last_id,
            "data",
            {"type": "cursor", "param": "starting_after", "last_id": "id", "has_more": "has_more"},
            3,
        ),
        (by_offset, "data", {"type": "offset", "offset_param": "start", "page_size": 10}, 3),
        (by_offset, "data", {"type": "offset", "offset_param": "start", "page_size": 5}, 6),
        (
            by_offset,
            "data",
            {"type": "offset", "offset_param": "start", "page_size": 5, "has_more": "more"},
            5,
        ),
        (by_page, None, {"type": "page", "size_param": "per_page", "page_size": 10}, 3),
        (by_page, None, {"type": "page"}, 4),
        (by_next_link, '"@odata.value"', {"type": "next_link", "next": '"@odata.next"'}, 3),
        (by_stream_end, "tickets", {"type": "next_link", "next": "next_page", "at_end": "end_of_stream"}, 3),
        (by_link_header, None, {"type": "link_header"}, 3),
    ],
)
def test_paginations(
    route: Callable[[Exchange], None],
    records: str | None,
    pagination: dict[str, Any],
    requests: int,
    site: Site,
    rest_context: MakeContext,
) -> None:
    site.routes["/items"] = route
    endpoint = {"records": records, "pagination": pagination, "params": {"archived": False, "limit": 10}}
    assert read_all(open_reader(rest_context(endpoint))) == RECORDS
    assert len(site.asked) == requests
    assert site.asked[0].query["archived"] == "false"


@pytest.mark.parametrize(
    ("route", "pagination"),
    [
        (
            lambda x: x.json({"d": [{"id": 1}], "next": "same"}),
            {"type": "cursor", "param": "c", "next": "next"},
        ),
        (lambda x: x.json({"d": [], "next": x.path + "?0"}), {"type": "next_link", "next": "next"}),
        (lambda x: x.json({"d": [], "next": "/items?loop"}), {"type": "next_link", "next": "next"}),
        (lambda x: x.json({"d": [{"id": 1}] * 10}), {"type": "offset", "page_size": 10}),
        (lambda x: x.json({"d": [{"id": 1}] * 10}), {"type": "page"}),
    ],
)
def test_no_endless_paging(
    route: Callable[[Exchange], None], pagination: dict[str, Any], site: Site, rest_context: MakeContext
) -> None:
    site.routes["/items"] = route
    with pytest.raises(SourceUnavailable, match="acme/acme-crm/items: the source sends"):
        read_all(open_reader(rest_context({"records": "d", "pagination": pagination})))
    assert len(site.asked) < 110


def test_a_cursor_that_is_no_reference(site: Site, rest_context: MakeContext) -> None:
    site.routes["/items"] = lambda x: x.json({"d": [], "next": {"a": 1}})
    with pytest.raises(SourceUnavailable, match=r"items /items: the next page at 'next'.*found dict"):
        read_all(open_reader(rest_context({"records": "d", "pagination": CURSOR})))


def test_post_carries_page_and_filter_in_the_body(site: Site, rest_context: MakeContext) -> None:
    def search(exchange: Exchange) -> None:
        body = json.loads(site.asked[-1].body)
        start = int(body.get("after", 0))
        more = {"next": {"after": str(start + 20)}} if start + 20 < len(RECORDS) else {}
        exchange.json({"results": RECORDS[start : start + 20], "paging": more})

    site.routes["/items"] = search
    endpoint = {
        "method": "POST",
        "body": {"filters": [{"property": "at", "value": "0"}], "limit": 20},
        "records": "results",
        "pagination": {"type": "cursor", "param": "after", "next": "paging.next.after"},
    }
    incremental = {"cursor": "at", "param": "filters.0.value", "format": "epoch_ms"}
    context = rest_context(endpoint, stream={"incremental": incremental})
    state: dict[str, Any] = {}
    assert read_all(open_reader(context), state=state) == RECORDS
    assert [json.loads(asked.body).get("after") for asked in site.asked] == [None, "20"]
    read_all(open_reader(context), state=state)
    assert json.loads(site.asked[2].body)["filters"] == [{"property": "at", "value": "1704067224000"}]
    assert site.asked[2].headers["content-type"] == "application/json"


def test_incremental(site: Site, rest_context: MakeContext) -> None:
    rows = list(RECORDS)
    site.routes["/items"] = lambda x: x.json([r for r in rows if r["at"] >= x.query.get("since", "")])  # type: ignore[operator]
    context = rest_context(stream={"incremental": {"cursor": "at", "param": "since"}})
    state: dict[str, Any] = {}
    assert read_all(open_reader(context), state=state) == RECORDS
    assert state["cursor"]["last"] == "2024-01-01T00:00:24Z"
    assert len(state["cursor"]["seen"]) == 1
    before = json.dumps(state)
    assert read_all(open_reader(context), state=state) == []
    assert json.dumps(state) == before
    rows += [{"id": 98, "at": "2024-01-01T00:00:24Z"}, {"id": 99, "at": "2024-02-01T00:00:00Z"}]
    assert [r["id"] for r in read_all(open_reader(context), state=state)] == [98, 99]
    assert site.asked[-1].query["since"] == "2024-01-01T00:00:24Z"


def test_a_template_wraps_the_filter(site: Site, rest_context: MakeContext) -> None:
    site.routes["/items"] = lambda x: x.json(RECORDS)
    incremental = {"cursor": "at", "param": "filter", "format": "date", "template": "(at>='{value}')"}
    context = rest_context(stream={"incremental": incremental})
    state: dict[str, Any] = {}
    read_all(open_reader(context), state=state)
    assert read_all(open_reader(context), state=state) == []
    assert site.asked[-1].query["filter"] == "(at>='2024-01-01')"


def test_a_failed_read_leaves_no_state_to_keep(site: Site, rest_context: MakeContext) -> None:
    site.routes["/items"] = lambda x: x.json({"d": RECORDS, "next": 5})
    stream = {"incremental": {"cursor": "at"}}
    state: dict[str, Any] = {}
    endpoint = {"records": "d", "pagination": CURSOR}
    with pytest.raises(SourceUnavailable):
        read_all(open_reader(rest_context(endpoint, stream=stream)), state=state)
    assert state == {"cursor": {}}


def test_children_are_asked_once_a_parent(site: Site, rest_context: MakeContext) -> None:
    site.routes["/deals"] = lambda x: x.json([{"id": "a/b", "n": 1}, {"id": 2, "n": 2}, {"id": None, "n": 3}])
    site.routes["/deals/a%2Fb/products"] = lambda x: x.json({"data": [{"sku": "x"}, "odd"]})
    streams = {
        "deals": {"primary_key": ["id"], "endpoint": {"path": "/deals"}},
        "products": {
            "primary_key": ["deal_id", "sku"],
            "endpoint": {
                "path": "/deals/{id}/products",
                "records": "data",
                "parent": "deals",
                "include": {"deal_id": "id", "deal_n": "n"},
            },
        },
    }
    reader = open_reader(rest_context(streams=streams))
    # The second deal was deleted in between (404): no reason to fail the rest.
    assert read_all(reader, "products") == [{"sku": "x", "deal_id": "a/b", "deal_n": 1}, "odd"]
    read_all(reader, "products")
    assert len(site.asked_of("/deals")) == 1
    del site.routes["/deals/a%2Fb/products"]
    with pytest.raises(ConfigError, match="the source has no /deals/2/products"):
        read_all(reader, "products")


def test_parents_without_the_field(site: Site, rest_context: MakeContext) -> None:
    site.routes["/deals"] = lambda x: x.json([{"key": 1}])
    child = {"primary_key": ["id"], "endpoint": {"path": "/deals/{id}/notes", "parent": "deals"}}
    streams = {"deals": {"primary_key": ["id"], "endpoint": {"path": "/deals"}}, "notes": child}
    with pytest.raises(ConfigError, match="'deals' lack what a child needs; expected id, found no id"):
        read_all(open_reader(rest_context(streams=streams)), "notes")


def test_a_path_cannot_be_left_through_a_parent_s_value(site: Site, rest_context: MakeContext) -> None:
    site.routes["/deals"] = lambda x: x.json([{"id": ".."}, {"id": "../admin?x="}])
    child = {"primary_key": ["id"], "endpoint": {"path": "/deals/{id}", "parent": "deals"}}
    streams = {"deals": {"primary_key": ["id"], "endpoint": {"path": "/deals"}}, "notes": child}
    with pytest.raises(ConfigError):
        read_all(open_reader(rest_context(streams=streams)), "notes")
    assert site.asked[-1].target == "/deals/..%2Fadmin%3Fx%3D"


def test_deletions_from_their_own_endpoint(site: Site, rest_context: MakeContext) -> None:
    gone = [{"id": 3}]
    site.routes["/items"] = lambda x: x.json(RECORDS)
    site.routes["/items/deleted"] = lambda x: x.json({"ids": gone})
    deletion = {"type": "endpoint", "path": "/items/deleted", "records": "ids"}
    reader = open_reader(rest_context(stream={"deletion": deletion}))
    state: dict[str, Any] = {}

    def deleted() -> list[Any]:
        pages: list[Page] = list(reader.read("items", state))
        return [record for page in pages if page.deleted for record in cast(list[Any], page.records)]

    assert deleted() == [{"id": 3}]
    assert deleted() == []
    gone.append({"id": 4})
    assert deleted() == [{"id": 4}]
    gone.clear()
    assert deleted() == []
    gone.append({"id": 3})
    assert deleted() == [{"id": 3}], "deleted, restored, deleted again"


def test_deletions_by_cursor(site: Site, rest_context: MakeContext) -> None:
    site.routes["/items"] = lambda x: x.json([])
    site.routes["/deleted"] = lambda x: x.json([{"id": 1, "at": 5}, {"id": 2, "at": 7}])
    incremental = {"cursor": "at", "param": "since", "format": "epoch_s"}
    deletion = {"type": "endpoint", "path": "/deleted", "incremental": incremental}
    reader = open_reader(rest_context(stream={"deletion": deletion}))
    state: dict[str, Any] = {}
    assert read_all(reader, state=state) == [{"id": 1, "at": 5}, {"id": 2, "at": 7}]
    assert read_all(reader, state=state) == []
    assert site.asked[-1].query == {"since": "7"}


def test_records_of_any_kind_are_passed_on(site: Site, rest_context: MakeContext) -> None:
    odd = [1, "x", None, [2], {"id": 1}]
    site.routes["/items"] = lambda x: x.json({"data": odd})
    stream = {"incremental": {"cursor": "at"}}
    assert read_all(open_reader(rest_context({"records": "data"}, stream=stream))) == odd


@pytest.mark.parametrize(
    ("body", "path", "records"),
    [
        ([], None, []),
        ({"data": None}, "data", []),
        ({"data": {"id": 1}}, "data", [{"id": 1}]),
        ({"a": [{"b": [1]}, {"b": [2, 3]}, {}]}, "a.*.b", [1, 2, 3]),
        (None, "data", []),
    ],
)
def test_where_records_are_found(body: Any, path: str | None, records: list[Any]) -> None:
    assert read_records(body, path) == records


@pytest.mark.parametrize(
    ("body", "path", "said"),
    [
        (
            {"error": "x", "status": 1},
            "data",
            r"no list of records at 'data'.*found a body with error, status",
        ),
        ({"error": "x"}, None, "expected a list, found a body with error"),
        ({"data": "x"}, "data", "expected a list, found str"),
    ],
)
def test_a_body_without_records_is_not_an_empty_one(body: Any, path: str | None, said: str) -> None:
    with pytest.raises(SourceUnavailable, match=said):
        read_records(body, path)


def test_headers_of_connector_and_endpoint(site: Site, rest_context: MakeContext) -> None:
    site.routes["/items"] = lambda x: x.json([])
    read_all(open_reader(rest_context({"headers": {"X-Two": "2"}}, headers={"X-One": "1"})))
    assert site.asked[0].headers["x-one"] == "1"
    assert site.asked[0].headers["x-two"] == "2"
    assert site.asked[0].headers["accept"] == "application/json"


def test_all_streams_share_one_bucket(site: Site, rest_context: MakeContext) -> None:
    class FakeClock:
        now, slept = 0.0, 0.0

        def monotonic(self) -> float:
            return self.now

        def sleep(self, seconds: float) -> None:
            self.now += seconds
            self.slept += seconds

    site.routes["/items"] = lambda x: x.json([])
    clock = FakeClock()
    item = {"primary_key": ["id"], "endpoint": {"path": "/items"}}
    context = rest_context(streams={"a": item, "b": item}, limits={"requests_per_s": 2, "burst": 3})
    reader = RestReader(context, clock)
    for stream in "abababab":
        read_all(reader, stream)
    assert clock.slept == pytest.approx(5 / 2)


def test_unknown_stream(rest_context: MakeContext) -> None:
    with pytest.raises(UnknownName, match="no stream 'nothing'"):
        read_all(open_reader(rest_context()), "nothing")
