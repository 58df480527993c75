"""How often a stream's entity is guessed right from its name and its fields, beside the name alone.

Needs the evaluation data; without it says so. Spellings of entities were written by people who know
such vendors, and nothing is held out: the guess is set by hand, not trained.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from bench.mapping_quality import find_truth
from bench.measure import Measure

if TYPE_CHECKING:
    from core.mapper.question import Question
    from resources.entity_first import EntityGuess

SURE = 0.9
_Stream = tuple[str, str]


def measure_entities() -> Iterator[Measure]:
    """Shares of streams: likeliest entity right, right one among three, sure and right."""
    from core.mapper.model import load_model
    from core.ontology import load_ontology
    from resources.entity_first import EntityFinder
    from resources.mapper_answers import Answerer
    from resources.question_files import read_labels

    truth = find_truth()
    if truth is None:
        yield Measure("entity_first", 0.0, "ratio", note="no evaluation data")
        return
    streams, right = split_streams(read_labels(*truth))
    finder = EntityFinder(Answerer(load_ontology(), load_model(), None).bench)
    named = [[one[0]] for one in streams.values()]
    for name, asked in (("entity", list(streams.values())), ("entity_name_alone", named)):
        yield from _score(name, finder.guess(asked), [right[key] for key in streams])


def split_streams(
    labels: dict[Question, frozenset[str]],
) -> tuple[dict[_Stream, list[Question]], dict[_Stream, set[str]]]:
    """Fields by stream with their entity left out, and the entities that are right for each.

    Streams without a single mapped field are left out: what they are, nobody said.
    """
    from dataclasses import replace

    asked: dict[_Stream, dict[str, Question]] = defaultdict(dict)
    right: dict[_Stream, set[str]] = defaultdict(set)
    for one, targets in labels.items():
        key = (one.system, one.stream)
        asked[key][one.field] = replace(one, entity="")
        right[key] |= {one.entity} if targets else set()
    known = sorted(key for key in asked if right[key])
    return {key: list(asked[key].values()) for key in known}, right


def _score(
    name: str, guesses: Sequence[Sequence[EntityGuess]], right: Sequence[set[str]]
) -> Iterator[Measure]:
    pairs = list(zip(guesses, right, strict=True))
    first = sum(ranked[0].entity in them for ranked, them in pairs)
    three = sum(any(one.entity in them for one in ranked[:3]) for ranked, them in pairs)
    sure = [ranked[0].entity in them for ranked, them in pairs if ranked[0].confidence >= SURE]
    yield Measure(f"{name}_top1", first / len(pairs), "ratio", note=f"{len(pairs)} streams of 15 vendors")
    yield Measure(f"{name}_top3", three / len(pairs), "ratio")
    told = f"{len(sure)} streams at least {SURE} sure"
    yield Measure(f"{name}_sure_right", sum(sure) / max(1, len(sure)), "ratio", note=told)
