"""``aos demo --real FOLDER``: the real input in four tenants, synced and asked."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from cli.output import print_table, say
from cli.services import find_spec, open_mesh
from cli.syncing import quiet_dagster, sync_tenant

if TYPE_CHECKING:
    from resources.mesh import Mesh
    from resources.sync_result import SyncResult
    from sandbox.real import RealConnection

QUESTIONS = {
    ("crm", "What was won, by line of business of the customer?"): """
        SELECT a.industry, count(*) AS deals, round(sum(o.amount)) AS won
        FROM opportunity o JOIN account a ON a.id = o.account_id
        WHERE o.is_won GROUP BY 1 ORDER BY won DESC LIMIT 5""",
    ("cloud", "Which services cost most?"): """
        SELECT service_name, round(sum(billed_cost), 2) AS billed, count(*) AS charges
        FROM cost_line GROUP BY 1 ORDER BY billed DESC LIMIT 5""",
    ("shops", "Where are goods sold, after discounts?"): """
        SELECT o.shipping_country AS country, count(DISTINCT o.id) AS orders, round(sum(
            l.unit_price * l.quantity * (1 - CAST(l._unknown_fields ->> 'discount' AS DOUBLE))), 2) AS revenue
        FROM order_line l JOIN "order" o ON o.id = split_part(l.id, '-', 1)
        GROUP BY 1 ORDER BY revenue DESC LIMIT 5""",
    ("saas", "Who has most tickets, over three vendors?"): """
        SELECT _connector AS vendor, status, count(*) AS tickets
        FROM ticket GROUP BY ALL ORDER BY tickets DESC LIMIT 5""",
}


def demo_real(folder: Path) -> list[SyncResult]:
    """Connect the real input, sync its tenants, and show what came of it. Safe to repeat."""
    from cli.demo import show_demo
    from resources.query import run_query
    from sandbox.real import TENANTS

    with open_mesh(mapper_enabled=False) as mesh, quiet_dagster():
        connect_real(mesh, folder)
        results = [sync_tenant(mesh, tenant, None, show=True) for tenant in TENANTS]
        show_demo(mesh, results)
        for (tenant, question), sql in QUESTIONS.items():
            answer = run_query(mesh.settings, tenant, sql)
            print_table(f"{tenant}: {question}", answer.columns, answer.rows)
    return results


def connect_real(mesh: Mesh, folder: Path) -> None:
    """Make the tenants and connections of the real input where they are missing.

    Their configs go to ``<home>/connector_configs``, where every command and the Dagster code location
    find them. Raises ConfigError for a folder that lacks a part of the input.
    """
    from core.config_reader import load_configs
    from resources.tenants import add_tenant, list_tenants
    from sandbox.real import CONFIGS, TENANTS, prepare_real

    wanted = prepare_real(folder, mesh.db.sample_url(), mesh.settings.home / "real")
    own = mesh.settings.home / "connector_configs"
    shutil.copytree(CONFIGS, own, dirs_exist_ok=True)
    mesh.offer(configs=load_configs(list(dict.fromkeys([*mesh.settings.config_paths, own]))))
    known = {tenant.tenant_id for tenant in list_tenants(mesh.db)}
    for tenant, title in TENANTS.items():
        if tenant not in known:
            add_tenant(mesh.db, tenant, title, mesh.settings.actor)
    added = sum(_connect(mesh, one) for one in wanted)
    say(f"{len(TENANTS)} tenants, {added} connections added." if added else "All connections are in place.")


def _connect(mesh: Mesh, wanted: RealConnection) -> bool:
    """Add one connection unless it is there; one that points elsewhere is replaced."""
    from resources.connections import add_connection, list_connections, remove_connection

    actor = mesh.settings.actor
    present = {one.connector: one for one in list_connections(mesh.db, wanted.tenant)}
    there = present.get(wanted.connector)
    if there is not None:
        if there.options == wanted.options:
            return False
        remove_connection(mesh.db, wanted.tenant, wanted.connector, actor=actor)
    add_connection(
        mesh.db,
        mesh.secrets,
        wanted.tenant,
        find_spec(mesh, wanted.connector),
        credentials=wanted.credentials,
        options=wanted.options,
        actor=actor,
    )
    return True
