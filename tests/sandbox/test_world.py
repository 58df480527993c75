"""One world, told by many vendors: the same companies and people are found again by domain and e-mail."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from sandbox.seed import write_files
from sandbox.server import Sandbox
from sandbox.world import COMPANIES, SEED_NOW, World, open_world


@pytest.fixture(scope="module")
def world() -> World:
    return open_world("acme")


def test_the_same_for_ever(world: World) -> None:
    again = World("acme", 0)
    assert (again.companies, again.people, again.deals, again.tickets) == (
        world.companies,
        world.people,
        world.deals,
        world.tickets,
    )
    assert World("globex", 0).companies != world.companies


def test_its_size_and_its_sense(world: World) -> None:
    assert len(world.companies) == COMPANIES
    assert 1_300 < len(world.people) < 1_900
    assert len({c.domain for c in world.companies}) == COMPANIES
    assert len({p.email for p in world.people}) == len(world.people)
    for deal in world.deals:
        assert deal.person.company == deal.company
        assert deal.company.created <= deal.created <= deal.updated <= SEED_NOW
    for ticket in world.tickets:
        assert ticket.person.company == ticket.company
        assert ticket.comments[0][3] == ticket.created <= ticket.updated


def test_several_thousand_records_a_tenant(sandbox: Sandbox) -> None:
    sites = [sandbox.site("acme", vendor) for vendor in sandbox.app.state.vendors]
    assert sum(len(t.rows) for site in sites for t in site.tables.values()) > 6_000


def test_companies_meet_by_domain_under_different_names(sandbox: Sandbox, tmp_path: Path) -> None:
    hubspot = sandbox.site("acme", "hubspot").tables["companies"].rows.values()
    zendesk = sandbox.site("acme", "zendesk").tables["organizations"].rows.values()
    salesforce = sandbox.site("acme", "salesforce").tables["account"].rows.values()
    write_files(tmp_path, "acme")
    text = (tmp_path / "files" / "accounts.csv").read_text(encoding="cp1252")
    names = {
        "hubspot": {r.data["properties"]["domain"]: r.data["properties"]["name"] for r in hubspot},
        "zendesk": {d: r.data["name"] for r in zendesk for d in r.data["domain_names"]},
        "salesforce": {_host(r.data["Website"]): r.data["Name"] for r in salesforce},
        "files": {
            row["E-Mail"].partition("@")[2]: row["Firma"]
            for row in csv.DictReader(text.splitlines(), delimiter=";")
        },
    }
    common = set.intersection(*(set(found) for found in names.values()))
    assert len(common) > 20
    spellings = [len({found[domain] for found in names.values()}) for domain in common]
    assert sum(count > 1 for count in spellings) > len(spellings) / 2


def test_people_meet_by_email(sandbox: Sandbox) -> None:
    def emails(vendor: str, table: str, path: str) -> set[str]:
        from sandbox.table import read

        rows = sandbox.site("acme", vendor).tables[table].rows.values()
        return {str(read(r.data, path)).lower() for r in rows if read(r.data, path)}

    salesforce = emails("salesforce", "contact", "Email")
    assert len(salesforce & emails("hubspot", "contacts", "properties.email")) > 100
    assert len(salesforce & emails("pipedrive", "persons", "emails.0.value")) > 50
    assert len(salesforce & emails("zendesk", "users", "email")) > 50


def test_references_between_vendors_hold(sandbox: Sandbox) -> None:
    accounts = set(sandbox.site("acme", "salesforce").tables["account"].rows)
    customers = sandbox.site("acme", "stripe").tables["customers"].rows.values()
    named = {r.data["metadata"]["salesforce_id"] for r in customers if r.data["metadata"]}
    assert len(named & accounts) > 20


def _host(website: str) -> str:
    return website.removeprefix("https://").removeprefix("http://").removeprefix("www.").rstrip("/")
