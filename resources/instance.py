"""The Dagster instance of this installation: its home folder, opening it, its environment."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from dagster import DagsterInstance
from dagster._core.instance.ref import InstanceRef

from resources.dagster_storage import MeshStorage
from resources.settings import Settings, project_root

CONFIG_NAME = "dagster.yaml"


def prepare_home(settings: Settings) -> None:
    """Put ``dagster.yaml`` into the home folder where none is; a changed one stays as it is."""
    target = settings.home / CONFIG_NAME
    if not target.exists():
        settings.home.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(project_root() / "dagster_home" / CONFIG_NAME, target)


@contextmanager
def open_instance(settings: Settings) -> Iterator[DagsterInstance]:
    """The instance of ``settings.home``, with storage in the mesh's Postgres; closed at the end.

    Raises StorageUnavailable when Postgres does not answer.
    """
    prepare_home(settings)
    home = str(settings.home)
    storage = {"module": MeshStorage.__module__, "class": MeshStorage.__name__, "config": {"home": home}}
    ref = InstanceRef.from_dir(home, overrides={"storage": {"custom": storage}})
    with DagsterInstance.from_ref(ref) as instance:
        yield instance
