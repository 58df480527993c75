"""Credentials and tokens: unreadable at rest, bound to their place, refreshed once."""

from __future__ import annotations

import base64
import json
import pickle
import secrets as random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import func, select

from core.errors import CredentialError
from resources.audit import read_audit
from resources.connections import add_connection
from resources.database import Database
from resources.secrets import Credentials, SecretStore, Token
from resources.settings import Settings, load_settings
from resources.tables import credentials, oauth_tokens
from resources.tenants import add_tenant
from tests.store.conftest import Script, Superuser
from tests.store.test_connections import build_spec

OAUTH = {"client_id": "id", "client_secret": "s3cr3t", "refresh_token": "r-1"}
SPEC = build_spec(auth={"type": "oauth2_refresh_token", "token_path": "/token"})


@pytest.fixture
def store(database: Database, settings: Settings) -> SecretStore:
    return SecretStore(database, settings)


@pytest.fixture
def connected(database: Database, store: SecretStore, tenant: str) -> str:
    """A tenant with a connection ``hubspot`` by OAuth."""
    add_connection(database, store, tenant, SPEC, credentials=OAUTH, actor="ann")
    return tenant


def new_key() -> str:
    return base64.b64encode(random.token_bytes(32)).decode()


# --- at rest -----------------------------------------------------------------------------------


def test_values_come_back_and_are_not_shown(store: SecretStore, connected: str) -> None:
    found = store.read(connected, "hubspot")
    assert (dict(found), found.version) == (OAUTH, 1)
    assert repr(found) == str(found) == "Credentials(client_id, client_secret, refresh_token; version 1)"
    for shown in (repr(store), repr(vars(store)), f"{found!r}", repr(Token("s3cr3t", 1, "s3cr3t"))):
        assert "s3cr3t" not in shown
    with pytest.raises(TypeError):
        pickle.dumps(found)
    with pytest.raises(TypeError):
        json.dumps(found)


def test_nothing_readable_is_stored(database: Database, connected: str) -> None:
    with database.tenant(connected) as conn:
        row = conn.execute(select(credentials)).one()
    assert b"s3cr3t" not in row.ciphertext
    assert len(row.nonce) == 12
    assert "s3cr3t" not in str(read_audit(database, connected))


def test_rotation_makes_versions_and_keeps_two(
    database: Database, store: SecretStore, connected: str
) -> None:
    for number in (2, 3, 4):
        assert store.rotate(connected, "hubspot", OAUTH | {"client_secret": f"s{number}"}, "ann") == number
    assert store.read(connected, "hubspot")["client_secret"] == "s4"
    with database.tenant(connected) as conn:
        versions = conn.execute(select(credentials.c.version).order_by(credentials.c.version)).scalars().all()
    assert versions == [3, 4]
    newest = read_audit(database, connected)[0]
    assert (newest.action, newest.before, newest.after["version"]) == (
        "credentials.rotated",
        {"version": 3},
        4,
    )


TARGET = "t.tenant_id = %(mine)s AND t.connector = 'hubspot' AND t.version = 2"
SWAP = (
    "UPDATE credentials t SET nonce = o.nonce, ciphertext = o.ciphertext FROM credentials o "
    f"WHERE {TARGET} AND o.tenant_id = %({{}})s AND o.connector = '{{}}' AND o.version = {{}}"
)
FLIP = f"UPDATE credentials t SET {{0}} = set_byte({{0}}, 3, get_byte({{0}}, 3) # 1) WHERE {TARGET}"
MOVES = {
    "another byte": FLIP.format("ciphertext"),
    "another nonce": FLIP.format("nonce"),
    "another version": SWAP.format("mine", "hubspot", 1),
    "another connection": SWAP.format("mine", "zendesk", 2),
    "another tenant": SWAP.format("theirs", "hubspot", 2),
}


