"""litellm is imported late, talks to nobody but the model, and neither prints nor logs what was sent."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from resources.llm_ledger import Outcome
from tests.llm.conftest import KEY, Build, make_field, make_stream
from tests.llm.server import Reply, ScriptedModel, behave, fail, say

_CONNECTIONS = """
import sys
asked = []
sys.addaudithook(lambda event, args: asked.append((event, str(args))) if event in
    ("socket.connect", "socket.getaddrinfo", "subprocess.Popen") else None)
import resources.llm
assert "litellm" not in sys.modules and "openai" not in sys.modules, "imported too early"
from resources.llm_client import load_litellm
print(load_litellm().token_counter(model="openai/gpt-4o-mini", text="one two three"))
assert not asked, asked
"""


def test_litellm_comes_late_and_calls_nobody(project_root: object) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _CONNECTIONS],
        capture_output=True,
        text=True,
        cwd=str(project_root),
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "3"), done.stderr


@pytest.mark.parametrize(
    "reply", [None, fail(500), fail(401), Reply(b"<html>"), say("no"), say(None, refusal="no")]
)
def test_neither_key_nor_prompt_nor_answer_is_printed_or_logged(
    tenant: str,
    build: Build,
    model: ScriptedModel,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    reply: Reply | None,
) -> None:
    model.script(behave if reply is None else lambda _: reply)
    proposer = build(llm_timeout_s=5.0)
    with caplog.at_level(logging.DEBUG):
        outcome = proposer.ask(tenant, make_stream(make_field("zebra_field", description="giraffe"))).outcome
    assert (outcome is Outcome.ANSWERED) is (reply is None)
    shown = caplog.text + "".join(capfd.readouterr())
    for secret in (KEY, "zebra_field", "giraffe", "You match fields"):
        assert secret not in shown
    assert KEY not in repr(proposer)
