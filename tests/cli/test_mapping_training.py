"""``aos mapping train | models | decisions``, as a user calls them."""

from __future__ import annotations

import gzip
import sys
from contextlib import closing
from pathlib import Path

import pytest

from core.ontology import load_ontology
from resources.database import Database
from resources.settings import load_settings
from resources.tenant_decisions import Decided
from tests.cli.conftest import Aos
from tests.mapper.tenants import decide_strictly, say_decided

TENANT = "strict-inc"


@pytest.fixture
def tenant(aos: Aos, home: Path) -> str:
    """A tenant whose people decided 144 fields; made by the first test that asks for it."""
    if TENANT not in [row["tenant"] for row in aos("tenant", "list", "--json").json]:
        assert aos("tenant", "add", TENANT).code == 0
        with closing(Database.open(load_settings(home=home))) as db:
            say_decided(db, TENANT, decide_strictly(load_ontology()))
    return TENANT


BAD_INPUT = [
    (["train"], "nothing to train from"),
    (["train", TENANT, "--out", "m.json"], "nothing to train from"),
    (["train", TENANT, "--catalogue", "c.csv"], "nothing to train from"),
    (["train", "--truth", "t.csv"], "nothing to train from"),
    (["train", TENANT, "--activate"], "a reason is needed"),
    (["train", "nobody"], "no tenant 'nobody'"),
    (["train", "*"], "aos mapping decisions"),
    (["models", "nobody"], "no tenant 'nobody'"),
    (["models", TENANT, "--activate", "7", "--reason", "x"], "no model 7"),
    (["models", TENANT, "--activate", "9999999999", "--reason", "x"], "less than or equal to 2147483647"),
    (["models", TENANT, "--retire", "--reason", "x"], "no model of its own"),
    (["models", TENANT, "--retire"], "a reason is needed"),
    (["models", TENANT, "--activate", "1", "--retire", "--reason", "x"], "not both"),
    (["decisions", "nobody"], "no tenant 'nobody'"),
    (["decisions", TENANT, "--out", "no/such/folder/f.csv"], "cannot be written"),
]


@pytest.mark.parametrize(("arguments", "said"), BAD_INPUT, ids=[" ".join(a) for a, _ in BAD_INPUT])
def test_bad_input_is_one_clear_error_and_exit_2(
    aos: Aos, tenant: str, arguments: list[str], said: str
) -> None:
    answer = aos("mapping", *arguments)
    assert answer.code == 2
    assert said in " ".join((answer.err + answer.out).split())


HEAD = "source_system,source_entity,source_field,canonical_entity,canonical_field\n"
THREE = HEAD + "".join(f"{one},contacts,email,contact,email\n" for one in "abc")
BAD_TRUTH = [
    (HEAD, [], "too few systems"),
    (HEAD + "a,contacts,email,contact,email\nb,contacts,fn,contact,first_name\n", [], "found a, b"),
    (HEAD + "a,contacts,email,contact,e_mail\n", [], "a contacts email: contact has no field 'e_mail'"),
    (HEAD + "a,contacts,email,contakt,email\n", [], "no canonical entity 'contakt'"),
    (THREE, [], "do not tell right answers from wrong"),
    (THREE, ["--rows", "no/such/folder"], "is no folder of rows"),
    (THREE, ["--catalogue", "cut.csv.gz"], "the catalogue cannot be read"),
    (THREE, ["--out", "no/such/folder/m.json"], "cannot be written"),
]


@pytest.mark.parametrize(("truth", "options", "said"), BAD_TRUTH, ids=[said for *_, said in BAD_TRUTH])
def test_files_that_teach_nothing_are_one_clear_error(
    aos: Aos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, truth: str, options: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text(truth)
    Path("cut.csv.gz").write_bytes(gzip.compress(b"system,stream,field,type\n" * 99)[:40])
    answer = aos("mapping", "train", "--truth", "t.csv", "--out", "m.json", *options)
    assert answer.code == 2
    assert said in " ".join((answer.err + answer.out).split())
    assert sorted(one.name for one in tmp_path.iterdir()) == ["cut.csv.gz", "t.csv"]


def test_from_decisions_to_a_model_that_answers_and_back(aos: Aos, tenant: str, tmp_path: Path) -> None:
    assert "The shipped model answers." in aos("mapping", "models", tenant).out
    hint = f"aos mapping train {tenant}"
    assert hint in aos("mapping", "list", tenant).out
    assert hint in aos("status").out
    assert hint not in aos("status", "--json").out

    trained = aos("mapping", "train", tenant)
    assert trained.code == 0
    for words in ("before", "after", "log loss", "Reliability", f"aos mapping models {tenant} --activate 1"):
        assert words in trained.out
    assert hint not in aos("status").out

    switched = aos("mapping", "train", tenant, "--activate", "--reason", "strict", "--json")
    assert switched.json["status"] == "active"
    (active, candidate) = aos("mapping", "models", tenant, "--json").json
    assert (active["version"], active["status"], candidate["status"]) == (2, "active", "candidate")
    assert "coefficients" not in active
    assert aos("mapping", "models", tenant, "--activate", "1", "--reason", "the other").code == 0
    assert aos("mapping", "models", tenant, "--retire", "--reason", "none").code == 0
    assert "The shipped model answers." in aos("mapping", "models", tenant).out

    file = tmp_path / "decided.csv"
    assert aos("mapping", "decisions", tenant, "--out", str(file)).code == 0
    assert len(file.read_text().splitlines()) == len(aos("mapping", "decisions", tenant, "--json").json) + 1
    assert aos("mapping", "decisions", "*").out.startswith("source_system,")


@pytest.mark.parametrize("is_terminal", [True, False])
def test_no_decided_name_steers_the_terminal(
    aos: Aos, home: Path, monkeypatch: pytest.MonkeyPatch, is_terminal: bool
) -> None:
    tenant = f"odd-names-{is_terminal}".lower()
    assert aos("tenant", "add", tenant).code == 0
    with closing(Database.open(load_settings(home=home))) as db:
        odd = Decided("crm", "contacts", "mail\x1b[2J", "contact", "email", None, "eve")
        say_decided(db, tenant, [odd])
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal)
    said = aos("mapping", "decisions", tenant).out
    assert ("\x1b" in said, "mail\\x1b[2J" in said) == (not is_terminal, is_terminal)


def test_a_tenant_without_decisions_is_told_how_many_are_missing(aos: Aos) -> None:
    aos("tenant", "add", "quiet-inc")
    answer = aos("mapping", "train", "quiet-inc")
    assert answer.code == 1
    assert "at least 50" in answer.err
