"""The process a query runs in: one statement on one file, read-only, with hard limits, then the end.

Started by ``resources/query.py`` as a script with an empty environment; imports nothing of ours, so that
it starts quickly. Request: one JSON line on standard input. Answer: a pickle of plain values on standard
output, ``("rows", columns, types, rows, truncated)`` or ``("error", kind, message)``.
"""

from __future__ import annotations

import json
import os
import pickle
import re
import resource
import sys
import threading
from contextlib import suppress
from typing import Any

import duckdb

ALLOWED = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)
_ROOM_BYTES = 2 << 30
"""Address space beyond DuckDB's own limit: code, stacks, and values on their way out."""

_TELLTALE = re.compile(
    r"\b(duckdb_(databases|settings|extensions|secrets|temporary_files|logs\w*|log_contexts)|pg_settings"
    r"|current_setting|pragma_\w+|json_execute_serialized_sql|arrow_scan\w*|pandas_scan|python_map_function)\b"
    r"|\bquery\b\"?\s*\(",
    re.IGNORECASE,
)
"""What tells about this machine (paths, settings) or its memory instead of about the tenant's data."""

Answer = tuple[Any, ...]


class Refused(Exception):
    """The statement is none that may run here."""


def main() -> None:
    """Answer the one request."""
    request = json.loads(sys.stdin.readline())
    answer = _answer(request)
    content = pickle.dumps(answer, protocol=pickle.HIGHEST_PROTOCOL)
    if len(content) > request["max_bytes"]:
        found = f"the result takes {len(content) >> 20} MiB, more than {request['max_bytes'] >> 20} MiB"
        content = pickle.dumps(("error", "size", found))
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()
    os._exit(0)  # DuckDB's threads and an orderly shutdown do not always agree


def _answer(request: dict[str, Any]) -> Answer:
    _limit(request["memory_bytes"], request["timeout_s"])
    try:
        return _run(request)
    except Refused as error:
        return ("error", "refused", str(error))
    except duckdb.InterruptException:
        return ("error", "timeout", "")
    except (duckdb.OutOfMemoryException, MemoryError) as error:
        return ("error", "memory", str(error))
    except duckdb.Error as error:
        return ("error", "sql", f"{error}")
    except (ValueError, OverflowError) as error:
        return ("error", "value", str(error))  # a date beyond year 9999 and the like


def _limit(memory_bytes: int, timeout_s: float) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # no file can grow, whatever SQL finds to write one
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    space = memory_bytes + _ROOM_BYTES
    with suppress(ValueError):  # systems that know no such limit still have DuckDB's own
        resource.setrlimit(resource.RLIMIT_AS, (space, space))
    cpu_s = int(timeout_s * 4) + 5  # outlives nobody who kills it in time
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))


def _run(request: dict[str, Any]) -> Answer:
    conn = _open(request["path"], request["memory_bytes"], request["threads"])
    _check(conn, request["sql"])
    timer = threading.Timer(request["timeout_s"], conn.interrupt)
    timer.daemon = True
    timer.start()
    try:
        conn.execute(request["sql"])
        columns = [(name, str(kind)) for name, kind, *_ in conn.description or ()]
        rows = conn.fetchmany(request["max_rows"] + 1)
    finally:
        timer.cancel()
    truncated = len(rows) > request["max_rows"]
    kept = rows[: request["max_rows"]]
    return ("rows", [name for name, _ in columns], [kind for _, kind in columns], kept, truncated)


def _open(path: str, memory_bytes: int, threads: int) -> duckdb.DuckDBPyConnection:
    conn = duckdb.connect(
        path,
        read_only=True,
        config={
            "enable_external_access": False,
            "autoload_known_extensions": False,
            "autoinstall_known_extensions": False,
            "allow_community_extensions": False,
            "allow_persistent_secrets": False,
            "python_enable_replacements": False,
            "memory_limit": f"{memory_bytes}B",
            "temp_directory": "",  # what does not fit into memory is refused, not spilled to disk
            "threads": threads,
        },
    )
    conn.execute("SET TimeZone = 'UTC'; SET lock_configuration = true")
    return conn


def _check(conn: duckdb.DuckDBPyConnection, sql: str) -> None:
    statements = conn.extract_statements(sql)
    if len(statements) != 1:
        raise Refused("no statement" if not statements else f"{len(statements)} statements")
    if statements[0].type not in ALLOWED:
        raise Refused(f"a statement of kind {statements[0].type.name}")
    told = _TELLTALE.search(sql)
    if told is not None:
        raise Refused(f"a call of {told.group(0).rstrip('( ').strip(chr(34))}")


if __name__ == "__main__":
    main()
