"""Reading what a model answered: exactly the asked shape and the closed lists, or not at all.

Half an answer is none: who ignores the schema in one place is not believed in another.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from core.llm.prompt import MAX_CANDIDATES, Prompt
from core.llm.question import NONE, REASONS, FieldQuestion, LlmAnswer

MAX_ANSWER_BYTES = 64 * 1024
_FENCE = re.compile(r"```(?:json)?[ \t]*\r?\n(?P<inside>[^`]*)\r?\n?```", re.IGNORECASE)
_KEYS = {"field", "target", "confidence", "why"}


class AnswerRefused(ValueError):
    """An answer that cannot be used; says why in our words, never in the model's."""


def read_answer(text: str, prompt: Prompt) -> list[LlmAnswer]:
    """The answers, in the order of the questions; a field without one has none. Else AnswerRefused.

    One fence around the whole answer is taken off.
    """
    if len(text.encode(errors="replace")) > MAX_ANSWER_BYTES:
        _refuse(f"longer than {MAX_ANSWER_BYTES} bytes")
    document = _parse(text)
    if not isinstance(document, dict) or set(document) != {"answers"}:
        _refuse("not an object with the one key 'answers'")
    if not isinstance(document["answers"], list):
        _refuse("'answers' is not a list")
    found: dict[str, LlmAnswer] = {}
    for entry in document["answers"]:
        answer = _read_entry(entry, prompt)
        if answer.field in found:
            _refuse("a field is answered twice")
        found[answer.field] = answer
    return [found[one.field] for one in prompt.keys.values() if one.field in found]


def _parse(text: str) -> Any:
    stripped = text.strip()
    fenced = _FENCE.fullmatch(stripped)
    try:
        return json.loads(
            fenced["inside"] if fenced else stripped,
            object_pairs_hook=_unique_object,
            parse_constant=_refuse_constant,
        )
    except AnswerRefused:
        raise
    except RecursionError:
        _refuse("nested too deeply")
    except ValueError:  # also integers of thousands of digits
        _refuse("not JSON, or cut short")


def _unique_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        _refuse("a key stands twice")
    return found


def _refuse_constant(_: str) -> NoReturn:
    _refuse("a number that is none")


def _read_entry(entry: Any, prompt: Prompt) -> LlmAnswer:
    if not isinstance(entry, dict) or set(entry) != _KEYS:
        _refuse("an answer with other keys than asked")
    asked = prompt.keys.get(entry["field"]) if isinstance(entry["field"], str) else None
    if asked is None:
        _refuse("a field that was not asked")
    if entry["why"] not in REASONS:
        _refuse("a reason outside the closed list")
    return LlmAnswer(
        field=asked.field,
        target=_read_target(entry["target"], asked),
        confidence_said=_read_confidence(entry["confidence"]),
        why=entry["why"],
    )


def _read_target(target: Any, asked: FieldQuestion) -> str | None:
    if target == NONE:
        return None
    if target not in asked.candidates[:MAX_CANDIDATES]:
        _refuse("a target outside the field's candidates")
    return str(target)


def _read_confidence(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        _refuse("a confidence that is no number")
    if not 0 <= value <= 1 or math.isnan(value):
        _refuse("a confidence outside 0 to 1")
    return float(value)


def _refuse(problem: str) -> NoReturn:
    raise AnswerRefused(problem)
