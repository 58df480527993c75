"""The embedded server: started once, shared, stopped by the last, and what a crash leaves is overcome."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from core.errors import StorageUnavailable
from resources.database import Database
from resources.embedded import SOCKET_PATH_MAX, EmbeddedServer
from resources.server_user import server_user
from resources.settings import Settings, load_settings
from tests.store.conftest import Script

OPEN = """
import sys
from resources.database import Database
from resources.server_user import server_user
from resources.settings import Settings, load_settings
database = Database.open(load_settings(home=sys.argv[1]))
print("open", flush=True)
sys.stdin.readline()
"""


def postmaster(home: Path) -> psutil.Process | None:
    try:
        return psutil.Process(int((home / "postgres" / "postmaster.pid").read_text().split()[0]))
    except (OSError, psutil.NoSuchProcess):
        return None


@pytest.fixture
def home_with_server(home: Path) -> Iterator[Path]:
    """A home whose database was made and stopped again; whatever runs at the end is stopped."""
    Database.open(load_settings(home=home)).close()
    yield home
    server = EmbeddedServer(home / "postgres")
    server.start()
    server.release()


def test_processes_that_start_at_once_share_one_server(home: Path, script: Script) -> None:
    processes = [script(OPEN, str(home)) for _ in range(4)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
    running = postmaster(home)
    assert running is not None
    for process in processes[1:]:
        process.communicate("\n")
        assert process.returncode == 0
    assert running.is_running()
    processes[0].communicate("\n")
    assert processes[0].returncode == 0
    assert postmaster(home) is None


def test_a_killed_holder_does_not_keep_the_server(home_with_server: Path, script: Script) -> None:
    killed = script(OPEN, str(home_with_server))
    assert killed.stdout is not None
    killed.stdout.readline()
    killed.kill()
    killed.wait()
    assert postmaster(home_with_server) is not None
    Database.open(load_settings(home=home_with_server)).close()
    assert postmaster(home_with_server) is None


def test_two_handles_of_one_process_count_separately(home_with_server: Path) -> None:
    settings = load_settings(home=home_with_server)
    first, second = Database.open(settings), Database.open(settings)
    first.close()
    first.close()
    with second.owner() as conn:
        assert conn.execute(text("SELECT 1")).scalar() == 1
    second.close()
    assert postmaster(home_with_server) is None


def test_committed_rows_survive_a_crash_of_the_server(home_with_server: Path) -> None:
    settings = load_settings(home=home_with_server)
    database = Database.open(settings)
    with database.tenant("acme") as conn:
        conn.execute(text("INSERT INTO tenants (tenant_id) VALUES ('acme')"))
    crashed = postmaster(home_with_server)
    assert crashed is not None
    children = crashed.children()
    os.kill(crashed.pid, signal.SIGKILL)
    psutil.wait_procs([crashed, *children], timeout=10)
    with pytest.raises(StorageUnavailable, match="Try again"), database.operator():
        pass
    with pytest.raises(StorageUnavailable), database.lock("acme", "x"):
        pass
    again = Database.open(settings)
    with again.tenant("acme") as conn:
        assert conn.execute(text("SELECT count(*) FROM tenants")).scalar() == 1
    again.close()
    database.close()
    assert postmaster(home_with_server) is None


def test_a_pid_file_whose_number_belongs_to_another_process_is_overcome(home_with_server: Path) -> None:
    folder = home_with_server / "postgres"
    lines = [str(os.getpid()), str(folder), str(int(time.time())), "5432", str(folder), "", "0 0", "ready"]
    (folder / "postmaster.pid").write_text("\n".join(lines) + "\n")
    database = Database.open(load_settings(home=home_with_server))
    with database.owner() as conn:
        assert conn.execute(text("SELECT 1")).scalar() == 1
    database.close()


def test_a_server_that_recovers_still_is_waited_for(home_with_server: Path) -> None:
    folder = home_with_server / "postgres"
    server = EmbeddedServer(folder)
    options = f"-c listen_addresses= -c unix_socket_directories={folder}"
    arguments = ("start", "-W", "-D", str(folder), "-l", str(folder / "server.log"), "-o", options)
    server._run("pg_ctl", arguments, server_user(folder))
    database = Database.open(load_settings(home=home_with_server))
    with database.owner() as conn:
        assert conn.execute(text("SELECT 1")).scalar() == 1
    database.close()
    assert postmaster(home_with_server) is None


def test_a_home_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageUnavailable, match="cannot be written"):
        Database.open(load_settings(home=tmp_path / "file" / "home"))


def test_a_home_that_is_gone_at_the_end_does_no_harm(home: Path) -> None:
    database = Database.open(load_settings(home=home))
    running = postmaster(home)
    assert running is not None
    running.send_signal(signal.SIGINT)  # a fast shutdown
    running.wait(10)
    shutil.rmtree(home)
    database.close()


def test_a_long_path_gets_its_socket_elsewhere(home: Path) -> None:
    long = home / ("long-" + "x" * SOCKET_PATH_MAX)
    database = Database.open(load_settings(home=long))
    server = EmbeddedServer(long / "postgres")
    assert server.socket_dir != long / "postgres"
    assert server.socket_dir.stat().st_mode & 0o077 == 0
    with database.owner() as conn:
        assert conn.execute(text("SELECT 1")).scalar() == 1
    database.close()
    server.socket_dir.rmdir()


def test_a_folder_of_something_else_is_left_alone(home: Path) -> None:
    (home / "postgres").mkdir()
    (home / "postgres" / "letter.txt").write_text("mine")
    with pytest.raises(StorageUnavailable, match="holds something else"):
        Database.open(load_settings(home=home))
    assert (home / "postgres" / "letter.txt").read_text() == "mine"


def test_an_initdb_that_was_killed_is_begun_anew(home: Path) -> None:
    (home / "postgres.new" / "base").mkdir(parents=True)
    Database.open(load_settings(home=home)).close()
    assert not (home / "postgres.new").exists()


def test_the_server_is_durable_and_closed_to_the_network(database: Database) -> None:
    with database.owner() as conn:

        def show(name: str) -> object:
            return conn.execute(text(f"SHOW {name}")).scalar()

        assert (show("fsync"), show("synchronous_commit"), show("full_page_writes")) == ("on", "on", "on")
        assert show("listen_addresses") == ""
        assert show("shared_buffers") == "256MB"
        assert show("data_checksums") == "on"
        assert (
            conn.execute(text("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")).scalar() is False
        )
        extensions = conn.execute(text("SELECT extname FROM pg_extension")).scalars().all()
        assert "vector" in extensions


def test_the_log_shows_no_rows(database: Database, settings: Settings) -> None:
    with pytest.raises(DBAPIError, match="very private"), database.owner() as conn:
        conn.exec_driver_sql("SELECT 'very private'::int")
    log = (settings.home / "postgres" / "server.log").read_text()
    assert "ready to accept connections" in log
    assert "very private" not in log
