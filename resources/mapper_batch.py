"""One batch of a tenant: questions from the latest schemas, entities where none is declared, answers.

Names are embedded once and kept in Postgres: a tenant's under the tenant, the ontology's for all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from threadpoolctl import threadpool_limits

from core.mapper.answer import Answer
from core.mapper.model import MapperModel
from core.mapper.profile import Profile
from core.mapper.question import Question, read_question
from core.names import GLOBAL_TENANT
from core.ontology import Ontology
from core.schema import TableSchema
from resources.clock import Clock
from resources.coverage import StreamCoverage
from resources.database import Database
from resources.decision_words import embed_decisions
from resources.embedding_cache import CachedEmbedder
from resources.embeddings import Embedder
from resources.entity_first import EntityFinder, EntityGuess, doubt_guesses, take_for
from resources.knowledge import refresh_knowledge
from resources.mapper_answers import Answerer
from resources.mapper_transforms import Looker
from resources.retrieval import Memory

StreamKey = tuple[str, str]
FIELDS = 10_000
"""Fields of one batch; bounds the memory, and lets storing go on beside answering."""


@dataclass(frozen=True)
class Batch:
    """Answers to all fields of some streams, and the entity each was taken for that declares none."""

    streams: list[StreamCoverage]
    answers: list[Answer]
    entities: dict[StreamKey, str]
    guesses: dict[StreamKey, list[EntityGuess]]


def build_questions(
    streams: Sequence[StreamCoverage],
    schemas: Mapping[StreamKey, TableSchema],
    profiles: Mapping[StreamKey, Mapping[str, Profile]],
) -> list[Question]:
    """A question for each field, mapped ones included: they have claims of their own."""
    found = []
    for stream in streams:
        schema = schemas[stream.connector, stream.stream]
        types = {one.path: "|".join(kind for kind in one.types if kind != "null") for one in schema.fields}
        for path in (*stream.mapped, *stream.unknown):
            found.append(
                Question(
                    stream.connector,
                    stream.stream,
                    path,
                    stream.entity or "",
                    types.get(path, ""),
                    profile=profiles.get((stream.connector, stream.stream), {}).get(path),
                )
            )
    return found


def answer_streams(
    db: Database,
    ontology: Ontology,
    model: MapperModel,
    embedder: Embedder | None,
    tenant_id: str,
    streams: Sequence[StreamCoverage],
    schemas: Mapping[StreamKey, TableSchema],
    looker: Looker | None = None,
    clock: Clock | None = None,
) -> Iterator[Batch]:
    """Answer every field of the streams, ``FIELDS`` at a time.

    Streams without entity are taken for their likeliest one.
    """
    clock = clock or Clock()
    answerer = Answerer(ontology, model, embedder)
    with clock("retrieve"):
        memory = _open_memory(db, ontology, tenant_id, embedder)
    answerer.bench.near = memory.read_near
    if embedder is not None:
        cached = CachedEmbedder(db, tenant_id, embedder)

        def recall(own: Sequence[str], names: Sequence[str]) -> None:
            with clock("embed"):
                cached.recall(own, names)

        answerer.bench.recall = recall
    finder = EntityFinder(answerer.bench)
    for part in _cut(streams):
        with clock("profile"):
            profiles = {} if looker is None else _measure(looker, part)
        if looker is not None:
            part = [one for one in part if (one.connector, one.stream) not in looker.unreadable]
        questions = build_questions(part, schemas, profiles)
        with clock("entity"):
            guesses = _guess(finder, questions)
        # many small products: the threads of a matrix library would only wait for each other
        with clock("answer"), threadpool_limits(1, "blas"):
            answers = _answer(answerer, questions, guesses, memory)
        entities = {key: ranked[0].entity for key, ranked in guesses.items()}
        yield Batch(part, answers, entities, guesses)


def _open_memory(db: Database, ontology: Ontology, tenant_id: str, embedder: Embedder | None) -> Memory:
    if embedder is not None:
        refresh_knowledge(db, ontology, embedder)
        with db.tenant(tenant_id) as conn:
            embed_decisions(conn, tenant_id, embedder)
        with db.operator() as conn:
            embed_decisions(conn, GLOBAL_TENANT, embedder)
    return Memory(lambda: db.tenant(tenant_id), tenant_id, embedder)


def _cut(streams: Sequence[StreamCoverage]) -> Iterator[list[StreamCoverage]]:
    part: list[StreamCoverage] = []
    size = 0
    for one in streams:
        part.append(one)
        size += len(one.mapped) + len(one.unknown)
        if size >= FIELDS:
            yield part
            part, size = [], 0
    if part:
        yield part


def _guess(finder: EntityFinder, questions: Sequence[Question]) -> dict[StreamKey, list[EntityGuess]]:
    asked: dict[StreamKey, list[Question]] = defaultdict(list)
    for one in questions:
        if not one.entity:
            asked[one.system, one.stream].append(one)
    return dict(zip(asked, finder.guess(list(asked.values())), strict=True))


def _answer(
    answerer: Answerer,
    questions: Sequence[Question],
    guesses: Mapping[StreamKey, Sequence[EntityGuess]],
    memory: Memory,
) -> list[Answer]:
    bench = answerer.bench
    taken = {key: ranked[0] for key, ranked in guesses.items()}
    asked = take_for(questions, taken)
    names = [
        (one.entity, read_question(one, bench.ontology.entity(one.entity), bench.lexicon).decided_as)
        for one in asked
    ]
    answers = answerer.answer(asked, memory.read_same(names))
    return doubt_guesses(answers, questions, taken)


def _measure(looker: Looker, streams: Sequence[StreamCoverage]) -> dict[StreamKey, Mapping[str, Profile]]:
    """Value profiles of the unmapped fields, from each stream's newest loads."""
    from resources.profiles import measure_profiles

    found: dict[StreamKey, Mapping[str, Profile]] = {}
    for stream in streams:
        key = (stream.connector, stream.stream)
        with looker.reading(key):
            found[key] = measure_profiles(looker.list_files(key), stream.unknown)
    return found
