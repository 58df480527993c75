"""Data quality: runs the checks of the ontology over the published views with Great Expectations.

Which checks there are is decided in ``core/checks.py``. DuckDB picks what each check is judged by, compares
rows with other rows (repeated keys, dangling references) and samples large views; Great Expectations judges
it all in one validation an entity, on its pandas engine.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from core.checks import Check, Severity, list_checks, mask_example, shorten_example
from core.errors import QueryError
from core.names import quote_identifier, quote_literal
from core.ontology import Entity, Ontology
from resources.settings import Settings
from resources.view_files import find_registry

if TYPE_CHECKING:
    import duckdb
    import pandas

SAMPLE_ROWS = 1_000_000
"""Views with more rows are judged by a random sample of so many; the description says so."""
SAMPLE_CELLS = 10_000_000
"""Rows × checks taken into memory at once; views with many checks are sampled earlier."""
_EXAMPLES = 5


@dataclass(frozen=True)
class CheckResult:
    """One check on one view.

    ``checked_count`` are the rows it looked at, those with a value; ``examples`` show some of the
    unexpected values, personal ones masked.
    """

    entity: str
    check: str
    kind: str
    column: str
    severity: Severity
    passed: bool
    unexpected_count: int
    checked_count: int
    examples: tuple[str, ...]
    description: str


def run_checks(
    settings: Settings, ontology: Ontology, tenant_id: str, entities: Sequence[str] | None = None
) -> list[CheckResult]:
    """Check the tenant's published views, those with rows; in the ontology's order.

    Raises QueryError when there are no views yet, UnknownName for an entity that does not exist.
    """
    import duckdb

    wanted = ontology.entities.values() if entities is None else [ontology.entity(name) for name in entities]
    path = find_registry(settings, tenant_id)
    if not path.exists():
        raise QueryError(f"tenant {tenant_id!r} has no views yet", remedy=f"Run: aos sync {tenant_id}")
    with duckdb.connect(config={"threads": 2, "memory_limit": "1GB"}) as conn:
        conn.execute(f"ATTACH {quote_literal(str(path))} AS registry (READ_ONLY); USE registry")
        conn.execute("SET TimeZone = 'UTC'")
        judge = _Judge()
        return [result for entity in wanted for result in _check_view(conn, judge, entity)]


def _check_view(conn: duckdb.DuckDBPyConnection, judge: _Judge, entity: Entity) -> list[CheckResult]:
    checks = list_checks(entity)
    columns = sorted({column for check in checks for column in check.columns})
    counted = ", ".join(f"count({quote_identifier(column)})" for column in columns)
    row = conn.execute(f"SELECT count(*), {counted} FROM {_table(entity.name)}").fetchone()
    if row is None or not row[0]:
        return []
    view = _View(entity, row[0], dict(zip(columns, row[1:], strict=True)))
    due = [check for check in checks if check.kind == "required" or view.count_filled(check)]
    found = {result.check: result for result in judge.judge(view, _read_frame(conn, view, due), due)}
    return [found.get(check.name) or _pass(check) for check in checks]


@dataclass(frozen=True)
class _View:
    """A view to check: how many rows it has, and how many with a value in each column."""

    entity: Entity
    rows: int
    filled: dict[str, int]

    def count_filled(self, check: Check) -> int:
        """Rows a check looks at, at most."""
        return self.rows if check.kind == "required" else min(self.filled[column] for column in check.columns)


def _pass(check: Check) -> CheckResult:
    """Nothing to look at: no record has a value."""
    return CheckResult(
        check.entity, check.name, check.kind, check.column, check.severity, True, 0, 0, (), check.description
    )


def _read_frame(conn: duckdb.DuckDBPyConnection, view: _View, checks: Sequence[Check]) -> pandas.DataFrame:
    """A column for each check, of all rows or of a sample."""
    selected = sorted({part for check in checks for part in _select(view.entity, check)})
    limit = min(SAMPLE_ROWS, SAMPLE_CELLS // len(selected))
    table = _table(view.entity.name)
    sample = f" USING SAMPLE reservoir({limit} ROWS) REPEATABLE (1)" if view.rows > limit else ""
    frame = conn.execute(f"SELECT {', '.join(selected)} FROM (FROM {table}{sample}) AS viewed").df()
    texts = frame.select_dtypes(include=["object", "string"]).columns
    return frame.astype(dict.fromkeys(texts, object))  # matched by Python's patterns, not Arrow's


def _table(entity: str) -> str:
    return f"main.{quote_identifier(entity)}"


def _select(entity: Entity, check: Check) -> list[str]:
    """SQL of what a check is judged by: values, or only those that break it where rows must be compared."""
    match check.kind:
        case "required":
            found = f"CASE WHEN {quote_identifier(check.column)} IS NOT NULL THEN 1 END"
        case "unique":
            found = _find_repeated(check)
        case "reference":
            found = _find_dangling(check)
        case "order":
            start, end = (_read_number(entity, column) for column in check.columns)
            found = f"CASE WHEN {end} < {start} THEN {quote_identifier(check.column)}::VARCHAR END"
        case "range":
            found = _read_number(entity, check.column)
        case _:
            found = quote_identifier(check.column)
    return [f"{found} AS {quote_identifier(check.name)}"]


def _read_number(entity: Entity, column: str) -> str:
    """SQL of a value as a number; dates and times as seconds since 1970."""
    name = quote_identifier(column)
    return f"epoch({name})" if entity.fields[column].type in ("date", "datetime") else f"{name}::DOUBLE"


def _find_repeated(check: Check) -> str:
    keys = ", ".join(quote_identifier(column) for column in check.columns)
    repeated = f"SELECT ({keys}) FROM {_table(check.entity)} GROUP BY {keys} HAVING count(*) > 1"
    column = quote_identifier(check.column)
    return f"CASE WHEN {column} IS NOT NULL AND ({keys}) IN ({repeated}) THEN {column} END"


def _find_dangling(check: Check) -> str:
    """SQL: the id when no record of the same connector has it; null where there is none to compare with."""
    column = quote_identifier(check.column)
    ids = " UNION ALL ".join(f"SELECT _connector, id FROM {_table(target)}" for target in check.references)
    return (
        f"CASE WHEN {column} IS NOT NULL AND _connector IN (SELECT _connector FROM ({ids})) "
        f"AND (_connector, {column}) NOT IN (SELECT (_connector, id) FROM ({ids}) WHERE id IS NOT NULL) "
        f"THEN {column} END"
    )


class _Judge:
    """Great Expectations with a context of its own: nothing kept, nothing reported, no progress bars."""

    def __init__(self) -> None:
        import great_expectations as gx
        from great_expectations.data_context.types.base import ProgressBarsConfig

        context = gx.get_context(mode="ephemeral")
        context.enable_analytics(False)
        context.variables.progress_bars = ProgressBarsConfig(globally=False)
        self._source = context.data_sources.add_pandas("views")

    def judge(self, view: _View, frame: pandas.DataFrame, checks: Sequence[Check]) -> Iterable[CheckResult]:
        """All checks of one view in one validation."""
        from great_expectations import ExpectationSuite

        name = view.entity.name
        suite = ExpectationSuite(name=name, expectations=[_expect(check) for check in checks])
        batch = self._source.add_dataframe_asset(name).add_batch_definition_whole_dataframe("all")
        judged = batch.get_batch(batch_parameters={"dataframe": frame}).validate(
            suite, result_format={"result_format": "SUMMARY", "partial_unexpected_count": 100}
        )
        by_name = {check.name: check for check in checks}
        for one in judged.results:
            check = by_name[one.expectation_config.meta["check"]]
            yield _read_result(check, one, view, len(frame))


def _expect(check: Check) -> Any:
    """The expectation of Great Expectations that says the same of the check's column in the frame."""
    from great_expectations import expectations as gx

    facts: dict[str, Any] = {"column": check.name, "meta": {"check": check.name}}
    match check.kind:
        case "required":
            return gx.ExpectColumnValuesToNotBeNull(**facts)
        case "format":
            return gx.ExpectColumnValuesToMatchRegex(regex=rf"\A(?:{check.pattern})\Z", **facts)
        case "range":
            low, high = _read_bound(check.low), _read_bound(check.high)
            return gx.ExpectColumnValuesToBeBetween(min_value=low, max_value=high, **facts)
        case "enum":
            return gx.ExpectColumnValuesToBeInSet(value_set=list(check.values), **facts)
        case "unique" | "reference" | "order":
            return gx.ExpectColumnValuesToBeNull(**facts)


