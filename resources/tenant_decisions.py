"""What a tenant's people decided about fields, read as truth: for training its own model, and to export.

Approved is right, rejected is wrong, "no counterpart" is an answer too. What the engine applied by itself
is no truth: a model that learned from its own answers would only grow surer of them.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection, func, select

from core.mapper.question import Reading
from core.names import GLOBAL_TENANT
from core.ontology import Ontology
from resources.database import Database
from resources.embeddings import Vectors
from resources.proposals import STEWARD
from resources.registry_rows import open_scope
from resources.retrieval import NEAR
from resources.tables import mapper_models as models
from resources.tables import mapping_decisions as decisions
from resources.tables import proposals


@dataclass(frozen=True)
class Decided:
    """One field. ``right``: the canonical field, None for no counterpart.

    ``wrong``: what was rejected without saying what is right; then ``right`` says nothing.
    """

    connector: str
    stream: str
    field: str
    entity: str
    right: str | None
    wrong: str | None
    by: str

    @property
    def place(self) -> tuple[str, str, str]:
        """Connector, stream, field."""
        return (self.connector, self.stream, self.field)

    def judge(self, answer: str) -> bool | None:
        """Whether that answer would be right; None where the decision does not tell."""
        if self.wrong is None:
            return answer == self.right
        return False if answer == self.wrong else None


def read_decided(db: Database, ontology: Ontology, tenant_id: str) -> list[Decided]:
    """Decisions of people of one tenant, or for ``*`` those promoted for everybody; by place.

    What the ontology no longer has is left out.
    """
    with open_scope(db, tenant_id) as conn:
        found = {one.place: one for one in _read_rejected(conn, tenant_id)}
        found |= {one.place: one for one in _read_steward(conn, tenant_id)}
    return [found[place] for place in sorted(found) if _is_known(found[place], ontology)]


def _read_steward(conn: Connection, tenant_id: str) -> list[Decided]:
    table = decisions.c
    query = select(
        table.connector, table.stream, table.field, table.entity, table.target, table.decided_by
    ).where(table.tenant_id == tenant_id, table.origin == STEWARD)
    return [Decided(*row[:5], None, row.decided_by) for row in conn.execute(query)]


def _read_rejected(conn: Connection, tenant_id: str) -> list[Decided]:
    if tenant_id == GLOBAL_TENANT:
        return []
    table = proposals.c
    query = select(
        table.connector, table.stream, table.field, table.entity, table.target, table.decided_by
    ).where(table.tenant_id == tenant_id, table.status == "rejected", table.target.is_not(None))
    fields = query.where(~table.evidence.has_key("parts"))  # a name that joins others is no field
    return [Decided(*row[:4], None, row.target, row.decided_by or "") for row in conn.execute(fields)]


def _is_known(one: Decided, ontology: Ontology) -> bool:
    entity = ontology.entities.get(one.entity)
    return entity is not None and all(
        name is None or name in entity.fields for name in (one.right, one.wrong)
    )


def count_new(conn: Connection, tenant_id: str) -> int:
    """Decisions of the tenant's people since its model was last trained, or ever."""
    trained = select(func.max(models.c.trained_at)).where(models.c.tenant_id == tenant_id).scalar_subquery()
    never = func.to_timestamp(0)
    query = select(func.count()).where(
        decisions.c.tenant_id == tenant_id,
        decisions.c.origin == STEWARD,
        decisions.c.decided_at > func.coalesce(trained, never),
    )
    return int(conn.execute(query).scalar_one())


def fingerprint_decided(decided: Iterable[Decided]) -> str:
    """SHA-256 (hex) over what was decided and by whom, in any order."""
    facts = sorted([*one.place, one.entity, one.right or "", one.wrong or "", one.by] for one in decided)
    return hashlib.sha256(json.dumps(facts, ensure_ascii=False).encode()).hexdigest()


def weigh_decided(
    decided: Sequence[Decided], readings: Sequence[Reading], vectors: Vectors | None
) -> list[float]:
    """How much each counts: near-duplicates by one person of one connector share the weight of one.

    Near are decisions for the same canonical field; where there is none, names that are alike but for
    digits or as ``vectors`` (one row a decision) say.
    """
    voices: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for at, one in enumerate(decided):
        target = one.right or (f"not {one.wrong}" if one.wrong else "")
        voices[one.by, one.connector, one.entity, target].append(at)
    weights = [1.0] * len(decided)
    for voice, members in voices.items():
        agreed = bool(voice[-1]) and not voice[-1].startswith("not ")
        groups = [members] if agreed else _group(members, readings, vectors)
        for group in groups:
            for at in group:
                weights[at] = 1 / len(group)
    return weights


def _group(members: Sequence[int], readings: Sequence[Reading], vectors: Vectors | None) -> list[list[int]]:
    """Members that are called nearly alike, each joined to the first it is near to."""
    by_words: dict[str, list[int]] = defaultdict(list)
    for at in members:
        by_words[re.sub(r"\W*\d+\W*", " ", readings[at].text).strip()].append(at)
    if vectors is None:
        return list(by_words.values())
    groups: list[list[int]] = []
    leaders: list[int] = []
    for same in by_words.values():
        near = vectors[leaders] @ vectors[same[0]] if leaders else np.zeros(0)
        if near.size and float(near.max()) >= NEAR:
            groups[int(near.argmax())] += same
        else:
            leaders.append(same[0])
            groups.append(list(same))
    return groups


TRUTH_COLUMNS = ("source_system", "source_entity", "source_field", "canonical_entity", "canonical_field")


def as_truth(decided: Iterable[Decided]) -> list[tuple[str, ...]]:
    """Rows under ``TRUTH_COLUMNS``, as training reads them; no counterpart is an empty field."""
    return [(*one.place, one.entity, one.right or "") for one in decided if one.wrong is None]
