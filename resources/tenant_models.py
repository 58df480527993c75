"""A tenant's own confidence models in Postgres: which there are, which is used, and switching.

Only stage two differs from the shipped model, so a tenant's model changes how sure the engine is, never
the order of its candidates. Training one is ``resources/retraining.py``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from core.errors import MappingRefused, UnknownName
from core.mapper.model import Logistic, MapperModel, Stages, load_model
from resources.audit import record
from resources.database import Database
from resources.tables import mapper_models as table
from resources.tenant_decisions import count_new

ENOUGH = 50
"""New decisions from which training anew is suggested, and what they have to count for to train."""
_MODES = ("embedded", "lexical")


@dataclass(frozen=True)
class TenantModel:
    """One training of a tenant. ``status``: candidate | active | retired | refused.

    ``figures`` and ``reliability`` have the keys ``before`` and ``after``; ``weight`` is what the
    decisions count for, near-duplicates together.
    """

    version: int
    status: str
    base: str
    trained_on: str
    decisions: int
    weight: float
    figures: Mapping[str, Mapping[str, float]]
    reliability: Mapping[str, Sequence[Sequence[float]]]
    coefficients: Mapping[str, Any]
    trained_by: str
    reason: str
    trained_at: datetime | None = None
    changed_by: str | None = None
    changed_at: datetime | None = None


@dataclass(frozen=True)
class ChosenModel:
    """The model to answer a tenant with. ``label`` names it in proposals; ``warning``: what is wrong."""

    model: MapperModel
    label: str
    warning: str | None = None


def choose_model(db: Database, tenant_id: str) -> ChosenModel:
    """The tenant's active model where it was made from the shipped one, else the shipped one.

    ConfigError when the shipped one cannot be read.
    """
    shipped = load_model()
    label = shipped.fingerprint[:12]
    with db.tenant(tenant_id) as conn:
        held = _read_active(conn, tenant_id)
    if held is None:
        return ChosenModel(shipped, label)
    name = f"the tenant's own model {held.version} is not used"
    remedy = f"Train it again: aos mapping train {tenant_id}"
    if held.base != shipped.fingerprint:
        told = f"{name}, the shipped model answers: it was made from another shipped model. {remedy}"
        return ChosenModel(shipped, label, told)
    try:
        own = apply_coefficients(shipped, held.coefficients)
    except ValueError as error:
        told = f"{name}, the shipped model answers: it cannot be read ({error}). {remedy}"
        return ChosenModel(shipped, label, told)
    return ChosenModel(own, f"{own.fingerprint[:12]}+{held.version}")


def apply_coefficients(shipped: MapperModel, coefficients: Mapping[str, Any]) -> MapperModel:
    """The shipped model with a tenant's stage two; ValueError when they do not fit it."""
    trust = {mode: _read_trust(shipped, mode, coefficients.get(mode)) for mode in _MODES}
    return replace(
        shipped,
        embedded=replace(shipped.embedded, trust=trust["embedded"]),
        lexical=replace(shipped.lexical, trust=trust["lexical"]),
    )


def write_coefficients(model: MapperModel) -> dict[str, Any]:
    """What ``apply_coefficients`` reads."""
    both: dict[str, Stages] = {mode: getattr(model, mode) for mode in _MODES}
    return {
        mode: {
            "bias": one.trust.bias,
            "weights": dict(zip(one.trust.names, one.trust.weights, strict=True)),
        }
        for mode, one in both.items()
    }


def _read_trust(shipped: MapperModel, mode: str, data: Any) -> Logistic:
    names = getattr(shipped, mode).trust.names
    if not isinstance(data, Mapping) or not isinstance(data.get("weights"), Mapping):
        raise ValueError(f"no coefficients of the {mode} mode")
    if set(data["weights"]) != set(names):
        raise ValueError(f"coefficients of other evidence in the {mode} mode")
    numbers = [data["weights"][name] for name in names] + [data.get("bias")]
    if not all(isinstance(one, (int, float)) and math.isfinite(one) for one in numbers):
        raise ValueError(f"a coefficient of the {mode} mode is no number")
    return Logistic(names, tuple(map(float, numbers[:-1])), float(numbers[-1]))


def list_models(db: Database, tenant_id: str) -> list[TenantModel]:
    """The tenant's trainings, newest first."""
    with db.tenant(tenant_id) as conn:
        query = select(table).where(table.c.tenant_id == tenant_id).order_by(table.c.version.desc())
        return [_from_row(row) for row in conn.execute(query)]


