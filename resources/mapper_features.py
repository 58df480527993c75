"""Evidence about many fields of one entity at once, as numbers: rows × canonical fields × columns.

What the columns are called is ``core/mapper/evidence.py``; nothing here decides.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz, process
from rapidfuzz.distance import JaroWinkler

from core.mapper.evidence import FEATURES, MEANING, RELATIVE_TO
from core.mapper.forms import EntityForms
from core.mapper.lexicon import Lexicon
from core.mapper.question import Reading, Words
from core.ontology import CanonicalField

Matrix = NDArray[np.floating[Any]]

BASE = 0.1
"""Added to each word's weight, so that common words count a little too."""
DIGITS = 4
"""Decimals that are kept of sums and cosines, so that ties stay ties on every machine."""
TIME_WORDS = frozenset({"date", "time", "at", "timestamp", "created", "updated", "utc", "modified", "on"})
TIME_ENDS = frozenset({"date", "time", "at", "timestamp", "utc", "on"})
FLAGS = frozenset({"is", "has", "can", "enabled", "active", "deleted", "archived"})


Spread = dict[Words, Counter[str]]
"""How many entities know a spelling, per name of the field it stands for."""


def count_spellings(all_forms: Iterable[EntityForms]) -> Spread:
    """The spread over all entities."""
    spread: Spread = defaultdict(Counter)
    for forms in all_forms:
        for form in forms.forms:
            spread[form.words][forms.fields[form.index].name] += 1
    return spread


