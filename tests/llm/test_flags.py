"""Flags: off for all beats on for one; each change is in the audit log."""

from __future__ import annotations

import pytest

from core.errors import UnknownName
from resources.audit import read_audit
from resources.database import Database
from resources.flags import LLM, read_flag, set_flag


def test_nobody_has_set_it(database: Database, tenant: str) -> None:
    assert read_flag(database, LLM, tenant)


@pytest.mark.parametrize(("everyone", "own", "found"), [(1, 1, 1), (1, 0, 0), (0, 1, 0), (0, 0, 0)])
def test_off_for_all_beats_on_for_one(
    database: Database, tenant: str, everyone: int, own: int, found: int
) -> None:
    try:
        set_flag(database, LLM, bool(everyone), actor="tester")
        set_flag(database, LLM, bool(own), actor="tester", tenant_id=tenant)
        assert read_flag(database, LLM, tenant) is bool(found)
    finally:
        set_flag(database, LLM, True, actor="tester")


def test_a_change_is_audited(database: Database, tenant: str) -> None:
    set_flag(database, LLM, False, actor="steward", tenant_id=tenant)
    (entry,) = [one for one in read_audit(database, tenant, 10) if one.action == "flag.set"]
    assert (entry.actor, entry.subject, entry.after) == ("steward", LLM, {"is_on": False})


def test_unknown_flags_and_tenants_are_refused(database: Database, tenant: str) -> None:
    with pytest.raises(UnknownName):
        set_flag(database, "llms", True, actor="tester")
    with pytest.raises(UnknownName):
        read_flag(database, "llms", tenant)
    with pytest.raises(UnknownName):
        set_flag(database, LLM, False, actor="tester", tenant_id="nobody")
