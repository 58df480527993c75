"""The engine of a tenant: every unmapped field, in one batch, answered, applied or put to review.

Order: the sets that hold (the tenant's, else the global) → exact and alias spellings → retrieval and the
model → the language model where one is given → review. A tenant with nothing unmapped pays nothing: no
model is loaded. Whatever is wrong with the embedding model, the sync goes on by words, all to review.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from core.connector import ConnectorSpec
from core.errors import ConfigError
from core.mapper.answer import Answer
from core.mapper.decision import BELOW_AUTO
from core.mapper.derived import Derived
from core.mapper.look import Look
from core.mapper.model import MapperModel
from core.mapper.proposal import Proposal, find_source
from core.mapper.transforms import TransformChoice
from core.mapping import MappingSet
from core.ontology import Ontology
from core.schema import TableSchema
from resources.clock import Clock
from resources.collection import collect_rarely
from resources.coverage import StreamCoverage, read_coverage
from resources.database import Database
from resources.mapper_again import ReadTurn, leave_waiting, mark_unheard
from resources.mapper_open import find_open, leave_unknown
from resources.mapper_settle import Settled, settle_streams
from resources.mapper_transforms import LEAST, Looker, choose_transforms, describe_look
from resources.registry import active_sets
from resources.registry_rows import StreamKey
from resources.settings import Settings
from resources.stream_entities import save_guesses
from resources.stream_facts import read_schemas
from resources.tenant_models import choose_model

if TYPE_CHECKING:
    from core.llm.question import LlmAnswer, StreamQuestion
    from resources.embeddings import Embedder
    from resources.lake import Lake
    from resources.mapper_batch import Batch

AskModel = Callable[[str, "StreamQuestion"], "list[LlmAnswer]"]
WORDS_ALONE = "no embedding model: proposed by words alone, everything waits for review"


@dataclass
class MapperReport:
    """Counts of fields: looked at, applied by themselves, waiting; per method; sets made; what was wrong."""

    asked: int = 0
    applied: int = 0
    review: int = 0
    unknown: int = 0
    methods: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    sets: list[MappingSet] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    embedded: bool = True
    clock: Clock = field(default_factory=Clock)

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds by phase; storing goes on beside answering, so ``settle`` is what was waited for it."""
        return dict(self.clock.seconds)


@collect_rarely()
def map_tenant(
    db: Database,
    settings: Settings,
    ontology: Ontology,
    specs: Sequence[ConnectorSpec],
    tenant_id: str,
    *,
    ask_model: AskModel | None = None,
    read_turn: ReadTurn | None = None,
    load: Callable[[], Embedder | None] | None = None,
    lake: Lake | None = None,
) -> MapperReport:
    """Answer every unmapped field of the tenant that was not answered on the same basis before.

    ``ask_model``: raises Unheard where there is no answer; ``read_turn``: whether that can be asked again.
    ``lake``: look at the values too, as shares of patterns. ``load``: where embeddings come from.
    """
    report = MapperReport()
    schemas = read_schemas(db, tenant_id, [spec.connector for spec in specs])
    known = read_coverage(db, tenant_id, specs, schemas)
    coverage = [one for one in known if one.unknown and not one.stays_raw]
    try:
        chosen = choose_model(db, tenant_id)
    except ConfigError as error:  # a broken installation must not stop what syncs
        report.warnings.append(f"nothing is proposed, unmapped fields wait: {error}")
        return report
    report.warnings += [chosen.warning] if chosen.warning else []
    basis = f"{chosen.label}/{ontology.fingerprint[:12]}"
    open_fields = find_open(db, tenant_id, [one.connector for one in specs], known, coverage, basis)
    report.warnings += leave_unknown(ontology, coverage, open_fields)
    due = leave_waiting(open_fields, basis, tenant_id, read_turn)
    if not due:
        return report
    from resources.embeddings import ModelUnusable, load_embedder

    embedder = (load or load_embedder)()
    mapper = _Mapper(
        db, settings, ontology, tenant_id, chosen.model, embedder, basis, report, lake, read_turn
    )
    try:
        mapper.run(coverage, due, schemas, ask_model)
    except ModelUnusable as error:  # it loaded, and broke on these names: before anything was proposed
        report.warnings.append(f"the embedding model is unusable: {error}")
        mapper.embedder = None
        mapper.run(coverage, due, schemas, ask_model)
    if mapper.embedder is None:
        report.warnings.append(WORDS_ALONE)
    return report