class EntityScorer:
    """What is worth computing once for an entity's forms."""

    def __init__(self, forms: EntityForms, lexicon: Lexicon, spread: Spread) -> None:
        self.forms = forms
        self.spread = spread
        self.lexicon = lexicon
        concepts = sorted({lexicon.concept(word) for form in forms.forms for word in form.words})
        self.columns = {concept: at for at, concept in enumerate(concepts)}
        self.starts = np.array(forms.starts)
        self.squashed = [form.squashed for form in forms.forms]
        self.negated = [at for at, form in enumerate(forms.forms) if form.negated]
        self.incidence, self.form_weights = self._incidence([form.words for form in forms.forms])
        self.fields = _describe_fields(forms.fields, lexicon)

    def _incidence(self, names: Sequence[Words]) -> tuple[Matrix, Matrix]:
        """Concepts present per name, scaled by the root of their weight; and the names' whole weight."""
        matrix = np.zeros((len(names), len(self.columns)), np.float32)
        totals = np.zeros(len(names), np.float32)
        for row, words in enumerate(names):
            for concept in sorted({self.lexicon.concept(word) for word in words}):
                weight = self.lexicon.weight(concept) + BASE
                totals[row] += weight
                at = self.columns.get(concept)
                if at is not None:
                    matrix[row, at] = np.sqrt(weight)
        return matrix, totals

    def measure(self, readings: Sequence[Reading], similarities: dict[str, Matrix] | None = None) -> Matrix:
        """Shape (readings, fields, FEATURES). ``similarities``: the columns ``cos_*``, or none."""
        shape = (len(readings), len(self.forms.fields))
        found: dict[str, Any] = {}
        found |= self._measure_exact(readings, shape)
        found |= self._measure_words(readings)
        found |= self._measure_letters(readings)
        found |= self._measure_kind(readings)
        found |= _measure_names(readings, self.lexicon)
        found |= self.measure_meaning(similarities or {name: np.zeros(shape, np.float32) for name in MEANING})
        for name in RELATIVE_TO:
            if name not in MEANING:
                found[f"margin_{name}"], found[f"rank_{name}"] = _compare(found[name])
        return np.stack([np.broadcast_to(found[name], shape) for name in FEATURES], -1).astype(np.float32)

    def measure_meaning(self, similarities: dict[str, Matrix]) -> dict[str, Matrix]:
        """The columns that need embeddings, each of shape (readings, fields), from the cosines."""
        found = {name: np.round(similarities[name], DIGITS) for name in MEANING}
        for name in MEANING:
            if name in RELATIVE_TO:
                found[f"margin_{name}"], found[f"rank_{name}"] = _compare(found[name])
        return found

    def _measure_exact(self, readings: Sequence[Reading], shape: tuple[int, int]) -> dict[str, Matrix]:
        names = ("exact_last", "exact_full", "exact_bare_last", "exact_bare")
        others = ("exact_squashed", "opposite", "alias_spread", "alias_doubt", "exact_kinds")
        found = {name: np.zeros(shape, np.float32) for name in (*names, *others)}
        for row, reading in enumerate(readings):
            for name, words in zip(names, reading.keys, strict=True):
                for index, weight in self.forms.by_words.get(words, {}).items():
                    found[name][row, index] = weight
                    found["exact_kinds"][row, index] += 1
                    self._add_spread(found, row, index, words)
                if words in self.forms.opposites:
                    found["opposite"][row, self.forms.opposites[words]] = 1
                for index, weight in self.forms.by_squashed.get("".join(words), {}).items():
                    found["exact_squashed"][row, index] = max(found["exact_squashed"][row, index], weight)
        return found

    def _add_spread(self, found: dict[str, Matrix], row: int, index: int, words: Words) -> None:
        known = self.spread[words]
        same = known[self.forms.fields[index].name]
        spread, doubt = np.log1p(same - 1), 1 - same / max(1, known.total())
        first = found["exact_kinds"][row, index] == 1
        found["alias_spread"][row, index] = max(found["alias_spread"][row, index], spread)
        before = 1.0 if first else found["alias_doubt"][row, index]
        found["alias_doubt"][row, index] = min(before, doubt)

    def _measure_words(self, readings: Sequence[Reading]) -> dict[str, Matrix]:
        full, full_weights = self._incidence([reading.bare for reading in readings])
        last, last_weights = self._incidence([reading.bare_last for reading in readings])
        best = self._best_overlap(full, full_weights, readings)
        best_last = self._best_overlap(last, last_weights, readings)
        named = np.round(full @ self.incidence[self.starts].T, DIGITS)
        known = np.square(full).sum(1)
        rarest = self._rarest_left(full)
        return {
            "overlap_full": best[0],
            "full_explained": best[1],
            "form_covered": best[2],
            "overlap_last": best_last[0],
            "last_explained": best_last[1],
            "last_form_covered": best_last[2],
            "name_explains": named / np.maximum(full_weights, BASE)[:, None],
            "name_covered": named / np.maximum(self.form_weights[self.starts], BASE)[None, :],
            "leftover": (1 - best[1]) * full_weights[:, None],
            "leftover_rarest": rarest,
            "leftover_unknown": (full_weights - known)[:, None],
            "form_leftover": best[3],
            "leftover_last": (1 - best_last[1]) * last_weights[:, None],
        }

    def _best_overlap(
        self, names: Matrix, weights: Matrix, readings: Sequence[Reading]
    ) -> tuple[Matrix, Matrix, Matrix, Matrix]:
        """Per (name, field) of its best form: harmonic mean, share explained, share covered, form's rest."""
        shared = np.round(names @ self.incidence.T, DIGITS)  # else rounding splits what is equal
        explained = shared / np.maximum(weights, BASE)[:, None]
        covered = shared / np.maximum(self.form_weights, BASE)[None, :]
        both = explained + covered
        harmonic = np.divide(2 * explained * covered, both, out=np.zeros_like(both), where=both > 0)
        harmonic = np.round(harmonic, DIGITS)
        self._leave_opposites(harmonic, readings)
        best = np.maximum.reduceat(harmonic, self.starts, axis=1)
        sizes = np.diff(np.append(self.starts, harmonic.shape[1]))
        is_best = (harmonic >= np.repeat(best, sizes, axis=1)) & (harmonic > 0)
        rest = self.form_weights[None, :] - shared

        def of_best(values: Matrix) -> Matrix:
            picked: Matrix = np.maximum.reduceat(np.where(is_best, values, 0), self.starts, axis=1)
            return picked

        return best, of_best(explained), of_best(covered), of_best(rest)

    def _leave_opposites(self, likeness: Matrix, readings: Sequence[Reading]) -> None:
        """What is like an opposite is not like the field, unless it is spelt exactly so; in place."""
        for column in self.negated:
            words = self.forms.forms[column].words
            likeness[[words not in one.keys for one in readings], column] = 0

    def _rarest_left(self, full: Matrix) -> Matrix:
        """The heaviest known concept of the name that no form of the field has."""
        held = np.maximum.reduceat((self.incidence > 0).astype(np.float32), self.starts, axis=0)
        left = np.zeros((len(full), len(self.starts)), np.float32)
        squares = np.square(full)
        for column in range(len(self.starts)):
            left[:, column] = (squares * (1 - held[column])).max(1, initial=0)
        return left

    def _measure_letters(self, readings: Sequence[Reading]) -> dict[str, Matrix]:
        found: dict[str, Matrix] = {}
        bare = ["".join(reading.bare) for reading in readings]
        last = ["".join(reading.bare_last) for reading in readings]
        names = {name: at for at, name in enumerate(dict.fromkeys([*bare, *last]))}
        one, other = [names[name] for name in bare], [names[name] for name in last]
        for name, scorer, scale in (
            ("jaro_winkler", JaroWinkler.similarity, 1.0),
            ("edit_ratio", fuzz.ratio, 100.0),
        ):
            alike = process.cdist(list(names), self.squashed, scorer=scorer, dtype=np.float32)
            alike[:, self.negated] = np.where(alike[:, self.negated] >= scale, scale, 0)
            nearest = np.maximum.reduceat(alike, self.starts, axis=1) / scale
            found[name] = np.maximum(nearest[one], nearest[other])
        return found

    def _measure_kind(self, readings: Sequence[Reading]) -> dict[str, Matrix]:
        of_field = self.fields
        head = np.array([_head(reading.last, self.lexicon) for reading in readings])[:, None]
        context = np.array([_context(reading.full, self.lexicon) for reading in readings])[:, None]
        time = _flags(bool(TIME_WORDS & set(one.full)) or one.last[-1] in TIME_ENDS for one in readings)
        flag = _flags(one.full[0] in FLAGS or one.last[0] in FLAGS for one in readings)
        is_id = _flags(one.last[-1] == "id" for one in readings)
        digits = _flags(any(word.isdigit() for word in one.bare_last) for one in readings)
        head_f, context_f = of_field["head"][None, :], of_field["context"][None, :]
        time_f, flag_f = of_field["time"][None, :], of_field["boolean"][None, :]
        both = (head != "") & (head_f != "")
        return {
            "head_same": both & (head == head_f),
            "head_differs": both & (head != head_f),
            "head_missing": (head == "") & (head_f != ""),
            "time_both": time & time_f,
            "time_only_field": ~time & time_f,
            "time_only_name": time & ~time_f,
            "boolean_both": flag & flag_f,
            "boolean_only_field": ~flag & flag_f,
            "boolean_only_name": flag & ~flag_f,
            "id_field_other_name": ~is_id & of_field["id"][None, :],
            "context_same": (context != "") & (context == context_f),
            "context_differs": (context != "") & (context_f != "") & (context != context_f),
            "context_missing": (context != "") & (context_f == ""),
            "context_unasked": (context == "") & (context_f != ""),
            "context_twin": (context == "") & of_field["twin"][None, :],
            "digits_unexplained": digits & ~of_field["digits"][None, :],
        }


