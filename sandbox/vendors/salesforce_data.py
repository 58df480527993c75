"""A world as a Salesforce org holds it: legal names, typed fields, keys of eighteen letters."""

from __future__ import annotations

from sandbox import words
from sandbox.facts import Company, Deal, Person, Staff, Ticket
from sandbox.spelling import local_phone, website
from sandbox.table import Record, Table
from sandbox.times import day, iso_ms_0000
from sandbox.vendors.salesforce_ids import salesforce_id
from sandbox.vendors.salesforce_schema import OBJECTS, blank
from sandbox.world import DAY, SEED_NOW, World

STAGES = (
    ("Prospecting", 10), ("Qualification", 20), ("Needs Analysis", 40), ("Proposal/Price Quote", 75),
    ("Negotiation/Review", 90), ("Closed Won", 100), ("Closed Lost", 0),
)  # fmt: skip
STATUS = {"new": "New", "open": "Working", "pending": "Working", "hold": "Working"}
ORIGIN = {"email": "Email", "voice": "Phone"}
_PAST = SEED_NOW - 1600 * DAY


def build_tables(world: World) -> dict[str, Table]:
    """All of an org's tables."""
    companies = world.companies_in("salesforce")
    people = world.people_in("salesforce", 650)
    known = {c.number for c in companies}
    here = {p.number for p in people}
    deals = [d for d in world.deals if d.company.number in known][:260]
    tickets = [t for t in world.tickets if t.company.number in known][:90]
    strangers = [p for p in world.people if p.company.number not in known]
    return {
        "account": _accounts(companies),
        "contact": _contacts(people),
        "lead": _leads(world, strangers[:150]),
        "opportunity": _opportunities(deals, here),
        "opportunity_stage": _stages(),
        "case": _cases(tickets, here),
        "case_comment": _case_comments(tickets),
        "task": _tasks(world, people),
        "event": _events(world, people),
        "user": _users(world),
        "product2": _products(world),
    }


def _table(stream: str, name: str, change: str) -> Table:
    prefix = OBJECTS[name].prefix
    deletable = any(field == "IsDeleted" for field, _ in OBJECTS[name].fields)
    return Table(
        stream,
        new_id=lambda n: salesforce_id(prefix, 500_000 + n),
        spell=iso_ms_0000,
        change=change,
        id_path="Id",
        created_at=("CreatedDate",),
        updated_at=("LastModifiedDate", "SystemModstamp"),
        mark=("IsDeleted", True) if deletable else None,
        unique=("Email",) if name in ("Contact", "Lead", "User") else (),
    )


def user_id(number: int) -> str:
    """Key of the n-th member of staff."""
    return salesforce_id("005", number)


def _put(table: Table, name: str, key: str, created: int, updated: int, by: str, values: Record) -> None:
    record = blank(name) | {
        "Id": key,
        "CreatedDate": iso_ms_0000(created),
        "LastModifiedDate": iso_ms_0000(updated),
        "SystemModstamp": iso_ms_0000(updated),
        "CreatedById": by,
        "LastModifiedById": by,
    }
    table.put(record | values, created, updated)


def _address(prefix: str, company: Company) -> Record:
    place = company.place
    parts = {
        "Street": company.street,
        "City": place.city,
        "State": place.region,
        "PostalCode": place.postal,
        "Country": place.country,
    }
    compound: Record = {part[0].lower() + part[1:]: value for part, value in parts.items()}
    compound |= {"geocodeAccuracy": None, "latitude": None, "longitude": None}
    return {f"{prefix}{part}": value for part, value in parts.items()} | {f"{prefix}Address": compound}


def _accounts(companies: list[Company]) -> Table:
    table = _table("account", "Account", "Description")
    for company in companies:
        values = {
            "Name": company.legal_name,
            "Type": "Customer - Direct" if company.is_customer else "Prospect",
            **_address("Billing", company),
            **(_address("Shipping", company) if company.number % 3 else {}),
            "Phone": local_phone(company.phone),
            "AccountNumber": f"A-{10_000 + company.number}",
            "Website": website(company),
            "Industry": company.industry.capitalize(),
            "AnnualRevenue": float(company.revenue),
            "NumberOfEmployees": company.employees,
            "Description": f"{company.name}, founded {company.founded}",
            "Rating": ("Hot", "Warm", "Cold")[company.number % 3],
            "OwnerId": user_id(company.owner),
            "LastActivityDate": day(company.updated),
            "AccountSource": "Web",
            "YearStarted": str(company.founded),
        }
        key = salesforce_id("001", company.number)
        _put(table, "Account", key, company.created, company.updated, user_id(company.owner), values)
    return table


def _person(person: Person) -> Record:
    return {
        "LastName": person.last,
        "FirstName": person.first,
        "Name": person.name,
        "Title": person.title,
        "Email": person.email,
        "Phone": local_phone(person.phone),
        "MobilePhone": local_phone(person.mobile),
        "OwnerId": user_id(person.company.owner),
    }


