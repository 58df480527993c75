"""The Dagster instance of this installation, with its storage in the mesh's Postgres."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dagster import DagsterInstance
from dagster._core.instance.ref import InstanceRef

from resources.dagster_home import prepare_home
from resources.dagster_storage import MeshStorage
from resources.settings import Settings


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