def _flags(values: Any) -> NDArray[np.bool_]:
    return np.array(list(values), bool)[:, None]


def _compare(values: Matrix) -> tuple[Matrix, Matrix]:
    """Margin to the best other field, and how many fields are better (at most 10)."""
    width = values.shape[1]
    if width < 2:
        return values.copy(), np.zeros_like(values)
    ordered = np.sort(values, axis=1)
    top, second = ordered[:, -1:], ordered[:, -2:-1]
    margin = values - np.where(values >= top, second, top)
    better = np.zeros_like(values)
    for column in range(width):
        better[:, column] = (values > values[:, column : column + 1]).sum(1)
    return margin, np.minimum(better, 10)


def _measure_names(readings: Sequence[Reading], lexicon: Lexicon) -> dict[str, Matrix]:
    weights = [[lexicon.weight(word) for word in reading.bare] for reading in readings]
    rows = {
        "words_full": [len(reading.full) for reading in readings],
        "words_last": [len(reading.bare_last) for reading in readings],
        "stripped_own": [reading.stripped == "own" for reading in readings],
        "stripped_alike": [reading.stripped == "alike" for reading in readings],
        "custom": [reading.custom for reading in readings],
        "indexed": [reading.indexed for reading in readings],
        "depth": [reading.depth for reading in readings],
        "mean_weight": [sum(one) / max(1, len(one)) for one in weights],
        "top_weight": [max(one, default=0) for one in weights],
    }
    return {name: np.array(values, np.float32)[:, None] for name, values in rows.items()}


def _head(words: Words, lexicon: Lexicon) -> str:
    return lexicon.data.heads.get(words[-1], "") if words else ""


def _context(words: Words, lexicon: Lexicon) -> str:
    return next((lexicon.data.contexts[word] for word in words if word in lexicon.data.contexts), "")


def _has_twin(words: Words, names: Sequence[Words], lexicon: Lexicon) -> bool:
    """Whether another field differs in its context only: billing city and shipping city."""

    def plain(name: Words) -> Words:
        return tuple(word for word in name if word not in lexicon.data.contexts)

    return plain(words) != words and any(one != words and plain(one) == plain(words) for one in names)


_HEAD_OF_TYPE = {"datetime": "time", "date": "time", "url": "url", "email": "email", "phone": "phone"}


def _describe_fields(fields: Sequence[CanonicalField], lexicon: Lexicon) -> dict[str, NDArray[Any]]:
    names = [lexicon.words(field.name) for field in fields]
    heads = [
        _HEAD_OF_TYPE.get(field.type) or _head(words, lexicon)
        for field, words in zip(fields, names, strict=True)
    ]
    return {
        "head": np.array(heads, dtype=np.str_),
        "context": np.array([_context(words, lexicon) for words in names], dtype=np.str_),
        "time": np.array([field.type in ("date", "datetime") for field in fields], bool),
        "boolean": np.array([field.type == "boolean" for field in fields], bool),
        "id": np.array([words[-1] == "id" for words in names], bool),
        "twin": np.array([_has_twin(words, names, lexicon) for words in names], bool),
        "digits": np.array([any(word.isdigit() for word in words) for words in names], bool),
    }
