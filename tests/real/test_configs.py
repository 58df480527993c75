"""The configs of the real input: every one stands, and means columns that are there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.baseline import baseline_mappings
from core.config_reader import load_configs
from core.connector import StreamSpec
from core.names import parse_path
from core.ontology import load_ontology
from sandbox.real import CONFIGS, TENANTS, prepare_real
from tests.real.sources import list_files, read_rows

SPECS = load_configs([CONFIGS]).specs


def test_every_config_can_be_read() -> None:
    report = load_configs([CONFIGS])
    assert not report.errors
    assert sorted(report.specs) == sorted(path.stem for path in CONFIGS.glob("*.yaml"))


@pytest.mark.parametrize("connector", sorted(SPECS))
def test_mappings_hold_against_the_ontology(connector: str) -> None:
    for name, stream in SPECS[connector].streams.items():
        mappings = baseline_mappings(stream, load_ontology(), f"{connector}/{name}")
        assert bool(mappings) == (stream.entity is not None)
        assert stream.description.endswith(".")


def _streams(rows: Path) -> Iterator[tuple[str, StreamSpec, list[Path]]]:
    for connector, folder in list_files(rows):
        for name, stream in SPECS[connector].streams.items():
            assert stream.files is not None
            yield f"{connector}/{name}", stream, list(folder.glob(stream.files.pattern))


def test_every_pattern_picks_one_file(rows: Path) -> None:
    picked = [paths for _, _, paths in _streams(rows)]
    assert all(len(paths) == 1 for paths in picked)
    assert len({paths[0] for paths in picked}) == len(picked), "two streams read the same file"


def test_mapped_columns_are_there_and_keys_are_unique(rows: Path) -> None:
    for where, stream, (path,) in _streams(rows):
        records = read_rows(path)
        mapped = {str(parse_path(p)[0]) for m in stream.mappings.values() for p in m.from_}
        assert mapped | set(stream.primary_key) <= records[0].keys(), where
        keys = [tuple(record[part] for part in stream.primary_key) for record in records]
        assert len(set(keys)) == len(keys), where
        assert all(all(key) for key in keys), where


def test_a_folder_without_the_input_is_told(tmp_path: Path) -> None:
    from core.errors import ConfigError

    with pytest.raises(ConfigError, match=r"does not hold the real input.*crm_sales_opportunities"):
        prepare_real(tmp_path, "postgresql://nowhere/none", tmp_path / "drop")
    assert not (tmp_path / "drop").exists()


def test_the_tenants_are_four() -> None:
    assert list(TENANTS) == ["crm", "cloud", "shops", "saas"]
