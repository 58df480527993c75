"""Personal data, secrets and canaries in the values of a real load reach nothing but lake and views."""

from __future__ import annotations

import csv
import io
import json
import logging
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from core.config_reader import ConfigReport
from core.ontology import Ontology
from definitions import build_definitions
from resources.approvals import Choice, approve_fields
from resources.connections import add_connection
from resources.instance import open_instance
from resources.llm_ledger import Outcome, read_calls
from resources.mesh import Mesh
from resources.secrets import SecretStore
from resources.settings import Settings
from resources.sync import run_sync
from tests.attack.conftest import Engine, list_words
from tests.llm.conftest import Build
from tests.llm.server import ScriptedModel, behave
from tests.llm.test_masking import SECRETS

TABLES = (
    "proposals",
    "embedding_cache",
    "mapping_embeddings",
    "mapping_decisions",
    "mapping_sets",
    "field_mappings",
    "schema_versions",
    "drift_events",
    "llm_calls",
    "llm_budgets",
    "mapper_models",
    "audit_log",
)
"""What the mapper and its surroundings write, of the tenant and for all."""
COLUMNS = ("id", "email", "blob_7", "odd thing", "nested", "note")


def _write_people() -> str:
    """Each secret in every column, alone, inside JSON, and inside a sentence."""
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(COLUMNS)
    for number, secret in enumerate([*SECRETS, "CANARY-values-5eb1", "canary7f3a@secret.example"]):
        inside = json.dumps({"who": secret, "list": [{"deep": secret}]})
        writer.writerow([number, secret, secret, secret, inside, f"call {secret} tomorrow"])
    return written.getvalue()


def _dump(engine: Engine) -> str:
    with engine.database.operator() as conn:
        rows = [
            tuple(row)
            for table in TABLES
            for row in conn.execute(
                text(f"SELECT * FROM {table} WHERE tenant_id IN (:t, '*')"), {"t": engine.tenant}
            )
        ]
    return str(rows)


def test_values_are_in_no_prompt_cache_ledger_proposal_or_log(
    engine: Engine,
    build: Build,
    model: ScriptedModel,
    tmp_path: Path,
    ontology: Ontology,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    model.script(behave)
    words = list_words([*SECRETS, "CANARY-values-5eb1", "canary7f3a@secret.example"])
    with caplog.at_level(logging.DEBUG):
        engine.drop(tmp_path, _write_people())
        engine.run(build(llm_timeout_s=60.0).propose)
        approve_fields(
            engine.database, ontology, engine.tenant, ("drop", "people"),
            [Choice("odd thing", "salutation")], "eve", "x", overrule=True,
        )  # fmt: skip
        engine.run(build(llm_timeout_s=60.0).propose)
    assert Outcome.ANSWERED in {call.outcome for call in read_calls(engine.database, engine.tenant)}
    assert {one.field for one in engine.proposals()} >= {"blob_7", "odd thing", "note"}
    kept, sent = _dump(engine), json.dumps(model.requests, ensure_ascii=False)
    shown = caplog.text + "".join(capfd.readouterr())
    assert "blob_7" in kept
    assert "blob_7" in sent
    for where in (kept, sent, shown):
        assert sorted(word for word in words if word in where) == []


def test_profiles_that_are_kept_or_sent_are_shares(
    engine: Engine, build: Build, model: ScriptedModel, tmp_path: Path
) -> None:
    model.script(behave)
    engine.drop(tmp_path, _write_people())
    engine.run(build(llm_timeout_s=60.0).propose)
    told = [
        one["profile"]
        for request in model.requests
        for one in json.loads(request["messages"][1]["content"][6:-7])["fields"]
        if "profile" in one
    ]
    assert told
    for profile in told:
        assert all(isinstance(value, int | float) for value in profile.values())


def test_names_that_are_personal_data_are_masked_where_they_leave(
    engine: Engine, build: Build, model: ScriptedModel
) -> None:
    """A source that uses people's addresses as keys: the schema has to have them, no prompt does."""
    model.script(behave)
    engine.land(['"jane.roe@example.com"', '"by"."+49 (170) 123-45 67"', "blob_7"])
    engine.run(build(llm_timeout_s=60.0).propose)
    sent = json.dumps(model.requests, ensure_ascii=False)
    assert "blob_7" in sent
    assert "jane.roe" not in sent
    assert "123-45" not in sent
    assert "jane" not in str(read_calls(engine.database, engine.tenant))


def test_a_whole_sync_writes_none_of_it_to_the_event_log(
    engine: Engine,
    llm_settings: Settings,
    model: ScriptedModel,
    tmp_path: Path,
) -> None:
    """Through the assets: the run's events, which the UI shows, and what the model is asked."""
    model.script(behave)
    (tmp_path / "people.csv").write_text(_write_people(), encoding="utf-8")
    spec, secrets = engine.specs[-1], SecretStore(engine.database, engine.settings)
    options = {"path": str(tmp_path)}
    add_connection(
        engine.database, secrets, engine.tenant, spec, credentials={}, options=options, actor="tester"
    )
    with closing(Mesh(llm_settings, engine.database)) as mesh, open_instance(llm_settings) as instance:
        mesh.offer(configs=ConfigReport({"drop": spec}, []))
        result = run_sync(mesh, instance, build_definitions(mesh).resolve_job_def("sync"), engine.tenant)
    assert result.failures == {}
    assert result.total("landed") > len(SECRETS)
    with engine.database.owner() as conn:
        rows = conn.execute(
            text("SELECT event FROM dagster.event_logs WHERE run_id = :r"), {"r": result.run_id}
        )
        events = "\n".join(rows.scalars())
    assert "blob_7" in events
    words = list_words([*SECRETS, "CANARY-values-5eb1", "canary7f3a@secret.example"])
    sent = json.dumps(model.requests, ensure_ascii=False)
    for where in (events, sent, _dump(engine)):
        assert sorted(word for word in words if word in where) == []
