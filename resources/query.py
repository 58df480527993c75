"""Questions to a tenant's views: one read-only statement, fenced in, in a process of its own.

The fence: external access off, configuration locked, no extensions, no spilling, one SELECT-like
statement, limits on time, memory, rows and bytes. A process, because some functions neither heed an
interrupt nor DuckDB's memory limit. What runs there is ``resources/query_worker.py``.
"""

from __future__ import annotations

import json
import pickle
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import QueryError
from core.ontology.model import suggest_near
from resources.settings import Settings
from resources.view_builder import read_columns
from resources.view_files import find_registry

MAX_ROWS = 10_000
TIMEOUT_S = 30.0
MEMORY_BYTES = 1 << 30
MAX_RESULT_BYTES = 64 << 20
_GRACE_S = 2.0
_THREADS = 2
_WORKER = Path(__file__).with_name("query_worker.py")


@dataclass(frozen=True)
class QueryResult:
    """Columns, their SQL types, rows of Python values; ``truncated`` when there were more rows."""

    columns: list[str]
    types: list[str]
    rows: list[tuple[Any, ...]]
    truncated: bool
    seconds: float


def run_query(
    settings: Settings,
    tenant_id: str,
    sql: str,
    *,
    max_rows: int = MAX_ROWS,
    timeout_s: float = TIMEOUT_S,
) -> QueryResult:
    """Run one read-only statement on the tenant's published views; sees the state of one publication.

    Raises QueryError: no views yet, a statement that may not run, wrong SQL, a limit exceeded.
    """
    path = find_registry(settings, tenant_id)
    if not path.exists():
        raise QueryError(f"tenant {tenant_id!r} has no views yet", remedy=f"Run: aos sync {tenant_id}")
    started = time.monotonic()
    answer = _ask(
        {
            "path": str(path),
            "sql": sql,
            "max_rows": max_rows,
            "timeout_s": timeout_s,
            "memory_bytes": MEMORY_BYTES,
            "threads": _THREADS,
            "max_bytes": MAX_RESULT_BYTES,
        }
    )
    if answer[0] == "error":
        raise _explain(path, sql, timeout_s, *answer[1:])
    _, columns, types, rows, truncated = answer
    return QueryResult(columns, types, rows, truncated, time.monotonic() - started)


def _ask(request: dict[str, Any]) -> tuple[Any, ...]:
    """The worker's answer; one that had to be killed or died counts as out of time or memory."""
    with subprocess.Popen(
        [sys.executable, "-I", str(_WORKER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={},
        cwd=Path(request["path"]).parent,
    ) as worker:
        try:
            content, _ = worker.communicate(
                json.dumps(request).encode() + b"\n", timeout=request["timeout_s"] + _GRACE_S
            )
        except subprocess.TimeoutExpired:
            worker.kill()
            return ("error", "timeout", "")
        finally:
            if worker.poll() is None:
                worker.kill()
    if worker.returncode != 0:
        return ("error", "memory", f"the process ended with {worker.returncode}")
    answer: tuple[Any, ...] = pickle.loads(content)  # written by our own script, values only
    return answer


def _explain(path: Path, sql: str, timeout_s: float, kind: str, message: str) -> QueryError:
    if kind == "refused":
        return QueryError(
            "this statement may not run here",
            expected="one statement that reads: SELECT, WITH, FROM, DESCRIBE, SUMMARIZE, SHOW, EXPLAIN",
            found=message,
        )
    if kind == "timeout":
        return QueryError(
            f"the query took longer than {timeout_s:g} s", remedy="Ask for less, or filter earlier"
        )
    if kind in ("memory", "size"):
        return QueryError(
            f"the query needs more than it may have ({MEMORY_BYTES >> 20} MiB to work, "
            f"{MAX_RESULT_BYTES >> 20} MiB of result)",
            found=message.splitlines()[0] if message else None,
            remedy="Ask for fewer columns or rows, or aggregate",
        )
    return QueryError(_clean(message), remedy=_hint(path, sql, message))


def _clean(message: str) -> str:
    """DuckDB's first sentence, without its error class and the drawing of the place."""
    first = message.strip().splitlines()[0] if message.strip() else "the query failed"
    return re.sub(r"^[A-Z][A-Za-z ]+ Error: ", "", first).strip().rstrip("!")


_MISSING_TABLE = re.compile(r"Table with name (.+?) does not exist")
_MISSING_COLUMN = re.compile(r'(?:Referenced column|column named|does not have a column named) "([^"]+)"')
_SYNTAX = re.compile(r'syntax error at or near "([^"]+)"')


def _hint(path: Path, sql: str, message: str) -> str | None:
    """Near names for a table or column that does not exist; how to write one that is a reserved word."""
    views = read_columns(path)
    if (found := _SYNTAX.search(message)) and found.group(1).lower() in views:
        word = found.group(1).lower()
        return f"{word} is a word of SQL: write views.{word}"
    if found := _MISSING_TABLE.search(message):
        name = found.group(1).strip('"').lower().removeprefix("views.").removeprefix("main.")
        return suggest_near(name, views) or "aos query TENANT 'SHOW TABLES' lists the views"
    if found := _MISSING_COLUMN.search(message):
        words = set(re.findall(r"[a-z_0-9]+", sql.lower()))
        columns = [column for view in views.keys() & words for column in views[view]]
        return suggest_near(found.group(1).lower(), columns)
    return None
