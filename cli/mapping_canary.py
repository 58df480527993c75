"""``aos mapping canary`` and ``aos mapping compare``: trying a set before it holds for everything."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.mapping_common import (
    Connector,
    Reason,
    Stream,
    User,
    bring_into_effect,
    check_tenant,
    describe_set,
    find_set,
    name_set,
    show_change,
    show_replays,
)
from cli.output import Json, console, print_json, print_table, say, show_records
from cli.services import open_mesh
from core.canary import read_percent
from core.names import join_name

if TYPE_CHECKING:
    from resources.canary import Canary
    from resources.compare import Comparison, FieldComparison
    from resources.mesh import Mesh

Tenant = Annotated[str, typer.Argument(metavar="TENANT")]
app = typer.Typer(help="Put a share of a stream's records under another set.", no_args_is_help=True)
Percent = Annotated[float, typer.Option(help="Share of the records, 0 to 100; growing it only adds records.")]
SetName = Annotated[str, typer.Option("--set", help="A number, or global:NUMBER.")]


def register(parent: typer.Typer) -> None:
    """Add this file's commands to ``aos mapping``."""
    parent.add_typer(app, name="canary")
    parent.command("compare")(compare)


@app.command("start")
def start(
    tenant: Tenant,
    connector: Connector,
    stream: Stream,
    name: SetName,
    percent: Percent,
    user: User = None,
    reason: Reason = "",
    as_json: Json = False,
) -> None:
    """Put a share of records under a stored set, or change the share of the one on trial."""
    from resources.canary import put_on_trial
    from resources.registry_rows import wait_turn

    ratio = read_percent(percent)
    with open_mesh() as mesh:
        check_tenant(mesh, tenant)
        key, actor = (connector, stream), user or mesh.settings.actor
        trial = find_set(mesh, tenant, key, name)
        with mesh.db.tenant(tenant) as conn:
            wait_turn(conn, tenant)
            put_on_trial(conn, tenant, key, trial, ratio, actor, reason)
        replays = bring_into_effect(mesh, tenant, [key])
        rows = _list_standing(mesh, tenant, connector, stream)
    _show(tenant, rows, replays, as_json=as_json)


@app.command("status")
def status(
    tenant: Tenant,
    connector: Annotated[str | None, typer.Argument(metavar="[CONNECTOR]")] = None,
    stream: Annotated[str | None, typer.Argument(metavar="[STREAM]")] = None,
    as_json: Json = False,
) -> None:
    """The running canaries: how many records stand under which set, and how many each refused."""
    with open_mesh() as mesh:
        check_tenant(mesh, tenant)
        rows = _list_standing(mesh, tenant, connector, stream)
    _show(tenant, rows, [], as_json=as_json)


@app.command("promote")
def promote(
    tenant: Tenant,
    connector: Connector,
    stream: Stream,
    user: User = None,
    reason: Reason = "",
    as_json: Json = False,
) -> None:
    """Make the set on trial the active one, for all records."""
    from resources.canary import promote_canary
    from resources.registry import active_set
    from resources.set_changes import Change

    with open_mesh() as mesh:
        check_tenant(mesh, tenant)
        key, actor = (connector, stream), user or mesh.settings.actor
        before = active_set(mesh.db, tenant, *key)
        after = promote_canary(mesh.db, mesh.ontology, tenant, key, actor, reason)
        replays = bring_into_effect(mesh, tenant, [key])
    show_change(Change(before, after), replays, as_json=as_json)


@app.command("abort")
def abort(
    tenant: Tenant,
    connector: Connector,
    stream: Stream,
    user: User = None,
    reason: Reason = "",
    as_json: Json = False,
) -> None:
    """End the trial: all records go under the active set again."""
    from resources.canary import abort_canary

    with open_mesh() as mesh:
        check_tenant(mesh, tenant)
        key, actor = (connector, stream), user or mesh.settings.actor
        ended = abort_canary(mesh.db, tenant, key, actor, reason)
        replays = bring_into_effect(mesh, tenant, [key])
    if as_json:
        print_json({"aborted": asdict(ended), "replays": replays})
    else:
        say(f"The canary of {join_name(*key)} is over; the active set holds for all records.")
        show_replays(replays)


def _list_standing(
    mesh: Mesh, tenant: str, connector: str | None, stream: str | None
) -> list[dict[str, Any]]:
    from resources.canary import list_canaries

    return [
        _describe(mesh, tenant, one)
        for one in list_canaries(mesh.db, tenant)
        if connector in (None, one.connector) and stream in (None, one.stream)
    ]


