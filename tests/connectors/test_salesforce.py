"""Salesforce: what the login may see is read, however wide, deleted records too; its errors are repeated."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from core.errors import ConfigError, CredentialError, SourceUnavailable
from resources.connectors.base import SourceContext, check_source, open_reader
from tests.connectors.conftest import make_spec, read_all
from tests.connectors.server import Exchange, Site

CREDENTIALS = {"client_id": "app", "client_secret": "app-secret", "refresh_token": "refresh-secret"}


class Org:
    """A small org: one object Account, whose records are dicts by field."""

    def __init__(self, site: Site, extra_fields: int = 0) -> None:
        self.records: list[dict[str, Any]] = []
        self.extra = [f"Custom_Field_Number_{n:04}__c" for n in range(extra_fields)]
        self.soql: list[str] = []
        self.page = 2
        root = "/services/data/v61.0"
        site.routes |= {
            "/services/oauth2/token": lambda x: x.json({"access_token": "token-1"}),
            f"{root}/limits": lambda x: x.json({}),
            f"{root}/sobjects": lambda x: x.json({"sobjects": [{"name": "Account"}]}),
            f"{root}/sobjects/Account/describe": self.describe,
            f"{root}/queryAll": self.query,
            f"{root}/query/more": self.query,
        }

    def describe(self, exchange: Exchange) -> None:
        kinds = {"Id": "id", "Name": "string", "SystemModstamp": "datetime", "IsDeleted": "boolean"}
        kinds |= {"BillingAddress": "address", "Where": "location", "Photo": "base64", "Amount": "double"}
        kinds |= dict.fromkeys(self.extra, "string")
        fields = [{"name": n, "type": k, "nillable": n == "Amount"} for n, k in kinds.items()]
        exchange.json({"fields": fields})

    def query(self, exchange: Exchange) -> None:
        soql, start = exchange.query.get("q", ""), int(exchange.query.get("from", 0))
        soql = soql or self.soql[int(exchange.query["n"])]
        if start == 0:
            self.soql.append(soql)
        match = re.fullmatch(r"SELECT (.+) FROM Account(?: WHERE (.+?))?(?: ORDER BY .+)?", soql)
        assert match is not None
        since = re.search(r">= (\S+)", match[2] or "")
        found = [r for r in self.records if since is None or r["SystemModstamp"] >= since[1]]
        chosen = [
            {
                "attributes": {"type": "Account"},
                **{name: r.get(name, f"{name} of {r['Id']}") for name in match[1].split(", ")},
            }
            for r in found[start : start + self.page]
        ]
        body: dict[str, Any] = {"records": chosen, "done": start + self.page >= len(found)}
        if not body["done"]:
            n = self.soql.index(soql)
            body["nextRecordsUrl"] = f"/services/data/v61.0/query/more?n={n}&from={start + self.page}"
        exchange.json(body)


def make_context(site: Site, sobject: str = "Account", **rest: Any) -> SourceContext:
    stream = {"primary_key": ["Id"], "sobject": sobject, "incremental": {"cursor": "SystemModstamp"}, **rest}
    spec = make_spec(
        "salesforce",
        {"items": stream},
        auth={"type": "oauth2_refresh_token", "token_path": "/services/oauth2/token"},
        limits={"requests_per_s": 1000, "burst": 1000, "retries": 0, "page_deadline_s": 5},
        options={"api_version": "v61.0"},
    )
    return SourceContext("acme", spec, base_url=site.url, credentials=CREDENTIALS)


def make_record(number: int, stamp: str, **fields: Any) -> dict[str, Any]:
    return {
        "Id": f"001{number:03}",
        "Name": f"n{number}",
        "SystemModstamp": stamp,
        "IsDeleted": False,
        **fields,
    }


def test_records_page_by_page_and_then_what_is_new(site: Site) -> None:
    org = Org(site)
    org.records = [make_record(n, f"2024-01-0{n}T00:00:00.000+0000") for n in range(1, 6)]
    state: dict[str, Any] = {}
    records = read_all(open_reader(make_context(site)), state=state)
    assert [record["Id"] for record in records] == ["001001", "001002", "001003", "001004", "001005"]
    assert sorted(records[0]) == ["Amount", "Id", "IsDeleted", "Name", "SystemModstamp"]
    assert state["cursor"]["last"] == "2024-01-05T00:00:00.000+0000"
    before = json.dumps(state)
    assert read_all(open_reader(make_context(site)), state=state) == []
    assert json.dumps(state) == before
    assert " WHERE SystemModstamp >= 2024-01-05T00:00:00.000Z ORDER BY" in org.soql[-1]
    org.records.append(make_record(9, "2024-02-01T00:00:00.000+0000", IsDeleted=True))
    [deleted] = read_all(open_reader(make_context(site)), state=state)
    assert deleted["IsDeleted"] is True


def test_an_object_too_wide_for_one_query(site: Site) -> None:
    org = Org(site, extra_fields=1200)
    org.records = [make_record(n, f"2024-01-0{n}T00:00:00.000+0000") for n in range(1, 6)]
    records = read_all(open_reader(make_context(site)))
    assert len(records) == 5
    assert all(len(record) == 1205 for record in records)
    assert records[3]["Custom_Field_Number_1199__c"] == "Custom_Field_Number_1199__c of 001004"
    assert len(org.soql) > 1
    assert "SystemModstamp" in org.soql[0].split(" FROM ")[0]
    assert max(len(asked.target) for asked in site.asked) <= 16_384


def test_a_field_that_may_be_null_is_not_left_out(site: Site) -> None:
    org = Org(site)
    org.records = [make_record(1, "2024-01-01T00:00:00.000Z", Amount=5)]
    context = make_context(site, incremental={"cursor": "Amount", "format": "number"})
    state: dict[str, Any] = {}
    read_all(open_reader(context), state=state)
    org.records = []
    read_all(open_reader(context), state=state)
    assert " WHERE Amount >= 5 OR Amount = null ORDER BY" in org.soql[-1]


def test_next_pages_stay_with_the_org(site: Site, other_site: Site) -> None:
    Org(site)
    for target in (f"{other_site.url}/x", "//" + other_site.url[7:] + "/x"):
        site.routes["/services/data/v61.0/queryAll"] = lambda x, target=target: x.json(  # type: ignore[misc]
            {"records": [], "done": False, "nextRecordsUrl": target}
        )
        with pytest.raises(ConfigError, match="nextRecordsUrl leads to another origin"):
            read_all(open_reader(make_context(site)))
    assert other_site.asked == []
    loop = "/services/data/v61.0/query/again"
    for path in (loop, "/services/data/v61.0/queryAll"):
        site.routes[path] = lambda x: x.json({"records": [], "done": False, "nextRecordsUrl": loop})
    with pytest.raises(SourceUnavailable, match="has read already"):
        read_all(open_reader(make_context(site)))


def test_salesforce_s_own_words(site: Site) -> None:
    Org(site)
    said = [{"errorCode": "INVALID_FIELD", "message": "No such column 'X' on entity 'Account'."}]
    site.routes["/services/data/v61.0/queryAll"] = lambda x: x.json(said, 400)
    with pytest.raises(ConfigError, match=r"INVALID_FIELD.*No such column 'X'"):
        read_all(open_reader(make_context(site)))
    spent = [{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests Limit exceeded."}]
    site.routes["/services/data/v61.0/queryAll"] = lambda x: x.json(spent, 403)
    with pytest.raises(SourceUnavailable, match="daily allowance"):
        read_all(open_reader(make_context(site)))
    site.routes["/services/oauth2/token"] = lambda x: x.json({"error": "invalid_grant"}, 400)
    with pytest.raises(CredentialError, match="invalid_grant"):
        check_source(make_context(site))


def test_wrong_names(site: Site) -> None:
    Org(site)
    check_source(make_context(site))
    with pytest.raises(ConfigError, match="no object 'Acount'; found near names: Account"):
        read_all(open_reader(make_context(site, "Acount")))
    with pytest.raises(ConfigError, match="sobject is no object name"):
        read_all(open_reader(make_context(site, "Account/../x")))
    with pytest.raises(
        ConfigError, match=r"no field 'Account.Sysmodstamp'; found near names: SystemModstamp"
    ):
        read_all(open_reader(make_context(site, incremental={"cursor": "Sysmodstamp"})))
    context = make_context(site)
    odd = context.spec.model_copy(update={"options": {"api_version": "61/../.."}})
    with pytest.raises(ConfigError, match="api_version"):
        open_reader(SourceContext("acme", odd, base_url=site.url, credentials=CREDENTIALS))
