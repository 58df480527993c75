"""A world as a HubSpot portal holds it. Every property is text, as the API gives it."""

from __future__ import annotations

from typing import Any

from sandbox.facts import Company, Deal, Person, Ticket
from sandbox.spelling import bare_name, typed_email
from sandbox.table import Record, Table
from sandbox.times import iso_ms_z
from sandbox.vendors.hubspot_objects import (
    Engagements,
    company_id,
    contact_id,
    make_links,
    make_object,
    object_table,
    owner_id,
)
from sandbox.world import DAY, SEED_NOW, World

STAGES = (
    "appointmentscheduled",
    "qualifiedtobuy",
    "presentationscheduled",
    "decisionmakerboughtin",
    "contractsent",
)
STAGE_LABELS = (
    "Appointment scheduled", "Qualified to buy", "Presentation scheduled", "Decision maker bought in",
    "Contract sent", "Closed won", "Closed lost",
)  # fmt: skip
PROBABILITIES = ("0.2", "0.4", "0.6", "0.8", "0.9")
INDUSTRIES = {
    "technology": "COMPUTER_SOFTWARE", "manufacturing": "MACHINERY", "retail": "RETAIL",
    "transportation": "LOGISTICS_AND_SUPPLY_CHAIN", "energy": "OIL_ENERGY", "media": "MEDIA_PRODUCTION",
    "healthcare": "HOSPITAL_HEALTH_CARE", "finance": "FINANCIAL_SERVICES", "insurance": "INSURANCE",
    "education": "EDUCATION_MANAGEMENT", "construction": "CONSTRUCTION", "hospitality": "HOSPITALITY",
    "telecommunications": "TELECOMMUNICATIONS", "consulting": "MANAGEMENT_CONSULTING",
    "agriculture": "FARMING",
}  # fmt: skip
TICKET_STAGES = {"new": "1", "open": "2", "pending": "3", "hold": "3", "solved": "4", "closed": "4"}


def build_tables(world: World) -> dict[str, Table]:
    """All of a portal's tables."""
    companies = world.companies_in("hubspot")
    people = world.people_in("hubspot", 800)
    known = {c.number for c in companies}
    here = {p.number for p in people}
    deals = [d for d in world.deals if d.company.number in known][:230]
    tables = {
        "companies": _companies(companies),
        "contacts": _contacts(people),
        "deals": _deals(deals, here),
        "tickets": _tickets([t for t in world.tickets if t.company.number in known][-70:], here),
        "owners": _owners(world),
        "products": _products(world),
        "deal_pipelines": _pipelines(),
        "deal_stages": _stages(),
    }
    engagements = Engagements(world, companies, people, deals)
    for kind, count in (("notes", 150), ("tasks", 90), ("meetings", 70), ("calls", 90), ("emails", 90)):
        tables[kind] = engagements.table(kind, count)
    return tables


def _companies(companies: list[Company]) -> Table:
    table = object_table("companies", "description", 8_801_000_000)
    for company in companies:
        place = company.place
        # Two people typed what no number field should hold: such rows end in quarantine.
        revenue: Any = {3: "approx. 2M", 11: "n/a"}.get(companies.index(company), company.revenue)
        properties = {
            "name": bare_name(company),
            "domain": company.domain,
            "website": company.domain,
            "description": f"{company.industry.capitalize()} company in {place.city}.",
            "industry": INDUSTRIES[company.industry],
            "annualrevenue": revenue,
            "numberofemployees": company.employees,
            "founded_year": company.founded,
            "phone": company.phone,
            "type": "CUSTOMER" if company.is_customer else "PROSPECT",
            "hubspot_owner_id": owner_id(company.owner),
            "lifecyclestage": "customer" if company.is_customer else "lead",
            "hs_lead_status": None if company.is_customer else "OPEN",
            "address": company.street,
            "address2": None,
            "city": place.city,
            "state": place.region,
            "zip": place.postal,
            "country": place.country,
            "notes_last_updated": iso_ms_z(company.updated),
            "createdate": iso_ms_z(company.created),
            "hs_lastmodifieddate": iso_ms_z(company.updated),
            "hs_num_open_deals": company.number % 4,
            "num_associated_contacts": company.number % 9,
        }
        table.put(
            make_object(company_id(company.number), properties, company.created, company.updated),
            company.created,
            company.updated,
        )
    return table


