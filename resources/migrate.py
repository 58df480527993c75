"""Migrations, run from the program: which revision a database is at, and how it gets to the newest.

The steps themselves are in ``migrations/versions/``.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, text

from core.errors import StorageUnavailable

SCRIPTS = Path(__file__).resolve().parent.parent / "migrations"
_LOCK = 0x616F736D  # every process migrating the same database waits for this advisory lock


def newest_revision() -> str:
    """The revision this code needs; read from the file names, as Alembic takes 0.2 s to import."""
    return max(path.name.split("_")[0] for path in (SCRIPTS / "versions").glob("[0-9]*_*.py"))


def current_revision(conn: Connection) -> str | None:
    """The revision the database is at; None when it is empty."""
    if conn.execute(text("SELECT to_regclass('public.alembic_version')")).scalar() is None:
        return None
    found = conn.execute(text("SELECT version_num FROM public.alembic_version")).scalar()
    return None if found is None else str(found)


def is_current(conn: Connection) -> bool:
    """Whether nothing is to be done; StorageUnavailable when the database is newer than this code."""
    found = current_revision(conn)
    newest = newest_revision()
    if found is not None and found > newest:
        raise StorageUnavailable(
            "the database was migrated by a newer version of this program",
            expected=f"revision {newest}",
            found=found,
            remedy="Update this installation",
        )
    return found == newest


def migrate(conn: Connection, revision: str = "head") -> None:
    """Bring the database to ``revision`` (up or down) inside the caller's transaction."""
    from alembic import command
    from alembic.config import Config

    conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    current = current_revision(conn)
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = conn
    down = revision == "base" or (revision != "head" and current is not None and revision < current)
    (command.downgrade if down else command.upgrade)(config, revision)
