"""Quality checks run with Great Expectations over published views."""

from __future__ import annotations

import pytest

import resources.quality as quality
from core.errors import QueryError, UnknownName
from core.ontology import Ontology
from resources.database import Database
from resources.quality import CheckResult, run_checks
from resources.settings import Settings
from tests.warehouse.conftest import Advance, Event, Writer, append_events

GOOD = {
    "id": "1",
    "name": "Acme",
    "email": "info@acme.com",
    "domain": "acme.com",
    "created_at": "2024-01-01T00:00:00Z",
}


def by_name(results: list[CheckResult], entity: str = "account") -> dict[str, CheckResult]:
    return {result.check: result for result in results if result.entity == entity}


def test_clean_records_pass(
    settings: Settings, ontology: Ontology, tenant: str, write_events: Writer, advance: Advance
) -> None:
    write_events([Event("1", GOOD), Event("2", GOOD | {"id": "2"})])
    advance()
    results = run_checks(settings, ontology, tenant)
    assert {result.entity for result in results} == {"account"}, "entities without rows are left out"
    assert [result for result in results if not result.passed] == []
    found = by_name(results)
    assert (found["id_required"].checked_count, found["email_format"].checked_count) == (2, 2)
    assert found["fax_format"].checked_count == 0


def test_each_kind_of_trouble_is_found(
    settings: Settings, ontology: Ontology, tenant: str, write_events: Writer, advance: Advance
) -> None:
    write_events(
        [
            Event("1", GOOD | {"email": "nobody", "domain": "no domain", "employee_count": -5}),
            Event("2", GOOD | {"created_at": "0001-01-01T00:00:00Z", "owner_id": "u1"}),
            Event(
                "3",
                {
                    "owner_id": "u9",
                    "created_at": "2024-02-01T00:00:00Z",
                    "updated_at": "2024-01-01T00:00:00Z",
                },
            ),
            Event("u", {"id": "u1"}, "user"),
            Event("x", {"id": "x", "owner_id": "u9"}, connector="files"),
        ]
    )
    advance()
    found = by_name(run_checks(settings, ontology, tenant))
    bad = {
        name: (r.unexpected_count, r.checked_count, r.severity) for name, r in found.items() if not r.passed
    }
    assert bad == {
        "id_required": (1, 4, "error"),
        "id_unique": (2, 3, "error"),
        "email_format": (1, 2, "warning"),
        "domain_format": (1, 2, "warning"),
        "employee_count_range": (1, 1, "error"),
        "created_at_range": (1, 3, "warning"),
        "updated_at_order": (1, 1, "warning"),
        "owner_id_reference": (1, 3, "warning"),  # nobody knows the users of files
    }
    assert found["domain_format"].examples == ("no domain",)
    assert found["email_format"].examples == ("n… (6 characters)",)
    assert found["employee_count_range"].examples == ("-5",)
    assert found["created_at_range"].examples == ("0001-01-01",)
    assert found["owner_id_reference"].examples == ("u9",)
    assert found["id_unique"].examples == ("1",)


def test_the_same_id_in_two_streams_is_no_trouble(
    settings: Settings, ontology: Ontology, tenant: str, write_events: Writer, advance: Advance
) -> None:
    write_events(
        [Event("1", GOOD), Event("1", GOOD, stream="partners"), Event("1", GOOD, connector="stripe")]
    )
    advance()
    assert by_name(run_checks(settings, ontology, tenant))["id_unique"].passed


def test_large_views_are_sampled_and_say_so(
    settings: Settings,
    ontology: Ontology,
    tenant: str,
    write_events: Writer,
    advance: Advance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(quality, "SAMPLE_ROWS", 10)
    write_events([Event(str(n), GOOD | {"id": str(n)}) for n in range(50)])
    advance()
    result = by_name(run_checks(settings, ontology, tenant))["id_required"]
    assert (result.passed, result.checked_count) == (True, 10)
    assert result.description.endswith("(sample of 10 of 50 rows)")


def test_one_entity_may_be_asked_for(
    settings: Settings, ontology: Ontology, tenant: str, write_events: Writer, advance: Advance
) -> None:
    write_events([Event("1", GOOD), Event("1", {"id": "1"}, "order")])
    advance()
    assert {r.entity for r in run_checks(settings, ontology, tenant, ["order"])} == {"order"}
    with pytest.raises(UnknownName, match="'order'"):
        run_checks(settings, ontology, tenant, ["oder"])


def test_without_views_the_remedy_is_named(settings: Settings, ontology: Ontology) -> None:
    with pytest.raises(QueryError, match="aos sync nobody-yet"):
        run_checks(settings, ontology, "nobody-yet")


def test_every_check_of_every_entity_can_be_judged(
    database: Database, settings: Settings, ontology: Ontology, tenant: str, advance: Advance
) -> None:
    """One record with a value in every field, so that no expectation is left out."""
    values = {
        "boolean": True, "integer": 1, "number": 1.5, "currency": 1.5, "date": "2024-01-01",
        "datetime": "2024-01-01T00:00:00Z",
    }  # fmt: skip
    append_events(
        database,
        tenant,
        [
            Event("1", {f.name: values.get(f.type, "a") for f in entity.fields.values()}, entity.name)
            for entity in ontology.entities.values()
        ],
    )
    advance()
    results = run_checks(settings, ontology, tenant)
    assert {r.entity for r in results} == set(ontology.entities)
    assert [r for r in results if "could not be evaluated" in r.examples] == []
    assert all(r.checked_count == 1 for r in results)
