"""What came of a sync, read from the events of its run: counts a stream, an entity, a view; every failure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from dagster import DagsterEvent, DagsterEventType, DagsterExecutionInterruptedError, TableMetadataValue

from resources.asset_metadata import BY_STREAM, COVERAGE, FAILED_STREAMS, WARNINGS

PLAIN = (bool, int, float, str)
"""Metadata a result carries; schemas and lineage are for the UI."""


@dataclass(frozen=True)
class StreamResult:
    """One raw stream. ``mapped`` and ``unknown`` count source fields; counts are 0 where ``error`` is set."""

    connector: str
    stream: str
    records: int = 0
    landed: int = 0
    unchanged: int = 0
    quarantined: int = 0
    schema_version: int | None = None
    drift: str | None = None
    mapped: int = 0
    unknown: int = 0
    error: str | None = None


@dataclass(frozen=True)
class SyncResult:
    """A finished run. ``canonical`` and ``views``: entity → its counts, by the names the UI shows."""

    tenant_id: str
    run_id: str
    seconds: float
    streams: tuple[StreamResult, ...] = ()
    canonical: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    views: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    failures: Mapping[str, str] = field(default_factory=dict)
    """Step → why it failed. Steps are ``raw_<connector>``, ``mappings``, ``canonical``, ``views``, …"""
    interrupted: bool = False
    events: Mapping[str, int] = field(default_factory=dict)
    """Connector → canonical events its loads became, deletions included."""
    refused: Mapping[str, int] = field(default_factory=dict)
    """``connector/stream`` → landed records that the canonical step put into quarantine."""
    step_seconds: Mapping[str, float] = field(default_factory=dict)
    """Step → how long it took; steps that failed are left out."""
    warnings: tuple[str, ...] = ()
    """What went on worse than it should: fields mapped by words alone, a model that is not used."""

    @property
    def success(self) -> bool:
        """Whether every step did all it should."""
        return not self.failures and not self.interrupted

    def total(self, name: str) -> int:
        """Sum of one count over all streams."""
        return sum(getattr(stream, name) for stream in self.streams)


def read_result(
    tenant_id: str,
    run_id: str,
    events: Iterable[DagsterEvent],
    seconds: float,
    told: Mapping[tuple[str, ...], Mapping[str, Any]] = MappingProxyType({}),
) -> SyncResult:
    """Sum up a run's events; ``told`` are facts of assets without news, which have no event."""
    shown: dict[tuple[str, ...], dict[str, Any]] = {path: dict(facts) for path, facts in told.items()}
    failures: dict[str, str] = {}
    errors: dict[tuple[str, str], str] = {}
    seconds_of: dict[str, float] = {}
    counts: dict[str, int] = {}
    refused: dict[str, int] = {}
    ended = cut = False
    for event in events:
        ended = ended or event.event_type in (DagsterEventType.RUN_SUCCESS, DagsterEventType.RUN_FAILURE)
        if event.is_step_materialization and event.asset_key is not None:
            metadata = event.step_materialization_data.materialization.metadata
            shown[tuple(event.asset_key.path)] = {
                name: value.value for name, value in metadata.items() if isinstance(value.value, PLAIN)
            }
            _count_events(metadata.get(BY_STREAM), counts, refused)
            if COVERAGE in metadata:
                shown[(COVERAGE,)] = _read_coverage(metadata[COVERAGE])
        elif event.is_step_success and event.step_key is not None:
            seconds_of[event.step_key] = event.step_success_data.duration_ms / 1000
        elif event.is_step_failure and event.step_key is not None:
            cut = cut or _was_interrupted(event)
            failures[event.step_key] = "interrupted" if _was_interrupted(event) else _describe(event)
            errors.update(_read_stream_errors(event))
        elif event.event_type == DagsterEventType.RUN_FAILURE and not failures:
            failures["run"] = event.message or "the run failed"
    return SyncResult(
        tenant_id,
        run_id,
        seconds,
        streams=tuple(_read_streams(shown, errors)),
        canonical={path[1]: facts for path, facts in shown.items() if path[0] == "canonical"},
        views={path[1]: facts for path, facts in shown.items() if path[0] == "views"},
        failures=failures,
        interrupted=cut or not ended,
        events=counts,
        refused=refused,
        step_seconds=seconds_of,
        warnings=tuple(str(shown.get(("mappings",), {}).get(WARNINGS, "")).splitlines()),
    )


def _count_events(table: Any, counts: dict[str, int], refused: dict[str, int]) -> None:
    for record in table.records if isinstance(table, TableMetadataValue) else ():
        row: Mapping[str, Any] = record.data
        connector = str(row["stream"]).partition("/")[0]
        counts[connector] = counts.get(connector, 0) + int(row["events"]) + int(row["deleted"])
        refused[str(row["stream"])] = int(row["refused"])


def _read_streams(
    shown: Mapping[tuple[str, ...], Mapping[str, Any]], errors: Mapping[tuple[str, str], str]
) -> Iterable[StreamResult]:
    coverage: Mapping[Any, tuple[int, int]] = shown.get((COVERAGE,), {})
    for path in sorted({path[1:] for path in shown if path[0] == "raw"} | errors.keys()):
        connector, stream = path
        facts = shown.get(("raw", connector, stream), {})
        mapped, unknown = coverage.get((connector, stream), (0, 0))
        yield StreamResult(
            connector,
            stream,
            **{name: facts.get(name, 0) for name in ("records", "landed", "unchanged", "quarantined")},
            schema_version=facts.get("schema version"),
            drift=facts.get("drift"),
            mapped=mapped,
            unknown=unknown,
            error=errors.get((connector, stream)),
        )


def _read_coverage(value: Any) -> dict[Any, tuple[int, int]]:
    if not isinstance(value, TableMetadataValue):
        return {}
    rows: list[Mapping[str, Any]] = [record.data for record in value.records]
    return {(row["connector"], row["stream"]): (int(row["mapped"]), int(row["unknown"])) for row in rows}


def _was_interrupted(event: DagsterEvent) -> bool:
    """Whether a step was cut by a signal: Dagster calls that a failure."""
    error = event.step_failure_data.error
    while error is not None and error.cls_name != DagsterExecutionInterruptedError.__name__:
        error = error.cause
    return error is not None


def _describe(event: DagsterEvent) -> str:
    """What the step itself said, else the innermost error's first line."""
    data = event.step_failure_data
    if data.user_failure_data is not None and data.user_failure_data.description:
        return data.user_failure_data.description
    error = data.error
    while error is not None and error.cause is not None:
        error = error.cause
    lines = error.message.strip().splitlines() if error is not None else []
    return lines[0] if lines else "failed without a message"


def _read_stream_errors(event: DagsterEvent) -> dict[tuple[str, str], str]:
    said = event.step_failure_data.user_failure_data
    facts = said.metadata.get(FAILED_STREAMS) if said is not None else None
    if facts is None:
        return {}
    value: Any = facts.value
    return {(value["connector"], stream): reason for stream, reason in value["errors"].items()}
