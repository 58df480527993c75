"""One batch of a tenant: questions from the latest schemas, entities where none is declared, answers.

Names are embedded once and kept in Postgres: a tenant's under the tenant, the ontology's for all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from core.mapper.answer import Answer
from core.mapper.lexicon import Lexicon, build_lexicon
from core.mapper.model import MapperModel
from core.mapper.profile import Profile
from core.mapper.question import Question, read_question
from core.names import GLOBAL_TENANT
from core.ontology import Ontology
from core.schema import TableSchema
from resources.coverage import StreamCoverage
from resources.database import Database
from resources.embeddings import Embedder
from resources.entity_first import name_entities
from resources.lake import Lake
from resources.mapper_answers import Answerer
from resources.retrieval import embed_decisions, fill_from_cache, read_votes, save_to_cache

StreamKey = tuple[str, str]


@dataclass(frozen=True)
class Batch:
    """Answers to all fields of the streams, and the entity taken for each stream."""

    answers: list[Answer]
    entities: dict[StreamKey, str]


def build_lexicon_of(ontology: Ontology) -> Lexicon:
    """The lexicon of the ontology."""
    return build_lexicon(ontology)


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
    lake: Lake | None = None,
) -> Batch:
    """Answer every field of the streams. Streams without entity are taken for their likeliest one."""
    answerer = Answerer(ontology, model, embedder)
    profiles = {} if lake is None else _measure(db, lake, tenant_id, streams)
    questions = build_questions(streams, schemas, profiles)
    if embedder is not None:
        _embed(db, answerer, tenant_id, questions, embedder)
    declared = [one for one in questions if one.entity]
    asked = [
        (one, read_question(one, ontology.entity(one.entity), answerer.bench.lexicon)) for one in declared
    ]
    if embedder is not None:
        with db.tenant(tenant_id) as conn:
            embed_decisions(conn, tenant_id, embedder)
        with db.operator() as conn:
            embed_decisions(conn, GLOBAL_TENANT, embedder)
    with db.tenant(tenant_id) as conn:
        votes = read_votes(conn, tenant_id, asked, embedder)
    answers = answerer.answer(declared, votes)
    guessed = name_entities(answerer, [one for one in questions if not one.entity])
    entities = {
        (one.question.system, one.question.stream): told
        for one in guessed
        if (told := one.entity) is not None
    }
    return Batch([*answers, *guessed], entities)


def _measure(
    db: Database, lake: Lake, tenant_id: str, streams: Sequence[StreamCoverage]
) -> dict[StreamKey, Mapping[str, Profile]]:
    """Value profiles of the unmapped fields, from each stream's newest load."""
    from resources.loads import list_loads
    from resources.profiles import measure_profiles

    newest = {(one.connector, one.stream): one.load_id for one in reversed(list_loads(db, tenant_id))}
    found: dict[StreamKey, Mapping[str, Profile]] = {}
    for stream in streams:
        key = (stream.connector, stream.stream)
        if key in newest:
            files = lake.files(tenant_id, *key, newest[key])
            found[key] = measure_profiles(files, stream.unknown)
    return found


def _embed(
    db: Database, answerer: Answerer, tenant_id: str, questions: Sequence[Question], embedder: Embedder
) -> None:
    """Embed what is new, and keep it."""
    entities = {one.entity for one in questions if one.entity}
    own = answerer.bench.list_texts(entities or set(answerer.bench.ontology.entities))
    names = [
        read_question(
            one if one.entity else replace(one, entity="account"),
            answerer.bench.ontology.entity(one.entity or "account"),
            answerer.bench.lexicon,
        ).text
        for one in questions
    ]
    with db.tenant(tenant_id) as conn:
        new_names = fill_from_cache(conn, tenant_id, embedder, names)
        new_own = fill_from_cache(conn, tenant_id, embedder, own)
    new_names = [one for one in new_names if one not in set(new_own)]
    vectors = dict(zip([*new_own, *new_names], embedder.embed([*new_own, *new_names]), strict=True))
    if new_names:
        with db.tenant(tenant_id) as conn:
            save_to_cache(conn, tenant_id, {one: vectors[one] for one in new_names})
    if new_own:
        with db.operator() as conn:
            save_to_cache(conn, GLOBAL_TENANT, {one: vectors[one] for one in new_own})