def _contacts(people: list[Person]) -> Table:
    table = object_table("contacts", "jobtitle", 51_000_000, "lastmodifieddate")
    for person in people:
        company = person.company
        properties = {
            "firstname": person.first,
            "lastname": person.last,
            "salutation": None,
            "jobtitle": person.title,
            "email": typed_email(person).lower(),
            "work_email": person.email,
            "hs_additional_emails": f"{person.last.lower()}@{company.domain}"
            if person.number % 17 == 0
            else None,
            "phone": person.phone,
            "mobilephone": person.mobile,
            "fax": None,
            "company": bare_name(company),
            "associatedcompanyid": company_id(company.number),
            "hubspot_owner_id": owner_id(company.owner),
            "lifecyclestage": "customer" if company.is_customer else "marketingqualifiedlead",
            "hs_lead_status": "CONNECTED" if person.number % 3 else "NEW",
            "website": f"http://{company.domain}",
            "address": company.street,
            "city": company.place.city,
            "state": company.place.region,
            "zip": company.place.postal,
            "country": company.place.country,
            "notes_last_updated": iso_ms_z(person.updated),
            "notes_last_contacted": iso_ms_z(person.updated - DAY) if person.number % 2 else None,
            "hs_sales_email_last_replied": None,
            "createdate": iso_ms_z(person.created),
            "lastmodifieddate": iso_ms_z(person.updated),
            "hs_analytics_source": "OFFLINE",
            "hs_email_optout": "false",
        }
        key = contact_id(person.number)
        table.put(
            make_object(key, properties, person.created, person.updated), person.created, person.updated
        )
    return table


def _deals(deals: list[Deal], people: set[int]) -> Table:
    table = object_table("deals", "description", 9_200_000_000)
    for deal in deals:
        closed, won = deal.status != "open", deal.status == "won"
        properties = {
            "dealname": f"{bare_name(deal.company)} – {deal.product.name}",
            "description": f"{deal.quantity} × {deal.product.name}",
            "amount": deal.amount,
            "deal_currency_code": deal.company.currency,
            "dealstage": ("closedwon" if won else "closedlost") if closed else STAGES[deal.step],
            "pipeline": "default",
            "closedate": iso_ms_z(deal.closes),
            "hs_is_closed": str(closed).lower(),
            "hs_is_closed_won": str(won).lower(),
            "hs_deal_stage_probability": ("1.0" if won else "0.0") if closed else PROBABILITIES[deal.step],
            "hs_priority": ("low", "medium", "high")[deal.number % 3],
            "dealtype": "existingbusiness" if deal.company.is_customer else "newbusiness",
            "hubspot_owner_id": owner_id(deal.owner),
            "hs_created_by_user_id": owner_id(deal.owner),
            "notes_last_updated": iso_ms_z(deal.updated),
            "createdate": iso_ms_z(deal.created),
            "hs_lastmodifieddate": iso_ms_z(deal.updated),
        }
        person = contact_id(deal.person.number) if deal.person.number in people else None
        links = make_links("deal", companies=company_id(deal.company.number), contacts=person)
        key = str(9_200_000_000 + deal.number * 11)
        table.put(make_object(key, properties, deal.created, deal.updated, links), deal.created, deal.updated)
    return table


def _tickets(tickets: list[Ticket], people: set[int]) -> Table:
    table = object_table("tickets", "content", 1_300_000_000)
    for ticket in tickets:
        done = ticket.status in ("solved", "closed")
        first = next((time for _, staff, _, time in ticket.comments if staff), None)
        properties = {
            "subject": ticket.subject,
            "content": ticket.text,
            "hs_pipeline": "0",
            "hs_pipeline_stage": TICKET_STAGES[ticket.status],
            "hs_ticket_priority": {"normal": "MEDIUM"}.get(ticket.priority, ticket.priority.upper()),
            "hs_ticket_category": "BILLING_ISSUE" if "billing" in ticket.tags else "GENERAL_INQUIRY",
            "source_type": ticket.channel.upper(),
            "hubspot_owner_id": owner_id(ticket.agent),
            "first_agent_reply_date": iso_ms_z(first) if first else None,
            "closed_date": iso_ms_z(ticket.updated) if done else None,
            "createdate": iso_ms_z(ticket.created),
            "hs_lastmodifieddate": iso_ms_z(ticket.updated),
        }
        person = contact_id(ticket.person.number) if ticket.person.number in people else None
        links = make_links("ticket", companies=company_id(ticket.company.number), contacts=person)
        key = str(1_300_000_000 + ticket.number)
        record = make_object(key, properties, ticket.created, ticket.updated, links)
        table.put(record, ticket.created, ticket.updated)
    return table


