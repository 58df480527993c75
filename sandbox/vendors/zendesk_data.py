"""A world as a Zendesk account holds it: end users, agents, organizations by domain, tickets and replies."""

from __future__ import annotations

from collections import Counter

from sandbox.facts import Company, Person, Staff, Ticket
from sandbox.spelling import typed_email
from sandbox.table import NOW, Record, Table
from sandbox.times import iso_z
from sandbox.vendors.salesforce_ids import salesforce_id
from sandbox.world import DAY, SEED_NOW, World

GROUPS = ("Support", "Billing", "Technical", "Escalations", "Onboarding")
_PAST = SEED_NOW - 1200 * DAY
_REST_OF_TICKET: Record = {
    "recipient": None,
    "collaborator_ids": [],
    "follower_ids": [],
    "email_cc_ids": [],
    "forum_topic_id": None,
    "sharing_agreement_ids": [],
    "followup_ids": [],
    "has_incidents": False,
    "allow_channelback": False,
    "allow_attachments": True,
}


def organization_id(number: int) -> int:
    """Key of the n-th organization."""
    return 360_001_000_000 + number * 101


def user_id(person: Person | Staff) -> int:
    """Key of a person or member of staff."""
    return (380_000_000_000 if isinstance(person, Staff) else 390_000_000_000) + person.number * 211


def group_id(number: int) -> int:
    """Key of the n-th group."""
    return 360_009_000_000 + number


def build_tables(world: World) -> dict[str, Table]:
    """All of an account's tables. ``users`` holds end users and agents, as the API does."""
    companies = world.companies_in("zendesk")
    people = world.people_in("zendesk", 420)
    known = {c.number for c in companies}
    tickets = [t for t in world.tickets if t.company.number in known][:150]
    asking = {t.person.number: t.person for t in tickets}
    people = [*people, *(p for n, p in asking.items() if n not in {q.number for q in people})]
    return {
        "organizations": _organizations(companies),
        "users": _users(world, people),
        "groups": _groups(),
        "tags": _tags(tickets),
        "tickets": _tickets(tickets),
        "ticket_comments": _comments(tickets),
    }


def _organizations(companies: list[Company]) -> Table:
    table = Table(
        "organizations", lambda n: organization_id(5_000 + n), iso_z, "details", mark=("deleted_at", NOW)
    )
    for company in companies:
        record = {
            "id": organization_id(company.number),
            "url": "",
            "name": f"{company.name} {company.suffix}",
            "details": company.street,
            "notes": "Key account" if company.number % 11 == 0 else "",
            "group_id": group_id(company.number % len(GROUPS)),
            "shared_tickets": False,
            "shared_comments": False,
            "external_id": salesforce_id("001", company.number) if company.number % 2 else None,
            "domain_names": [company.domain] if company.number % 9 else [],
            "tags": ["vip"] if company.number % 11 == 0 else [],
            "organization_fields": {"plan": "premium" if company.is_customer else None},
            "created_at": iso_z(company.created),
            "updated_at": iso_z(company.updated),
            "deleted_at": None,
        }
        table.put(record, company.created, company.updated)
    return table


def _users(world: World, people: list[Person]) -> Table:
    table = Table(
        "users", lambda n: 395_000_000_000 + n, iso_z, "details", mark=("active", False), unique=("email",)
    )
    for person in people:
        company = person.company
        extra: Record = {
            "email": typed_email(person),
            "phone": person.phone if person.number % 2 else None,
            "organization_id": organization_id(company.number),
            "details": person.title,
            "external_id": salesforce_id("003", person.number) if person.number % 3 == 0 else None,
            "last_login_at": iso_z(person.updated) if person.number % 4 == 0 else None,
            "iana_time_zone": company.place.zone,
            "locale": "de" if company.place.code in ("DE", "CH") else "en-US",
            "default_group_id": None,
        }
        if person.number % 8 == 0:
            extra["photo"] = {
                "id": person.number,
                "content_url": f"https://{company.domain}/{person.number}.png",
            }
        record = _user(user_id(person), person.name, "end-user", person.created, person.updated) | extra
        table.put(record, person.created, person.updated)
    for agent in world.team("Support"):
        extra = {
            "email": agent.email,
            "phone": None,
            "organization_id": None,
            "details": agent.title,
            "photo": {"id": agent.number, "content_url": f"https://{world.domain}/photos/{agent.number}.png"},
            "iana_time_zone": agent.place.zone,
            "locale": "en-US",
            "default_group_id": group_id(agent.number % len(GROUPS)),
        }
        role = "admin" if agent.manager is None else "agent"
        record = _user(user_id(agent), agent.name, role, agent.hired, SEED_NOW - agent.number * 3600) | extra
        table.put(record, agent.hired, SEED_NOW - agent.number * 3600)
    return table


