"""From YAML files a team keeps outside to the registry, in three phases.

SHADOW: the files hold the truth: their sets are stored here and every record goes under them, while the
registry's active sets run beside over the same loads and discrepancies are reported. CANARY: a share of
the records, by stable hash, goes under the registry's sets. CUT_OVER: the registry is the truth; the files
are archived with a manifest. ABORTED: the files stay where they are, the registry holds as before.

A file's set is on trial in the sense of ``resources/canary.py``, for the share that is not yet moved.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, select, update
from sqlalchemy.dialects.postgresql import insert

from core.errors import CheckFailed, MappingRefused, UnknownName
from core.mapping_yaml import SetFile
from core.names import join_name
from resources.audit import record
from resources.canary import YAML, change_ratio, end_trial, find_canary, put_on_trial
from resources.compare import Comparison, compare_sets
from resources.database import Database
from resources.registry import active_set, read_set
from resources.registry_changes import publish_in, read_holding
from resources.registry_rows import StreamKey, wait_turn
from resources.tables import yaml_migrations as migrations
from resources.yaml_archive import archive_files, hash_file, remove_originals

if TYPE_CHECKING:
    from resources.mesh import Mesh

SHADOW, CANARY, CUT_OVER, ABORTED = "SHADOW", "CANARY", "CUT_OVER", "ABORTED"


@dataclass(frozen=True)
class FileState:
    """One file of a migration: where it is in the folder, what it held, and the set made of it."""

    path: str
    sha256: str
    connector: str
    stream: str
    set_id: str
    number: int
    fingerprint: str

    @property
    def key(self) -> StreamKey:
        """(connector, stream)."""
        return self.connector, self.stream


@dataclass(frozen=True)
class Migration:
    """A tenant's migration as it stands. ``ratio``: share of records (0 to 1) under the registry's sets."""

    tenant_id: str
    folder: Path
    phase: str
    ratio: float
    files: tuple[FileState, ...]
    archive: Path | None
    started_by: str
    started_at: datetime
    changed_at: datetime

    @property
    def running(self) -> bool:
        """Whether the files still hold the truth for some records."""
        return self.phase in (SHADOW, CANARY)

    def list_changed(self) -> list[str]:
        """Files that are not any more what the migration knows of them."""
        return [one.path for one in self.files if hash_file(self.folder / one.path) != one.sha256]


@dataclass(frozen=True)
class Discrepancy:
    """What the file's set (A) and the registry's (B) make of a stream.

    Without comparison they say the same, or there is a ``problem``: why they cannot be compared.
    """

    file: FileState
    comparison: Comparison | None
    problem: str | None = None

    @property
    def differs(self) -> bool:
        """Whether any record comes out differently, or nobody can tell."""
        return self.problem is not None or (self.comparison is not None and self.comparison.differs)


def start_migration(
    mesh: Mesh, tenant_id: str, folder: Path, files: Mapping[Path, SetFile], actor: str
) -> Migration:
    """Begin, or take up what has changed in the files of one that runs.

    A stream without active set gets the file's as its own: there the two agree from the start. Raises
    MappingRefused, and then nothing is changed.
    """
    with mesh.db.tenant(tenant_id) as conn:
        wait_turn(conn, tenant_id)
        running = _find(conn, tenant_id)
        if running is not None and running.running and running.folder != folder:
            raise MappingRefused(
                "another YAML migration runs",
                where=str(running.folder),
                remedy="Cut it over or abort it first",
            )
        if running is None or not running.running:
            running = None
        ratio = running.ratio if running else 0.0
        states = [
            _take(conn, tenant_id, path.relative_to(folder), _hash(path), one, ratio, actor)
            for path, one in files.items()
        ]
        gone = {one.key for one in running.files} - {one.key for one in states} if running else set()
        for key in gone:
            _end(conn, tenant_id, key, "file removed", actor)
        _write(conn, tenant_id, folder, running, ratio, states, actor)
        made = _require(conn, tenant_id)
        facts = {"folder": str(folder), "phase": made.phase, "files": len(states)}
        action = "yaml_migration.refreshed" if running else "yaml_migration.started"
        record(conn, actor, action, str(folder), None, facts, tenant_id)
    return made


def _hash(path: Path) -> str:
    found = hash_file(path)
    if found is None:
        raise UnknownName("no such file", where=str(path))
    return found


def _take(
    conn: Connection, tenant_id: str, path: Path, digest: str, one: SetFile, ratio: float, actor: str
) -> FileState:
    """Store the file's set, and put it on trial unless the registry says the same."""
    held = read_holding(conn, tenant_id, one.key)
    reason = f"from {path}"
    fresh = held is None
    if held is None or held.fingerprint != one.fingerprint:
        made = publish_in(conn, tenant_id, one.key, one.entity, one.mappings, actor, reason, activate=fresh)
        if not fresh:
            put_on_trial(conn, tenant_id, one.key, made, 1 - ratio, actor, reason, YAML)
    else:
        made = held
        _end(conn, tenant_id, one.key, "the registry says the same", actor)
    return FileState(str(path), digest, one.connector, one.stream, made.set_id, made.number, made.fingerprint)


