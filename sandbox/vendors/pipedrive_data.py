"""A world as a Pipedrive company holds it: hurried spelling, addresses in parts, numbers as keys."""

from __future__ import annotations

from sandbox.facts import Company, Deal, Person
from sandbox.spelling import dashed_phone, shouted_name, typed_email
from sandbox.table import Record, Table
from sandbox.times import day, iso_z, plain
from sandbox.vendors.base import mix
from sandbox.words import COMPLAINTS, STREET_FIRST
from sandbox.world import DAY, SEED_NOW, World

WEBSITE_FIELD = "9dc80c50d78a15643bfc4ca79d76156a73a1ca0e"
"""A custom field of organizations: the web site, which Pipedrive has no field for."""

STAGES = ("Qualified", "Contact made", "Demo scheduled", "Proposal made", "Negotiations started")
_PAST = SEED_NOW - 1400 * DAY


def build_tables(world: World) -> dict[str, Table]:
    """All of a company's tables."""
    companies = world.companies_in("pipedrive")
    people = world.people_in("pipedrive", 420)
    known = {c.number for c in companies}
    here = {p.number for p in people}
    deals = [d for d in world.deals if d.company.number in known][:190]
    return {
        "organizations": _organizations(companies),
        "persons": _persons(people),
        "deals": _deals(deals, here),
        "activities": _activities(world, people, {d.company.number: d for d in deals}),
        "products": _products(world),
        "pipelines": _pipelines(),
        "stages": _stages(),
        "leads": _leads(world, companies, people),
        "notes": _notes(world, people),
        "users": _users(world),
    }


def _table(name: str, change: str, spell: object = iso_z) -> Table:
    return Table(
        name,
        new_id=lambda n: 100_000 + n,
        spell=plain if spell is plain else iso_z,
        change=change,
        created_at=("add_time",),
        updated_at=("update_time",),
    )


def _address(company: Company, *, full: bool) -> Record | None:
    if not full:
        return None
    place, words = company.place, company.street.rsplit(" ", 1)
    route, number = (
        words if place.code in STREET_FIRST else (company.street.split(" ", 1)[1], words[0].split()[0])
    )
    return {
        "value": f"{company.street}, {place.postal} {place.city}, {place.country}",
        "country": place.country,
        "admin_area_level_1": place.region,
        "admin_area_level_2": None,
        "locality": place.city,
        "sublocality": None,
        "route": route,
        "street_number": number,
        "subpremise": None,
        "postal_code": place.postal,
    }


def _organizations(companies: list[Company]) -> Table:
    table = _table("organizations", "name")
    for company in companies:
        record = {
            "id": company.number + 1,
            "name": shouted_name(company),
            "owner_id": 2_000_000 + company.owner,
            "add_time": iso_z(company.created),
            "update_time": iso_z(company.updated),
            "is_deleted": False,
            "visible_to": 3,
            "address": _address(company, full=company.number % 5 > 0),
            "label_ids": [company.number % 3 + 1] if company.number % 4 == 0 else [],
            "custom_fields": {WEBSITE_FIELD: company.domain if company.number % 2 else None},
        }
        table.put(record, company.created, company.updated)
    return table


def _persons(people: list[Person]) -> Table:
    table = _table("persons", "job_title")
    for person in people:
        emails = [{"value": typed_email(person), "primary": True, "label": "work"}]
        if person.number % 9 == 0:
            private = f"{person.first.lower()}{person.number}@mail.example"
            emails.append({"value": private, "primary": False, "label": "home"})
        phones = [{"value": dashed_phone(person.phone), "primary": True, "label": "work"}]
        if person.number % 2:
            phones.append({"value": dashed_phone(person.mobile), "primary": False, "label": "mobile"})
        record = {
            "id": person.number + 1,
            "name": person.name,
            "first_name": person.first,
            "last_name": person.last,
            "owner_id": 2_000_000 + person.company.owner,
            "org_id": person.company.number + 1,
            "add_time": iso_z(person.created),
            "update_time": iso_z(person.updated),
            "emails": emails,
            "phones": phones,
            "is_deleted": False,
            "visible_to": 3,
            "label_ids": [],
            "picture_id": None,
            "postal_address": _address(person.company, full=person.number % 7 == 0),
            "notes": None,
            "im": [],
            "birthday": None,
            "job_title": person.title,
            "custom_fields": {},
        }
        table.put(record, person.created, person.updated)
    return table