@pytest.mark.parametrize("move", MOVES)
def test_a_ciphertext_holds_in_its_place_only(
    database: Database, store: SecretStore, tenant: str, superuser: Superuser, move: str
) -> None:
    other = tenant.replace("t-", "u-")
    add_tenant(database, other, "", "ann")
    for tenant_id in (tenant, other):
        for connector in ("hubspot", "zendesk"):
            spec = SPEC.model_copy(update={"connector": connector})
            add_connection(database, store, tenant_id, spec, credentials=OAUTH, actor="ann")
            store.rotate(tenant_id, connector, OAUTH, "ann")
    with superuser() as conn:
        assert conn.execute(MOVES[move].encode(), {"mine": tenant, "theirs": other}).rowcount == 1
    with pytest.raises(CredentialError, match="altered, or put where it does not belong"):
        store.read(tenant, "hubspot")


# --- tokens ------------------------------------------------------------------------------------


class Refresh:
    """A token endpoint that counts: token-1, token-2, …"""

    def __init__(self, life_s: float | None = 3600, renewed: str | None = None, delay_s: float = 0) -> None:
        self.life_s, self.renewed, self.delay_s = life_s, renewed, delay_s
        self.calls: list[str] = []

    def __call__(self, given: Credentials) -> Token:
        time.sleep(self.delay_s)
        self.calls.append(given["refresh_token"])
        return Token(f"token-{len(self.calls)}", self.life_s, self.renewed)


def test_a_token_is_kept_until_it_expires(store: SecretStore, connected: str) -> None:
    refresh = Refresh(life_s=0.4)
    assert store.access_token(connected, "hubspot", refresh) == "token-1"
    assert store.access_token(connected, "hubspot", refresh) == "token-1"
    time.sleep(0.25)  # past half its life
    assert store.access_token(connected, "hubspot", refresh) == "token-2"


def test_a_token_is_renewed_a_minute_before_it_expires(store: SecretStore, connected: str) -> None:
    refresh = Refresh(life_s=3600)
    store.access_token(connected, "hubspot", refresh)
    assert len(refresh.calls) == 1
    shifted = Refresh(life_s=61)
    store.rotate(connected, "hubspot", OAUTH, "ann")
    store.access_token(connected, "hubspot", shifted)
    store.access_token(connected, "hubspot", shifted)
    assert len(shifted.calls) == 1


@pytest.mark.parametrize("life_s", [None, 3600])
def test_a_rejected_token_is_replaced_once(store: SecretStore, connected: str, life_s: float | None) -> None:
    refresh = Refresh(life_s)
    first = store.access_token(connected, "hubspot", refresh)
    second = store.access_token(connected, "hubspot", refresh, rejected=first)
    assert (first, second) == ("token-1", "token-2")
    assert store.access_token(connected, "hubspot", refresh, rejected=first) == "token-2"


def test_new_credentials_end_the_old_token(store: SecretStore, connected: str) -> None:
    refresh = Refresh()
    store.access_token(connected, "hubspot", refresh)
    store.rotate(connected, "hubspot", OAUTH | {"refresh_token": "r-9"}, "ann")
    store.access_token(connected, "hubspot", refresh)
    assert refresh.calls == ["r-1", "r-9"]


def test_a_renewed_refresh_token_is_kept(database: Database, store: SecretStore, connected: str) -> None:
    refresh = Refresh(life_s=0.2, renewed="r-2")
    store.access_token(connected, "hubspot", refresh)
    found = store.read(connected, "hubspot")
    assert (found["refresh_token"], found["client_secret"], found.version) == ("r-2", "s3cr3t", 2)
    time.sleep(0.15)
    store.access_token(connected, "hubspot", refresh)
    assert refresh.calls == ["r-1", "r-2"]
    assert store.read(connected, "hubspot").version == 2
    assert read_audit(database, connected)[0].action == "credentials.renewed"


def test_a_failed_refresh_leaves_no_token(store: SecretStore, connected: str) -> None:
    def fail(given: Credentials) -> Token:
        raise CredentialError("refused by the source")

    with pytest.raises(CredentialError, match="refused by the source"):
        store.access_token(connected, "hubspot", fail)
    assert store.access_token(connected, "hubspot", Refresh()) == "token-1"


def test_threads_refresh_once(store: SecretStore, connected: str) -> None:
    refresh = Refresh(delay_s=0.2)
    barrier = threading.Barrier(8)

    def ask(_: int) -> str:
        barrier.wait()
        return store.access_token(connected, "hubspot", refresh)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(8))) == {"token-1"}
    assert len(refresh.calls) == 1


