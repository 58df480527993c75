"""The shipped configs read everything the vendors hold, through the real readers, and name real fields."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from core.config_reader import load_configs
from core.connector import EndpointDeletion, FlagDeletion
from resources.connectors.base import SourceContext, open_reader
from resources.connectors.paging import MISSING, read_at
from resources.database import Database
from sandbox.seed import load_postgres
from sandbox.server import Sandbox

SPECS = load_configs([Path(__file__).parents[2] / "connector_configs"]).specs
STREAMS = [(c, s) for c, spec in SPECS.items() for s in spec.streams]
TENANT = "initech"

NOT_IN_EVERY_WORLD = {("zendesk", "admins", "photo.content_url")}


@pytest.fixture(scope="module")
def contexts(running: Sandbox, database: Database) -> dict[str, SourceContext]:
    def context(name: str) -> SourceContext:
        credentials = running.credentials(name, TENANT)
        if name == "postgres":
            credentials = load_postgres(database.dagster_url, TENANT)
        base, options = running.base_url(TENANT, name), running.options(TENANT, name)
        return SourceContext(TENANT, SPECS[name], base, credentials, options)

    return {name: context(name) for name in SPECS}


def read(context: SourceContext, stream: str, state: dict[str, Any]) -> tuple[list[Any], list[Any]]:
    """Records and deletions of one read."""
    reader = open_reader(context)
    found: tuple[list[Any], list[Any]] = ([], [])
    try:
        for page in reader.read(stream, state):
            assert page.rejects == []
            records = page.records.to_pylist() if isinstance(page.records, pa.Table) else page.records
            found[page.deleted].extend(records)
    finally:
        reader.close()
    return found


def key_of(record: Any, paths: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(str(read_at(record, path)) for path in paths)


@pytest.mark.parametrize(("connector", "stream"), STREAMS)
def test_keys_are_unique_and_mapped_fields_exist(
    contexts: dict[str, SourceContext], connector: str, stream: str
) -> None:
    spec = SPECS[connector].streams[stream]
    records, _ = read(contexts[connector], stream, {})
    assert records
    keys = [key_of(record, spec.primary_key) for record in records]
    assert len(set(keys)) == len(keys)
    assert not any(part in ("None", "", str(MISSING)) for key in keys for part in key)
    for target, mapping in spec.mappings.items():
        for source in mapping.from_:
            if (connector, stream, source) not in NOT_IN_EVERY_WORLD:
                assert any(_has(record, source) for record in records), f"{target} from {source}"


def _has(record: Any, path: str) -> bool:
    """Whether a record has the path, or a null or empty list on the way to it."""
    parts = path.split(".")
    for length in range(1, len(parts) + 1):
        found = read_at(record, ".".join(parts[:length]))
        if found is MISSING:
            return length > 1 and read_at(record, ".".join(parts[: length - 1])) in ([], None)
        if isinstance(found, str) and found.startswith("{"):
            return True
    return True


@pytest.mark.parametrize(
    ("connector", "stream"),
    [(c, s) for c, s in STREAMS if SPECS[c].streams[s].incremental and c != "postgres"],
)
def test_incremental_streams_bring_only_what_changed(
    contexts: dict[str, SourceContext], running: Sandbox, connector: str, stream: str
) -> None:
    spec, state = SPECS[connector].streams[stream], dict[str, Any]()
    read(contexts[connector], stream, state)
    assert read(contexts[connector], stream, state) == ([], [])
    touched = [] if stream == "events" else running.touch(TENANT, connector, stream, 2)
    added = running.add(TENANT, connector, stream, 1)
    records, _ = read(contexts[connector], stream, state)
    assert {key_of(r, spec.primary_key)[0] for r in records} == {*touched, *added}
    assert read(contexts[connector], stream, state) == ([], [])


@pytest.mark.parametrize(
    ("connector", "stream"),
    [
        (c, s)
        for c, s in STREAMS
        if isinstance(SPECS[c].streams[s].deletion, (FlagDeletion, EndpointDeletion))
        and c not in ("postgres", "aws_cost")
    ],
)
def test_deletions_show_as_the_config_says(
    contexts: dict[str, SourceContext], running: Sandbox, connector: str, stream: str
) -> None:
    spec, state = SPECS[connector].streams[stream], dict[str, Any]()
    read(contexts[connector], stream, state)
    deleted = running.delete(TENANT, connector, stream, 2)
    records, gone = read(contexts[connector], stream, state)
    if isinstance(spec.deletion, FlagDeletion):
        flag, values = spec.deletion.field, spec.deletion.values
        gone = [r for r in records if str(read_at(r, flag)).lower() in values]
    assert {key_of(r, spec.primary_key)[0] for r in gone} == set(deleted)
