"""The Postgres tables, declared once; ``migrations/`` builds exactly these (a test compares them).

A change here needs a new revision in ``migrations/versions/``; a new table calls ``rls.protect_table``.

Every table with ``tenant_id`` has forced row-level security, applied by ``resources/rls.py``.
"""

from __future__ import annotations

from pgvector.sqlalchemy import VECTOR
from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Float,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
    }
)
_now = func.now()


def _time(name: str, *, nullable: bool = False, default: bool = True) -> Column[object]:
    return Column(
        name,
        DateTime(timezone=True),
        nullable=nullable,
        server_default=_now if default and not nullable else None,
    )


tenants = Table(
    "tenants",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("title", Text, nullable=False, server_default=""),
    Column("status", Text, nullable=False, server_default="ACTIVE"),  # ACTIVE | REMOVING
    _time("created_at"),
)


def _tenant_key(*columns: str) -> list[PrimaryKeyConstraint | ForeignKeyConstraint]:
    return [PrimaryKeyConstraint("tenant_id", *columns)]


def _owned() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"], ondelete="CASCADE")


connections = Table(
    "connections",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("connector", Text, nullable=False),
    Column("status", Text, nullable=False),  # PENDING | ACTIVE | HEALING | FAILED | PAUSED
    Column("base_url", Text),
    Column("options", JSONB, nullable=False, server_default="{}"),
    Column("schedule_every_s", Integer),
    Column("schedule_cron", Text),
    _time("next_due_at", nullable=True),
    _time("last_sync_started_at", nullable=True),
    _time("last_sync_finished_at", nullable=True),
    Column("last_error", Text),
    Column("failures", Integer, nullable=False, server_default="0"),
    _time("created_at"),
    _time("updated_at"),
    *_tenant_key("connector"),
    _owned(),
)

