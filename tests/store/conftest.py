"""What the storage tests share: a superuser's connection, empty databases, processes of one's own."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from resources.database import Database
from resources.settings import Settings, load_settings
from resources.settings import project_root as find_project_root

Superuser = Callable[..., psycopg.Connection]
Script = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="module")
def superuser(settings: Settings, database: Database) -> Superuser:
    """Opens a superuser's connection (autocommit) to a database of the test server."""

    def connect(name: str = "aos") -> psycopg.Connection:
        return psycopg.connect(
            host=str(settings.home / "postgres"), user="postgres", dbname=name, autocommit=True
        )

    return connect


@pytest.fixture
def empty_database(superuser: Superuser, settings: Settings) -> Iterator[Settings]:
    """Settings that give a fresh, empty database by URL, owned by a user who is no superuser."""
    name = f"scratch_{uuid.uuid4().hex[:8]}"
    with superuser() as conn:
        conn.execute(f"CREATE ROLE {name} LOGIN CREATEROLE")
        conn.execute(f"GRANT aos_app, aos_operator, aos_writer TO {name} WITH ADMIN OPTION")
        conn.execute(f"CREATE DATABASE {name} OWNER {name}")
    with superuser(name) as inside:
        inside.execute("CREATE EXTENSION vector")
    url = f"postgresql://{name}@/{name}?host={settings.home / 'postgres'}"
    yield load_settings(home=settings.home, database_url=url, actor="tester")
    with superuser() as conn:
        conn.execute(f"DROP DATABASE {name} WITH (FORCE)")
        conn.execute(f"DROP ROLE {name}")


@pytest.fixture
def home() -> Iterator[Path]:
    """A new home folder; not under pytest's own, which others may not enter."""
    path = Path(tempfile.mkdtemp(prefix="aos-store-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def script() -> Iterator[Script]:
    """Starts Python code in another process; what still runs at the end is killed."""
    running: list[subprocess.Popen[str]] = []

    def start(code: str, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            cwd=find_project_root(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()
