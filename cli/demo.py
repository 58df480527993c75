"""``aos demo``: three tenants, nine sources each, from nothing to answers over several vendors."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.demo_sandbox import connect_sandbox, running_sandbox
from cli.output import print_table, say
from cli.services import open_mesh
from cli.syncing import quiet_dagster, sync_tenant

if TYPE_CHECKING:
    from resources.mesh import Mesh
    from resources.sync_result import SyncResult

TENANTS = {"acme": "Acme Corporation", "globex": "Globex", "initech": "Initech"}

QUESTIONS = {
    "Which companies do most vendors know, however they spell them?": """
        SELECT lower(domain) AS domain, count(DISTINCT _connector) AS vendors,
               string_agg(DISTINCT name, ' | ' ORDER BY name) AS spellings
        FROM account WHERE domain IS NOT NULL
        GROUP BY 1 HAVING count(DISTINCT _connector) > 1 ORDER BY vendors DESC, domain LIMIT 5""",
    "Who pays (Stripe) and has open tickets (Zendesk)?": """
        SELECT c.name AS customer, c.email, count(DISTINCT i.id) AS invoices,
               sum(DISTINCT i.total_amount) AS invoiced, count(DISTINCT t.id) AS open_tickets
        FROM customer c
        JOIN invoice i ON i.customer_id = c.id AND i._connector = c._connector
        JOIN contact p ON lower(p.email) = lower(c.email) AND p._connector = 'zendesk'
        JOIN ticket t ON t.requester_id = p.id AND t._connector = 'zendesk'
        WHERE c._connector = 'stripe' AND t.status NOT IN ('solved', 'closed')
        GROUP BY ALL ORDER BY open_tickets DESC, customer LIMIT 5""",
    "What is in the pipeline, over three CRMs?": """
        SELECT _connector AS crm, count(*) AS deals, sum(amount) AS amount, max(close_date) AS latest_close
        FROM opportunity GROUP BY 1 ORDER BY amount DESC NULLS LAST""",
}


def register(app: typer.Typer) -> None:
    """Add this file's command to ``aos``."""
    app.command("demo")(demo)


def demo(
    real: Annotated[Path | None, typer.Option(help="Use the real input in this folder instead.")] = None,
) -> None:
    """Show the whole way: tenants, connections, sync through Dagster, tables, answers. Safe to repeat."""
    started = time.monotonic()
    if real is not None:
        from cli.real import demo_real

        results = demo_real(real)
    else:
        with _demo_mesh() as mesh, running_sandbox(mesh.settings.sandbox_port) as url:
            added = connect_sandbox(mesh, TENANTS, url)
            say(
                f"{len(TENANTS)} tenants, {added} connections added."
                if added
                else "All connections are in place."
            )
            results = [sync_tenant(mesh, tenant, None, show=True) for tenant in TENANTS]
            show_demo(mesh, results)
            _answer(mesh, "acme")
    landed = sum(result.total("landed") for result in results)
    events = sum(count for result in results for count in result.events.values())
    say("")
    say(f"{landed:,} records landed, {events:,} events, in {time.monotonic() - started:.0f} s.")
    if not landed:
        say("Nothing new: every record was there already, and none was taken twice.")
    say("`aos mapping propose acme` says what the unknown fields mean, `aos mapping review acme` decides.")
    say("Next: `make up` opens the Dagster UI at http://127.0.0.1:3000 and syncs what is due;")
    say('      `aos query acme "SELECT …"` asks the views, `aos lineage acme views.account.name` traces.')
    if not all(result.success for result in results):
        raise typer.Exit(1)


@contextmanager
def _demo_mesh() -> Iterator[Mesh]:
    """A mesh that leaves unknown fields for later: loading the language of names takes longer than a sync."""
    with open_mesh(mapper_enabled=False) as mesh, quiet_dagster():
        yield mesh


def show_demo(mesh: Mesh, results: list[SyncResult]) -> None:
    """Tables of what happened: a line per tenant and connector, a line per view."""
    from resources.changed_views import count_view_rows

    print_table(
        "What was synced",
        [
            "tenant",
            "connector",
            "records",
            "landed",
            "mapped fields",
            "unknown fields",
            "events",
            "quarantined",
            "seconds",
        ],
        [row for result in results for row in _connector_rows(mesh, result)],
    )
    rows = {result.tenant_id: count_view_rows(mesh.db, result.tenant_id) for result in results}
    names = sorted({entity for counts in rows.values() for entity in counts})
    print_table(
        "Rows per canonical view",
        ["view", *rows],
        [[name, *(counts.get(name) for counts in rows.values())] for name in names],
    )
    for result in results:
        for step, reason in result.failures.items():
            say(f"✗ {result.tenant_id} {step}: {reason}")


def _connector_rows(mesh: Mesh, result: SyncResult) -> Iterator[list[object]]:
    from resources.loads import count_quarantine

    refused: dict[str, int] = {}
    for (connector, *_), count in count_quarantine(mesh.db, result.tenant_id).items():
        refused[connector] = refused.get(connector, 0) + count
    for name in sorted({stream.connector for stream in result.streams}):
        streams = [stream for stream in result.streams if stream.connector == name]
        sums = [
            sum(getattr(s, count) for s in streams) for count in ("records", "landed", "mapped", "unknown")
        ]
        seconds = result.step_seconds.get(f"raw_{name}", 0.0)
        yield [result.tenant_id, name, *sums, result.events.get(name, 0), refused.get(name, 0), seconds]


def _answer(mesh: Mesh, tenant: str) -> None:
    from resources.query import run_query

    for question, sql in QUESTIONS.items():
        answer = run_query(mesh.settings, tenant, sql)
        print_table(f"{tenant}: {question}", answer.columns, answer.rows)