def _user(key: int, name: str, role: str, created: int, updated: int) -> Record:
    return {
        "id": key,
        "url": "",
        "name": name,
        "created_at": iso_z(created),
        "updated_at": iso_z(updated),
        "time_zone": "UTC",
        "shared_phone_number": None,
        "photo": None,
        "locale_id": 1,
        "role": role,
        "verified": True,
        "external_id": None,
        "tags": [],
        "alias": "",
        "active": True,
        "shared": False,
        "shared_agent": False,
        "last_login_at": iso_z(updated) if role != "end-user" else None,
        "two_factor_auth_enabled": None,
        "signature": None,
        "notes": "",
        "role_type": None if role == "end-user" else 4,
        "custom_role_id": None,
        "moderator": role != "end-user",
        "ticket_restriction": "requested" if role == "end-user" else None,
        "only_private_comments": False,
        "restricted_agent": role != "admin",
        "suspended": False,
        "report_csv": role == "admin",
        "user_fields": {},
    }


def _groups() -> Table:
    table = Table("groups", lambda n: group_id(100 + n), iso_z, "description")
    for number, name in enumerate(GROUPS):
        record = {
            "id": group_id(number),
            "url": "",
            "name": name,
            "description": f"{name} team",
            "default": number == 0,
            "is_public": True,
            "deleted": False,
            "created_at": iso_z(_PAST),
            "updated_at": iso_z(_PAST),
        }
        table.put(record, _PAST)
    return table


def _tags(tickets: list[Ticket]) -> Table:
    table = Table("tags", lambda n: f"tag_{n}", iso_z, "count", id_path="name", created_at=(), updated_at=())
    counts = Counter(tag for ticket in tickets for tag in ticket.tags)
    for name, count in sorted(counts.items()):
        table.put({"name": name, "count": count}, _PAST)
    return table


def _tickets(tickets: list[Ticket]) -> Table:
    table = Table(
        "tickets",
        new_id=lambda n: 1_000 + n,
        spell=iso_z,
        change="subject",
        mark=("status", "deleted"),
        updated_at=("updated_at", "generated_timestamp"),
        spells={"generated_timestamp": int},
    )
    for ticket in tickets:
        requester = user_id(ticket.person)
        record = {
            "id": ticket.number + 1,
            "url": "",
            "external_id": f"shop-{ticket.number}" if ticket.channel == "api" else None,
            "via": {"channel": ticket.channel, "source": {"from": {}, "to": {}, "rel": None}},
            "created_at": iso_z(ticket.created),
            "updated_at": iso_z(ticket.updated),
            "generated_timestamp": ticket.updated,
            "type": ("question", "incident", "problem", "task", None)[ticket.number % 5],
            "subject": ticket.subject,
            "raw_subject": ticket.subject,
            "description": ticket.text,
            "priority": ticket.priority,
            "status": ticket.status,
            "requester_id": requester,
            "submitter_id": requester,
            "assignee_id": 380_000_000_000 + ticket.agent * 211,
            "organization_id": organization_id(ticket.company.number),
            "group_id": group_id(ticket.number % len(GROUPS)),
            "problem_id": ticket.number - 4 if ticket.number % 5 == 1 and ticket.number > 4 else None,
            "is_public": True,
            "due_at": iso_z(ticket.created + 3 * DAY) if ticket.number % 5 == 3 else None,
            "tags": list(ticket.tags),
            "custom_fields": [{"id": 360_000_000_101, "value": "eu" if ticket.number % 2 else None}],
            "satisfaction_rating": {"score": "good"} if ticket.number % 6 == 0 else {"score": "unoffered"},
            "brand_id": 360_000_000_001,
            **_REST_OF_TICKET,
        }
        table.put(record, ticket.created, ticket.updated)
    return table


def _comments(tickets: list[Ticket]) -> Table:
    table = Table("ticket_comments", lambda n: 9_500_000_000 + n, iso_z, "body", updated_at=())
    for ticket in tickets:
        for number, (author, by_staff, text, time) in enumerate(ticket.comments):
            record = {
                "_ticket": str(ticket.number + 1),
                "id": 9_000_000_000 + ticket.number * 100 + number,
                "type": "Comment",
                "author_id": user_id(author),
                "body": text,
                "html_body": f'<div class="zd-comment"><p>{text}</p></div>',
                "plain_body": text,
                "public": not (by_staff and number % 4 == 3),
                "attachments": [],
                "audit_id": 8_000_000_000 + ticket.number * 100 + number,
                "via": {"channel": ticket.channel},
                "metadata": {"system": {}, "custom": {}},
                "created_at": iso_z(time),
            }
            table.put(record, time)
    return table
