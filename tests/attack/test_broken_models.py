"""Models that are missing, corrupt or of another size: syncs go on, by words, all to review, and say so."""

from __future__ import annotations

import importlib
import json
import logging
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.config_reader import ConfigReport
from core.mapper.decision import AUTO
from core.mapper.model import load_model
from definitions import build_definitions
from resources import embeddings, tenant_models
from resources.embeddings import DIMENSION, PACKAGE, Embedder, find_model, load_embedder
from resources.instance import open_instance
from resources.mapper import WORDS_ALONE
from resources.mesh import Mesh
from resources.sync import run_sync
from tests.attack.conftest import Engine

FIELDS = ["email", "job_title", "legacy_department"]
"""Two that words settle, and one about which meaning is asked."""


def _check_all_to_review(engine: Engine) -> None:
    assert engine.applied() == {}
    pending = engine.proposals("pending")
    assert {one.field for one in pending} == set(FIELDS)
    assert all(one.confidence < AUTO for one in pending)
    assert {one.target for one in pending} >= {"email", "job_title"}, "words still propose"
    engine.check_closed_lists()


def _raise(error: Exception) -> Callable[[list[str]], Any]:
    def encode(_: list[str]) -> Any:
        raise error

    return encode


BROKEN: dict[str, Callable[[list[str]], Any]] = {
    "another dimension": lambda texts: np.ones((len(texts), 768)),
    "one number too few": lambda texts: np.ones((len(texts), DIMENSION - 1)),
    "no numbers": lambda texts: np.full((len(texts), DIMENSION), np.nan),
    "infinite": lambda texts: np.full((len(texts), DIMENSION), np.inf),
    "too few rows": lambda texts: np.ones((max(0, len(texts) - 1), DIMENSION)),
    "nothing": lambda _: [],
    "ragged": lambda texts: [[1.0] * (at + 1) for at in range(len(texts) + 1)],
    "out of memory": _raise(RuntimeError("CUDA out of memory: legacy_department")),
    "a missing key": _raise(KeyError("legacy_department")),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_model_that_breaks_while_embedding(engine: Engine, name: str) -> None:
    engine.land(FIELDS)
    report = engine.run(load=lambda: Embedder(BROKEN[name]))
    assert WORDS_ALONE in report.warnings
    assert any("unusable" in one for one in report.warnings)
    assert not any("legacy" in one for one in report.warnings)
    assert not report.embedded
    _check_all_to_review(engine)
    assert engine.run().applied == 2, "once the model works, the same fields are asked again"


def test_a_model_that_breaks_in_the_middle(engine: Engine, embedder: Embedder) -> None:
    """It answers for what is embedded first, and then no more."""
    calls = 0

    def encode(texts: list[str]) -> Any:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise RuntimeError("gone")
        return embedder.embed(texts)

    engine.land(FIELDS)
    engine.land(FIELDS, stream="accounts")
    report = engine.run(load=lambda: Embedder(encode))
    assert report.applied == 0 or report.embedded
    engine.check_closed_lists()
    assert len(engine.proposals()) >= 2 * len(FIELDS)


# --- the package on disk ----------------------------------------------------------------------


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _garble(path: Path) -> None:
    path.write_bytes(b"\x00not what it was\xff" * 64)


def _scramble(path: Path) -> None:
    """Finite numbers in the right places, and of the right count: only what comes out is wrong."""
    content = bytearray(path.read_bytes())
    half = len(content) // 2
    content[half : half + 4_000_000] = np.full(1_000_000, 0.25, np.float32).tobytes()
    path.write_bytes(content)


def _shrink(folder: Path) -> None:
    """Weights of the right kind, of another size."""
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"hidden_size": 96, "num_attention_heads": 12}))


def _find(folder: Path, name: str) -> Path:
    return next(path for path in sorted(folder.rglob(name)))


DAMAGE: dict[str, Callable[[Path], object]] = {
    "weights cut short": lambda folder: _truncate(_find(folder, "model.safetensors")),
    "weights garbled": lambda folder: _garble(_find(folder, "model.safetensors")),
    "weights gone": lambda folder: _find(folder, "model.safetensors").unlink(),
    "config cut short": lambda folder: _truncate(folder / "config.json"),
    "config of another kind": lambda folder: (folder / "config.json").write_text("[]"),
    "config with other types": lambda folder: (folder / "config.json").write_text('{"hidden_size": "many"}'),
    "another size": _shrink,
    "tokenizer garbled": lambda folder: _garble(_find(folder, "tokenizer.json")),
    "no model inside": lambda folder: _find(folder, "modules.json").unlink(),
    "weights with wrong numbers": lambda folder: _scramble(_find(folder, "model.safetensors")),
}