def _owners(world: World) -> Table:
    table = Table(
        "owners",
        new_id=lambda n: str(71_500_000 + n),
        spell=iso_ms_z,
        change="lastName",
        created_at=("createdAt",),
        updated_at=("updatedAt",),
    )
    for person in (*world.team("Sales"), *world.team("Support")):
        record = {
            "id": owner_id(person.number),
            "email": person.email,
            "type": "PERSON",
            "firstName": person.first,
            "lastName": person.last,
            "userId": 44_000_000 + person.number,
            "createdAt": iso_ms_z(person.hired),
            "updatedAt": iso_ms_z(person.hired + 30 * DAY),
            "archived": False,
            "teams": [{"id": str(900 + len(person.department)), "name": person.department, "primary": True}],
        }
        table.put(record, person.hired, person.hired + 30 * DAY)
    return table


def _products(world: World) -> Table:
    table = object_table("products", "description", 2_600_000_000)
    for product in world.products:
        properties = {
            "name": product.name,
            "description": f"{product.name} by {world.tenant}",
            "price": product.price,
            "hs_sku": product.sku,
            "hs_cost_of_goods_sold": product.cost,
            "hs_product_type": "service" if product.interval else "inventory",
            "hs_url": f"https://{world.domain}/products/{product.sku.lower()}",
            "hs_images": None,
            "hs_recurring_billing_period": {"month": "P1M", "year": "P12M"}.get(product.interval),
            "createdate": iso_ms_z(product.created),
            "hs_lastmodifieddate": iso_ms_z(product.created),
        }
        key = str(2_600_000_000 + product.number)
        table.put(make_object(key, properties, product.created, product.created), product.created)
    return table


def _pipelines() -> Table:
    table = Table("deal_pipelines", lambda n: f"pipeline{n}", iso_ms_z, "label", created_at=("createdAt",),
                  updated_at=("updatedAt",))  # fmt: skip
    time = SEED_NOW - 1500 * DAY
    for key, label in (("default", "Sales pipeline"), ("20480001", "Partner pipeline")):
        stages = [_stage(key, i, time) for i in range(len(STAGE_LABELS))]
        table.put(
            {
                "id": key,
                "label": label,
                "displayOrder": 0 if key == "default" else 1,
                "stages": [{k: v for k, v in stage.items() if k != "_pipeline"} for stage in stages],
                "createdAt": iso_ms_z(time),
                "updatedAt": iso_ms_z(time),
                "archived": False,
            },
            time,
        )
    return table


def _stages() -> Table:
    table = Table("deal_stages", lambda n: f"stage{n}", iso_ms_z, "label", created_at=("createdAt",),
                  updated_at=("updatedAt",))  # fmt: skip
    time = SEED_NOW - 1500 * DAY
    for pipeline in ("default", "20480001"):
        for i in range(len(STAGE_LABELS)):
            table.put(_stage(pipeline, i, time), time)
    return table


def _stage(pipeline: str, number: int, time: int) -> Record:
    ids = (*STAGES, "closedwon", "closedlost")
    key = ids[number] if pipeline == "default" else str(20_480_010 + number)
    chance = (*PROBABILITIES, "1.0", "0.0")[number]
    return {
        "_pipeline": pipeline,
        "id": key,
        "label": STAGE_LABELS[number],
        "displayOrder": number,
        "metadata": {"isClosed": str(number >= len(STAGES)).lower(), "probability": chance},
        "createdAt": iso_ms_z(time),
        "updatedAt": iso_ms_z(time),
        "archived": False,
    }
