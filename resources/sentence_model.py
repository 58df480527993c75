"""The sentence encoder itself: tokenizer, transformer, mean over the words, unit length. Imports torch.

Texts of equal length go together, so hardly anything is padded; batches go to one thread a core, each
of which computes alone: short texts are too little work to split, and threads that wait for each other
take turns badly on a busy machine. So a batch adds up in the same order wherever it is computed. Twice the
texts a second of the usual pipeline, and the same vectors.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from transformers import BertModel
from transformers.utils import logging as transformers_logging

MAX_TOKENS = 256
BATCH = 128
LONG, NEARLY = 12, 0.85
"""Tokens from which texts of nearly one length go together; what is filled up is masked."""


class SentenceModel:
    """A BERT encoder in a folder. Raises OSError or ValueError when it cannot be read."""

    def __init__(self, folder: Path) -> None:
        text = (folder / "tokenizer.json").read_text(encoding="utf-8")
        json.loads(text)
        self._tokenizer = _read_tokenizer(text)
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._model = _read_weights(folder)
        gc.freeze()  # what torch brought stays for good: no collection has to look through it again
        atexit.register(gc.unfreeze)  # else the last collection misses what others want freed at the end
        self._threads = ThreadPoolExecutor(
            count_cores(),
            "embed",
            initializer=torch.set_num_threads,
            initargs=(1,),
        )

    def encode(self, texts: list[str]) -> NDArray[np.float32]:
        """One unit vector a text, in order."""
        tokens = [one.ids for one in self._tokenizer.encode_batch(texts)]
        found = np.zeros((len(texts), self._model.config.hidden_size), np.float32)
        batches = list(_cut(tokens))
        encoded = self._threads.map(self._encode, batches_of(tokens, batches))
        for members, vectors in zip(batches, encoded, strict=True):
            found[members] = vectors
        return found

    def _encode(self, batch: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        longest = len(batch[0])
        lengths = torch.tensor([len(one) for one in batch])
        mask = (torch.arange(longest)[None, :] < lengths[:, None]).to(torch.float32)
        words = torch.tensor([[*one, *[0] * (longest - len(one))] for one in batch])
        is_even = int(lengths.min()) == longest
        with torch.inference_mode():
            states = self._model(input_ids=words, attention_mask=None if is_even else mask).last_hidden_state
            means = (states * mask[:, :, None]).sum(1) / lengths[:, None]  # over a text's own words
            vectors: NDArray[np.float32] = torch.nn.functional.normalize(means).numpy()
        return vectors


def count_cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def batches_of(tokens: Sequence[Sequence[int]], batches: Sequence[Sequence[int]]) -> list[list[Any]]:
    """The tokens of each batch."""
    return [[tokens[at] for at in members] for members in batches]


def _cut(tokens: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Positions of texts of one length, long ones of nearly one, at most ``BATCH``; the longest first."""
    batch: list[int] = []
    least = 0
    for at in sorted(range(len(tokens)), key=lambda at: -len(tokens[at])):
        size = len(tokens[at])
        if batch and (len(batch) == BATCH or size < least):
            yield batch
            batch = []
        if not batch:
            least = size if size < LONG else int(size * NEARLY)
        batch.append(at)
    if batch:
        yield batch


def _read_tokenizer(text: str) -> Any:
    try:
        return Tokenizer.from_str(text)
    except Exception as error:  # the library raises nothing narrower
        raise ValueError(f"the tokenizer cannot be read: {error}") from error


def _read_weights(folder: Path) -> Any:
    said = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()  # parts of the file that embedding does not need
    transformers_logging.disable_progress_bar()
    try:
        model = BertModel.from_pretrained(str(folder), add_pooling_layer=False, local_files_only=True)
    except Exception as error:  # whatever a damaged file makes of the libraries
        raise ValueError(f"the weights cannot be read: {type(error).__name__}: {error}") from error
    finally:
        transformers_logging.set_verbosity(said)
    return model.eval()
