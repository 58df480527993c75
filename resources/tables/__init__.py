"""The Postgres tables, declared once; ``migrations/`` builds exactly these (a test compares them).

A change here needs a new revision in ``migrations/versions/``; a new table calls ``rls.protect_table``.

Every table with ``tenant_id`` has forced row-level security, applied by ``resources/rls.py``.
"""

from resources.tables.base import metadata
from resources.tables.canonical import (
    canonical_streams,
    lineage_edges,
    lineage_nodes,
    replay_requests,
    view_watermarks,
)
from resources.tables.mapping import (
    active_mapping_sets,
    embedding_cache,
    field_mappings,
    mapper_models,
    mapping_canaries,
    mapping_decisions,
    mapping_embeddings,
    mapping_sets,
    proposals,
    shared_knowledge,
    stream_entities,
    yaml_migrations,
)
from resources.tables.operations import audit_log, flags, llm_breakers, llm_budgets, llm_calls
from resources.tables.sources import (
    connections,
    credentials,
    drift_events,
    loads,
    oauth_tokens,
    quarantine,
    schema_versions,
    sync_requests,
    tenants,
)

__all__ = [
    "active_mapping_sets",
    "audit_log",
    "canonical_streams",
    "connections",
    "credentials",
    "drift_events",
    "embedding_cache",
    "field_mappings",
    "flags",
    "lineage_edges",
    "lineage_nodes",
    "llm_breakers",
    "llm_budgets",
    "llm_calls",
    "loads",
    "mapper_models",
    "mapping_canaries",
    "mapping_decisions",
    "mapping_embeddings",
    "mapping_sets",
    "metadata",
    "oauth_tokens",
    "proposals",
    "quarantine",
    "replay_requests",
    "schema_versions",
    "shared_knowledge",
    "stream_entities",
    "sync_requests",
    "tenants",
    "view_watermarks",
    "yaml_migrations",
]
