"""How HubSpot shapes CRM objects: keys, properties as text, associations; and its engagements."""

from __future__ import annotations

import random

from sandbox import words
from sandbox.facts import Company, Deal, Person
from sandbox.table import Record, Table
from sandbox.times import iso_ms_z
from sandbox.world import DAY, SEED_NOW, World


def company_id(number: int) -> str:
    """Key of the n-th company."""
    return str(8_801_000_000 + number * 37)


def contact_id(number: int) -> str:
    """Key of the n-th contact."""
    return str(51_000_000 + number * 13)


def owner_id(number: int) -> str:
    """Key of the n-th member of staff."""
    return str(71_400_100 + number)


def object_table(name: str, change: str, base: int, modified: str = "hs_lastmodifieddate") -> Table:
    """A table of CRM objects."""
    return Table(
        name,
        new_id=lambda n: str(base + 5_000_000 + n),
        spell=iso_ms_z,
        change=f"properties.{change}",
        created_at=("createdAt", "properties.createdate"),
        updated_at=("updatedAt", f"properties.{modified}"),
        unique=("properties.email", "properties.domain"),
    )


def make_object(
    key: str, properties: Record, created: float, updated: float, links: Record | None = None
) -> Record:
    """A CRM object; every property is text."""
    record: Record = {
        "id": key,
        "properties": {n: None if v is None else str(v) for n, v in properties.items()},
        "createdAt": iso_ms_z(created),
        "updatedAt": iso_ms_z(updated),
        "archived": False,
    }
    if links:
        record["associations"] = links
    return record


def make_links(kind: str, **keys: str | None) -> Record:
    """Associations, with the first of each kind."""
    one = {"companies": "company", "contacts": "contact", "deals": "deal"}
    return {to: {"results": [{"id": key, "type": f"{kind}_to_{one[to]}"}]} for to, key in keys.items() if key}


class Engagements:
    """Notes, tasks, meetings, calls and e-mails about the portal's companies."""

    def __init__(
        self, world: World, companies: list[Company], people: list[Person], deals: list[Deal]
    ) -> None:
        self._world = world
        self._people = people
        self._deals = {deal.company.number: deal for deal in deals}

    def table(self, kind: str, count: int) -> Table:
        """``count`` engagements of a kind."""
        dice = self._world.dice("hubspot", kind)
        base = {"notes": 31, "tasks": 32, "meetings": 33, "calls": 34, "emails": 35}[kind] * 10**9
        change = {"notes": "hs_note_body", "tasks": "hs_task_body", "meetings": "hs_meeting_body",
                  "calls": "hs_call_body", "emails": "hs_email_text"}[kind]  # fmt: skip
        table = object_table(kind, change, base)
        table.created_at = ("createdAt", "properties.hs_createdate")
        for number in range(count):
            person = dice.choice(self._people)
            created = dice.randint(person.created, SEED_NOW - DAY)
            properties = _engagement(kind, dice, person, created) | {
                "hs_timestamp": iso_ms_z(created),
                "hubspot_owner_id": owner_id(person.company.owner),
                "hs_createdate": iso_ms_z(created),
                "hs_lastmodifieddate": iso_ms_z(created + 60),
            }
            deal = self._deals.get(person.company.number) if kind in ("notes", "tasks") else None
            links = make_links(
                kind[:-1],
                companies=company_id(person.company.number),
                contacts=contact_id(person.number),
                deals=str(9_200_000_000 + deal.number * 11) if deal else None,
            )
            record = make_object(str(base + number), properties, created, created + 60, links)
            table.put(record, created, created + 60)
        return table


def _engagement(kind: str, dice: random.Random, person: Person, created: int) -> Record:
    subject, text = dice.choice(words.COMPLAINTS)
    if kind == "notes":
        return {"hs_note_body": f"<p>Spoke with {person.first}: {text}</p>"}
    if kind == "tasks":
        done = dice.random() < 0.6
        return {
            "hs_task_subject": f"Follow up with {person.name}",
            "hs_task_body": text,
            "hs_task_status": "COMPLETED" if done else "NOT_STARTED",
            "hs_task_priority": dice.choice(("NONE", "LOW", "MEDIUM", "HIGH")),
            "hs_task_type": dice.choice(("TODO", "CALL", "EMAIL")),
            "hs_task_completion_date": iso_ms_z(created + DAY) if done else None,
        }
    if kind == "meetings":
        return {
            "hs_meeting_title": f"Review with {person.first}",
            "hs_meeting_body": text,
            "hs_meeting_location": dice.choice(("Video call", person.company.place.city)),
            "hs_meeting_start_time": iso_ms_z(created),
            "hs_meeting_end_time": iso_ms_z(created + 1800 * dice.randint(1, 4)),
            "hs_meeting_outcome": dice.choice(("SCHEDULED", "COMPLETED", "NO_SHOW")),
            "hs_activity_type": dice.choice(("Demo", "Check-in", "Kick-off")),
        }
    if kind == "calls":
        return {
            "hs_call_title": f"Call with {person.name}",
            "hs_call_body": text,
            "hs_call_direction": dice.choice(("INBOUND", "OUTBOUND")),
            "hs_call_duration": dice.randint(20_000, 1_800_000),
            "hs_call_status": "COMPLETED",
        }
    return {
        "hs_email_subject": subject,
        "hs_email_text": text,
        "hs_email_direction": dice.choice(("EMAIL", "INCOMING_EMAIL")),
        "hs_email_status": "SENT",
    }