def _contacts(people: list[Person]) -> Table:
    table = _table("contact", "Contact", "Title")
    for person in people:
        values = _person(person) | {
            "AccountId": salesforce_id("001", person.company.number),
            "Salutation": ("Ms.", "Mr.", None, "Dr.")[person.number % 4],
            **_address("Mailing", person.company),
            "LeadSource": ("Web", "Trade Show", "Referral")[person.number % 3],
            "LastActivityDate": day(person.updated) if person.number % 2 else None,
        }
        key = salesforce_id("003", person.number)
        _put(table, "Contact", key, person.created, person.updated, user_id(person.company.owner), values)
    return table


def _leads(world: World, people: list[Person]) -> Table:
    table = _table("lead", "Lead", "Description")
    for person in people:
        converted = person.number % 10 == 0
        values = _person(person) | {
            "Company": person.company.legal_name,
            **_address("", person.company),
            "Website": website(person.company),
            "Description": f"Met at a trade fair in {person.company.place.city}",
            "LeadSource": ("Web", "Trade Show", "Purchased List")[person.number % 3],
            "Status": "Closed - Converted" if converted else "Open - Not Contacted",
            "Industry": person.company.industry.capitalize(),
            "AnnualRevenue": float(person.company.revenue),
            "NumberOfEmployees": person.company.employees,
            "IsConverted": converted,
            "ConvertedDate": day(person.updated) if converted else None,
            "ConvertedAccountId": salesforce_id("001", person.company.number) if converted else None,
            "ConvertedContactId": salesforce_id("003", person.number) if converted else None,
        }
        key = salesforce_id("00Q", person.number)
        _put(table, "Lead", key, person.created, person.updated, user_id(person.company.owner), values)
    return table


def _opportunities(deals: list[Deal], people: set[int]) -> Table:
    table = _table("opportunity", "Opportunity", "NextStep")
    for deal in deals:
        closed, won = deal.status != "open", deal.status == "won"
        stage, chance = STAGES[(5 if won else 6) if closed else deal.step]
        values = {
            "AccountId": salesforce_id("001", deal.company.number),
            "Name": f"{deal.company.name} - {deal.quantity} x {deal.product.name}",
            "StageName": stage,
            "Amount": float(deal.amount),
            "Probability": float(chance),
            "ExpectedRevenue": deal.amount * chance / 100,
            "TotalOpportunityQuantity": float(deal.quantity),
            "CloseDate": day(deal.closes),
            "Type": "Existing Customer - Upgrade" if deal.company.is_customer else "New Customer",
            "NextStep": "Send quote" if not closed else None,
            "LeadSource": "Web",
            "IsClosed": closed,
            "IsWon": won,
            "ForecastCategory": "Closed" if won else "Pipeline",
            "ForecastCategoryName": "Closed" if won else "Pipeline",
            "OwnerId": user_id(deal.owner),
            "LastActivityDate": day(deal.updated),
            "ContactId": salesforce_id("003", deal.person.number) if deal.person.number in people else None,
        }
        key = salesforce_id("006", deal.number)
        _put(table, "Opportunity", key, deal.created, deal.updated, user_id(deal.owner), values)
    return table


def _stages() -> Table:
    table = _table("opportunity_stage", "OpportunityStage", "Description")
    for number, (label, chance) in enumerate(STAGES):
        values = {
            "MasterLabel": label,
            "ApiName": label,
            "IsActive": True,
            "SortOrder": number + 1,
            "IsClosed": number > 4,
            "IsWon": number == 5,
            "ForecastCategory": "Pipeline",
            "ForecastCategoryName": "Pipeline",
            "DefaultProbability": float(chance),
        }
        _put(table, "OpportunityStage", salesforce_id("01J", number), _PAST, _PAST, user_id(0), values)
    return table


def _cases(tickets: list[Ticket], people: set[int]) -> Table:
    table = _table("case", "Case", "Subject")
    for ticket in tickets:
        closed = ticket.status in ("solved", "closed")
        person = ticket.person
        values = {
            "CaseNumber": f"{1_000 + ticket.number:08}",
            "ContactId": salesforce_id("003", person.number) if person.number in people else None,
            "AccountId": salesforce_id("001", ticket.company.number),
            "SuppliedName": person.name if ticket.channel == "web" else None,
            "SuppliedEmail": person.email if ticket.channel == "web" else None,
            "SuppliedCompany": ticket.company.name if ticket.channel == "web" else None,
            "Type": ("Mechanical", "Electrical", "Other", None)[ticket.number % 4],
            "Status": STATUS.get(ticket.status, "Closed"),
            "Origin": ORIGIN.get(ticket.channel, "Web"),
            "Subject": ticket.subject,
            "Priority": {"low": "Low", "normal": "Medium"}.get(ticket.priority, "High"),
            "Description": ticket.text,
            "IsClosed": closed,
            "ClosedDate": iso_ms_0000(ticket.updated) if closed else None,
            "IsEscalated": ticket.priority == "urgent",
            "OwnerId": user_id(ticket.agent),
            "ContactEmail": person.email,
        }
        key = salesforce_id("500", ticket.number)
        _put(table, "Case", key, ticket.created, ticket.updated, user_id(ticket.agent), values)
    return table


