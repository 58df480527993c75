"""Row-level security: the DDL that puts it on, and the reading of pg_catalog that finds what breaks it.

The rule: each table with ``tenant_id`` has row-level security enabled and forced; the application role
sees and writes one tenant, the operator reads all and writes global rows (``*``); partitions carry no
grant but the writer's to insert (``copying.py``), with a check on the tenant; views run with the rights
of who asks (``security_invoker``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, text

APP_ROLE = "aos_app"
OPERATOR_ROLE = "aos_operator"
WRITER_ROLE = "aos_writer"
ROLES = (APP_ROLE, OPERATOR_ROLE, WRITER_ROLE)
PARTITIONS = 16
"""Hash partitions of canonical_streams."""
TENANT_SETTING = "app.tenant"
GLOBALLY_READABLE = (
    "mapping_sets",
    "active_mapping_sets",
    "field_mappings",
    "flags",
    "mapping_decisions",
    "mapping_embeddings",
    "embedding_cache",
    "shared_knowledge",
)
"""Tables whose ``*`` rows every tenant may read."""
APPEND_ONLY = ("audit_log",)

_OPERATING = f"current_user = '{OPERATOR_ROLE}'"
"""Policies also hold for members of their role: the owner, a member, has to step into it to see anything."""
_MINE = f"tenant_id = NULLIF(current_setting('{TENANT_SETTING}', true), '') AND tenant_id <> '*'"


def protect_table(table: str) -> Iterator[str]:
    """DDL that puts the rule on one table: policies for both roles, forced, with grants.

    Revisions call this: after a change here, one more has to put the new rule on the tables there are.
    """
    write = "SELECT, INSERT" if table in APPEND_ONLY else "SELECT, INSERT, UPDATE, DELETE"
    readable = f"({_MINE}) OR tenant_id = '*'" if table in GLOBALLY_READABLE else _MINE
    yield f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"
    yield f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY"
    yield f"CREATE POLICY app_reads ON {table} FOR SELECT TO {APP_ROLE} USING ({readable})"
    yield f"CREATE POLICY app_writes ON {table} TO {APP_ROLE} USING ({_MINE}) WITH CHECK ({_MINE})"
    yield f"CREATE POLICY operator_reads ON {table} FOR SELECT TO {OPERATOR_ROLE} USING ({_OPERATING})"
    yield (
        f"CREATE POLICY operator_writes ON {table} TO {OPERATOR_ROLE} "
        f"USING ({_OPERATING} AND tenant_id = '*') WITH CHECK ({_OPERATING} AND tenant_id = '*')"
    )
    yield f"GRANT {write} ON {table} TO {APP_ROLE}, {OPERATOR_ROLE}"


def protect_partition(partition: str) -> Iterator[str]:
    """DDL for a partition: read through its parent only, written by the writer's COPY."""
    yield f"REVOKE ALL ON {partition} FROM PUBLIC, {', '.join(ROLES)}"
    yield f"GRANT INSERT ON {partition} TO {WRITER_ROLE}"


@dataclass(frozen=True)
class Offence:
    """A relation that breaks the rule, and how."""

    relation: str
    problem: str


_RELATIONS = text(
    """
    WITH grants AS (
        SELECT c.oid AS relation, g.grantee, g.privilege_type FROM pg_class c, aclexplode(c.relacl) g
        UNION ALL
        SELECT a.attrelid, g.grantee, g.privilege_type FROM pg_attribute a, aclexplode(a.attacl) g
    )
    SELECT c.relname, c.relkind::text AS kind, c.relispartition, c.relrowsecurity, c.relforcerowsecurity,
           c.reloptions::text[] && ARRAY['security_invoker=true', 'security_invoker=on'] AS invoker,
           EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id'
                   AND NOT a.attisdropped) AS has_tenant,
           EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = c.oid
                   AND k.conname = 'one_tenant') AS checked,
           (SELECT array_agg(DISTINCT coalesce(r.rolname, 'PUBLIC') || ' ' || g.privilege_type)
            FROM grants g LEFT JOIN pg_roles r ON r.oid = g.grantee
            WHERE g.relation = c.oid AND g.grantee <> c.relowner) AS granted,
           (SELECT array_agg(coalesce(pg_get_expr(p.polqual, p.polrelid), ''))
            FROM pg_policy p WHERE p.polrelid = c.oid) AS policies
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
    rows = conn.execute(_RELATIONS).mappings()
    found = [Offence(row["relname"], problem) for row in rows for problem in _problems(row)]
    functions = conn.execute(_FUNCTIONS).scalars()
    return found + [Offence(name, "function runs with its owner's rights") for name in functions]


def _problems(row: RowMapping) -> Iterator[str]:
    kind, granted = row["kind"], set(row["granted"] or ())
    if row["relispartition"]:
        yield from _partition_problems(granted, bool(row["checked"]))
        return
    if any(grant.startswith((WRITER_ROLE, "PUBLIC")) for grant in granted):
        yield "open to the writer or to everybody"
    if kind == "v" and not row["invoker"]:
        yield "view without security_invoker"
    elif kind in ("m", "f") and (row["has_tenant"] or granted):
        yield "materialised view or foreign table: row-level security cannot hold on it"
    elif kind in ("r", "p") and (row["has_tenant"] or granted):
        yield from _table_problems(row)


def _partition_problems(granted: set[str], checked: bool) -> Iterator[str]:
    if granted - {f"{WRITER_ROLE} INSERT"}:
        yield "partition with a grant"
    if granted and not checked:
        yield "partition written directly without the check on its tenant"


def _table_problems(row: RowMapping) -> Iterator[str]:
    if not row["has_tenant"]:
        yield "table open to the application without tenant_id"
    if not row["relrowsecurity"]:
        yield "row-level security is not enabled"
    if not row["relforcerowsecurity"]:
        yield "row-level security is not forced"
    tests = (TENANT_SETTING, f"CURRENT_USER = '{OPERATOR_ROLE}'")
    if not all(any(test in policy for test in tests) for policy in row["policies"] or ()):
        yield f"a policy looks neither at {TENANT_SETTING} nor at the operator"