credentials = Table(
    "credentials",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("connector", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("nonce", LargeBinary, nullable=False),
    Column("ciphertext", LargeBinary, nullable=False),
    _time("created_at"),
    *_tenant_key("connector", "version"),
    ForeignKeyConstraint(
        ["tenant_id", "connector"],
        ["connections.tenant_id", "connections.connector"],
        ondelete="CASCADE",
    ),
)

oauth_tokens = Table(
    "oauth_tokens",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("connector", Text, nullable=False),
    Column("credential_version", Integer, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("nonce", LargeBinary, nullable=False),
    Column("ciphertext", LargeBinary, nullable=False),
    _time("expires_at", nullable=True),
    _time("refreshed_at"),
    *_tenant_key("connector"),
    ForeignKeyConstraint(
        ["tenant_id", "connector"],
        ["connections.tenant_id", "connections.connector"],
        ondelete="CASCADE",
    ),
)

loads = Table(
    "loads",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("connector", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("load_id", Text, nullable=False),
    Column("mode", Text, nullable=False),  # incremental | snapshot | deletions
    Column("records", BigInteger, nullable=False),  # read from the source in this load
    Column("landed", BigInteger, nullable=False),
    Column("quarantined", BigInteger, nullable=False),  # refused before landing
    Column("schema_version", Integer),
    Column("run_id", Text),
    _time("loaded_at"),
    _time("consumed_at", nullable=True),
    Column("set_id", UUID(as_uuid=False)),  # mapping set of the first consumption
    Column("events", BigInteger),
    Column("unchanged", BigInteger),
    Column("refused", BigInteger),  # quarantined by the canonical step
    Column("deleted", BigInteger),  # delete events of records absent from a snapshot
    *_tenant_key("connector", "stream", "load_id"),
    _owned(),
    Index("ix_loads_unconsumed", "tenant_id", "connector", "stream", "consumed_at"),
)

schema_versions = Table(
    "schema_versions",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("connector", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("fields", JSONB, nullable=False),
    Column("load_id", Text, nullable=False),
    _time("observed_at"),
    *_tenant_key("connector", "stream", "version"),
    _owned(),
)

drift_events = Table(
    "drift_events",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("drift_id", UUID(as_uuid=False), nullable=False),
    Column("connector", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("from_version", Integer, nullable=False),
    Column("to_version", Integer, nullable=False),
    Column("operations", JSONB, nullable=False),
    Column("load_id", Text, nullable=False),
    Column("status", Text, nullable=False, server_default="OPEN"),  # OPEN | REPAIRED | ACCEPTED
    _time("detected_at"),
    *_tenant_key("drift_id"),
    UniqueConstraint("tenant_id", "connector", "stream", "to_version"),
    _owned(),
)

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
    _time("created_at"),
    *_tenant_key("set_id"),
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
    _time("activated_at"),
    *_tenant_key("connector", "stream"),
    ForeignKeyConstraint(
        ["tenant_id", "set_id"],
        ["mapping_sets.tenant_id", "mapping_sets.set_id"],
        ondelete="CASCADE",
    ),
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
    *_tenant_key("set_id", "target"),
    ForeignKeyConstraint(
        ["tenant_id", "set_id"],
        ["mapping_sets.tenant_id", "mapping_sets.set_id"],
        ondelete="CASCADE",
    ),
)

canonical_streams = Table(
    "canonical_streams",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("seq", BigInteger, Identity(always=False), nullable=False),
    Column("event_id", UUID(as_uuid=False), nullable=False),
    Column("entity", Text, nullable=False),
    Column("connector", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("record_id", Text, nullable=False),
    Column("op", Text, nullable=False),  # upsert | delete
    Column("data", JSONB, nullable=False),
    Column("unknown_fields", JSONB),  # null when every field is mapped
    Column("content_hash", Text, nullable=False),
    Column("set_id", UUID(as_uuid=False), nullable=False),
    Column("load_id", Text, nullable=False),
    _time("emitted_at"),
    *_tenant_key("seq"),
    UniqueConstraint("tenant_id", "event_id"),
    Index("ix_canonical_streams_entity", "tenant_id", "entity", "seq"),
    # COPY goes past row-level security: inside a tenant's transaction only its rows get in
    CheckConstraint(
        "tenant_id = COALESCE(NULLIF(current_setting('app.tenant', true), ''), tenant_id)", name="one_tenant"
    ),
    postgresql_partition_by="HASH (tenant_id)",
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("quarantine_id", UUID(as_uuid=False), nullable=False),
    Column("connector", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("load_id", Text, nullable=False),
    Column("stage", Text, nullable=False),  # raw | canonical
    Column("entity", Text),
    Column("record_id", Text),
    Column("code", Text, nullable=False),  # snake_case class of the reason
    Column("reason", Text, nullable=False),  # a sentence with field, expected, found
    Column("record", Text, nullable=False),  # the raw record as JSON text, escaped where it cannot be
    Column("set_id", UUID(as_uuid=False)),
    _time("quarantined_at"),
    *_tenant_key("quarantine_id"),
    Index("ix_quarantine_stream", "tenant_id", "connector", "stream", "load_id"),
    _owned(),
)

view_watermarks = Table(
    "view_watermarks",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("entity", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("rows", BigInteger, nullable=False),
    _time("published_at"),
    *_tenant_key("entity"),
    _owned(),
)

lineage_nodes = Table(
    "lineage_nodes",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("node_id", Text, nullable=False),  # e.g. field:hubspot/companies/properties.name
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("details", JSONB, nullable=False, server_default="{}"),
    *_tenant_key("node_id"),
    _owned(),
)

lineage_edges = Table(
    "lineage_edges",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("from_id", Text, nullable=False),
    Column("to_id", Text, nullable=False),
    Column("set_id", UUID(as_uuid=False)),
    Column("transform", Text),
    Column("confidence", Float),
    Column("details", JSONB, nullable=False, server_default="{}"),
    *_tenant_key("from_id", "to_id"),
    _owned(),
)

sync_requests = Table(
    "sync_requests",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("run_key", Text, nullable=False),
    Column("connectors", JSONB, nullable=False),
    _time("requested_at"),
    *_tenant_key("run_key"),
    _owned(),
)

replay_requests = Table(
    "replay_requests",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("connector", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("request_id", UUID(as_uuid=False), nullable=False),  # a new one each time it is asked for
    Column("requested_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    _time("requested_at"),
    *_tenant_key("connector", "stream"),
    _owned(),
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
    _time("started_at"),
    _time("changed_at"),
    *_tenant_key("connector", "stream"),
    _owned(),
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
    _time("started_at"),
    _time("changed_at"),
    *_tenant_key(),
    _owned(),
)

audit_log = Table(
    "audit_log",
    metadata,
    Column("tenant_id", Text, nullable=False),  # '*' = the whole mesh
    Column("seq", BigInteger, Identity(always=False), nullable=False),
    _time("at"),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),  # e.g. connection.paused
    Column("subject", Text, nullable=False),
    Column("before", JSONB),
    Column("after", JSONB),
    Column("previous_hash", Text, nullable=False),
    Column("hash", Text, nullable=False),
    *_tenant_key("seq"),
)

llm_calls = Table(
    "llm_calls",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("call_id", UUID(as_uuid=False), nullable=False),
    Column("month", Text, nullable=False),  # YYYY-MM (UTC): whose budget it counts against
    Column("model", Text, nullable=False),
    Column("purpose", Text, nullable=False),  # e.g. mapping.propose
    Column("connector", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("prompt_tokens", BigInteger),
    Column("completion_tokens", BigInteger),
    Column("cost_usd", Numeric(18, 9), nullable=False),  # the upper bound until the cost is known
    Column("latency_s", Float),
    Column("outcome", Text, nullable=False),  # resources.llm_ledger.Outcome
    Column("error_class", Text),
    _time("at"),
    *_tenant_key("call_id"),
    _owned(),
    Index("ix_llm_calls_at", "tenant_id", "at"),
)

llm_budgets = Table(
    "llm_budgets",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("month", Text, nullable=False),
    Column("committed_usd", Numeric(18, 9), nullable=False),  # sum of llm_calls.cost_usd of the month
    *_tenant_key("month"),
    _owned(),
)

llm_breakers = Table(
    "llm_breakers",
    metadata,
    Column("tenant_id", Text, nullable=False),  # '*': a model is down for everybody
    Column("model", Text, nullable=False),
    Column("failures", Integer, nullable=False),  # outages in a row
    _time("open_until", nullable=True),
    *_tenant_key("model"),
)

flags = Table(
    "flags",
    metadata,
    Column("tenant_id", Text, nullable=False),  # '*' = every tenant
    Column("name", Text, nullable=False),
    Column("is_on", Boolean, nullable=False),
    Column("set_by", Text, nullable=False),
    _time("set_at"),
    *_tenant_key("name"),
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
    _time("proposed_at"),
    _time("decided_at", nullable=True),
    *_tenant_key("connector", "stream", "field"),
    _owned(),
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
    _time("decided_at"),
    *_tenant_key("connector", "stream", "field"),
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
    *_tenant_key("connector", "stream", "field"),
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
    _time("refreshed_at"),
    *_tenant_key(),
)

embedding_cache = Table(
    "embedding_cache",
    metadata,
    Column("tenant_id", Text, nullable=False),  # '*' = the ontology's own texts
    Column("model", Text, nullable=False),
    Column("words", Text, nullable=False),
    Column("embedding", LargeBinary, nullable=False),  # 384 × float32, little-endian
    *_tenant_key("model", "words"),
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
    _time("trained_at"),
    Column("changed_by", Text),
    _time("changed_at", nullable=True),
    Column("reason", Text, nullable=False),
    *_tenant_key("version"),
    _owned(),
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
    _time("proposed_at"),
    _time("decided_at", nullable=True),
    *_tenant_key("connector", "stream"),
    _owned(),
)