def _write(
    conn: Connection,
    tenant_id: str,
    folder: Path,
    running: Migration | None,
    ratio: float,
    states: list[FileState],
    actor: str,
) -> None:
    facts: dict[str, Any] = {
        "folder": str(folder),
        "phase": running.phase if running else SHADOW,
        "ratio": ratio,
        "files": [vars(one) for one in states],
        "archive": None,
        "changed_at": func.now(),
    }
    fresh = facts | {"started_by": actor, "started_at": func.now()}
    row = insert(migrations).values(tenant_id=tenant_id, **fresh)
    kept = facts if running else fresh
    conn.execute(row.on_conflict_do_update(index_elements=["tenant_id"], set_=kept))


def grow_canary(db: Database, tenant_id: str, ratio: float, actor: str) -> Migration:
    """Put a share of each stream's records under the registry's sets; a growing share only adds records."""
    with db.tenant(tenant_id) as conn:
        wait_turn(conn, tenant_id)
        running = _require_running(conn, tenant_id)
        for one in running.files:
            trial = find_canary(conn, tenant_id, one.key)
            if trial is not None and trial.purpose == YAML:
                change_ratio(conn, tenant_id, trial, 1 - ratio, actor)
        return _turn(conn, running, CANARY, actor, ratio=ratio)


def abort_migration(db: Database, tenant_id: str, actor: str, reason: str = "") -> Migration:
    """Give up: all records go under the registry's sets, as before the start; the files stay."""
    with db.tenant(tenant_id) as conn:
        wait_turn(conn, tenant_id)
        running = _require_running(conn, tenant_id)
        for one in running.files:
            _end(conn, tenant_id, one.key, reason or "migration aborted", actor)
        return _turn(conn, running, ABORTED, actor, ratio=running.ratio)


def cut_over(
    mesh: Mesh, tenant_id: str, actor: str, *, accept: bool = False, keep_files: bool = False
) -> Migration:
    """Make the registry the truth for all records and archive the files; killed, run it again.

    Raises CheckFailed while the two differ, unless ``accept``; MappingRefused when files have changed.
    """
    with mesh.db.tenant(tenant_id) as conn:
        found = _require(conn, tenant_id)
    if found.running:
        _check_ready(mesh, found, accept=accept)
        archive = archive_files(found)
        with mesh.db.tenant(tenant_id) as conn:
            wait_turn(conn, tenant_id)
            found = _require_running(conn, tenant_id)
            for one in found.files:
                _end(conn, tenant_id, one.key, "cut over", actor)
            found = _turn(conn, found, CUT_OVER, actor, ratio=1.0, archive=str(archive))
    elif found.phase != CUT_OVER:
        raise UnknownName(f"no YAML migration runs for tenant {tenant_id}")
    if not keep_files:
        remove_originals(found)
    return found