def _deals(deals: list[Deal], people: set[int]) -> Table:
    table = _table("deals", "title")
    for deal in deals:
        closed = deal.status != "open"
        record = {
            "id": deal.number + 1,
            "title": f"{deal.company.name} deal",
            "creator_user_id": 2_000_000 + deal.owner,
            "owner_id": 2_000_000 + deal.owner,
            "person_id": deal.person.number + 1 if deal.person.number in people else None,
            "org_id": deal.company.number + 1,
            "pipeline_id": 1,
            "stage_id": deal.step + 1,
            "value": deal.amount,
            "currency": deal.company.currency,
            "add_time": iso_z(deal.created),
            "update_time": iso_z(deal.updated),
            "stage_change_time": iso_z(deal.updated),
            "is_deleted": False,
            "is_archived": False,
            "status": deal.status,
            "probability": None if deal.number % 3 else 20 * (deal.step + 1),
            "lost_reason": "Price" if deal.status == "lost" else None,
            "visible_to": 3,
            "close_time": iso_z(deal.closes) if closed else None,
            "won_time": iso_z(deal.closes) if deal.status == "won" else None,
            "lost_time": iso_z(deal.closes) if deal.status == "lost" else None,
            "expected_close_date": day(deal.closes),
            "label_ids": [],
            "origin": "ManuallyCreated",
            "origin_id": None,
            "channel": None,
            "channel_id": None,
            "arr": None,
            "mrr": None,
            "acv": None,
            "custom_fields": {},
        }
        table.put(record, deal.created, deal.updated)
    return table


def _activities(world: World, people: list[Person], deals: dict[int, Deal]) -> Table:
    table, dice = _table("activities", "note"), world.dice("pipedrive", "activities")
    for number in range(260):
        person = dice.choice(people)
        deal = deals.get(person.company.number)
        created = dice.randint(person.created, SEED_NOW - DAY)
        done = dice.random() < 0.7
        subject, text = dice.choice(COMPLAINTS)
        record = {
            "id": number + 1,
            "subject": f"{subject} – {person.first}",
            "type": dice.choice(("call", "meeting", "task", "deadline", "email", "lunch")),
            "owner_id": 2_000_000 + person.company.owner,
            "creator_user_id": 2_000_000 + person.company.owner,
            "is_deleted": False,
            "add_time": iso_z(created),
            "update_time": iso_z(created + DAY),
            "deal_id": deal.number + 1 if deal else None,
            "lead_id": None,
            "person_id": person.number + 1,
            "org_id": person.company.number + 1,
            "project_id": None,
            "due_date": day(created + 3 * DAY),
            "due_time": dice.choice(("09:00:00", "14:30:00", "")),
            "duration": dice.choice(("00:30:00", "01:00:00", "")),
            "busy": False,
            "done": done,
            "marked_as_done_time": iso_z(created + DAY) if done else None,
            "location": None,
            "participants": [{"person_id": person.number + 1, "primary": True}],
            "attendees": [],
            "conference_meeting_client": None,
            "conference_meeting_url": None,
            "conference_meeting_id": None,
            "public_description": text if number % 3 == 0 else None,
            "priority": None,
            "note": text,
        }
        table.put(record, created, created + DAY)
    return table


def _products(world: World) -> Table:
    table = _table("products", "description")
    for product in world.products:
        record = {
            "id": product.number + 1,
            "name": product.name,
            "code": product.sku,
            "description": f"{product.name}, as listed",
            "unit": product.interval or "piece",
            "tax": 19,
            "category": "service" if product.interval else "goods",
            "is_linkable": True,
            "is_deleted": False,
            "visible_to": 3,
            "owner_id": 2_000_000,
            "add_time": iso_z(product.created),
            "update_time": iso_z(product.created),
            "billing_frequency": {"month": "monthly", "year": "annually"}.get(product.interval, "one-time"),
            "prices": [
                {
                    "product_id": product.number + 1,
                    "price": product.price,
                    "currency": "USD",
                    "cost": product.cost,
                    "direct_cost": None,
                    "notes": "",
                }
            ],
            "custom_fields": {},
        }
        table.put(record, product.created)
    return table


