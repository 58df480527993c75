"""What a person has to look at, however probable; and names of the opposite, which are turned round."""

from __future__ import annotations

import pytest

from core.mapper.decision import AUTO, BELOW_AUTO
from core.mapper.look import Look
from core.mapper.profile import Profile
from core.mapper.question import read_question
from core.mapper.transforms import propose_transform
from core.ontology import Ontology
from resources.mapper_answers import Answerer
from resources.mapper_doubts import find_doubt
from resources.mapper_facts import Facts
from tests.mapper.conftest import ask

DOUBTED = [
    ("ticket", "milestone.due_on", "due_at", "milestone, which is another thing"),
    ("project", "owner.gid", "id", "owner, which is another thing"),
    ("project", "team.gid", "id", "team, which is another thing"),
    ("subscription", "items.0.price.name", "name", "price, which is another thing"),
    ("user", "suspended_till", "is_suspended", "says a point in time"),
    ("user", "external", "external_id", "only says external"),
    ("opportunity", "dealActivities", "last_activity_at", "the name says none"),
    ("account", "next_address", "address_street", "says next"),
]


@pytest.mark.parametrize(("entity", "field", "target", "told"), DOUBTED)
def test_a_name_that_says_something_else_needs_a_person(
    answerer: Answerer, entity: str, field: str, target: str, told: str
) -> None:
    (one,) = answerer.bench.measure(ask(entity, field, stream=entity))
    doubt = find_doubt(answerer.facts, one, one.fields.index(target), Facts())
    assert doubt is not None
    assert told in doubt


@pytest.mark.parametrize(
    ("facts", "doubted"),
    [
        ({"type": "datetime"}, False),
        ({"profile": Profile(count=60, epoch=1.0)}, False),
        ({"profile": Profile(count=3, epoch=1.0)}, True),
        ({"profile": Profile(count=60, epoch=0.5)}, True),
        ({"type": "string"}, True),
    ],
)
def test_values_or_the_type_say_the_time_that_a_name_does_not(
    answerer: Answerer, facts: dict[str, object], doubted: bool
) -> None:
    (one,) = answerer.bench.measure(ask("contact", "LastTouched", stream="people", **facts))
    (known,) = answerer.facts.measure([one])
    doubt = find_doubt(answerer.facts, one, one.fields.index("last_contacted_at"), known)
    assert (doubt == "the field is a point in time, the name says none") == doubted


PLAIN = [
    ("ticket", "properties.due_at", "due_at"),
    ("ticket", "assignee.id", "assignee_id"),
    ("opportunity", "company.name", "account_name"),
    ("invoice", "attributes.customer.email", "customer_email"),
    ("contact", "person.phone.0.value", "phone"),
    ("lead", "contact.email", "email"),
    ("contact", "created", "created_at"),
    ("invoice", "billing_address.city", "billing_city"),
    ("user", "profile.title", "job_title"),
]


@pytest.mark.parametrize(("entity", "field", "target"), PLAIN)
def test_envelopes_and_known_spellings_are_not_doubted(
    answerer: Answerer, ontology: Ontology, entity: str, field: str, target: str
) -> None:
    if target not in ontology.entity(entity).fields:
        pytest.skip(f"{entity} has no {target}")
    (one,) = answerer.bench.measure(ask(entity, field, stream=entity))
    assert find_doubt(answerer.facts, one, one.fields.index(target), Facts()) is None


CLAIMS = [
    ("ticket", "severity", "priority"),
    ("user", "guid", "id"),
    ("comment", "edited_at", "updated_at"),
    ("contact", "contact_id", "id"),
]


@pytest.mark.parametrize(("entity", "weaker", "better"), CLAIMS)
def test_one_field_of_a_stream_has_the_better_claim(
    answerer: Answerer, entity: str, weaker: str, better: str
) -> None:
    beaten, best = answerer.answer(ask(entity, weaker, better, stream=entity))
    assert best.confidence >= AUTO
    assert beaten.confidence <= BELOW_AUTO
    assert [one for one in beaten.remarks if one.startswith(f"{better} has the better claim")]


def test_one_name_spelt_in_two_ways_claims_alike(answerer: Answerer) -> None:
    answers = answerer.answer(ask("contact", "properties.jobtitle", "property_jobtitle"))
    assert all(one.confidence >= AUTO for one in answers)


OPPOSITES = [
    ("ticket", "private", "is_public"),
    ("product", "isinactive", "is_active"),
    ("product", "blocked", "is_active"),
    ("order", "isOpen", "is_closed"),
]


@pytest.mark.parametrize(("entity", "field", "target"), OPPOSITES)
def test_an_opposite_is_found_and_turned_round(
    answerer: Answerer, ontology: Ontology, entity: str, field: str, target: str
) -> None:
    (answer,) = answerer.answer(ask(entity, field, stream=f"{entity}s"))
    assert answer.best is not None
    assert (answer.best.field, answer.opposite_of) == (target, target)
    assert answer.confidence >= AUTO
    reading = read_question(answer.question, ontology.entity(entity), answerer.bench.lexicon)
    canonical = ontology.entity(entity).fields[target]
    choice = propose_transform(answer.question, reading, canonical, negated=True, look=Look())
    assert choice.transform == "invert_boolean"


def test_what_is_only_like_an_opposite_is_not_turned_round(answerer: Answerer) -> None:
    for answer in answerer.answer(ask("product", "blocked_by", "inactive_stock", "is_public")):
        assert answer.opposite_of is None
        assert answer.confidence < AUTO