@pytest.fixture
def damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Puts a damaged copy of the model's package before the real one."""
    try:
        real = find_model()
    except embeddings.ModelUnusable:
        pytest.skip("the embedding model is not installed")

    def do(name: str) -> None:
        package = tmp_path / PACKAGE
        package.mkdir()
        (package / "__init__.py").write_text("")
        shutil.copytree(real, package / "model")
        DAMAGE[name](package / "model")
        monkeypatch.delitem(sys.modules, PACKAGE, raising=False)
        monkeypatch.syspath_prepend(str(tmp_path))
        importlib.invalidate_caches()
        load_embedder.cache_clear()

    yield do
    load_embedder.cache_clear()
    importlib.invalidate_caches()


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_package(
    engine: Engine, damaged: Callable[[str], None], caplog: pytest.LogCaptureFixture, name: str
) -> None:
    damaged(name)
    engine.land(FIELDS)
    with caplog.at_level(logging.WARNING):
        report = engine.run(load=load_embedder)
    assert WORDS_ALONE in report.warnings
    assert "No embeddings" in caplog.text
    _check_all_to_review(engine)


@pytest.fixture
def uninstalled(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No such package at all."""
    monkeypatch.setitem(sys.modules, PACKAGE, None)  # type: ignore[arg-type]
    load_embedder.cache_clear()
    yield
    load_embedder.cache_clear()


@pytest.mark.usefixtures("uninstalled")
def test_a_package_that_is_not_installed(engine: Engine) -> None:
    engine.land(FIELDS)
    assert WORDS_ALONE in engine.run(load=load_embedder).warnings
    _check_all_to_review(engine)


@pytest.mark.usefixtures("uninstalled")
def test_a_sync_goes_on_and_says_it(engine: Engine, tmp_path: Path) -> None:
    """Through the assets: what landed is there, and the result of the sync carries the warning."""
    engine.drop(tmp_path, "id,email,zodiac_blob\n1,a@b.example,x\n2,c@d.example,y\n")
    mesh = Mesh(engine.settings, engine.database)
    mesh.offer(configs=ConfigReport({"drop": engine.specs[-1]}))
    with open_instance(engine.settings) as instance:
        job = build_definitions(mesh).resolve_job_def("sync")
        result = run_sync(mesh, instance, job, engine.tenant)
    mesh.close()
    assert result.failures == {}
    assert result.success
    assert WORDS_ALONE in result.warnings
    assert {one.field for one in engine.proposals("pending")} == {"email", "zodiac_blob"}


# --- the trained model ------------------------------------------------------------------------


def _drop_key(text: str) -> str:
    document = json.loads(text)
    del document["embedded"]
    return json.dumps(document)


TRAINED: dict[str, Callable[[str], str | bytes]] = {
    "empty": lambda _: "",
    "cut short": lambda text: text[: len(text) // 2],
    "another format": lambda text: text.replace('"format": ', '"format": 9', 1),
    "changed by hand": lambda text: text.replace('"bias": -', '"bias": -1', 1),
    "a stage missing": _drop_key,
    "no text": lambda _: b"\xff\xfe\x00",
    "a list": lambda _: "[]",
    "too deep": lambda _: "[" * 100_000,
    "no fingerprint": lambda text: text.replace('"fingerprint"', '"finger"', 1),
    "weights in a list": lambda text: text.replace('"weights": {', '"weights": [], "was": {', 1),
    "not cautious": lambda text: text.replace('"caution": 0.', '"caution": 0.0', 1),
    "NaN": lambda text: text.replace('"bias": -', '"bias": NaN, "was": -', 1),
}


@pytest.mark.parametrize("name", [*TRAINED, "gone"])
def test_a_trained_model_that_cannot_be_read_stops_no_sync(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    file = tmp_path / "model.json"
    shipped = (Path(embeddings.__file__).parent.parent / "core" / "mapper" / "model.json").read_text()
    if name != "gone":
        said = TRAINED[name](shipped)
        file.write_bytes(said if isinstance(said, bytes) else said.encode())
    monkeypatch.setattr(tenant_models, "load_model", lambda: load_model(file))
    engine.land(FIELDS)
    report = engine.run()
    (warning,) = report.warnings
    assert "nothing is proposed" in warning
    assert "model" in warning
    assert (report.asked, engine.proposals()) == (0, [])
    monkeypatch.undo()
    assert engine.run().applied == 2