def _check_ready(mesh: Mesh, found: Migration, *, accept: bool) -> None:
    changed = found.list_changed()
    if changed:
        raise MappingRefused(
            "files have changed since the migration took them up",
            where=str(found.folder),
            found=", ".join(changed[:5]),
            remedy="Run aos mapping migrate start with the same folder again",
        )
    differing = [one for one in list_discrepancies(mesh, found) if one.differs]
    if differing and not accept:
        more = f" and {len(differing) - 5} more" if len(differing) > 5 else ""
        names = ", ".join(map(_name, differing[:5])) + more
        raise CheckFailed(
            "the files and the registry differ",
            found=names,
            remedy="Mend the registry's sets, or pass --accept-discrepancies",
        )


def _name(one: Discrepancy) -> str:
    return join_name(*one.file.key) + (" (not compared)" if one.problem else "")


def list_discrepancies(mesh: Mesh, found: Migration, loads: int | None = None) -> list[Discrepancy]:
    """Both sets of each stream over the same raw loads, the newest ``loads`` or all of them.

    A stream without config, or with a set that cannot be applied, is in the list with its ``problem``.
    """
    return [_compare(mesh, found.tenant_id, one, loads) for one in found.files]


def _compare(mesh: Mesh, tenant_id: str, one: FileState, loads: int | None) -> Discrepancy:
    held = active_set(mesh.db, tenant_id, *one.key)
    if held is None or held.fingerprint == one.fingerprint:
        return Discrepancy(one, None)
    said = read_set(mesh.db, tenant_id, one.set_id)
    try:
        return Discrepancy(one, compare_sets(mesh, tenant_id, one.key, said, held, loads))
    except (UnknownName, MappingRefused) as error:
        return Discrepancy(one, None, str(error))


def find_migration(db: Database, tenant_id: str) -> Migration:
    """The tenant's migration, running or over; UnknownName when there never was one."""
    with db.tenant(tenant_id) as conn:
        return _require(conn, tenant_id)


def _end(conn: Connection, tenant_id: str, key: StreamKey, reason: str, actor: str) -> None:
    trial = find_canary(conn, tenant_id, key)
    if trial is not None and trial.purpose == YAML:
        end_trial(conn, tenant_id, trial, "canary.ended", actor, reason)


def _turn(
    conn: Connection, found: Migration, phase: str, actor: str, *, ratio: float, archive: str | None = None
) -> Migration:
    facts = {"phase": phase, "ratio": ratio, "archive": archive}
    mine = migrations.c.tenant_id == found.tenant_id
    conn.execute(update(migrations).where(mine).values(**facts, changed_at=func.now()))
    before = {"phase": found.phase, "percent": f"{found.ratio * 100:g}"}
    after = {"phase": phase, "percent": f"{ratio * 100:g}", "archive": archive}
    action = f"yaml_migration.{phase.lower()}"
    record(conn, actor, action, str(found.folder), before, after, found.tenant_id)
    return _require(conn, found.tenant_id)


def _require_running(conn: Connection, tenant_id: str) -> Migration:
    found = _require(conn, tenant_id)
    if not found.running:
        raise UnknownName(
            f"no YAML migration runs for tenant {tenant_id}", found=f"one that is {found.phase}"
        )
    return found


def _require(conn: Connection, tenant_id: str) -> Migration:
    found = _find(conn, tenant_id)
    if found is None:
        raise UnknownName(
            f"tenant {tenant_id} has no YAML migration", remedy="Start one: aos mapping migrate start FOLDER"
        )
    return found


def _find(conn: Connection, tenant_id: str) -> Migration | None:
    query = select(migrations).where(migrations.c.tenant_id == tenant_id)
    row = conn.execute(query).mappings().first()
    if row is None:
        return None
    facts = dict(row)
    facts["files"] = tuple(FileState(**one) for one in facts["files"])
    facts["folder"] = Path(facts["folder"])
    facts["archive"] = Path(facts["archive"]) if facts["archive"] else None
    return Migration(**facts)