def _describe(mesh: Mesh, tenant: str, one: Canary) -> dict[str, Any]:
    from resources.canary import count_standing, read_trial_set
    from resources.registry import active_set

    base = active_set(mesh.db, tenant, *one.key)
    with mesh.db.tenant(tenant) as conn:
        trial = read_trial_set(conn, tenant, one)
        standing = count_standing(conn, tenant, one.key, trial.entity)
    under = standing.get(one.set_id, (0, 0))
    rest = standing.get(base.set_id, (0, 0)) if base is not None else (0, 0)
    return {
        "connector": one.connector,
        "stream": one.stream,
        "purpose": one.purpose,
        "active": name_set(base),
        "on_trial": name_set(trial),
        "percent": one.ratio * 100,
        "records_active": rest[0],
        "records_on_trial": under[0],
        "refused_active": rest[1],
        "refused_on_trial": under[1],
        "active_changed": base is None or base.set_id != one.base_id,
        "started_by": one.started_by,
        "started_at": one.started_at,
        "reason": one.reason,
    }


def _show(tenant: str, rows: list[dict[str, Any]], replays: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print_json({"canaries": rows, "replays": replays})
        return
    columns = ["stream", "set", "share", "records", "refused"]  # a line a side: ten columns fit no terminal
    table = [
        [join_name(row["connector"], row["stream"]), row[side], share, row[f"records_{side}"],
         row[f"refused_{side}"]]
        for row in rows
        for side, share in (("active", "active"), ("on_trial", f"{row['percent']:g} % on trial"))
    ]  # fmt: skip
    show_records(f"Canaries of {tenant}", columns, table, as_json=False)
    for row in rows:
        if row["active_changed"]:
            name = join_name(row["connector"], row["stream"])
            say(f"{name}: the active set has changed since; this canary can only be aborted.")
    show_replays(replays)


def compare(
    tenant: Tenant,
    connector: Connector,
    stream: Stream,
    a: Annotated[str, typer.Option("--a", help="active, a number, global or global:NUMBER.")],
    b: Annotated[str, typer.Option("--b", help="As --a.")],
    loads: Annotated[int | None, typer.Option(min=1, help="Only the newest loads; default: all.")] = None,
    as_json: Json = False,
) -> None:
    """Run two sets over the same raw loads without writing anything: fill, validity, change, samples."""
    from resources.compare import compare_sets

    with open_mesh() as mesh:
        check_tenant(mesh, tenant)
        key = (connector, stream)
        set_a, set_b = find_set(mesh, tenant, key, a), find_set(mesh, tenant, key, b)
        result = compare_sets(mesh, tenant, key, set_a, set_b, loads)
    if as_json:
        print_json(describe_comparison(result))
    else:
        show_comparison(result)


def describe_comparison(result: Comparison) -> dict[str, Any]:
    """A comparison as JSON data; shares from 0 to 1."""
    facts = asdict(result)
    facts |= {"a": describe_set(result.a), "b": describe_set(result.b), "differs": result.differs}
    facts["fields"] = [asdict(one) | _rates(one, result.records) for one in result.fields.values()]
    return facts


def _rates(one: FieldComparison, records: int) -> dict[str, float | None]:
    from resources.compare import rate

    return {
        "fill_a_ratio": rate(one.filled_a, records),
        "fill_b_ratio": rate(one.filled_b, records),
        "valid_a_ratio": rate(records - one.misfits_a, records),
        "valid_b_ratio": rate(records - one.misfits_b, records),
        "change_ratio": rate(one.changed, records),
    }


def show_comparison(result: Comparison) -> None:
    """A comparison as tables, the samples of differing values last."""
    from resources.compare import list_differing

    a, b = name_set(result.a), name_set(result.b)
    title = f"{join_name(result.a.connector, result.a.stream)}: A = {a}, B = {b}, {result.records:,} records"
    rows = []
    for one in result.fields.values():
        rates = [_share(value) for value in _rates(one, result.records).values()]
        rows.append([one.target, *(("–" if not one.in_a else rates[0]), ("–" if not one.in_b else rates[1]))])
        rows[-1] += rates[2:]
    print_table(title, ["canonical field", "fill A", "fill B", "valid A", "valid B", "changed"], rows)
    samples = [
        [one.target, sample.record_id, sample.a, sample.b]
        for one in list_differing(result)
        for sample in one.samples
    ]
    if samples:
        print_table("Samples of what differs", ["canonical field", "record", "A", "B"], samples)
    say(
        f"{result.changed:,} of {result.records:,} records differ ({result.loads:,} loads); "
        f"refused: {result.refused_a:,} under A, {result.refused_b:,} under B."
    )
    if result.a.entity != result.b.entity:
        console.print(f"[yellow]A fills {result.a.entity}, B fills {result.b.entity}.[/]")


def _share(value: float | None) -> str | None:
    return None if value is None else f"{value * 100:.1f} %"
