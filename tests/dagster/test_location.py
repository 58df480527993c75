"""The code location: what is in it, and that trouble with a config does not take it down."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from dagster import AssetKey, AssetSelection, Definitions

from core.config_reader import ConfigReport
from core.errors import ConfigError
from definitions import build_definitions, defs
from resources.asset_globs import accept_globs
from resources.mesh import Mesh
from resources.settings import Settings
from tests.dagster.vendor import build_spec


@pytest.fixture(scope="module")
def shipped() -> Definitions:
    """The location as shipped."""
    return defs()


def test_every_asset_says_what_it_is(shipped: Definitions) -> None:
    for spec in shipped.resolve_all_asset_specs():
        assert spec.description, spec.key
        assert spec.group_name in ("aam", "dcl"), spec.key
        assert spec.owners, spec.key
        assert spec.kinds, spec.key
        assert spec.partitions_def is not None, spec.key


def test_the_graph_is_the_way_of_the_data(shipped: Definitions) -> None:
    graph = shipped.get_repository_def().asset_graph
    account = graph.get(AssetKey(["canonical", "account"]))
    assert {AssetKey(["raw", "hubspot", "companies"]), AssetKey(["mappings"])} <= account.parent_keys
    assert graph.get(AssetKey(["views", "account"])).parent_keys == {AssetKey(["canonical", "account"])}
    assert AssetKey(["views", "account"]) in graph.get(AssetKey(["lineage_graph"])).parent_keys
    raw = {key for key in graph.get_all_asset_keys() if key.path[0] == "raw"}
    assert graph.get(AssetKey(["mappings"])).parent_keys == raw


def test_columns_tell_their_sources(shipped: Definitions) -> None:
    graph = shipped.get_repository_def().asset_graph
    schema = graph.get(AssetKey(["canonical", "account"])).metadata["dagster/column_schema"]
    name = next(column for column in schema.columns if column.name == "name")
    assert "hubspot/companies" in name.description


def test_a_broken_config_is_told_and_leaves_the_others(settings: Settings) -> None:
    mesh = Mesh(settings)
    error = ConfigError("unknown key 'paginaton'", where="broken.yaml:7")
    mesh.offer(configs=ConfigReport({"vendor": build_spec()}, [error]))
    graph = build_definitions(mesh).get_repository_def().asset_graph
    assert graph.has(AssetKey(["raw", "vendor", "contacts"]))
    shown = graph.get(AssetKey(["mappings"])).metadata["broken configs"].value
    assert "paginaton" in shown


def test_no_config_at_all_is_a_location_too(settings: Settings, tmp_path: Path) -> None:
    mesh = Mesh(settings)
    mesh.offer(configs=ConfigReport())
    assert build_definitions(mesh).get_repository_def().asset_graph.has(AssetKey(["mappings"]))


HEAVY = (
    "dlt",
    "duckdb",
    "sqlalchemy",
    "pyarrow",
    "pandas",
    "great_expectations",
    "litellm",
    "dagster_postgres",
)


def test_nothing_heavy_is_imported_to_list_the_assets(project_root: Path) -> None:
    script = (
        "import sys, definitions; definitions.defs().get_repository_def(); "
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", script], cwd=project_root, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"


def test_a_glob_selects_what_it_says(shipped: Definitions) -> None:
    accept_globs()
    accept_globs()
    graph = shipped.get_repository_def().asset_graph
    chosen = AssetSelection.from_string("raw/hubspot/*").resolve(graph)
    assert chosen
    assert {tuple(key.path[:2]) for key in chosen} == {("raw", "hubspot")}
    assert AssetSelection.from_string("mappings*").resolve(graph) > {AssetKey(["mappings"])}
