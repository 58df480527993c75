"""The language model's turn in the mapper: who is asked, with what, and what an answer may change."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from core.llm.question import LlmAnswer, StreamQuestion
from core.mapper.answer import Answer, Candidate
from core.mapper.profile import Profile
from core.mapper.question import Question
from core.ontology import Ontology
from resources.mapper_llm import CHOICES, FIELDS, build_stream_question, weigh_unsure

AUTO = 0.85
Ask = Callable[[str, StreamQuestion], list[LlmAnswer]]


def answer(
    field: str, *candidates: tuple[str, float], type: str = "string", entity: str | None = None
) -> Answer:
    question = Question("crm", "people", field, "contact", type, "What it is", Profile(null=0.1, count=50))
    ranked = tuple(Candidate(name, sure) for name, sure in candidates)
    return Answer(question, ranked, "retrieval", {"cos_name": 1.0}, ("seen",), entity)


def say(target: str | None, sure: float = 1.0) -> Ask:
    """A model that says the same of every field it is asked about."""
    return lambda tenant, asked: [LlmAnswer(one.field, target, sure, "name") for one in asked.fields]


def refuse(tenant: str, asked: StreamQuestion) -> list[LlmAnswer]:
    raise AssertionError("the model was asked")


UNSURE = (("salutation", 0.5), ("job_title", 0.3), ("website", 0.1))


def test_only_the_unsure_are_asked_the_likeliest_first(ontology: Ontology) -> None:
    heard: list[StreamQuestion] = []

    def listen(tenant: str, asked: StreamQuestion) -> list[LlmAnswer]:
        heard.append(asked)
        return []

    given = [
        answer("sure", ("email", 0.97)),
        answer("low", ("email", 0.2)),
        answer("high", *UNSURE),
        answer("nothing"),
        answer("guessed", ("email", 0.5), entity="contact"),
    ]
    assert weigh_unsure(ontology, "acme", given, listen, AUTO) == given
    (asked,) = heard
    assert [one.field for one in asked.fields] == ["high", "low"]
    assert {one.name for one in asked.canonical} == {"salutation", "job_title", "website", "email"}


def test_nobody_is_asked_where_all_is_sure(ontology: Ontology) -> None:
    given = [answer("sure", ("email", 0.97)), answer("nothing")]
    assert weigh_unsure(ontology, "acme", given, refuse, AUTO) == given


def test_a_question_is_bounded_and_has_no_mixed_type(ontology: Ontology) -> None:
    names = list(ontology.entity("contact").fields)
    many = [answer(f"f{n}", *((name, 0.5) for name in names[:12])) for n in range(FIELDS + 5)]
    heard: list[StreamQuestion] = []
    weigh_unsure(ontology, "acme", many, lambda _, asked: heard.append(asked) or [], AUTO)  # type: ignore[func-returns-value]
    assert len(heard[0].fields) == FIELDS
    assert {len(one.candidates) for one in heard[0].fields} == {CHOICES}
    mixed = build_stream_question(ontology, [answer("a", ("email", 0.5), type="integer|string")])
    assert (mixed.fields[0].type, mixed.fields[0].description) == ("", "What it is")


def test_an_answer_reorders_and_never_carries_over_the_bound(ontology: Ontology) -> None:
    (found,) = weigh_unsure(ontology, "acme", [answer("x", *UNSURE)], say("job_title"), AUTO)
    assert found.best is not None
    assert (found.best.field, found.method) == ("job_title", "llm")
    assert found.best.confidence > 0.5
    assert found.confidence < AUTO
    assert "the language model chose job_title (name)" in found.remarks
    assert sum(one.confidence for one in found.candidates) <= 1.0
    assert found.evidence == {}, "it spoke for the field that was best before"
    (near,) = weigh_unsure(ontology, "acme", [answer("x", ("email", 0.849))], say("email"), AUTO)
    assert near.confidence < AUTO
    assert near.evidence == {"cos_name": 1.0}


def test_none_lowers_what_was_likely(ontology: Ontology) -> None:
    (found,) = weigh_unsure(ontology, "acme", [answer("x", *UNSURE)], say(None), AUTO)
    assert found.confidence < 0.5
    assert "no counterpart" in found.remarks[-1]


@pytest.mark.parametrize("target", ["phone", "email"])
def test_a_target_outside_its_candidates_changes_nothing(ontology: Ontology, target: str) -> None:
    before = answer("x", *UNSURE)
    (found,) = weigh_unsure(ontology, "acme", [before], say(target), AUTO)
    assert [(one.field, round(one.confidence, 2)) for one in found.candidates] == [
        (name, round(sure, 2)) for name, sure in UNSURE
    ]


def test_runners_up_that_sum_beyond_one_are_scaled(ontology: Ontology) -> None:
    crowded = answer("x", ("salutation", 0.8), ("job_title", 0.7), ("website", 0.6))
    (found,) = weigh_unsure(ontology, "acme", [crowded], say("website", 0.2), AUTO)
    assert sum(one.confidence for one in found.candidates) <= 1.0001


def test_an_answer_to_another_field_is_not_heard(ontology: Ontology) -> None:
    def stray(tenant: str, asked: StreamQuestion) -> list[LlmAnswer]:
        return [LlmAnswer("other", "job_title", 1.0, "name")]

    given = [answer("x", *UNSURE)]
    assert weigh_unsure(ontology, "acme", given, stray, AUTO) == given