def test_processes_refresh_once(
    settings: Settings, store: SecretStore, connected: str, script: Script, tmp_path: Path
) -> None:
    code = """
import sys, time
from resources.database import Database
from resources.secrets import SecretStore, Token
from resources.settings import load_settings
settings = load_settings(home=sys.argv[1])
store = SecretStore(Database.open(settings), settings)
def refresh(given):
    with open(sys.argv[3], "a") as calls: calls.write("x")
    time.sleep(0.5)
    return Token("the-token", 3600, None)
print("ready", flush=True); sys.stdin.readline()
print(store.access_token(sys.argv[2], "hubspot", refresh), flush=True)
"""
    calls = tmp_path / "calls"
    processes = [script(code, str(settings.home), connected, str(calls)) for _ in range(2)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    assert [process.communicate()[0] for process in processes] == ["the-token\n"] * 2
    assert calls.read_text() == "x"


# --- the master key ----------------------------------------------------------------------------


def test_the_key_file_is_private_and_made_once(
    store: SecretStore, settings: Settings, connected: str
) -> None:
    path = settings.master_key_file
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(base64.b64decode(path.read_text())) == 32
    path.chmod(0o640)
    try:
        with pytest.raises(CredentialError, match="chmod 600"):
            SecretStore(store._database, settings).read(connected, "hubspot")
    finally:
        path.chmod(0o600)


@pytest.mark.parametrize("given", ["short", "", base64.b64encode(b"x" * 31).decode(), "ü" * 44])
def test_a_key_that_is_none_is_refused(
    database: Database, settings: Settings, connected: str, given: str
) -> None:
    wrong = load_settings(home=settings.home, master_key=given)
    with pytest.raises(CredentialError, match="AOS_MASTER_KEY: is not a master key") as caught:
        SecretStore(database, wrong).read(connected, "hubspot")
    assert not given or given not in str(caught.value)


def test_another_key_reads_nothing_and_writes_nothing(
    database: Database, settings: Settings, connected: str
) -> None:
    key = new_key()
    other = SecretStore(database, load_settings(home=settings.home, master_key=key))
    for act in (
        lambda: other.read(connected, "hubspot"),
        lambda: other.rotate(connected, "hubspot", OAUTH, "ann"),
        lambda: other.rekey(None, actor="ann"),
    ):
        with pytest.raises(CredentialError, match="Bring back the key") as caught:
            act()
        assert key not in str(caught.value)


def test_a_lost_key_file_is_not_replaced_silently(
    database: Database, settings: Settings, connected: str, tmp_path: Path
) -> None:
    elsewhere = load_settings(home=settings.home, master_key_file=tmp_path / "lost.key")
    with pytest.raises(CredentialError, match="found none"):
        SecretStore(database, elsewhere).rotate(connected, "hubspot", OAUTH, "ann")
    assert not (tmp_path / "lost.key").exists()


def test_processes_that_need_a_key_at_once_make_one(tmp_path: Path, script: Script) -> None:
    code = """
import sys
from resources.master_key import KeyRing
from resources.settings import load_settings
ring = KeyRing(load_settings(home=sys.argv[1]))
print("ready", flush=True); sys.stdin.readline()
print(ring.current(set()).key_id, flush=True)
"""
    processes = [script(code, str(tmp_path)) for _ in range(4)]
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()
    assert len({process.communicate("\n")[0] for process in processes}) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["master.key"]


class TestRekey:
    """Each test in a database of its own: the key is one for all tenants."""

    @pytest.fixture
    def own(self, empty_database: Settings, tmp_path: Path) -> Settings:
        return empty_database.model_copy(update={"master_key_file": tmp_path / "master.key"})

    @pytest.fixture
    def filled(self, own: Settings) -> Database:
        database = Database.open(own)
        store = SecretStore(database, own)
        for tenant_id in ("acme", "globex"):
            add_tenant(database, tenant_id, "", "ann")
            add_connection(database, store, tenant_id, SPEC, credentials=OAUTH, actor="ann")
            store.rotate(tenant_id, "hubspot", OAUTH, "ann")
            store.access_token(tenant_id, "hubspot", Refresh())
        return database

    def key_ids(self, database: Database) -> set[str]:
        with database.operator() as conn:
            found = conn.execute(select(credentials.c.key_id).union(select(oauth_tokens.c.key_id)))
            return set(found.scalars())

    def check(self, database: Database, own: Settings) -> None:
        store = SecretStore(database, own)
        for tenant_id in ("acme", "globex"):
            assert dict(store.read(tenant_id, "hubspot")) == OAUTH
            never = Refresh()
            assert store.access_token(tenant_id, "hubspot", never) == "token-1"
            assert never.calls == []
            store.rotate(tenant_id, "hubspot", OAUTH, "ann")
            store.access_token(tenant_id, "hubspot", Refresh())

    def test_everything_is_under_the_new_key(self, own: Settings, filled: Database) -> None:
        before, old_file = self.key_ids(filled), own.master_key_file.read_text()
        elder = SecretStore(filled, own)
        elder.read("acme", "hubspot")
        assert SecretStore(filled, own).rekey(actor="ann") == 6
        after = self.key_ids(filled)
        assert len(after) == 1
        assert not after & before
        assert own.master_key_file.read_text() != old_file
        assert own.master_key_file.stat().st_mode & 0o777 == 0o600
        assert [path.name for path in own.master_key_file.parent.iterdir()] == ["master.key"]
        assert dict(elder.read("acme", "hubspot")) == OAUTH  # a process that had the old key in memory
        self.check(filled, own)
        filled.close()

    def test_a_given_key(self, own: Settings, filled: Database, tmp_path: Path) -> None:
        given = tmp_path / "given.key"
        given.write_text(new_key())
        given.chmod(0o644)
        with pytest.raises(CredentialError, match="open to others"):
            SecretStore(filled, own).rekey(given, actor="ann")
        given.chmod(0o600)
        SecretStore(filled, own).rekey(given, actor="ann")
        assert own.master_key_file.read_text().strip() == given.read_text().strip()
        self.check(filled, own)
        filled.close()

    def test_a_key_from_the_environment(self, own: Settings, filled: Database, tmp_path: Path) -> None:
        first = own.model_copy(
            update={"master_key": load_settings(master_key=own.master_key_file.read_text()).master_key}
        )
        with pytest.raises(CredentialError, match="--new-key-file"):
            SecretStore(filled, first).rekey(actor="ann")
        given = tmp_path / "given.key"
        given.write_text(new_key())
        given.chmod(0o600)
        assert SecretStore(filled, first).rekey(given, actor="ann") == 6
        second = own.model_copy(update={"master_key": load_settings(master_key=given.read_text()).master_key})
        self.check(filled, second)
        filled.close()

    @pytest.mark.parametrize("point", ["prepare", "take_over"])
    def test_killed_on_the_way(
        self, own: Settings, filled: Database, monkeypatch: pytest.MonkeyPatch, point: str
    ) -> None:
        """Dead before the commit the old key holds, dead after it the new one: either way all is readable."""
        with monkeypatch.context() as patch:
            original = SecretStore(filled, own)._keys.prepare.__func__  # type: ignore[attr-defined]

            def die(self: object, *arguments: object) -> None:
                if point == "prepare":
                    original(self, *arguments)
                raise KeyboardInterrupt

            patch.setattr(f"resources.master_key.KeyRing.{point}", die)
            with pytest.raises(KeyboardInterrupt):
                SecretStore(filled, own).rekey(actor="ann")
        self.check(filled, own)
        SecretStore(filled, own).rekey(actor="ann")
        self.check(filled, own)
        assert [path.name for path in own.master_key_file.parent.iterdir()] == ["master.key"]
        filled.close()

    def test_what_cannot_be_read_stops_all_of_it(
        self, own: Settings, filled: Database, superuser: Superuser
    ) -> None:
        before = self.key_ids(filled)
        name = str(filled._url.database)
        with superuser(name) as conn:
            conn.execute("UPDATE oauth_tokens SET nonce = set_byte(nonce, 0, 1) WHERE tenant_id = 'globex'")
        with pytest.raises(CredentialError, match="globex/hubspot"):
            SecretStore(filled, own).rekey(actor="ann")
        assert self.key_ids(filled) == before
        with filled.operator() as conn:
            assert conn.execute(select(func.count()).select_from(credentials)).scalar() == 4
        filled.close()
