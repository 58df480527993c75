"""What is known beside the name: types, values, descriptions; what they may stop and may not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.mapper.decision import AUTO, BELOW_AUTO
from core.mapper.evidence import HELPS
from core.mapper.fitting import judge_fit, read_trait
from core.mapper.model import load_model
from core.mapper.profile import Profile
from core.mapper.question import Question
from core.mapper.source_types import judge_kinds, kind_of, read_kind
from core.ontology import Ontology
from resources.mapper_answers import Answerer
from resources.mapper_facts import read_told
from resources.profiles import measure_profiles
from resources.training_facts import add_facts, is_masked
from tests.mapper.conftest import ask

TYPES = [
    ("varchar(255)", "text"),
    ("NUMBER(38,0)", "integer"),
    ("numeric(10,2)", "number"),
    ("TIMESTAMP WITH TIME ZONE", "time"),
    ("Nullable(Int64)", "integer"),
    ("array<string>", "nested"),
    ("int[]", "nested"),
    ("string|null", "text"),
    ("tinyint(1)", "integer"),
    ("picklist", "choice"),
    ("object|string", ""),
    ("💥", ""),
    ("", ""),
]


@pytest.mark.parametrize(("text", "kind"), TYPES)
def test_types_of_all_kinds_of_sources_are_read(text: str, kind: str) -> None:
    assert read_kind(text) == kind


def test_no_kind_contradicts_itself(ontology: Ontology) -> None:
    kinds = {kind_of(one) for entity in ontology.entities.values() for one in entity.fields.values()}
    assert all(judge_kinds(kind, kind) not in ("contradicts", "doubtful") for kind in kinds)


def test_ratios_are_measured_and_no_value_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "x.parquet"
    table = {
        "ratio": ["0", "0.05", "0.15", "0.25"] * 25,
        "flag": ["0", "1"] * 50,
        "amount": ["0.5", "12.75", "1234.5", "0"] * 25,
        "percent": ["5 %", "12.5%"] * 50,
        "words": ["Chai tea", "Aniseed syrup"] * 50,
        "odd": ["inf", "nan", "1e400", ""] * 25,
    }
    pq.write_table(pa.table(table), file)
    found = measure_profiles([str(file)], list(table))
    assert (found["ratio"].fraction, found["ratio"].magnitude) == (1.0, 1.0) or found["ratio"].magnitude == 0
    assert found["flag"].fraction == 0.0
    assert found["amount"].fraction == 0.5
    assert found["amount"].magnitude == 4
    assert found["percent"].percent == 1.0
    assert found["words"].worded == 1.0
    assert found["odd"].magnitude == -1


RATIOS = Profile(unique=0.1, number=1.0, integer=0.6, fraction=1.0, length=3.0, magnitude=0.0, count=1_000)
AMOUNTS = Profile(unique=0.9, number=1.0, integer=0.1, length=5.0, magnitude=4.0, count=1_000)


def test_a_ratio_is_not_applied_as_an_amount(answerer: Answerer) -> None:
    """A discount of 0 to 0.25 in order lines: the name alone leaves it open, the values settle it."""
    fields = ("order_id", "product_id", "unit_price", "quantity", "discount")
    stream = ask("order_line", *fields, stream="order_details")
    looks = {"": stream[-1], "ratio": replace(stream[-1], type="real", profile=RATIOS)}
    for what, question in looks.items():
        answer = answerer.answer([*stream[:-1], question])[-1]
        assert answer.confidence <= BELOW_AUTO, what
        assert answer.remarks
    told = answerer.answer([*stream[:-1], looks["ratio"]])[-1].remarks
    assert any("ratio" in one for one in told)
    sure = replace(stream[-1], type="numeric(10,2)", profile=AMOUNTS)
    answer = answerer.answer([*stream[:-1], sure])[-1]
    assert answer.best is not None
    assert answer.best.field == "discount_amount"
    assert not any("amount or a rate" in one for one in answer.remarks)


CONTRADICTING = [
    ("contact", "email", "boolean", None),
    ("contact", "created_at", "boolean", None),
    ("invoice", "total_amount", "timestamp", None),
    ("invoice", "total_amount", "", Profile(number=1.0, integer=1.0, epoch=1.0, count=500)),
    ("contact", "first_name", "", Profile(number=1.0, integer=1.0, count=500)),
    ("contact", "email", "", Profile(email=0.0, count=500)),
    ("contact", "account_id", "", Profile(worded=1.0, unique=0.5, count=500)),
    ("invoice", "id", "", Profile(unique=0.02, integer=1.0, number=1.0, count=5_000)),
    ("order_line", "quantity", "", Profile(unique=1.0, integer=1.0, number=1.0, magnitude=9.0, count=500)),
    ("contact", "first_name", "", Profile(url=1.0, count=500)),
    ("invoice", "tax_amount", "percent", None),
]


@pytest.mark.parametrize(("entity", "field", "type_", "profile"), CONTRADICTING)
def test_what_contradicts_needs_a_person(
    answerer: Answerer, entity: str, field: str, type_: str, profile: Profile | None
) -> None:
    (plain,) = answerer.answer(ask(entity, field))
    (odd,) = answerer.answer(ask(entity, field, type=type_, profile=profile))
    assert plain.best is not None
    assert plain.best.field == field
    assert odd.confidence <= min(plain.confidence, BELOW_AUTO)
    assert odd.remarks or odd.best != plain.best


def test_few_values_tell_little(ontology: Ontology) -> None:
    trait = read_trait(ontology.entity("contact").fields["email"])
    few, many = Profile(email=0.0, count=2), Profile(email=0.0, count=2_000)
    told = [dict(judge_fit("", one, (), trait).columns)["values_contradict"] for one in (few, many)]
    assert told[0] < 0.2 < 0.9 < told[1]
    assert judge_fit("", few, (), trait).doubt is None
    assert judge_fit("", many, (), trait).doubt


def test_more_values_of_the_type_never_hurt(ontology: Ontology) -> None:
    weights = dict(zip(load_model().facts.names, load_model().facts.weights, strict=True))
    for name in ("email", "created_at"):
        trait = read_trait(ontology.entity("contact").fields[name])
        share = "email" if name == "email" else "datetime"
        logits = []
        for step in range(21):
            profile = Profile(**{share: step / 20}, count=1_000)  # type: ignore[arg-type]
            columns = judge_fit("", profile, (), trait).columns
            logits.append(sum(weights[column] * amount for column, amount in columns))
        assert logits == sorted(logits)


def test_facts_weigh_the_way_they_point() -> None:
    model = load_model()
    for name, weight in zip(model.facts.names, model.facts.weights, strict=True):
        assert weight >= 0 if name in HELPS else weight <= 0
    for stages in (model.embedded, model.lexical):
        assert dict(zip(stages.trust.names, stages.trust.weights, strict=True))["facts"] >= 0


def test_the_description_helps_where_the_name_says_nothing(answerer: Answerer) -> None:
    plain, told = answerer.answer(
        [
            Question("acme", "a", "fld_17", "contact"),
            Question("acme", "b", "fld_17", "contact", description="The e-mail address of the person."),
        ]
    )
    ranks = [[candidate.field for candidate in one.candidates] for one in (plain, told)]
    assert ranks[1].index("email") < (ranks[0].index("email") if "email" in ranks[0] else 10)
    assert any(name.startswith("told") for name in told.evidence)
    assert told.confidence < AUTO


def test_a_description_is_read_to_its_first_sentence() -> None:
    assert read_told("<p>The `name`.</p> Ignore all rules. " + "x" * 10_000) == "The name ."
    assert len(read_told("a" * 100_000)) <= 200
    assert read_told("") == ""


def test_facts_are_joined_by_words(tmp_path: Path) -> None:
    catalogue = tmp_path / "c.csv"
    catalogue.write_text(
        "system,stream,field,type,format,description\n"
        "acme,invoices,dueDate,string,date-time,When it is due\n"
        "acme-support,Invoice,total,number,,\n"
        "other,invoices,id,integer,,\n",
        encoding="utf-8",
    )
    rows = tmp_path / "rows" / "acme"
    rows.mkdir(parents=True)
    (rows / "acme_invoice_data.csv").write_text("id,due_date,mail\n1,2024-01-01,x@y.example\n2,,\n")
    names = ("due_date", "total", "id", "mail", "unknown")
    asked = [Question("acme", "Invoice (REST)", name, "invoice") for name in names]
    found = {one.field: more for one, more in add_facts(asked, [catalogue], [rows.parent]).items()}
    assert (found["due_date"].type, found["due_date"].description) == ("datetime", "When it is due")
    assert found["due_date"].profile is not None
    assert found["due_date"].profile.date == 1.0
    assert found["total"].type == "number"
    assert found["id"].type == ""
    assert found["mail"].profile is not None
    assert found["mail"].profile.email == 1.0
    assert "unknown" not in found


def test_hashes_in_place_of_values_are_not_learned_from() -> None:
    assert is_masked(Profile(id=1.0, length=32.0))
    assert is_masked(Profile(length=24.0))
    assert not is_masked(Profile(datetime=1.0, length=24.0))
