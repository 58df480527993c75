"""The shipped ontology: complete against the vocabulary, unambiguous, quick to load."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from pathlib import Path

import pytest

from core.errors import UnknownName
from core.mapper.lexicon import build_lexicon
from core.ontology import TEXT_TYPES, Ontology, load_ontology


@pytest.fixture(scope="module")
def ontology() -> Ontology:
    return load_ontology()


def test_every_word_of_the_vocabulary_is_there(ontology: Ontology, shared_data: Path) -> None:
    with (shared_data.parent / "mapping_truth" / "canonical_vocabulary.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    for row in rows:
        field = ontology.entity(row["canonical_entity"]).field(row["canonical_field"])
        assert field.type == row["type"], f"{row['canonical_entity']}.{field.name}"
    wanted = {row["canonical_entity"] for row in rows}
    assert set(ontology.entities) - wanted == {"aws_resource", "cost_report"}


def test_each_entity_says_who_answers_for_it_and_what_it_requires(ontology: Ontology) -> None:
    for entity in ontology.entities.values():
        assert re.fullmatch(r"[a-z-]+", entity.owner)
        assert entity.aliases, entity.name
        wanted = {"charge_period_start", "billed_cost"} if entity.name == "cost_line" else {"id"}
        assert set(entity.required) == wanted, entity.name


def test_every_field_has_aliases(ontology: Ontology) -> None:
    fields = [
        (entity.name, field) for entity in ontology.entities.values() for field in entity.fields.values()
    ]
    assert [f"{entity}.{field.name}" for entity, field in fields if not field.aliases] == []


@pytest.mark.parametrize(
    ("entity", "spelling", "field"),
    [
        ("account", "company_name", "name"),
        ("account", "numberofemployees", "employee_count"),
        ("account", "billing_zip", "billing_postal_code"),
        ("contact", "given_name", "first_name"),
        ("contact", "surname", "last_name"),
        ("contact", "cell_phone", "mobile_phone"),
        ("contact", "zip_code", "address_postal_code"),
        ("opportunity", "dealstage", "stage"),
        ("opportunity", "closedate", "close_date"),
        ("opportunity", "win_probability", "probability"),
        ("ticket", "severity", "priority"),
        ("ticket", "resolved_at", "completed_at"),
        ("invoice", "amount_remaining", "balance"),
        ("invoice", "invoice_date", "issue_date"),
        ("payment", "charge_id", "id"),
        ("product", "sku", "code"),
        ("order", "financial_status", "payment_status"),
        ("employee", "hire_date", "start_date"),
        ("employee", "reports_to", "manager_id"),
        ("cost_line", "line_item_unblended_cost", "billed_cost"),
        ("cost_line", "usage_start_date", "charge_period_start"),
        ("aws_resource", "launch_time", "created_at"),
        ("cost_report", "unblended_cost", "billed_cost"),
        ("employee", "postal_code", "home_address_postal_code"),
        ("invoice", "total_including_tax", "total_amount"),
        ("bill", "buy_from_vendor_name", "vendor_name"),
        ("payment", "refusal_reason", "failure_message"),
        ("order", "delivery_zip", "shipping_postal_code"),
        ("order_line", "qty_ordered", "quantity"),
        ("vendor", "vat_reg_no", "tax_number"),
        ("cost_line", "compartment_id", "sub_account_id"),
        ("user", "login", "username"),
        ("user", "lastmodifieddate", "updated_at"),
    ],
)
def test_common_spellings_lead_to_their_field(
    ontology: Ontology, entity: str, spelling: str, field: str
) -> None:
    assert ontology.entity(entity).spellings[spelling] == field


@pytest.mark.parametrize(
    ("entity", "name"),
    [
        ("order_line", "discount"),
        ("invoice", "discounts"),
        ("invoice", "closed_at"),
        ("invoice_line", "tax_rate"),
        ("order", "order_key"),
        ("order_line", "item_price"),
        ("payment", "account"),
        ("payment", "response_code"),
        ("product", "barcode"),
        ("product", "tax_code"),
        ("ledger_account", "opening_balance"),
        ("bank_transaction", "bank_name"),
        ("employee", "work_phone_extension"),
        ("cost_line", "blended_cost"),
    ],
)
def test_a_name_that_means_two_things_is_no_alias(ontology: Ontology, entity: str, name: str) -> None:
    assert name not in ontology.entity(entity).spellings


def test_no_two_fields_of_an_entity_read_alike(ontology: Ontology) -> None:
    lexicon = build_lexicon(ontology)
    fields: dict[tuple[str, str], set[str]] = defaultdict(set)
    for entity in ontology.entities.values():
        for spelling, field in entity.spellings.items():
            fields[entity.name, " ".join(lexicon.words(spelling))].add(field)
    alike = {read for read, named in fields.items() if len(named) > 1}
    assert alike <= {("sequence", "label"), ("ticket", "category")}


def test_a_negated_name_is_no_alias(ontology: Ontology) -> None:
    product = ontology.entity("product")
    assert "is_inactive" in product.field("is_active").opposites
    assert "is_inactive" not in product.spellings


def test_personal_data_is_marked(ontology: Ontology) -> None:
    for name in ("contact", "lead", "employee", "candidate", "user", "customer"):
        for field in ontology.entity(name).fields.values():
            if field.type in ("email", "phone") or field.name in ("first_name", "last_name"):
                assert field.pii, f"{name}.{field.name}"


def test_identifiers_point_to_entities_that_have_an_id(ontology: Ontology) -> None:
    for entity in ontology.entities.values():
        for field in entity.fields.values():
            for name in field.references:
                assert "id" in ontology.entity(name).fields, f"{entity.name}.{field.name}"


def test_types_group_into_text_and_the_rest(ontology: Ontology) -> None:
    types = {field.type for entity in ontology.entities.values() for field in entity.fields.values()}
    assert types >= TEXT_TYPES
    assert types - TEXT_TYPES == {"boolean", "integer", "number", "currency", "date", "datetime"}


def test_an_unknown_name_is_answered_with_the_nearest(ontology: Ontology) -> None:
    with pytest.raises(UnknownName, match="Did you mean 'account'"):
        ontology.entity("acount")
    with pytest.raises(UnknownName, match="industry"):
        ontology.entity("account").field("industri")


def test_the_definitions_cannot_be_changed_by_a_reader(ontology: Ontology) -> None:
    with pytest.raises(TypeError):
        ontology.entities["account"] = ontology.entities["contact"]  # type: ignore[index]
    assert load_ontology() is ontology
