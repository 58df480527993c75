"""What decisions teach: vendors onboarded one after another, each decided by the truth before the next.

``python -m bench rag_progress`` prints the figures; ``python -m bench.rag_progress PICTURE.svg`` the table
of docs/mapping.md, and draws it. Decisions, their retrieval and their votes are the product's own, in a
real Postgres; each vendor is answered by a model that has not seen it. Twice: without the aliases that only
this vendor uses (``strict``), and without any alias that a field of the 15 vendors is called (``bare``), as
if nobody had written down how vendors call things: there decisions are all there is to learn names from.
The orders are random and every vendor stands once at every place, so places compare like with like.
Needs the evaluation data.
"""

from __future__ import annotations

import random
import sys
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.mapping_tools import prepare
from bench.measure import Measure
from bench.workspace import open_workspace
from core.mapper.decision import AUTO
from core.mapper.score import Row, is_right

if TYPE_CHECKING:
    from bench.workspace import Workspace
    from core.mapper.answer import Answer
    from core.mapper.model import MapperModel
    from core.mapper.question import Question, Words
    from core.ontology import Ontology
    from resources.database import Database
    from resources.embeddings import Embedder
    from resources.mapper_answers import Answerer
    from resources.training import Dataset, Labels

SEED = 3
PLACES = (1, 2, 5, 10, 15)
_ACTOR = "steward"


@dataclass(frozen=True)
class Place:
    """The n-th vendors of all orders, ``n - 1`` vendors having been decided before each.

    ``share``: of all their fields, those applied by themselves; ``recall``: of those with a counterpart,
    those applied rightly. ``alone``: the same fields without any decision.
    """

    place: int
    fields: int
    share: float
    precision: float
    recall: float
    alone_share: float
    alone_precision: float
    alone_recall: float


def measure_progress() -> Iterator[Measure]:
    """Per place of ``PLACES``: share applied and precision, the baseline being the same without decisions."""
    progress = follow_progress()
    if progress is None:
        yield Measure("rag_progress", 0.0, "ratio", note="no evaluation data or no embedding model")
        return
    for known, places in progress.items():
        for one in places:
            if one.place in PLACES:
                yield from _measure_place(known, one)


def _measure_place(known: str, one: Place) -> Iterator[Measure]:
    told = f"{one.fields} fields of the vendors at place {one.place}, {one.place - 1} decided before"
    figures = {
        "applied": (one.share, one.alone_share),
        "precision": (one.precision, one.alone_precision),
        "recall": (one.recall, one.alone_recall),
    }
    for name, (value, alone) in figures.items():
        ratio = value / alone if alone else None
        yield Measure(f"rag_progress_{known}_{one.place}_{name}", value, "ratio", alone, ratio, told)


def follow_progress(seed: int = SEED) -> dict[str, list[Place]] | None:
    """Every place of a set of orders, by what is known; None without evaluation data or embedding model."""
    from core.mapper.model import load_model
    from resources.training_folds import find_own_aliases, find_used, measure_dataset

    found = prepare()
    if found is None:
        return None
    labels, ontology, embedder = found
    dataset = measure_dataset(labels, ontology, embedder)
    models = hold_out_models(dataset, load_model())
    own = find_own_aliases(dataset.full, labels)
    used = set().union(*find_used(dataset.full, labels).values())
    unknown = {"strict": own, "bare": dict.fromkeys(own, used)}
    with open_workspace() as place:
        return {
            known: _follow(
                place,
                known,
                labels,
                seed,
                {
                    vendor: build_unknowing(ontology, models[vendor], embedder, left_out)
                    for vendor, left_out in without.items()
                },
            )
            for known, without in unknown.items()
        }


def _follow(
    place: Workspace, known: str, labels: Labels, seed: int, answerers: Mapping[str, Answerer]
) -> list[Place]:
    from resources.tenants import add_tenant

    questions: dict[str, list[Question]] = defaultdict(list)
    for one in labels:
        questions[one.system].append(one)
    alone = {vendor: _label(one.answer(questions[vendor]), labels) for vendor, one in answerers.items()}
    seen: dict[int, list[tuple[str, list[Row]]]] = defaultdict(list)
    for number, order in enumerate(build_orders(sorted(answerers), seed)):
        tenant = f"{known}-{number}"
        add_tenant(place.db, tenant, tenant, "bench")
        for at, vendor in enumerate(order, 1):
            rows = _label(answer_hearing(place.db, tenant, answerers[vendor], questions[vendor]), labels)
            seen[at].append((vendor, rows))
            decide(place.db, answerers[vendor].bench.ontology, tenant, rows)
    return [
        sum_place(at, [rows for _, rows in held], [alone[vendor] for vendor, _ in held])
        for at, held in seen.items()
    ]


def build_orders(vendors: Sequence[str], seed: int) -> list[list[str]]:
    """As many random orders as vendors; each vendor stands once at each place."""
    rng = random.Random(seed)
    names, steps = rng.sample(list(vendors), len(vendors)), rng.sample(range(len(vendors)), len(vendors))
    return [[names[(row + step) % len(names)] for step in steps] for row in range(len(names))]


