"""The encoder gives the vectors that the library gives which the model was made with."""

from __future__ import annotations

import numpy as np
import pytest

from resources.embeddings import Embedder, find_model

TEXTS = [
    "email",
    "first name",
    "billing address: Street and house number of the address that invoices go to",
    "größe der firma",
    "会社名",
    "a",
    "x" * 300,
    *(f"field {number} of the record" for number in range(300)),
]


def test_the_vectors_are_those_of_sentence_transformers(embedder: Embedder) -> None:
    library = pytest.importorskip("sentence_transformers")
    model = library.SentenceTransformer(str(find_model()), device="cpu", local_files_only=True)
    wanted = model.encode(TEXTS, normalize_embeddings=True, show_progress_bar=False)
    found = embedder.embed(TEXTS)
    assert np.abs(found - wanted).max() < 1e-5
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
