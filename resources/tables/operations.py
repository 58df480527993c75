"""Who did what, what the language model cost, and what is switched on."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, Identity, Index, Integer, Numeric, Table, Text
from sqlalchemy.dialects.postgresql import JSONB, UUID

from resources.tables.base import metadata, owned_by_tenant, tenant_key, time_column

audit_log = Table(
    "audit_log",
    metadata,
    Column("tenant_id", Text, nullable=False),  # '*' = the whole mesh
    Column("seq", BigInteger, Identity(always=False), nullable=False),
    time_column("at"),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),  # e.g. connection.paused
    Column("subject", Text, nullable=False),
    Column("before", JSONB),
    Column("after", JSONB),
    Column("previous_hash", Text, nullable=False),
    Column("hash", Text, nullable=False),
    *tenant_key("seq"),
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
    time_column("at"),
    *tenant_key("call_id"),
    owned_by_tenant(),
    Index("ix_llm_calls_at", "tenant_id", "at"),
)

llm_budgets = Table(
    "llm_budgets",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("month", Text, nullable=False),
    Column("committed_usd", Numeric(18, 9), nullable=False),  # sum of llm_calls.cost_usd of the month
    *tenant_key("month"),
    owned_by_tenant(),
)

llm_breakers = Table(
    "llm_breakers",
    metadata,
    Column("tenant_id", Text, nullable=False),  # '*': a model is down for everybody
    Column("model", Text, nullable=False),
    Column("failures", Integer, nullable=False),  # outages in a row
    time_column("open_until", nullable=True),
    *tenant_key("model"),
)

flags = Table(
    "flags",
    metadata,
    Column("tenant_id", Text, nullable=False),  # '*' = every tenant
    Column("name", Text, nullable=False),
    Column("is_on", Boolean, nullable=False),
    Column("set_by", Text, nullable=False),
    time_column("set_at"),
    *tenant_key("name"),
)
