"""One name however it is spelled; any text at all without a crash."""

from __future__ import annotations

import random

import pytest

from core.ontology import Ontology
from resources.mapper_answers import Answerer
from tests.mapper.conftest import ask

ALIKE = [
    ("contact", "first_name", "firstName|FirstName|FIRST_NAME|first-name|First Name|FIRSTNAME|firstname"),
    ("contact", "email", "Email|EMAIL|e-mail|E_MAIL"),
    ("invoice", "due_date", "dueDate|DueDate|DUE_DATE|due-date|Due Date|DUEDATE"),
    ("account", "billing_city", "billingCity|BillingCity|billing.city|billing/city|billing[city]"),
    ("contact", "last_name", "properties.last_name|fields.last_name|attributes.lastName|last_name__c"),
    ("contact", "address_street", "strasse|Straße|STRASSE"),
    ("invoice", "due_date", "faelligkeitsdatum|Fälligkeitsdatum|FÄLLIGKEITSDATUM"),
    ("contact", "first_name", "prenom|prénom|Prénom"),
    ("order_line", "quantity", "items[].quantity|items[*].quantity|items.0.quantity|items.*.quantity"),
]


@pytest.mark.parametrize(("entity", "plain", "others"), ALIKE, ids=[others for *_, others in ALIKE])
def test_spellings_of_one_name_have_one_answer(
    answerer: Answerer, entity: str, plain: str, others: str
) -> None:
    answers = [answerer.answer(ask(entity, name))[0] for name in (plain, *others.split("|"))]
    assert {one.best.field for one in answers if one.best} == {plain}
    assert min(one.confidence for one in answers) >= 0.6


STREAMS = ["invoice", "invoices", "Invoices", "acme_invoices", "ACME.Invoice", "", "stream_7", "Rechnungen"]


@pytest.mark.parametrize("stream", STREAMS)
def test_whatever_the_stream_is_called_plain_names_are_found(answerer: Answerer, stream: str) -> None:
    fields = ("id", "due_date", "total_amount", "currency")
    answers = answerer.answer(ask("invoice", *fields, stream=stream))
    assert [one.best.field for one in answers if one.best] == list(fields)


def _scraps() -> list[str]:
    dice = random.Random(7)
    parts = [
        "",
        ".",
        "..",
        "[]",
        "[*]",
        "__c",
        "💥",
        "名前",
        "Straße",
        "naïve",
        "\t",
        "a" * 500,
        "0",
        "-1",
        "NULL",
    ]
    parts += ["id", "Email", "%s", "{{x}}", "'; DROP", "\u202e", "\ud7ff", "ﬁ", "é", "__", "$", "@odata.etag"]
    return ["".join(dice.choices(parts, k=dice.randint(1, 6))) or "." for _ in range(400)]


def test_any_text_has_an_answer(answerer: Answerer, lexical: Answerer, ontology: Ontology) -> None:
    scraps = _scraps()
    for one in (lexical, answerer):
        for entity in ("contact", "cost_line"):
            answers = one.answer(ask(entity, *scraps, stream=scraps[3], description=scraps[5]))
            assert len(answers) == len(scraps)
            for answer in answers:
                values = [candidate.confidence for candidate in answer.candidates]
                assert values == sorted(values, reverse=True)
                assert all(0 <= value <= 1 for value in values)


def test_an_answer_does_not_hang_on_the_order_of_questions(answerer: Answerer) -> None:
    fields = ["id", "customer.id", "total", "amount_due", "currency", "createdAt", "zodiac", "status"]
    there = answerer.answer(ask("invoice", *fields))
    back = answerer.answer(ask("invoice", *reversed(fields)))
    for one, other in zip(there, reversed(back), strict=True):
        assert one.best == other.best