@dataclass
class _Mapper:
    db: Database
    settings: Settings
    ontology: Ontology
    tenant_id: str
    model: MapperModel
    embedder: Embedder | None
    basis: str
    report: MapperReport
    lake: Lake | None = None
    read_turn: ReadTurn | None = None
    settled: set[tuple[str, str]] = field(default_factory=set)
    unheard: dict[StreamKey, tuple[set[str], Decimal]] = field(default_factory=dict)

    def run(
        self,
        streams: Sequence[StreamCoverage],
        open_fields: Mapping[StreamKey, Mapping[str, str]],
        schemas: Mapping[StreamKey, TableSchema],
        ask_model: AskModel | None,
    ) -> None:
        from resources.mapper_batch import answer_streams

        self.report.embedded = self.embedder is not None
        if self.embedder is None:  # words alone are no reason to take back what was made with more
            open_fields = leave_waiting(open_fields, self.basis, self.tenant_id, None)
            open_fields = leave_waiting(open_fields, self._basis(), self.tenant_id, self.read_turn)
        wanted = {key: set(fields) for key, fields in open_fields.items() if key not in self.settled}
        left = [one for one in streams if wanted.get((one.connector, one.stream))]
        if not left:
            return
        looker = Looker(self.db, self.lake, self.tenant_id)
        held = active_sets(self.db, self.tenant_id, sorted({one.connector for one in left}))
        parts = (self.db, self.ontology, self.model, self.embedder, self.tenant_id)
        settle = partial(settle_streams, self.db, self.settings, self.ontology, self.tenant_id)
        # Postgres stores one batch while the next one is answered
        with ThreadPoolExecutor(1, "settle") as writer:
            before: Future[Settled] | None = None
            try:
                for batch in answer_streams(*parts, left, schemas, looker, self.report.clock):
                    proposed = self._propose_batch(batch, wanted, held, looker, ask_model)
                    self._keep_guesses(batch)
                    writing, before = before, None
                    self._take(writing)
                    before = writer.submit(settle, proposed, batch.guesses.keys())
                    self.settled.update(proposed)
            finally:
                self._take(before)
                self.report.warnings += looker.warnings

    def _keep_guesses(self, batch: Batch) -> None:
        """A person confirms which entity a stream is: ``aos mapping entity``, or first thing in a review."""
        if not batch.guesses:
            return
        ranked = {
            key: [(one.entity, one.confidence) for one in found] for key, found in batch.guesses.items()
        }
        with self.db.tenant(self.tenant_id) as conn:
            save_guesses(conn, self.tenant_id, ranked)

    def _take(self, writing: Future[Settled] | None) -> None:
        if writing is None:
            return
        with self.report.clock("settle"):
            done = writing.result()
        self.report.applied += done.applied
        self.report.review += done.review
        self.report.unknown += done.unknown
        self.report.sets += done.sets
        self.report.warnings += done.warnings

    def _propose_batch(
        self,
        batch: Batch,
        wanted_fields: Mapping[StreamKey, set[str]],
        held: Mapping[StreamKey, MappingSet],
        looker: Looker,
        ask_model: AskModel | None,
    ) -> dict[StreamKey, list[Proposal]]:
        by_stream: dict[StreamKey, list[Answer]] = defaultdict(list)
        for answer in batch.answers:
            by_stream[answer.question.system, answer.question.stream].append(answer)
        proposed = {}
        for stream in batch.streams:
            key = (stream.connector, stream.stream)
            open_ = [one for one in by_stream[key] if one.question.field in wanted_fields[key]]
            wanted = self._weigh(key, open_, ask_model)
            entity = batch.entities.get(key, stream.entity or "")
            filled = {one.target for one in held[key].mappings} if key in held else set()
            with self.report.clock("propose"), looker.reading(key):
                proposed[key] = self._propose_stream(entity, stream, by_stream[key], wanted, filled, looker)
        return proposed

    def _weigh(
        self, key: StreamKey, answers: Sequence[Answer], ask_model: AskModel | None
    ) -> Sequence[Answer]:
        """The answers after the model was heard; else as they are, and remembered as such."""
        from core.llm.question import Unheard
        from resources.mapper_llm import open_recall, pick_unsure, weigh_unsure

        auto, recall = self.settings.auto_apply_confidence, None
        self.unheard.pop(key, None)
        try:
            if ask_model is None:
                raise Unheard
            if self.embedder is not None:
                scope = partial(self.db.tenant, self.tenant_id)
                recall = open_recall(scope, self.ontology, self.tenant_id, self.embedder)
            return weigh_unsure(self.ontology, self.tenant_id, answers, ask_model, auto, recall)
        except Unheard as error:
            asked = {one.question.field for one in pick_unsure(answers, auto)}
            self.unheard[key] = (asked, error.needs_usd)
            return answers

    def _propose_stream(
        self,
        entity: str,
        stream: StreamCoverage,
        answers: Sequence[Answer],
        wanted: Sequence[Answer],
        filled: set[str],
        looker: Looker,
    ) -> list[Proposal]:
        """Proposals for the wanted fields of a stream; ``answers`` to all of them are by calibration."""
        if not entity or not wanted:
            return [self._propose(one, entity, None, None) for one in wanted]
        key = (stream.connector, stream.stream)
        asked = {one.question.field: one for one in (*answers, *wanted)}
        found = choose_transforms(
            self.ontology,
            self.ontology.entity(entity),
            key,
            list(asked.values()),
            answers,
            filled,
            looker,
            stream.primary_key,
        )
        proposed = [
            self._propose(one, entity, found.choices.get(path), found.looks.get(path))
            for one in wanted
            for path in (one.question.field,)
        ]
        # a key alone makes records of nothing: it applies where something else does
        alone = not any(one.confidence >= self.settings.auto_apply_confidence for one in proposed)
        most = BELOW_AUTO if alone or stream.entity is None else 1.0
        return [*proposed, *(self._derive(one, entity, key, most) for one in found.derived)]

    def _propose(
        self, answer: Answer, entity: str, choice: TransformChoice | None, look: Look | None
    ) -> Proposal:
        question, best = answer.question, answer.best
        remarks, confidence = answer.remarks, answer.confidence
        choice = choice or TransformChoice("direct")
        if choice.doubt:
            remarks = (*remarks, choice.doubt)
        if choice.doubt or answer.entity or find_source(question.field) != question.field:
            confidence = min(confidence, BELOW_AUTO)  # an entity nobody declared is a person's to confirm
        target = best.field if best is not None and answer.confidence >= LEAST else None
        self.report.asked += 1
        self.report.methods[answer.method] += 1
        shares = question.profile.to_json() if question.profile is not None else {}
        return Proposal(
            question.system,
            question.stream,
            question.field,
            entity,
            target,
            choice.transform,
            choice.args,
            confidence,
            answer.method if target else "none",
            tuple((one.field, one.confidence) for one in answer.candidates),
            dict(answer.evidence),
            shares | describe_look(look),
            remarks,
            choice.doubt or (answer.doubt if target else None),
            basis=self._basis_of((question.system, question.stream), question.field),
        )

    def _derive(self, one: Derived, entity: str, key: tuple[str, str], most: float) -> Proposal:
        """A proposal that does not come from a field's own name, at most as sure as ``most``."""
        return Proposal(
            *key,
            one.field,
            entity,
            one.target,
            one.transform,
            dict(one.args),
            min(one.confidence, most),
            one.method,
            ((one.target, min(one.confidence, most)),),
            remarks=(one.doubt,),
            doubt=None if one.method == "key" and one.confidence > BELOW_AUTO else one.doubt,
            parts=one.parts,
            basis=self._basis(),
        )

    def _basis(self) -> str:
        return self.basis if self.report.embedded else f"{self.basis}/lexical"

    def _basis_of(self, key: StreamKey, path: str) -> str:
        fields, needs_usd = self.unheard.get(key, (set(), Decimal(0)))
        return mark_unheard(self._basis(), needs_usd) if path in fields else self._basis()
