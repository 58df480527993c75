"""How names are read."""

from __future__ import annotations

import pytest

from core.mapper.lexicon import build_lexicon
from core.mapper.question import Question, read_question
from core.ontology import Ontology

CUT = [
    ("createdAt", "created at"),
    ("CREATED_AT", "created at"),
    ("HTTPStatusCode", "http status code"),
    ("lastmodifieddate", "last modified date"),
    ("billingcity", "billing city"),
    ("acct_num", "account number"),
    ("companies", "company"),
    ("address2", "address 2"),
    ("Zip", "postal code"),
    ("status", "status"),
    ("名前", "名前"),
    ("が", "が"),
    ("𝐀𝐁", "ab"),
    ("Straße", "street"),
    ("Prénom", "first name"),
    ("ＩＤ", "id"),
]


@pytest.mark.parametrize(("name", "words"), CUT)
def test_a_name_is_cut_into_words(ontology: Ontology, name: str, words: str) -> None:
    assert " ".join(build_lexicon(ontology).words(name)) == words


READ = [
    ("properties.hs_note_body", "note", "body", "own"),
    ("account_name", "account", "name", "own"),
    ("company_name", "account", "name", "alike"),
    ("My_Field__c", "account", "my field", ""),
    ("emails.0.value", "contact", "email", ""),
    ("", "contact", "?", ""),
    ("...", "contact", "?", ""),
    ("💥", "contact", "?", ""),
]


@pytest.mark.parametrize(("field", "entity", "bare", "stripped"), READ)
def test_a_question_is_read_without_what_surrounds_it(
    ontology: Ontology, field: str, entity: str, bare: str, stripped: str
) -> None:
    question = Question("acme", f"{entity}s", field, entity)
    reading = read_question(question, ontology.entity(entity), build_lexicon(ontology))
    assert (reading.text, reading.stripped) == (bare, stripped)


@pytest.mark.parametrize(
    ("field", "entity", "stripped"),
    [
        ("order_line_id", "order_line", "own"),
        ("line_id", "order_line", "own"),
        ("order_id", "order_line", "alike"),
        ("journal_id", "journal_line", "alike"),
        ("order_id", "order", "own"),
        ("acme_id", "order", "own"),
        ("custom_id", "order", ""),
    ],
)
def test_the_key_of_the_whole_is_not_that_of_its_part(
    ontology: Ontology, field: str, entity: str, stripped: str
) -> None:
    question = Question("acme", f"{entity}s", field, entity)
    assert read_question(question, ontology.entity(entity), build_lexicon(ontology)).stripped == stripped


def test_a_very_long_name_costs_no_time(ontology: Ontology) -> None:
    assert len(build_lexicon(ontology).words("ab" * 1_000_000)) < 200
