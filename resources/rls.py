"""Row-level security: the DDL that puts it on, and the reading of pg_catalog that finds what breaks it.

The rule: each table with ``tenant_id`` has row-level security enabled and forced; the application role
sees and writes one tenant, the operator reads all and writes global rows (``*``); partitions carry no
grants; views run with the rights of who asks (``security_invoker``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, text

APP_ROLE = "aos_app"
OPERATOR_ROLE = "aos_operator"
TENANT_SETTING = "app.tenant"
GLOBALLY_READABLE = ("mapping_sets", "active_mapping_sets", "field_mappings")
"""Tables whose ``*`` rows every tenant may read."""
APPEND_ONLY = ("audit_log",)

_MINE = f"tenant_id = NULLIF(current_setting('{TENANT_SETTING}', true), '') AND tenant_id <> '*'"


def protect_table(table: str) -> Iterator[str]:
    """DDL that puts the rule on one table: policies for both roles, forced, with grants."""
    write = "SELECT, INSERT" if table in APPEND_ONLY else "SELECT, INSERT, UPDATE, DELETE"
    readable = f"({_MINE}) OR tenant_id = '*'" if table in GLOBALLY_READABLE else _MINE
    yield f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"
    yield f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY"
    yield f"CREATE POLICY app_reads ON {table} FOR SELECT TO {APP_ROLE} USING ({readable})"
    yield f"CREATE POLICY app_writes ON {table} TO {APP_ROLE} USING ({_MINE}) WITH CHECK ({_MINE})"
    yield f"CREATE POLICY operator_reads ON {table} FOR SELECT TO {OPERATOR_ROLE} USING (true)"
    yield (
        f"CREATE POLICY operator_writes ON {table} TO {OPERATOR_ROLE} "
        "USING (tenant_id = '*') WITH CHECK (tenant_id = '*')"
    )
    yield f"GRANT {write} ON {table} TO {APP_ROLE}, {OPERATOR_ROLE}"


def protect_partition(partition: str) -> Iterator[str]:
    """DDL for a partition: reached through its parent only, so no policy and no grant."""
    yield f"ALTER TABLE {partition} ENABLE ROW LEVEL SECURITY"
    yield f"ALTER TABLE {partition} FORCE ROW LEVEL SECURITY"
    yield f"REVOKE ALL ON {partition} FROM PUBLIC, {APP_ROLE}, {OPERATOR_ROLE}"


@dataclass(frozen=True)
class Offence:
    """A relation that breaks the rule, and how."""

    relation: str
    problem: str


_RELATIONS = text(
    """
    SELECT c.relname, c.relkind::text AS kind, c.relispartition, c.relrowsecurity, c.relforcerowsecurity,
           coalesce('security_invoker=true' = ANY (c.reloptions), false)
             OR coalesce('security_invoker=on' = ANY (c.reloptions), false) AS invoker,
           EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id'
                   AND NOT a.attisdropped) AS has_tenant,
           EXISTS (SELECT FROM aclexplode(c.relacl) g
                   WHERE g.grantee = 0 OR g.grantee = to_regrole(:app) OR g.grantee = to_regrole(:operator)
           ) OR EXISTS (
                   SELECT FROM pg_attribute a, aclexplode(a.attacl) g WHERE a.attrelid = c.oid
                   AND (g.grantee = 0 OR g.grantee = to_regrole(:app) OR g.grantee = to_regrole(:operator))
           ) AS granted,
           (SELECT array_agg(coalesce(pg_get_expr(p.polqual, p.polrelid), ''))
            FROM pg_policy p WHERE p.polrelid = c.oid
            AND NOT (p.polroles = ARRAY[to_regrole(:operator)::oid])) AS policies
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
    ORDER BY c.relname
    """
)
_FUNCTIONS = text(
    """
    SELECT p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname = current_schema() AND p.prosecdef
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
    """
)


def find_offences(conn: Connection) -> list[Offence]:
    """Every table, partition, view or function of the current schema that breaks the rule."""
    rows = conn.execute(_RELATIONS, {"app": APP_ROLE, "operator": OPERATOR_ROLE}).mappings()
    found = [Offence(row["relname"], problem) for row in rows for problem in _problems(dict(row))]
    functions = conn.execute(_FUNCTIONS).scalars()
    return found + [Offence(name, "function runs with its owner's rights") for name in functions]


def _problems(row: dict[str, object]) -> Iterator[str]:
    kind = row["kind"]
    if kind == "v":
        if not row["invoker"]:
            yield "view without security_invoker"
    elif kind in ("m", "f"):
        if row["has_tenant"] or row["granted"]:
            yield "materialised view or foreign table: row-level security cannot hold on it"
    elif row["relispartition"]:
        if row["granted"]:
            yield "partition with a grant"
        if not (row["relrowsecurity"] and row["relforcerowsecurity"]):
            yield "partition without forced row-level security"
    elif row["has_tenant"] or row["granted"]:
        yield from _table_problems(row)


def _table_problems(row: dict[str, object]) -> Iterator[str]:
    if not row["has_tenant"]:
        yield "table open to the application without tenant_id"
    if not row["relrowsecurity"]:
        yield "row-level security is not enabled"
    if not row["relforcerowsecurity"]:
        yield "row-level security is not forced"
    policies = row["policies"]
    if isinstance(policies, list) and any(TENANT_SETTING not in str(policy) for policy in policies):
        yield f"a policy does not look at {TENANT_SETTING}"
