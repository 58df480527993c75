"""A tenant with several connectors, the fields they landed, and what people said about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from core.config_reader import read_config
from core.connector import ConnectorSpec
from core.mapper.proposal import Proposal
from core.ontology import Ontology
from core.schema import FieldSchema, TableSchema
from resources.database import Database
from resources.proposals import (
    STEWARD,
    close_proposal,
    promote_in,
    read_proposal,
    remember_decision,
    save_proposals,
)
from resources.schema_versions import record_schema
from resources.tenant_decisions import Decided

CONNECTORS = ("north", "south", "west")
ENTITIES = ("contact", "account", "opportunity")
ODD = (
    *("legacy", "old", "raw", "imported", "previous", "alternate", "temp", "shadow", "external", "internal"),
    *("requested", "estimated", "target", "draft", "parent", "expected", "manual", "backup", "survey"),
)
"""Words before a canonical name that make it another thing, to the people of this tenant."""


def build_specs(names: Iterable[str] = CONNECTORS) -> list[ConnectorSpec]:
    """A connector each, with a stream for each of ``ENTITIES``."""
    return [read_config(_write_config(name), f"{name}.yaml") for name in names]


def _write_config(name: str) -> str:
    streams = "".join(
        f"  {entity}s:\n    endpoint: {{path: /{entity}s}}\n    primary_key: [id]\n"
        f"    entity: {entity}\n    mappings: {{id: id}}\n"
        for entity in ENTITIES
    )
    head = f"connector: {name}\ntitle: Vendor\nkind: rest\nbase_url: https://vendor.example\n"
    return f"{head}streams:\n{streams}"


def decide_strictly(ontology: Ontology, by: str = "eve", odd: int = 12, plain: int = 4) -> list[Decided]:
    """A tenant to whom ``legacy_name`` is no ``name``: odd names have no counterpart, plain ones do."""
    found = []
    for connector in CONNECTORS:
        for entity in ENTITIES:
            fields = [one for one in ontology.entity(entity).fields if one != "id"]
            for at, field in enumerate(fields[:odd]):
                name = f"{ODD[(at * 7 + len(connector + entity)) % len(ODD)]}_{field}"
                found.append(Decided(connector, f"{entity}s", name, entity, None, None, by))
            for field in fields[odd : odd + plain]:
                found.append(Decided(connector, f"{entity}s", field, entity, field, None, by))
    return found


def land_fields(database: Database, tenant: str, fields: Mapping[tuple[str, str], Iterable[str]]) -> None:
    """Give streams a schema with these fields, beside ``id``."""
    with database.tenant(tenant) as conn:
        for (connector, stream), names in fields.items():
            given = tuple(FieldSchema(one, ("string",), True) for one in ("id", *names))
            record_schema(conn, tenant, connector, stream, TableSchema(given), "1")


def say_decided(database: Database, tenant: str, decided: Iterable[Decided], origin: str = STEWARD) -> None:
    """Write decisions down as approving and rejecting do, without publishing sets."""
    with database.tenant(tenant) as conn:
        for one in decided:
            target = one.right or one.wrong
            told = Proposal(
                one.connector, one.stream, one.field, one.entity, target, "direct", {}, 0.7, "alias", ()
            )
            save_proposals(conn, tenant, [told])
            status = "approved" if one.right else "rejected"
            close_proposal(conn, tenant, told, status, one.by, "test", None)
            if one.wrong is None:
                remember_decision(conn, tenant, told, origin, one.by, "test")


def promote_name(
    database: Database, ontology: Ontology, tenant: str, key: tuple[str, str], field: str, by: str
) -> None:
    """Let a tenant's decision speak for everybody; no global set is published, which others would follow."""
    found = read_proposal(database, tenant, key, field)
    with database.operator() as conn:
        promote_in(conn, ontology, found, by, "common")


def group_fields(decided: Iterable[Decided]) -> dict[tuple[str, str], list[str]]:
    """The decided fields by stream."""
    found: dict[tuple[str, str], list[str]] = {}
    for one in decided:
        found.setdefault((one.connector, one.stream), []).append(one.field)
    return found
