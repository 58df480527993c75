"""As whom the embedded Postgres runs. It refuses to run as root, so root lends it another user.

That user must reach the server's programs and its data: the ways to both are opened for passing
through, never for listing, and only when needed.
"""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any


def server_user(folder: Path | None) -> int | None:
    """The user id the server must run as when this process is root, else None: the data folder's owner."""
    if os.geteuid() != 0:
        return None
    if folder is not None:
        return folder.stat().st_uid
    for name in ("pgserver", "postgres"):
        if (found := _user_id(name)) is not None:
            return found
    created = shutil.which("useradd") and subprocess.run(
        ["useradd", "--system", "--shell", "/usr/sbin/nologin", "pgserver"], capture_output=True, check=False
    )
    found = _user_id("pgserver") if created else None
    return found if found is not None else _user_id("nobody")


def identity(user: int | None) -> dict[str, Any]:
    """How subprocess runs as that user: no group of root's stays, which would count before 'others'."""
    if user is None:
        return {}
    return {"user": user, "group": pwd.getpwuid(user).pw_gid, "extra_groups": []}


def let_in(user: int | None, programs: Path, folder: Path) -> None:
    """Open the way to the server's programs and to ``folder`` for the user it runs as."""
    if user is None:
        return
    probe = [str(programs / "postgres"), "--version"]
    if subprocess.run(probe, **identity(user), cwd="/", capture_output=True, check=False).returncode:
        _open_tree(programs.parent)
        _open_way(programs.parent)
    _open_way(folder)


def _user_id(name: str) -> int | None:
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return None


def _open_way(path: Path) -> None:
    """Let others pass through (not list) the folders from the root down to ``path``."""
    for folder in (path, *path.parents):
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(mode | stat.S_IXOTH)


def _open_tree(path: Path) -> None:
    for entry in (path, *path.rglob("*")):
        if not entry.is_symlink():
            mode = entry.stat().st_mode
            runs = stat.S_IXOTH if mode & stat.S_IXUSR else 0
            entry.chmod(mode | stat.S_IROTH | runs)
