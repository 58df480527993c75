"""Mapping sets, what was proposed and decided, and what retrieval and training keep."""

from __future__ import annotations

from pgvector.sqlalchemy import VECTOR
from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID

from resources.tables.base import metadata, owned_by_tenant, part_of, tenant_key, time_column

mapping_sets = Table(
    "mapping_sets",
    metadata,
    Column("tenant_id", Text, nullable=False),  # '*' = global
    Column("set_id", UUID(as_uuid=False), nullable=False),
    Column("connector", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("entity", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    time_column("created_at"),
    *tenant_key("set_id"),
    UniqueConstraint("tenant_id", "connector", "stream", "number"),
)

active_mapping_sets = Table(
    "active_mapping_sets",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("connector", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("set_id", UUID(as_uuid=False), nullable=False),
    Column("activated_by", Text, nullable=False),
    time_column("activated_at"),
    *tenant_key("connector", "stream"),
    part_of("mapping_sets", "set_id"),
)

field_mappings = Table(
    "field_mappings",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("set_id", UUID(as_uuid=False), nullable=False),
    Column("target", Text, nullable=False),
    Column("sources", JSONB, nullable=False),
    Column("transform", Text, nullable=False),
    Column("args", JSONB, nullable=False, server_default="{}"),
    Column("confidence", Float, nullable=False),
    Column("origin", Text, nullable=False),
    *tenant_key("set_id", "target"),
    part_of("mapping_sets", "set_id"),
)

mapping_canaries = Table(
    "mapping_canaries",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("connector", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("base_id", UUID(as_uuid=False), nullable=False),  # the active set when it began
    Column("set_id", UUID(as_uuid=False), nullable=False),  # the set on trial
    Column("ratio", Float, nullable=False),  # share of records under it, 0 to 1
    Column("purpose", Text, nullable=False),  # canary | yaml
    Column("started_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    time_column("started_at"),
    time_column("changed_at"),
    *tenant_key("connector", "stream"),
    owned_by_tenant(),
)

yaml_migrations = Table(
    "yaml_migrations",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("folder", Text, nullable=False),
    Column("phase", Text, nullable=False),  # SHADOW | CANARY | CUT_OVER | ABORTED
    Column("ratio", Float, nullable=False),  # share of records under the registry's sets, 0 to 1
    Column("files", JSONB, nullable=False),
    Column("archive", Text),
    Column("started_by", Text, nullable=False),
    time_column("started_at"),
    time_column("changed_at"),
    *tenant_key(),
    owned_by_tenant(),
)

proposals = Table(
    "proposals",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("connector", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("field", Text, nullable=False),  # path in the source
    Column("entity", Text, nullable=False),
    Column("target", Text),  # canonical field; null: none is likely
    Column("transform", Text, nullable=False),
    Column("args", JSONB, nullable=False),
    Column("confidence", Float, nullable=False),
    Column("method", Text, nullable=False),  # core.mapper.answer.Method
    Column("status", Text, nullable=False),  # pending | approved | rejected | applied | expired
    Column("candidates", JSONB, nullable=False),  # [[canonical field, confidence], …], best first
    Column("evidence", JSONB, nullable=False),  # what each column adds to the logit of the best
    Column("remarks", JSONB, nullable=False),
    Column("basis", Text, nullable=False),  # what it was made from: model, ontology, mode
    Column("set_id", UUID(as_uuid=False)),  # the set it went into
    Column("decided_by", Text),
    Column("reason", Text),
    time_column("proposed_at"),
    time_column("decided_at", nullable=True),
    *tenant_key("connector", "stream", "field"),
    owned_by_tenant(),
    Index("ix_proposals_status", "tenant_id", "status"),
)

mapping_decisions = Table(
    "mapping_decisions",
    metadata,
    Column("tenant_id", Text, nullable=False),  # '*' = promoted for everybody
    Column("connector", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("field", Text, nullable=False),
    Column("entity", Text, nullable=False),
    Column("target", Text),  # null: it has no counterpart
    Column("transform", Text, nullable=False),
    Column("args", JSONB, nullable=False),
    Column("origin", Text, nullable=False),  # steward | self (applied by itself)
    Column("decided_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    time_column("decided_at"),
    *tenant_key("connector", "stream", "field"),
)

mapping_embeddings = Table(
    "mapping_embeddings",
    metadata,
    Column("tenant_id", Text, nullable=False),  # '*' = readable by all
    Column("connector", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("field", Text, nullable=False),
    Column("entity", Text, nullable=False),
    Column("target", Text),  # null: no counterpart
    Column("words", Text, nullable=False),  # the field's name as words
    Column("origin", Text, nullable=False),
    Column("embedding", VECTOR(384)),  # null while there was no model
    *tenant_key("connector", "stream", "field"),
    Index("ix_mapping_embeddings_words", "tenant_id", "entity", "words"),
    Index(
        "ix_mapping_embeddings_embedding",
        "embedding",
        postgresql_using="hnsw",
        postgresql_ops={"embedding": "vector_cosine_ops"},
    ),
)

shared_knowledge = Table(  # the rows of mapping_embeddings under '*' that are made, not decided
    "shared_knowledge",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),  # of what they were made from
    Column("entries", BigInteger, nullable=False),
    time_column("refreshed_at"),
    *tenant_key(),
)

embedding_cache = Table(
    "embedding_cache",
    metadata,
    Column("tenant_id", Text, nullable=False),  # '*' = the ontology's own texts
    Column("model", Text, nullable=False),
    Column("words", Text, nullable=False),
    Column("embedding", LargeBinary, nullable=False),  # 384 × float32, little-endian
    *tenant_key("model", "words"),
)

mapper_models = Table(
    "mapper_models",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("version", Integer, nullable=False),  # 1, 2, … of this tenant
    Column("status", Text, nullable=False),  # candidate | active | retired | refused
    Column("base", Text, nullable=False),  # fingerprint of the shipped model it was made from
    Column("trained_on", Text, nullable=False),  # fingerprint of the decisions
    Column("decisions", Integer, nullable=False),
    Column("weight", Float, nullable=False),  # what they count for, near-duplicates together
    Column("figures", JSONB, nullable=False),  # {"before": {…}, "after": {…}}, connectors held out
    Column("reliability", JSONB, nullable=False),  # likewise: rows of (from, to, count, said, right)
    Column("coefficients", JSONB, nullable=False),  # stage two of both modes
    Column("trained_by", Text, nullable=False),
    time_column("trained_at"),
    Column("changed_by", Text),
    time_column("changed_at", nullable=True),
    Column("reason", Text, nullable=False),
    *tenant_key("version"),
    owned_by_tenant(),
    Index("uq_mapper_models_active", "tenant_id", unique=True, postgresql_where=text("status = 'active'")),
)

stream_entities = Table(
    "stream_entities",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("connector", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("entity", Text),  # null: a person said that it has none
    Column("confidence", Float, nullable=False),  # of the guess
    Column("candidates", JSONB, nullable=False),  # [[entity, probability], …], best first
    Column("status", Text, nullable=False),  # proposed | confirmed | none
    Column("decided_by", Text),
    Column("reason", Text),
    time_column("proposed_at"),
    time_column("decided_at", nullable=True),
    *tenant_key("connector", "stream"),
    owned_by_tenant(),
)