def _pipelines() -> Table:
    table = _table("pipelines", "name")
    for number, name in enumerate(("Pipeline", "Renewals"), 1):
        record = {
            "id": number,
            "name": name,
            "order_nr": number,
            "is_deleted": False,
            "is_deal_probability_enabled": True,
            "add_time": iso_z(_PAST),
            "update_time": None,
        }
        table.put(record, _PAST)
    return table


def _stages() -> Table:
    table = _table("stages", "name")
    for number in range(2 * len(STAGES)):
        step = number % len(STAGES)
        record = {
            "id": number + 1,
            "order_nr": step + 1,
            "name": STAGES[step],
            "is_deleted": False,
            "deal_probability": 20 * (step + 1),
            "pipeline_id": number // len(STAGES) + 1,
            "is_deal_rot_enabled": False,
            "days_to_rotten": None,
            "add_time": iso_z(_PAST),
            "update_time": None,
        }
        table.put(record, _PAST)
    return table


def uuid_of(number: int) -> str:
    """A UUID that follows from a number, as keys of leads are."""
    digits = f"{mix(number, 7):016x}{mix(number, 8):016x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:32]}"


def _leads(world: World, companies: list[Company], people: list[Person]) -> Table:
    table, dice = _table("leads", "title"), world.dice("pipedrive", "leads")
    table.new_id = lambda n: uuid_of(n + 50_000)
    first = {p.company.number: p for p in reversed(people)}
    for number, company in enumerate([c for c in companies if not c.is_customer][:60]):
        person = first.get(company.number)
        created = dice.randint(company.created, SEED_NOW - DAY)
        record = {
            "id": uuid_of(number),
            "title": f"{company.name} lead",
            "owner_id": 2_000_000 + company.owner,
            "creator_id": 2_000_000 + company.owner,
            "label_ids": [],
            "person_id": person.number + 1 if person else None,
            "organization_id": company.number + 1,
            "source_name": dice.choice(("Manually created", "Web forms", "LeadBooster", "API")),
            "origin": "ManuallyCreated",
            "origin_id": None,
            "channel": None,
            "channel_id": None,
            "is_archived": False,
            "was_seen": dice.random() < 0.8,
            "value": {"amount": dice.randint(1, 80) * 500, "currency": company.currency},
            "expected_close_date": day(created + 60 * DAY) if number % 2 else None,
            "next_activity_id": None,
            "add_time": iso_z(created),
            "update_time": iso_z(created + DAY),
            "visible_to": "3",
            "cc_email": f"{world.tenant}+lead{number}@pipedrivemail.com",
        }
        table.put(record, created, created + DAY)
    return table


def _notes(world: World, people: list[Person]) -> Table:
    table, dice = _table("notes", "content", plain), world.dice("pipedrive", "notes")
    for number in range(110):
        person = dice.choice(people)
        created = dice.randint(person.created, SEED_NOW - DAY)
        record = {
            "id": number + 1,
            "user_id": 2_000_000 + person.company.owner,
            "deal_id": None,
            "person_id": person.number + 1,
            "org_id": person.company.number + 1,
            "lead_id": None,
            "content": f"{person.first}: {dice.choice(COMPLAINTS)[1]}",
            "add_time": plain(created),
            "update_time": plain(created),
            "active_flag": True,
            "pinned_to_deal_flag": False,
            "pinned_to_person_flag": number % 10 == 0,
            "pinned_to_organization_flag": False,
            "last_update_user_id": None,
        }
        table.put(record, created)
    return table


def _users(world: World) -> Table:
    table = Table("users", lambda n: 2_000_500 + n, plain, "name", created_at=("created",),
                  updated_at=("modified",))  # fmt: skip
    for person in world.team("Sales"):
        record = {
            "id": 2_000_000 + person.number,
            "name": person.name,
            "default_currency": "USD",
            "locale": "en_US",
            "lang": 1,
            "email": person.email,
            "phone": None,
            "activated": True,
            "last_login": plain(SEED_NOW - person.number * 3600),
            "created": plain(person.hired),
            "modified": plain(SEED_NOW - person.number * 3600),
            "has_created_company": person.number == 0,
            "is_admin": 1 if person.number == 0 else 0,
            "active_flag": True,
            "timezone_name": person.place.zone,
            "timezone_offset": "+00:00",
            "role_id": 1,
            "icon_url": None,
            "is_you": person.number == 0,
        }
        table.put(record, person.hired)
    return table