def hold_out_models(dataset: Dataset, shipped: MapperModel) -> dict[str, MapperModel]:
    """Per vendor a model of which every part was fitted without it."""
    from core.mapper.model import Stages
    from resources.training import Folded
    from resources.training_folds import fit_pick, hold_out

    folded = Folded(hold_out(dataset, embedded=True), dataset.labels, embedded=True)
    found = {}
    for vendor in dataset.vendors:
        fitted = folded.fit([vendor])
        found[vendor] = replace(
            shipped,
            embedded=Stages(fit_pick(dataset, [vendor], embedded=True), fitted.trust),
            lexical=Stages(fit_pick(dataset, [vendor], embedded=False), fitted.words),
            facts=fitted.facts,
            caution=fitted.caution,
        )
    return found


def build_unknowing(
    ontology: Ontology, model: MapperModel, embedder: Embedder, without: Collection[tuple[str, Words]]
) -> Answerer:
    """The product's answerer, without some (entity, words) among the aliases."""
    from resources.mapper_answers import Answerer
    from resources.mapper_facts import FactBench
    from resources.mapper_scoring import Bench, Measured

    class Unknowing(Bench):
        def measure(self, questions: Sequence[Question], *_: Any, **how: Any) -> list[Measured]:
            return super().measure(questions, lambda _: without, **how)

    answerer = Answerer(ontology, model, embedder)
    answerer.bench = Unknowing(ontology, embedder)
    answerer.facts = FactBench(answerer.bench)
    return answerer


def answer_hearing(
    db: Database, tenant: str, answerer: Answerer, questions: Sequence[Question]
) -> list[Answer]:
    """The answers with what the tenant's decisions so far say, as a run of the mapper hears them."""
    from core.mapper.question import read_question
    from resources.decision_words import embed_decisions
    from resources.retrieval import Memory

    bench = answerer.bench
    if bench.embedder is not None:
        with db.tenant(tenant) as conn:
            embed_decisions(conn, tenant, bench.embedder)
    memory = Memory(lambda: db.tenant(tenant), tenant, bench.embedder)
    bench.near = memory.read_near
    names = [
        (one.entity, read_question(one, bench.ontology.entity(one.entity), bench.lexicon).decided_as)
        for one in questions
    ]
    answers = answerer.answer(questions, memory.read_same(names))
    bench.near = None
    return answers


def decide(db: Database, ontology: Ontology, tenant: str, rows: Sequence[Row]) -> None:
    """Keep what the truth says of each field, as approving and rejecting do."""
    from core.mapper.proposal import Proposal
    from resources.proposals import STEWARD, remember_decision, remember_words

    with db.tenant(tenant) as conn:
        for answer, right in rows:
            one, best = answer.question, answer.best
            target = best.field if best and best.field in right else min(right, default=None)
            decided = Proposal(
                connector=one.system,
                stream=one.stream,
                field=one.field,
                entity=one.entity,
                target=target,
                transform="direct",
                args={},
                confidence=1.0,
                method="none",
                candidates=(),
            )
            remember_decision(conn, tenant, decided, STEWARD, _ACTOR, "truth")
            remember_words(conn, ontology, tenant, decided)


def sum_place(at: int, heard: Sequence[Sequence[Row]], alone: Sequence[Sequence[Row]]) -> Place:
    """The figures of one place over all orders: with decisions, and the same fields without."""
    with_votes = [row for rows in heard for row in rows]
    without = [row for rows in alone for row in rows]
    return Place(at, len(with_votes), *count_applied(with_votes), *count_applied(without))


def count_applied(rows: Sequence[Row]) -> tuple[float, float, float]:
    """Share of fields applied by themselves, share of those that are right, and of the mapped ones."""
    applied = [row for row in rows if row[0].confidence >= AUTO]
    right = sum(map(is_right, applied))
    mapped = sum(bool(targets) for _, targets in rows)
    return len(applied) / max(1, len(rows)), right / max(1, len(applied)), right / max(1, mapped)


def _label(answers: Sequence[Any], labels: Labels) -> list[Row]:
    return [(one, labels[one.question]) for one in answers]


def format_table(progress: Mapping[str, Sequence[Place]]) -> str:
    """The table of docs/mapping.md, in Markdown: with decisions, and without them in brackets."""
    head = "".join(f" applied, {known} | precision, {known} |" for known in progress)
    lines = ["| the n-th vendor |" + head, "|---" * (1 + 2 * len(progress)) + "|"]
    for same in zip(*progress.values(), strict=True):
        if same[0].place in PLACES:
            lines.append(f"| {same[0].place} |" + "".join(map(_format_cells, same)))
    return "\n".join(lines)


def _format_cells(one: Place) -> str:
    applied = f"{one.share:.3f} ({one.alone_share:.3f})"
    return f" {applied} | {one.precision:.3f} ({one.alone_precision:.3f}) |"


def list_lines(progress: Mapping[str, Sequence[Place]]) -> dict[str, list[tuple[float, float]]]:
    """The lines of the picture: title → (place, ratio)."""
    strict, bare = progress["strict"], progress["bare"]
    return {
        "precision of what is applied, no aliases": [(one.place, one.precision) for one in bare],
        "applied of all fields, with aliases": [(one.place, one.share) for one in strict],
        "applied of all fields, no aliases": [(one.place, one.share) for one in bare],
        "the same without decisions": [(one.place, one.alone_share) for one in bare],
    }


def main(arguments: Sequence[str]) -> int:
    """Print the table; with a path, draw the picture there."""
    from bench.progress_picture import draw_progress

    progress = follow_progress()
    if progress is None:
        print("no evaluation data or no embedding model", file=sys.stderr)
        return 1
    print(format_table(progress))
    for path in arguments:
        Path(path).write_text(draw_progress(list_lines(progress)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
