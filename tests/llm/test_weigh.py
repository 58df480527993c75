"""The law of the model's weight: nothing applies by itself that calibration alone would not apply."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from core.llm.question import LlmAnswer
from core.llm.weigh import weigh_answer

TARGETS = ("a", "b", "c", None)
shares = st.lists(st.floats(0, 1), min_size=4, max_size=4).map(
    lambda found: {t: p / max(sum(found), 1) for t, p in zip(TARGETS, found, strict=True)}
)
answers = st.builds(
    LlmAnswer,
    field=st.just("f"),
    target=st.sampled_from((*TARGETS, "outside")),
    confidence_said=st.floats(allow_nan=True, allow_infinity=True),
    why=st.just("name"),
)


@given(shares, answers, st.floats(0.05, 1))
def test_nothing_new_is_applied(scores: dict[str | None, float], answer: LlmAnswer, auto: float) -> None:
    after = weigh_answer(scores, answer, auto)
    assert {t for t, p in after.items() if p >= auto} <= {t for t, p in scores.items() if p >= auto}


@given(shares, st.lists(answers, max_size=5), st.floats(0.05, 1))
def test_nor_by_asking_again(scores: dict[str | None, float], several: list[LlmAnswer], auto: float) -> None:
    after = scores
    for answer in several:
        after = weigh_answer(after, answer, auto)
    assert {t for t, p in after.items() if p >= auto} <= {t for t, p in scores.items() if p >= auto}


@given(shares, answers, st.floats(0.05, 1))
def test_probabilities_stay_probabilities(
    scores: dict[str | None, float], answer: LlmAnswer, auto: float
) -> None:
    after = weigh_answer(scores, answer, auto)
    assert set(after) == set(scores)
    assert all(0 <= p <= 1 and math.isfinite(p) for p in after.values())
    assert sum(after.values()) <= max(1, sum(scores.values())) + 1e-9


@given(shares, answers)
def test_agreement_never_lowers_and_others_never_rise(
    scores: dict[str | None, float], answer: LlmAnswer
) -> None:
    after = weigh_answer(scores, answer, 0.85)
    for target, p in scores.items():
        assert after[target] >= p if target == answer.target else after[target] <= p


def test_an_answer_lifts_an_unsure_field_into_review() -> None:
    answer = LlmAnswer("f", "a", 1.0, "name")
    after = weigh_answer({"a": 0.45, "b": 0.40, None: 0.15}, answer, 0.85)
    assert 0.60 <= after["a"] < 0.85
    assert after["b"] < 0.40


def test_no_answer_changes_nothing() -> None:
    scores = {"a": 0.45, None: 0.2}
    assert weigh_answer(scores, None, 0.85) == scores