def save_model(db: Database, tenant_id: str, made: TenantModel) -> TenantModel:
    """Keep a training under the tenant's next version, with an audit entry."""
    with db.tenant(tenant_id) as conn:
        _lock(conn, tenant_id)
        last = conn.execute(select(func.max(table.c.version)).where(table.c.tenant_id == tenant_id)).scalar()
        saved = replace(made, version=(last or 0) + 1)
        facts = {name: getattr(saved, name) for name in _COLUMNS}
        conn.execute(insert(table).values(tenant_id=tenant_id, **facts))
        told = {
            "version": saved.version,
            "status": saved.status,
            "decisions": saved.decisions,
            "reason": saved.reason,
        }
        record(
            conn, saved.trained_by, "mapper_model.trained", f"model {saved.version}", None, told, tenant_id
        )
    return saved


def activate_model(db: Database, tenant_id: str, version: int, actor: str, reason: str) -> None:
    """Answer with this model from now on; the one before is retired.

    UnknownName; MappingRefused for one that training refused, or made from another shipped model.
    """
    base = load_model().fingerprint
    with db.tenant(tenant_id) as conn:
        _lock(conn, tenant_id)
        wanted = _read_version(conn, tenant_id, version)
        where = f"tenant {tenant_id}, model {version}"
        if wanted.status == "refused":
            raise MappingRefused(f"training refused it: {wanted.reason}", where=where)
        if wanted.base != base:
            raise MappingRefused(
                "it was made from another shipped model",
                where=where,
                expected=base[:12],
                found=wanted.base[:12],
                remedy=f"Train anew: aos mapping train {tenant_id}",
            )
        before = _read_active(conn, tenant_id)
        if before is not None and before.version == version:
            return
        if before is not None:
            _set_status(conn, tenant_id, before.version, "retired", actor, reason)
        _set_status(conn, tenant_id, version, "active", actor, reason)
        told = {"version": before.version if before else None}
        after = {"version": version, "reason": reason}
        record(conn, actor, "mapper_model.activated", f"model {version}", told, after, tenant_id)


def retire_model(db: Database, tenant_id: str, actor: str, reason: str) -> int:
    """Go back to the shipped model; the version retired. UnknownName when the tenant uses none of its own."""
    with db.tenant(tenant_id) as conn:
        _lock(conn, tenant_id)
        before = _read_active(conn, tenant_id)
        if before is None:
            raise UnknownName("no model of its own is active", where=f"tenant {tenant_id}")
        _set_status(conn, tenant_id, before.version, "retired", actor, reason)
        told = {"version": before.version}
        record(
            conn,
            actor,
            "mapper_model.retired",
            f"model {before.version}",
            told,
            {"reason": reason},
            tenant_id,
        )
    return before.version


def suggest_training(db: Database, tenant_id: str) -> str | None:
    """One line with the command, when enough was decided since the last training; nothing trains itself."""
    with db.tenant(tenant_id) as conn:
        new = count_new(conn, tenant_id)
    if new < ENOUGH:
        return None
    return f"{new} decisions that no confidence model has learned from: aos mapping train {tenant_id}"


# --- inside a transaction ---------------------------------------------------------------------

_COLUMNS = (
    "version",
    "status",
    "base",
    "trained_on",
    "decisions",
    "weight",
    "figures",
    "reliability",
    "coefficients",
    "trained_by",
    "reason",
)


def _lock(conn: Connection, tenant_id: str) -> None:
    from resources.locks import lock_key

    conn.execute(select(func.pg_advisory_xact_lock(lock_key(tenant_id, "mapper models"))))


def _read_active(conn: Connection, tenant_id: str) -> TenantModel | None:
    query = select(table).where(table.c.tenant_id == tenant_id, table.c.status == "active")
    row = conn.execute(query).first()
    return None if row is None else _from_row(row)


def _read_version(conn: Connection, tenant_id: str, version: int) -> TenantModel:
    query = select(table).where(table.c.tenant_id == tenant_id, table.c.version == version)
    row = conn.execute(query).first()
    if row is None:
        raise UnknownName(
            f"no model {version}", where=f"tenant {tenant_id}", remedy=f"aos mapping models {tenant_id}"
        )
    return _from_row(row)


def _set_status(conn: Connection, tenant_id: str, version: int, status: str, actor: str, reason: str) -> None:
    conn.execute(
        update(table)
        .where(table.c.tenant_id == tenant_id, table.c.version == version)
        .values(status=status, changed_by=actor, changed_at=func.now(), reason=reason)
    )


def _from_row(row: Any) -> TenantModel:
    names = (*_COLUMNS, "trained_at", "changed_by", "changed_at")
    return TenantModel(**{name: row._mapping[name] for name in names})
