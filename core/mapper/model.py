"""The trained model as data: two logistic stages, with how they were trained and how reliable they are.

Stage one says how probable it is that one canonical field is the counterpart, for each field alone.
Stage two says how probable it is that the best of them is right, "no counterpart" included; that is the
confidence. Both exist twice: with embeddings, and lexical without. What is known beside the name (type,
values, description, decisions) adds to stage one's logit with weights of its own, the same in both modes.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from core.errors import ConfigError
from core.mapper.decision import AUTO
from core.mapper.evidence import FACTS, FEATURES, HELPS, STAGE_TWO, is_lexical

SHIPPED = Path(__file__).parent / "model.json"
FORMAT = 2


@dataclass(frozen=True)
class Logistic:
    """``1 / (1 + exp(-(bias + Σ weight · value)))`` over the columns ``names``; weights fit raw values."""

    names: tuple[str, ...]
    weights: tuple[float, ...]
    bias: float

    def contributions(self, values: Mapping[str, float]) -> dict[str, float]:
        """What each column adds to the logit."""
        return {
            name: weight * values.get(name, 0.0)
            for name, weight in zip(self.names, self.weights, strict=True)
        }

    def probability(self, values: Mapping[str, float]) -> float:
        """The probability for one row."""
        return to_probability(self.bias + sum(self.contributions(values).values()))


@dataclass(frozen=True)
class Stages:
    """The two stages of one mode."""

    pick: Logistic
    trust: Logistic


@dataclass(frozen=True)
class MapperModel:
    """Everything of ``model.json``.

    ``reliability``: per mode, rows of (from, to, count, said, right). ``caution``: the probability from
    which an answer counts as sure (``core/mapper/decision.py``).
    """

    version: str
    ontology: str
    training: Mapping[str, Any]
    figures: Mapping[str, Any]
    reliability: Mapping[str, Sequence[Sequence[float]]]
    embedded: Stages
    lexical: Stages
    facts: Logistic
    caution: float

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) over the coefficients."""
        text = json.dumps([asdict(one) for one in (self.embedded, self.lexical, self.facts)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def stages(self, *, embedded: bool) -> Stages:
        """The stages of the mode."""
        return self.embedded if embedded else self.lexical


def to_probability(logit: float) -> float:
    """The logistic function, safe at both ends."""
    if logit >= 0:
        return 1 / (1 + math.exp(-min(logit, 700)))
    grown = math.exp(max(logit, -700))
    return grown / (1 + grown)


def write_model(model: MapperModel) -> str:
    """The JSON text of a model, one line a stage."""
    document = {
        "format": FORMAT,
        "version": model.version,
        "fingerprint": model.fingerprint,
        "ontology": model.ontology,
        "caution": model.caution,
        "training": dict(model.training),
        "figures": dict(model.figures),
        "reliability": {mode: [list(row) for row in rows] for mode, rows in model.reliability.items()},
        "embedded": _stages_to_json(model.embedded),
        "lexical": _stages_to_json(model.lexical),
        "facts": _logistic_to_json(model.facts),
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def read_model(text: str, where: str) -> MapperModel:
    """Read ``write_model``'s text; ConfigError when it is of another program or was changed by hand."""
    try:
        document = json.loads(text)
        if document["format"] != FORMAT:
            raise ConfigError(
                "the mapping model is of another format",
                expected=str(FORMAT),
                found=str(document["format"]),
                where=where,
                remedy="Train it again: aos mapping train",
            )
        model = MapperModel(
            version=str(document["version"]),
            ontology=str(document["ontology"]),
            training=document["training"],
            figures=document["figures"],
            reliability=document["reliability"],
            embedded=_stages_from_json(document["embedded"]),
            lexical=_stages_from_json(document["lexical"]),
            facts=_logistic_from_json(document["facts"]),
            caution=float(document["caution"]),
        )
        fingerprint = str(document["fingerprint"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ConfigError(f"the mapping model cannot be read: {error!r}", where=where) from error
    _check(model, fingerprint, where)
    return model


def _check(model: MapperModel, fingerprint: str, where: str) -> None:
    if model.fingerprint != fingerprint:
        raise ConfigError("the mapping model does not match its fingerprint", where=where)
    if not AUTO <= model.caution <= 1:
        raise ConfigError("the mapping model is not cautious", expected=f"{AUTO} to 1", where=where)
    for stages in (model.embedded, model.lexical):
        unknown = (set(stages.pick.names) - set(FEATURES)) | (set(stages.trust.names) - set(STAGE_TWO))
        if unknown:
            raise ConfigError("the mapping model needs evidence nobody computes", found=min(unknown))
    weights = dict(zip(model.facts.names, model.facts.weights, strict=True))
    odd = [name for name, weight in weights.items() if weight * (1 if name in HELPS else -1) < 0]
    if set(weights) - set(FACTS) or odd or model.facts.bias:
        raise ConfigError("the mapping model weighs facts the wrong way", found=", ".join(odd), where=where)
    if not all(map(is_lexical, (*model.lexical.pick.names, *model.lexical.trust.names))):
        raise ConfigError("the lexical model needs embeddings", where=where)


@lru_cache(maxsize=4)
def load_model(path: Path = SHIPPED) -> MapperModel:
    """The model of a file (default: the shipped one), read once a process."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"the mapping model cannot be read: {error.strerror}", where=str(path)) from error
    except UnicodeDecodeError as error:
        raise ConfigError("the mapping model is no text", where=str(path)) from error
    return read_model(text, str(path))


def _stages_to_json(stages: Stages) -> dict[str, Any]:
    return {"pick": _logistic_to_json(stages.pick), "trust": _logistic_to_json(stages.trust)}


def _logistic_to_json(one: Logistic) -> dict[str, Any]:
    return {"bias": one.bias, "weights": dict(zip(one.names, one.weights, strict=True))}


def _stages_from_json(data: Mapping[str, Any]) -> Stages:
    return Stages(_logistic_from_json(data["pick"]), _logistic_from_json(data["trust"]))


def _logistic_from_json(data: Mapping[str, Any]) -> Logistic:
    weights = {str(name): float(weight) for name, weight in data["weights"].items()}
    if not all(map(math.isfinite, weights.values())):
        raise ValueError("a weight is no number")
    return Logistic(tuple(weights), tuple(weights.values()), float(data["bias"]))
