"""What asking a language model costs for 1,000 connectors: calls and tokens counted, at a stated price.

Connectors of real API documents (``bench/onboard_data.py``) go through the engine as a tenant's would, in
a real Postgres, with somebody in the model's place who keeps the questions and answers nothing. What the
engine would have asked is counted: calls, fields, tokens of the real prompts. Twice: as the connectors
come, and after a person has confirmed what each stream without declared entity was taken for; the second,
dear one is what is projected. Answers are what a model has to write to satisfy the schema.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from bench.measure import Measure
from bench.workspace import TENANT, Workspace, open_workspace
from core.llm.prompt import Prompt, build_prompt
from core.llm.question import LlmAnswer, StreamQuestion
from resources.llm import project_cost
from resources.llm_client import load_litellm
from resources.settings import Settings, load_settings

if TYPE_CHECKING:
    from bench.onboard_data import Vendor
    from core.ontology import Ontology
    from resources.embeddings import Embedder

CONNECTORS = 1000
SAMPLE = 120
"""Connectors that are really answered; the projection scales them."""
MODEL = "openai/gpt-4o-mini"
PRICE_IN_USD_PER_1M = 0.15
PRICE_OUT_USD_PER_1M = 0.60
LIMIT_USD = 10.0
_CONFIRMED = "confirmed"


@dataclass(frozen=True)
class Asked:
    """What would have been asked about some connectors: sums."""

    connectors: int
    streams: int
    fields: int
    applied: int
    calls: int
    unsure: int
    prompt_tokens: int
    answer_tokens: int

    @property
    def unsure_ratio(self) -> float:
        """Fields a model is asked about, of all."""
        return self.unsure / max(1, self.fields)


def measure_cost() -> Iterator[Measure]:
    """Calls, unsure fields and tokens as counted, and the cost for ``CONNECTORS`` they amount to."""
    found = ask_sample(SAMPLE)
    if found is None:
        yield Measure("llm_cost_1000", 0.0, "USD", note="no evaluation data or no embedding model")
        return
    settings = price_settings(load_settings())
    for name, asked in found.items():
        yield from measure_asked(name, asked, settings)


def measure_asked(name: str, asked: Asked, settings: Settings) -> Iterator[Measure]:
    """The figures of one count; ``name`` says which."""
    told = f"{asked.connectors} connectors, {asked.streams} streams, {asked.fields} fields, {name}"
    calls = max(1, asked.calls)
    sent, written = asked.prompt_tokens / calls, asked.answer_tokens / calls
    yield Measure(
        f"llm_{name}_unsure", asked.unsure_ratio, "ratio", note=f"of {told}; {asked.applied} applied"
    )
    yield Measure(f"llm_{name}_calls", asked.calls / asked.connectors, "calls", note=f"a connector; {told}")
    yield Measure(f"llm_{name}_fields", asked.unsure / calls, "fields", note="a call")
    yield Measure(f"llm_{name}_prompt_tokens", sent, "tokens", note="a call; the answer's schema counted")
    yield Measure(f"llm_{name}_answer_tokens", written, "tokens", note="a call")
    cost = project_cost(settings, CONNECTORS * asked.calls / asked.connectors, sent, written)
    note = (
        f"USD for {CONNECTORS} connectors, {CONNECTORS * asked.calls / asked.connectors:.0f} calls; "
        f"{settings.llm_model} at ${settings.llm_price_in_usd_per_1m} in, "
        f"${settings.llm_price_out_usd_per_1m} out a 1,000,000 tokens; limit {LIMIT_USD:g}, "
        f"{2 * cost:.2f} if every first answer were refused and asked again"
    )
    yield Measure(f"llm_{name}_cost_1000", cost, "USD", LIMIT_USD, cost / LIMIT_USD, note)


def ask_sample(count: int) -> dict[str, Asked] | None:
    """What would be asked about ``count`` connectors: as they come, and with entities confirmed."""
    from bench.onboard_data import read_vendors
    from core.ontology import load_ontology
    from resources.embeddings import load_embedder
    from resources.proposals import list_proposals
    from resources.settings import project_root
    from resources.tenants import add_tenant

    folder = load_settings().shared_data or project_root().parent / "shared" / "data"
    file, embedder = folder / "openapi_fields.csv.gz", load_embedder()
    if not file.is_file() or embedder is None:
        return None
    ontology = load_ontology()
    vendors = read_vendors(file, ontology, count)
    with open_workspace() as place:
        add_tenant(place.db, _CONFIRMED, "Confirmed", "bench")
        plain = _ask(place, ontology, vendors, embedder, TENANT)
        taken = {(one.connector, one.stream): one.entity for one in list_proposals(place.db, TENANT)}
        confirmed = [confirm_entities(one, taken) for one in vendors]
        return {"plain": plain, _CONFIRMED: _ask(place, ontology, confirmed, embedder, _CONFIRMED)}


def confirm_entities(vendor: Vendor, taken: Mapping[tuple[str, str], str]) -> Vendor:
    """The same vendor, its streams declaring the entity they were taken for."""
    streams = {
        name: stream.model_copy(update={"entity": stream.entity or taken.get((vendor.spec.connector, name))})
        for name, stream in vendor.spec.streams.items()
    }
    return replace(vendor, spec=vendor.spec.model_copy(update={"streams": streams}))


def _ask(
    place: Workspace, ontology: Ontology, vendors: Sequence[Vendor], embedder: Embedder, tenant: str
) -> Asked:
    from resources.mapper import map_tenant
    from resources.schema_versions import record_schema

    for vendor in vendors:
        with place.db.tenant(tenant) as conn:
            for stream, schema in vendor.schemas.items():
                record_schema(conn, tenant, vendor.spec.connector, stream, schema, "bench")
    kept: list[StreamQuestion] = []

    def keep(_: str, question: StreamQuestion) -> list[LlmAnswer]:
        kept.append(question)
        return []

    specs = [one.spec for one in vendors]
    report = map_tenant(
        place.db, place.settings, ontology, specs, tenant, ask_model=keep, load=lambda: embedder
    )
    sent, written = count_tokens(kept)
    return Asked(
        connectors=len(vendors),
        streams=sum(len(one.schemas) for one in vendors),
        fields=sum(one.fields for one in vendors),
        applied=report.applied,
        calls=len(kept),
        unsure=sum(len(one.fields) for one in kept),
        prompt_tokens=sent,
        answer_tokens=written,
    )


def count_tokens(questions: Sequence[StreamQuestion]) -> tuple[int, int]:
    """Tokens of all prompts with their schemas, and of the answers they ask for."""
    count, model = load_litellm().token_counter, str(price_settings(load_settings()).llm_model)
    sent = written = 0
    for one in questions:
        prompt = build_prompt(one)
        sent += count(model=model, messages=[dict(message) for message in prompt.messages])
        sent += count(model=model, text=json.dumps(prompt.schema))
        written += count(model=model, text=write_answer(prompt))
    return sent, written


def write_answer(prompt: Prompt) -> str:
    """An answer to every field of the prompt, as the schema wants it."""
    entries: list[dict[str, Any]] = [
        {"field": key, "target": asked.candidates[0], "confidence": 0.85, "why": "name"}
        for key, asked in prompt.keys.items()
    ]
    return json.dumps({"answers": entries})


def price_settings(settings: Settings) -> Settings:
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
