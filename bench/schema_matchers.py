"""Schema matchers a user would pick from PyPI, each asked the same: which of these columns is which of those.

They are the extra ``compare``, never needed by the product. Each gets a table's names as they stand, its
documented settings, no values (there are none) and nothing of the truth. What they give is a score, no
probability; it is passed on as it is, cut to 0 … 1.
"""

from __future__ import annotations

import contextlib
import io
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

Ranked = dict[str, list[tuple[str, float]]]
"""Per column of the source the target's columns with their scores, best first."""
Matcher = Callable[[Sequence[str], Sequence[str]], Ranked]
"""From the names of the source's columns and of the target's."""
INSTALL = "pip install -c constraints.txt -e '.[compare]'"


@dataclass(frozen=True)
class Tool:
    """One matcher: ``package`` must be installed; ``open`` loads it; ``last_part``: asked about
    ``properties.email`` as ``email``, which suits it better than the whole path."""

    name: str
    package: str
    setting: str
    open: Callable[[], Matcher]
    last_part: bool = False

    @property
    def installed(self) -> bool:
        """Whether its package is there."""
        return find_spec(self.package) is not None


def open_coma() -> Matcher:
    """COMA 3.0 as valentine has it, on names. ``delta=1`` keeps every pair, so that there are ranks."""
    from valentine.algorithms import Coma

    return _ask_valentine(Coma(delta=1.0))


def open_coma_default() -> Matcher:
    """COMA as it comes: only pairs within 15 % of the best of both columns."""
    from valentine.algorithms import Coma

    return _ask_valentine(Coma())


def open_flooding() -> Matcher:
    """Similarity flooding as valentine has it; two minutes for 100 streams."""
    from valentine.algorithms import SimilarityFlooding

    return _ask_valentine(SimilarityFlooding())


def open_infermap() -> Matcher:
    """infermap as it comes; what its assignment left out is ranked by its own score matrix."""
    from infermap.engine import MapEngine
    from infermap.types import FieldInfo, SchemaInfo

    engine = MapEngine(return_score_matrix=True)

    def match(source: Sequence[str], target: Sequence[str]) -> Ranked:
        given = SchemaInfo([FieldInfo(one) for one in source]), SchemaInfo([FieldInfo(one) for one in target])
        found = engine.map_schemas(*given)
        assigned = {one.source: (one.target, one.confidence) for one in found.mappings}
        return {name: rank_assigned(found.score_matrix[name], assigned.get(name)) for name in source}

    return match


def open_magneto(mode: str = "header_values_verbose") -> Matcher:
    """Magneto with all-MiniLM-L6-v2 from the installed package, bipartite reranking on, no language model.

    Two things are put right for these versions: where it finds the model (it knows hub names only), and
    valentine 1.0's results, which cannot be changed any more while Magneto 0.2 changes them.
    """
    from magneto import Magneto, bp_reranker, embedding_matcher
    from magneto.utils import utils

    from resources.embeddings import find_model

    embedding_matcher.DEFAULT_MODELS["minilm"] = str(find_model())
    if not hasattr(embedding_matcher.SentenceTransformer, "cache_info"):  # else loaded for every table
        embedding_matcher.SentenceTransformer = lru_cache(embedding_matcher.SentenceTransformer)
    bp_reranker.MatcherResults = utils.MatcherResults = dict
    magneto = Magneto(embedding_model="minilm", encoding_mode=mode)

    def match(source: Sequence[str], target: Sequence[str]) -> Ranked:
        with contextlib.redirect_stdout(io.StringIO()):
            found = magneto.get_matches(_build_frame(source), _build_frame(target))
        return rank_pairs((one[0][1], one[1][1], score) for one, score in found.items())

    return match


def open_magneto_header() -> Matcher:
    """Magneto that embeds nothing but the name."""
    return open_magneto("header_only")


TOOLS = (
    Tool("magneto", "magneto", "MiniLM, header_values_verbose, bipartite reranking", open_magneto),
    Tool("magneto_header", "magneto", "MiniLM, header_only, bipartite reranking", open_magneto_header),
    Tool("coma", "valentine", "Coma(delta=1.0)", open_coma),
    Tool("coma_default", "valentine", "Coma()", open_coma_default),
    Tool("flooding", "valentine", "SimilarityFlooding()", open_flooding),
    Tool("infermap", "infermap", "MapEngine(), last part of the path", open_infermap, last_part=True),
)


def _ask_valentine(matcher: Any) -> Matcher:
    from valentine import valentine_match

    def match(source: Sequence[str], target: Sequence[str]) -> Ranked:
        found = valentine_match([_build_frame(source, rows=0), _build_frame(target, rows=0)], matcher)
        return rank_pairs((one.source_column, one.target_column, score) for one, score in found.items())

    return match


def _build_frame(names: Sequence[str], rows: int = 1) -> Any:
    """A table of text columns, empty or with a row of empty texts (Magneto divides by the rows)."""
    import pandas

    return pandas.DataFrame([[""] * len(names)] * rows, columns=list(names), dtype=object)


def rank_pairs(pairs: Iterable[tuple[str, str, float]]) -> Ranked:
    """(source, target, score) → ranks; equal scores stay in the order given."""
    found: Ranked = defaultdict(list)
    for source, target, score in pairs:
        found[source].append((target, cut(float(score))))
    return {name: sorted(ranked, key=lambda one: -one[1]) for name, ranked in found.items()}


def rank_assigned(scores: Mapping[str, float], assigned: tuple[str, float] | None) -> list[tuple[str, float]]:
    """The assigned target first, the others by score but never above it."""
    ranked = sorted(scores.items(), key=lambda one: -one[1])
    if assigned is None:
        return [(name, cut(score)) for name, score in ranked]
    first, sure = assigned
    others = [(name, cut(min(sure, score))) for name, score in ranked if name != first]
    return [(first, cut(sure)), *others]


def cut(score: float) -> float:
    """The score within 0 … 1."""
    return min(1.0, max(0.0, score))
