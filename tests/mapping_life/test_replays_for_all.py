"""A global set changes: every tenant's history follows, whoever dies in between."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from core.config_reader import read_config
from core.connector import ConnectorSpec
from core.mapping import FieldMapping
from core.names import GLOBAL_TENANT
from core.ontology import load_ontology
from resources import replays
from resources.canonical_due import replay_due
from resources.database import Database
from resources.registry import activate_set, publish_baselines, publish_set
from resources.replays import hand_out_requests, list_replay_requests
from resources.tenants import add_tenant
from tests.canonical.conftest import MAPPINGS
from tests.mapping_life.conftest import WIDER, Steward, people

MART = ("mart", "accounts")


@pytest.fixture
def mart(steward: Steward, database: Database) -> Iterator[Steward]:
    """A tenant that follows the global set of ``mart``, with three records under it."""
    publish(database, MAPPINGS)
    steward.stage.land(people(3), connector="mart")
    steward.stage.advance()
    replay_due(steward.mesh, steward.tenant)
    yield steward
    with database.operator() as conn:
        conn.execute(text("DELETE FROM replay_requests WHERE tenant_id = '*'"))


def publish(database: Database, mappings: tuple[FieldMapping, ...]) -> int:
    account = load_ontology().entity("account")
    return publish_set(database, GLOBAL_TENANT, *MART, account, mappings, "bob", "for all").number


def read_due_for_all(database: Database) -> int:
    with database.operator() as conn:
        found = conn.execute(text("SELECT count(*) FROM replay_requests WHERE tenant_id = '*'"))
        return int(found.scalar_one())


def read_websites(steward: Steward) -> set[object]:
    return {data.get("website") for data in steward.state().values()}


def test_the_next_sync_completes_what_died_after_the_change(mart: Steward, database: Database) -> None:
    publish(database, WIDER)  # and here the process dies
    assert (read_due_for_all(database), mart.due(), read_websites(mart)) == (1, [], {None})
    (done,) = [one for one in replay_due(mart.mesh, mart.tenant) if one.outcome]
    assert done.outcome is not None
    assert done.outcome.upserts == 3
    assert read_websites(mart) == {f"https://n{n}.example" for n in range(3)}
    assert (read_due_for_all(database), mart.due()) == (0, [])


def test_a_rollback_for_all_is_completed_as_well(mart: Steward, database: Database) -> None:
    before = mart.state()
    made = publish(database, WIDER)
    replay_due(mart.mesh, mart.tenant)
    assert mart.state() != before
    activate_set(database, GLOBAL_TENANT, *MART, made - 1, "bob", "wrong")
    replay_due(mart.mesh, mart.tenant)
    assert mart.state() == before


def test_what_died_while_it_was_handed_out_is_handed_out_again(
    mart: Steward, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Died(Exception):
        pass

    def die(*_: object) -> None:
        raise Died

    publish(database, WIDER)
    with monkeypatch.context() as patch:
        patch.setattr(replays, "settle_request", die)
        with pytest.raises(Died):
            hand_out_requests(database)
    assert (read_due_for_all(database), mart.due()) == (1, [MART])
    replay_due(mart.mesh, mart.tenant)
    assert (read_due_for_all(database), mart.due()) == (0, [])
    assert read_websites(mart) == {f"https://n{n}.example" for n in range(3)}


def test_who_has_a_set_of_its_own_or_no_records_is_not_asked(mart: Steward, database: Database) -> None:
    account = load_ontology().entity("account")
    publish_set(database, mart.tenant, *MART, account, MAPPINGS, "ada", "ours")
    replay_due(mart.mesh, mart.tenant)
    stranger = f"{mart.tenant}-2"
    add_tenant(database, stranger, "Stranger", "tester")
    publish(database, WIDER)
    hand_out_requests(database)
    assert (read_due_for_all(database), mart.due()) == (0, [])
    assert list_replay_requests(database, stranger) == []


def configure(connector: str, mappings: str) -> ConnectorSpec:
    head = f"connector: {connector}\ntitle: Mart\nkind: sql\nauth: {{type: database_url}}\nstreams:\n"
    stream = "  accounts:\n    entity: account\n    primary_key: [id]\n    table: {name: accounts}\n"
    return read_config(f"{head}{stream}    mappings: {{{mappings}}}\n", f"{connector}.yaml")


def test_a_config_that_says_something_new_reaches_history(mart: Steward, database: Database) -> None:
    for _ in range(2):
        publish_baselines(database, [configure("mart", "id: id, name: name")], load_ontology(), "ada")
    replay_due(mart.mesh, mart.tenant)
    assert read_websites(mart) == {None}
    for _ in range(2):
        wider = configure("mart", "id: id, name: name, website: web")
        publish_baselines(database, [wider], load_ontology(), "ada")
    assert read_due_for_all(database) == 1
    replay_due(mart.mesh, mart.tenant)
    assert read_websites(mart) == {f"https://n{n}.example" for n in range(3)}


def test_a_first_set_has_no_history(database: Database) -> None:
    made = publish_baselines(database, [configure("bazaar", "id: id, name: name")], load_ontology(), "ada")
    assert [one.connector for one in made.published] == ["bazaar"]
    assert read_due_for_all(database) == 0