def _case_comments(tickets: list[Ticket]) -> Table:
    table = _table("case_comment", "CaseComment", "CommentBody")
    for ticket in tickets:
        for number, (author, _, text, time) in enumerate(ticket.comments[1:]):
            values = {
                "ParentId": salesforce_id("500", ticket.number),
                "IsPublished": number % 3 != 2,
                "CommentBody": text,
            }
            by = user_id(author.number if isinstance(author, Staff) else ticket.agent)
            key = salesforce_id("00a", ticket.number * 10 + number)
            _put(table, "CaseComment", key, time, time, by, values)
    return table


def _tasks(world: World, people: list[Person]) -> Table:
    table, dice = _table("task", "Task", "Description"), world.dice("salesforce", "tasks")
    for number in range(220):
        person = dice.choice(people)
        created = dice.randint(person.created, SEED_NOW - DAY)
        done = dice.random() < 0.6
        values = {
            "WhoId": salesforce_id("003", person.number),
            "WhatId": salesforce_id("001", person.company.number),
            "AccountId": salesforce_id("001", person.company.number),
            "Subject": dice.choice(("Call", "Send Quote", "Send Letter", "Follow up")),
            "ActivityDate": day(created + 4 * DAY),
            "Status": "Completed" if done else "Not Started",
            "Priority": dice.choice(("High", "Normal", "Low")),
            "OwnerId": user_id(person.company.owner),
            "Description": dice.choice(words.COMPLAINTS)[1],
            "Type": dice.choice(("Call", "Email", None)),
            "TaskSubtype": "Task",
            "IsClosed": done,
            "CompletedDateTime": iso_ms_0000(created + DAY) if done else None,
        }
        by = user_id(person.company.owner)
        _put(table, "Task", salesforce_id("00T", number), created, created + DAY, by, values)
    return table


def _events(world: World, people: list[Person]) -> Table:
    table, dice = _table("event", "Event", "Description"), world.dice("salesforce", "events")
    for number in range(100):
        person = dice.choice(people)
        start = dice.randint(person.created, SEED_NOW - DAY) // 1800 * 1800
        minutes = dice.choice((30, 45, 60, 90))
        values = {
            "WhoId": salesforce_id("003", person.number),
            "WhatId": salesforce_id("001", person.company.number),
            "AccountId": salesforce_id("001", person.company.number),
            "Subject": dice.choice(("Meeting", "Demo", "Review")),
            "Location": person.company.place.city,
            "ActivityDateTime": iso_ms_0000(start),
            "ActivityDate": day(start),
            "DurationInMinutes": minutes,
            "StartDateTime": iso_ms_0000(start),
            "EndDateTime": iso_ms_0000(start + 60 * minutes),
            "EndDate": day(start + 60 * minutes),
            "Description": f"With {person.name}",
            "OwnerId": user_id(person.company.owner),
            "ShowAs": "Busy",
            "EventSubtype": "Event",
        }
        by = user_id(person.company.owner)
        _put(table, "Event", salesforce_id("00U", number), start - 5 * DAY, start - 5 * DAY, by, values)
    return table


def _users(world: World) -> Table:
    table = _table("user", "User", "Title")
    for person in world.staff:
        if person.department not in ("Sales", "Support", "Operations"):
            continue
        values = {
            "Username": f"{person.email}.crm",
            "LastName": person.last,
            "FirstName": person.first,
            "Name": person.name,
            "Department": person.department,
            "Title": person.title,
            "City": person.place.city,
            "Country": person.place.country,
            "Email": person.email,
            "Alias": (person.first[0] + person.last[:7]).lower(),
            "IsActive": person.is_active,
            "TimeZoneSidKey": person.place.zone,
            "LocaleSidKey": "en_US",
            "UserType": "Standard",
            "EmployeeNumber": f"E{1000 + person.number}",
            "ManagerId": user_id(person.manager) if person.manager is not None else None,
            "LastLoginDate": iso_ms_0000(SEED_NOW - person.number * 7200),
        }
        updated = SEED_NOW - person.number * 7200
        _put(table, "User", user_id(person.number), person.hired, updated, user_id(0), values)
    return table


def _products(world: World) -> Table:
    table = _table("product2", "Product2", "Description")
    for product in world.products:
        values = {
            "Name": product.name,
            "ProductCode": product.sku,
            "Description": f"{product.name} ({product.interval or 'once'})",
            "IsActive": True,
            "Family": "Subscriptions" if product.interval else "Hardware and services",
            "QuantityUnitOfMeasure": "Each",
            "StockKeepingUnit": product.sku if product.number % 2 else None,
        }
        key = salesforce_id("01t", product.number)
        _put(table, "Product2", key, product.created, product.created, user_id(0), values)
    return table
