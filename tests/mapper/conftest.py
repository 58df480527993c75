"""What the mapper's tests share: the ontology, the shipped model, embeddings, answers to a few names."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.mapper.model import load_model
from core.mapper.question import Question
from core.ontology import Ontology, load_ontology
from resources.embeddings import Embedder, load_embedder
from resources.mapper_answers import Answerer


@pytest.fixture(scope="session")
def ontology() -> Ontology:
    return load_ontology()


@pytest.fixture(scope="session")
def embedder() -> Embedder:
    """The real embedding model."""
    loaded = load_embedder()
    if loaded is None:
        pytest.skip("the embedding model is not installed")
    return loaded


@pytest.fixture(scope="session")
def answerer(ontology: Ontology, embedder: Embedder) -> Answerer:
    """Answers with embeddings."""
    return Answerer(ontology, load_model(), embedder)


@pytest.fixture(scope="session")
def lexical(ontology: Ontology) -> Answerer:
    """Answers without embeddings."""
    return Answerer(ontology, load_model(), None)


@pytest.fixture(scope="session")
def truth(shared_data: Path) -> tuple[Path, Path]:
    """The two files of decided fields."""
    folder = shared_data.parent / "mapping_truth"
    if not folder.is_dir():
        pytest.skip("no decided mappings beside the evaluation data")
    return folder / "mapping_truth.csv", folder / "unmapped.csv"


def ask(entity: str, *fields: str, stream: str = "things", **facts: object) -> list[Question]:
    """Questions of one stream."""
    return [Question("acme", stream, field, entity, **facts) for field in fields]  # type: ignore[arg-type]
