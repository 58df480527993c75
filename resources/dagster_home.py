"""The home folder of Dagster: the folder of this installation, with ``dagster.yaml`` in it."""

from __future__ import annotations

import shutil

from resources.settings import Settings, project_root

CONFIG_NAME = "dagster.yaml"


def prepare_home(settings: Settings) -> None:
    """Put ``dagster.yaml`` into the home folder where none is; a changed one stays as it is."""
    target = settings.home / CONFIG_NAME
    if not target.exists():
        settings.home.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(project_root() / "dagster_home" / CONFIG_NAME, target)
