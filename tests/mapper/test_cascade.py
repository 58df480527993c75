"""The cascade: words settle what they are sure of, the rest is embedded, and only the rest."""

from __future__ import annotations

from dataclasses import replace

from core.mapper.cascade import NONE, SURE, is_settled
from core.mapper.model import load_model
from core.ontology import Ontology
from resources.embeddings import Embedder
from resources.mapper_answers import Answerer
from tests.mapper.conftest import ask

MIDDLING = ("occupation", "marital_situation", "preferred_form_of_address")
"""Names that words leave open."""


def test_both_ends_are_settled_and_the_middle_is_not() -> None:
    assert is_settled(SURE)
    assert is_settled(1.0)
    assert is_settled(0.0)
    assert not is_settled(NONE)
    assert not is_settled(0.5)
    assert not is_settled(SURE - 1e-9)


def test_what_words_settle_is_not_embedded(ontology: Ontology, embedder: Embedder) -> None:
    texts: list[str] = []

    def encode(asked: list[str]) -> object:
        texts.extend(asked)
        return embedder.embed(asked)

    answerer = Answerer(ontology, load_model(), Embedder(encode))
    answers = answerer.answer(ask("contact", "mobile_no", "createdate", *MIDDLING))
    assert all(one.confidence >= SURE for one in answers[:2])
    assert not {"mobile number", "create date"} & set(texts)
    assert any(name.replace("_", " ") in texts for name in MIDDLING)


def test_without_embeddings_nothing_is_sure(lexical: Answerer) -> None:
    answers = lexical.answer(ask("contact", "first_name", "email"))
    assert all(one.confidence < 0.85 for one in answers)


def test_an_answer_does_not_depend_on_the_company_its_name_keeps_elsewhere(answerer: Answerer) -> None:
    one = ask("contact", "first_name", "favourite_shade", "e_mail")
    other = [replace(question, stream="elsewhere") for question in ask("contact", "favourite_shade", "x1")]
    alone = answerer.answer(one)
    together = answerer.answer([*other, *one])
    assert together[2:] == alone
