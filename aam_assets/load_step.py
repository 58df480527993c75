"""The step behind a connector's raw assets: run the load, say what came of each stream.

The load itself is ``resources/loader.py``; which assets there are is ``aam_assets/raw.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dagster import (
    AssetCheckKey,
    AssetCheckResult,
    AssetCheckSeverity,
    AssetExecutionContext,
    AssetKey,
    Failure,
    MaterializeResult,
    MetadataValue,
)

from core.connector import ConnectorSpec
from core.declared_sources import list_declared_targets
from core.errors import LockBusy, MeshError, TryAgain
from core.names import DRIFT_CHECK, join_name, raw_key
from resources.asset_metadata import (
    COLUMN_SCHEMA,
    FAILED_STREAMS,
    ROW_COUNT,
    describe_source_columns,
    write_list,
)
from resources.connections import get_connection, mark_sync_finished, mark_sync_started
from resources.mesh import Mesh
from resources.stream_facts import StreamFacts, read_stream_facts

if TYPE_CHECKING:
    from resources.loader import LoadReport
    from resources.stream_load import StreamReport


def load_streams(context: AssetExecutionContext, spec: ConnectorSpec) -> Iterator[Any]:
    """Load the selected streams of the partition's tenant; yields results, ends in Failure if any failed."""
    mesh: Mesh = context.resources.mesh
    tenant_id = context.partition_key
    chosen = [name for name in spec.streams if _asset_key(spec, name) in context.selected_asset_keys]
    streams: dict[str, StreamReport] = {}
    try:
        if chosen:
            streams = _load(context, mesh, spec, tenant_id, chosen).streams
        facts = read_stream_facts(mesh.db, tenant_id, spec.connector)
    except MeshError as error:
        raise _fail(context, spec, dict.fromkeys(chosen, str(error)), [str(error)]) from None
    for name, stream in streams.items():
        if stream.error is None:
            yield _show_stream(spec, name, stream, facts.get(name, StreamFacts()))
    for name in spec.streams:
        if AssetCheckKey(_asset_key(spec, name), DRIFT_CHECK) in context.selected_asset_check_keys:
            yield _check_drift(spec, name, facts.get(name, StreamFacts()))
    errors = {name: one.error for name, one in streams.items() if one.error is not None}
    if errors:
        said = {name: _say(spec, name, error) for name, error in errors.items()}
        raise _fail(context, spec, said, _summarize(spec, errors))


def _asset_key(spec: ConnectorSpec, stream: str) -> AssetKey:
    return AssetKey(raw_key(spec.connector, stream))


# --- loading ----------------------------------------------------------------------------------


def _load(
    context: AssetExecutionContext, mesh: Mesh, spec: ConnectorSpec, tenant_id: str, streams: Sequence[str]
) -> LoadReport:
    """One load through dagster-dlt; the connection knows when it began and how it ended."""
    from resources.dlt_run import build_runner
    from resources.loader import load_connector

    _require_connection(mesh, tenant_id, spec)
    mark_sync_started(mesh.db, tenant_id, spec.connector)
    try:
        report = load_connector(
            settings=mesh.settings,
            db=mesh.db,
            secrets=mesh.secrets,
            spec=spec,
            tenant_id=tenant_id,
            streams=streams,
            run=build_runner(context, spec.connector),
            run_id=context.run_id,
        )
    except LockBusy:
        raise  # somebody else's load will say how it ended
    except MeshError as error:
        mark_sync_finished(mesh.db, tenant_id, spec.connector, str(error))
        raise
    problems = _summarize(spec, report.errors)
    mark_sync_finished(mesh.db, tenant_id, spec.connector, "\n".join(problems) or None)
    return report


def _require_connection(mesh: Mesh, tenant_id: str, spec: ConnectorSpec) -> None:
    connection = get_connection(mesh.db, tenant_id, spec.connector)
    if connection.status == "PAUSED":
        raise TryAgain(
            f"connection {spec.connector!r} of tenant {tenant_id!r} is paused",
            remedy=f"Resume it: aos connection resume {tenant_id} {spec.connector}",
        )


def _say(spec: ConnectorSpec, stream: str, error: str) -> str:
    """The error with the stream's name, which most errors have already."""
    name = join_name(spec.connector, stream)
    return error if name in error else f"{name}: {error}"


def _summarize(spec: ConnectorSpec, errors: Mapping[str, str]) -> list[str]:
    """Each error once, with the streams it is about."""
    streams: dict[str, list[str]] = {}
    for name, error in errors.items():
        streams.setdefault(error, []).append(name)
    return [
        _say(spec, names[0], error) if len(names) == 1 else f"{spec.connector}/{', '.join(names)}: {error}"
        for error, names in streams.items()
    ]


def _fail(
    context: AssetExecutionContext, spec: ConnectorSpec, errors: Mapping[str, str], problems: Sequence[str]
) -> Failure:
    """One failure that says all that went wrong, by stream; trying again at once would not help."""
    for problem in problems:
        context.log.error(problem)
    facts = {"connector": spec.connector, "errors": dict(errors)}
    metadata = {"failed": write_list(problems), FAILED_STREAMS: MetadataValue.json(facts)}
    return Failure("\n".join(problems), metadata=metadata, allow_retries=False)


# --- showing ----------------------------------------------------------------------------------


def _show_stream(
    spec: ConnectorSpec, name: str, stream: StreamReport, facts: StreamFacts
) -> MaterializeResult[None]:
    metadata: dict[str, Any] = {
        ROW_COUNT: facts.rows,
        "records": stream.records,
        "landed": stream.landed,
        "unchanged": stream.unchanged,
        "quarantined": stream.quarantined,
        "mode": stream.mode,
        "seconds": round(stream.seconds, 3),
    }
    if stream.load_id is not None:
        metadata["load"] = stream.load_id
    if facts.schema is not None:
        metadata["schema version"] = facts.version
        metadata[COLUMN_SCHEMA] = describe_source_columns(
            facts.schema, list_declared_targets(spec.streams[name])
        )
    if stream.drift:
        metadata["drift"] = write_list(operation.describe() for operation in stream.drift)
    return MaterializeResult(asset_key=_asset_key(spec, name), metadata=metadata)


def _check_drift(spec: ConnectorSpec, name: str, facts: StreamFacts) -> AssetCheckResult:
    changes = [operation.describe() for operation in facts.drift]
    return AssetCheckResult(
        asset_key=_asset_key(spec, name),
        check_name=DRIFT_CHECK,
        passed=not changes,
        severity=AssetCheckSeverity.WARN,
        description="; ".join(changes[:5]) + (f"; and {len(changes) - 5} more" if len(changes) > 5 else ""),
        metadata={"changes": write_list(changes), "schema version": facts.version or 0},
    )