def _read_bound(bound: float | str | None) -> float | None:
    if isinstance(bound, str):
        return datetime.fromisoformat(bound).replace(tzinfo=UTC).timestamp()
    return bound


def _read_result(check: Check, judged: Any, view: _View, rows: int) -> CheckResult:
    result = judged.result
    evaluated = "unexpected_count" in result  # else the expectation itself failed: never a silent pass
    found = result.get("partial_unexpected_list", ()) if evaluated else ()
    remark = f" (sample of {rows:,} of {view.rows:,} rows)" if rows < view.rows else ""
    return CheckResult(
        entity=check.entity,
        check=check.name,
        kind=check.kind,
        column=check.column,
        severity=check.severity,
        passed=bool(judged.success) and evaluated,
        unexpected_count=int(result["unexpected_count"]) if evaluated else rows,
        checked_count=min(view.count_filled(check), rows),
        examples=_show(check, found) if evaluated else ("could not be evaluated",),
        description=check.description + remark,
    )


def _show(check: Check, found: Iterable[Any]) -> tuple[str, ...]:
    """Some of the distinct unexpected values."""
    if check.kind == "required":
        return ()
    shown = mask_example if check.masked else shorten_example
    return tuple(dict.fromkeys(shown(_write_value(check, value)) for value in found))[:_EXAMPLES]


def _write_value(check: Check, value: Any) -> str:
    is_time = check.kind == "range" and isinstance(check.low, str)
    if not is_time:
        return f"{value:g}" if isinstance(value, float) else str(value)
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=float(value))
    return moment.isoformat().removesuffix("T00:00:00+00:00")
