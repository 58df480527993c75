"""What asking a model costs for 1,000 connectors: tokens of real prompts, counted, at a stated price.

No model is asked. Prompts are built as the mapper's are, from streams made of the ontology's own names;
answers are what a model would have to write. Every stream asks, which is the dear end.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from typing import Any

from bench.measure import Measure
from core.llm.prompt import MAX_CANDIDATES, MAX_NEIGHBOURS, Prompt, build_prompt
from core.llm.question import Candidate, FieldQuestion, Neighbour, StreamQuestion
from core.mapper.profile import Profile
from core.ontology import CanonicalField, Entity, load_ontology
from resources.llm import project_cost
from resources.llm_client import load_litellm
from resources.settings import Settings, load_settings

CONNECTORS = 1000
STREAMS = 5
FIELDS = 10
"""Of a stream: about 50 fields a connector, as in ``onboard_1000``."""
UNSURE_RATIO = 0.25
"""Fields nothing else could apply: recall of the calibrated mapper on unseen vendors is above 0.75."""
MODEL = "openai/gpt-4o-mini"
PRICE_IN_USD_PER_1M = 0.15
PRICE_OUT_USD_PER_1M = 0.60
SAMPLES = 150
LIMIT_USD = 10.0


def measure_cost() -> Iterator[Measure]:
    """Mean tokens of a call's prompt and answer, and the cost of one call a stream."""
    settings = _price(load_settings())
    model = str(settings.llm_model)
    prompts = [build_prompt(one) for one in build_streams(SAMPLES, seed=1)]
    count = load_litellm().token_counter
    asked = [count(model=model, messages=[dict(m) for m in one.messages]) for one in prompts]
    schemas = [count(model=model, text=json.dumps(one.schema)) for one in prompts]
    answers = [count(model=model, text=_write_answer(one)) for one in prompts]
    sent = _mean(asked) + _mean(schemas)
    calls = CONNECTORS * STREAMS
    fields = _mean([len(one.keys) for one in prompts])
    yield Measure(
        "llm_prompt_tokens", sent, "tokens", note=f"a call; {fields:.1f} unsure fields, schema counted"
    )
    yield Measure("llm_answer_tokens", _mean(answers), "tokens", note="a call")
    cost = project_cost(settings, calls, sent, _mean(answers))
    note = (
        f"USD for {CONNECTORS} connectors x {STREAMS} streams, one call each; {model} at "
        f"${settings.llm_price_in_usd_per_1m} in, ${settings.llm_price_out_usd_per_1m} out a 1,000,000 tokens"
    )
    yield Measure("llm_cost_1000", cost, "USD", LIMIT_USD, cost / LIMIT_USD, f"{note}; limit {LIMIT_USD:g}")


def build_streams(number: int, seed: int) -> Iterator[StreamQuestion]:
    """Questions over random entities: aliases as names, the right field among the candidates."""
    rng = random.Random(seed)
    entities = [one for one in load_ontology().entities.values() if len(one.fields) >= FIELDS]
    for at in range(number):
        entity = rng.choice(entities)
        unsure = max(1, sum(rng.random() < UNSURE_RATIO for _ in range(FIELDS)))
        fields = rng.sample(list(entity.fields.values()), unsure)
        yield StreamQuestion(
            connector=f"vendor_{at}",
            stream=f"{entity.name}s",
            entity=entity.name,
            fields=tuple(_ask(one, entity, rng) for one in fields),
            canonical=tuple(Candidate(one.name, one.type, one.description) for one in entity.fields.values()),
        )


def _ask(field: CanonicalField, entity: Entity, rng: random.Random) -> FieldQuestion:
    others = [name for name in entity.fields if name != field.name]
    candidates = [field.name, *rng.sample(others, min(MAX_CANDIDATES - 1, len(others)))]
    aliases = field.aliases or (field.name,)
    neighbours = tuple(Neighbour(rng.choice(aliases), field.name) for _ in range(MAX_NEIGHBOURS))
    profile = Profile(null=0.12, unique=0.87, id=0.4, integer=0.25, length=23.0, count=1000)
    return FieldQuestion(
        f"properties.x_{rng.choice(aliases)}",
        tuple(candidates),
        "string",
        field.description,
        profile,
        neighbours,
    )


def _write_answer(prompt: Prompt) -> str:
    entries: list[dict[str, Any]] = [
        {"field": key, "target": asked.candidates[0], "transform": "cast", "confidence": 0.85, "why": "name"}
        for key, asked in prompt.keys.items()
    ]
    return json.dumps({"answers": entries})


def _price(settings: Settings) -> Settings:
    """The settings' model and prices, or the stated ones."""
    if settings.llm_model is not None:
        return settings
    return settings.model_copy(
        update={
            "llm_model": MODEL,
            "llm_price_in_usd_per_1m": PRICE_IN_USD_PER_1M,
            "llm_price_out_usd_per_1m": PRICE_OUT_USD_PER_1M,
        }
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
