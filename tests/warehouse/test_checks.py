"""The checks that the ontology implies, without running them."""

from __future__ import annotations

import re

import pytest

from core.checks import Check, list_checks, mask_example, shorten_example
from core.ontology import load_ontology

ONTOLOGY = load_ontology()


def find(entity: str, name: str) -> Check:
    return next(check for check in list_checks(ONTOLOGY.entity(entity)) if check.name == name)


@pytest.mark.parametrize("entity", ONTOLOGY.entities)
def test_every_entity_has_checks_with_names_of_their_own(entity: str) -> None:
    checks = list_checks(ONTOLOGY.entity(entity))
    names = [check.name for check in checks]
    assert len(names) == len(set(names))
    assert names[0] == "record_id_unique"
    assert all(check.description and check.entity == entity for check in checks)


def test_each_kind_is_generated() -> None:
    assert find("account", "id_required").severity == "error"
    assert find("account", "id_unique").columns == ("_connector", "_stream", "id")
    assert find("account", "domain_format").pattern
    assert find("account", "owner_id_reference").references == ("user",)
    assert find("account", "updated_at_order").columns == ("created_at", "updated_at")
    assert find("cost_line", "charge_period_end_order").severity == "warning"
    assert find("cost_line", "charge_category_enum").values[0] == "usage"
    probability = find("opportunity", "probability_range")
    assert (probability.low, probability.high, probability.severity) == (0, 100, "error")
    assert probability.description == "probability is between 0 and 100"
    assert find("price", "unit_price_range").low == 0
    assert find("account", "created_at_range").low == "1900-01-01"


def test_personal_values_are_masked() -> None:
    assert find("contact", "email_format").masked
    assert find("account", "phone_format").masked
    assert not find("account", "domain_format").masked
    assert mask_example("jane@example.com") == "j… (16 characters)"
    assert shorten_example("x" * 200) == "x" * 79 + "…"


PLAUSIBLE = {
    "email": (
        ["a@b.co", "x.y+z@sub.example.org", "ü@köln.de"],
        ["", "a", "a@b", "a b@c.de", "a@b.", "a@b.c\n"],
    ),
    "website": (
        ["acme.com", "https://acme.com/x?y=1", "http://localhost:8080/", "HTTP://ACME.DE"],
        ["acme", "not a url", "http://", "a. b", "x" * 3000],
    ),
    "phone": (
        ["+1 555 0100 200", "(030) 12 34-56", "555.123.4567 ext. 12", "0049/30123456"],
        ["n/a", "12", "call me", "+", "1" * 60],
    ),
    "address_country": (
        ["DE", "us", "USA", "United Kingdom", "Côte d'Ivoire", "中国大陆"],
        ["XQ", "1", "Germany 1", "D"],
    ),
    "domain": (["acme.com", "a.b-c.co.uk", "münchen.de"], ["acme", "https://acme.com", "acme .com", ".com"]),
}


@pytest.mark.parametrize("field", PLAUSIBLE)
def test_formats_take_what_is_plausible(field: str) -> None:
    pattern = re.compile(rf"\A(?:{find('account', f'{field}_format').pattern})\Z")
    good, bad = PLAUSIBLE[field]
    assert [value for value in good if not pattern.search(value)] == []
    assert [value for value in bad if pattern.search(value)] == []


@pytest.mark.parametrize("field", PLAUSIBLE)
@pytest.mark.timeout(20)
def test_formats_are_quick_on_hostile_text(field: str) -> None:
    pattern = re.compile(rf"\A(?:{find('account', f'{field}_format').pattern})\Z")
    for text in ("a" * 50_000, "a." * 25_000 + " ", "1" * 50_000 + "x", "@" * 50_000, "a-" * 25_000 + "!"):
        pattern.search(text)
