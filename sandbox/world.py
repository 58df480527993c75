"""The world of a tenant: the same companies, people, deals and tickets every vendor tells of in its own way.

Everything follows from (seed, tenant): no clock, no state. How a vendor spells it is ``vendors/``.
"""

from __future__ import annotations

import random
import unicodedata
from functools import lru_cache

from sandbox import words
from sandbox.facts import Company, Deal, Person, Product, Staff, Ticket

DAY = 86_400
SEED_NOW = 1_751_306_400
"""The last moment of every seeded world, 2025-06-30T18:00:00Z, in seconds since 1970."""

COMPANIES = 240
STAFF = 40

SHARES = {
    "salesforce": 0.7,
    "hubspot": 0.65,
    "pipedrive": 0.45,
    "zendesk": 0.55,
    "stripe": 0.6,
    "files": 0.35,
}
"""The share of companies each vendor knows; customers are known a little better."""


class World:
    """All of a tenant's facts. Use ``open_world``."""

    def __init__(self, tenant: str, seed: int) -> None:
        self.tenant = tenant
        self.seed = seed
        self.domain = f"{tenant.replace('_', '-')}.example"
        self.products = self._make_products()
        self.staff = self._make_staff()
        self.companies = self._make_companies()
        self.people = self._make_people()
        self.by_company: dict[int, list[Person]] = {}
        for person in self.people:
            self.by_company.setdefault(person.company.number, []).append(person)
        self.deals = self._make_deals()
        self.tickets = self._make_tickets()

    def dice(self, *what: object) -> random.Random:
        """A random generator of its own for each purpose, so that one list never shifts another."""
        return random.Random("/".join(map(str, (self.seed, self.tenant, *what))))

    def companies_in(self, vendor: str) -> list[Company]:
        """The companies a vendor knows, in order."""
        share = SHARES[vendor]
        return [c for c in self.companies if self._is_known(vendor, c, share)]

    def people_in(self, vendor: str, at_most: int) -> list[Person]:
        """The people a vendor knows, of the companies it knows."""
        known = {c.number for c in self.companies_in(vendor)}
        dice = self.dice("people", vendor)
        chosen = [p for p in self.people if p.company.number in known and dice.random() < 0.85]
        return chosen[:at_most]

    def team(self, department: str) -> list[Staff]:
        """Active staff of a department."""
        return [s for s in self.staff if s.department == department and s.is_active]

    def _is_known(self, vendor: str, company: Company, share: float) -> bool:
        return self.dice("knows", vendor, company.number).random() < share + 0.2 * company.is_customer

    def _make_products(self) -> tuple[Product, ...]:
        dice = self.dice("products")
        return tuple(
            Product(
                number=i,
                name=name,
                sku=f"{''.join(w[0] for w in name.split()).upper()}-{1000 + 7 * i}",
                interval=interval,
                price=price,
                cost=round(price * dice.uniform(0.2, 0.6)),
                created=SEED_NOW - dice.randint(900, 1800) * DAY,
            )
            for i, (name, interval, price) in enumerate(words.CATALOGUE)
        )

    def _make_staff(self) -> tuple[Staff, ...]:
        dice = self.dice("staff")
        staff: list[Staff] = []
        taken: set[str] = set()
        while len(staff) < STAFF:
            place = dice.choices(words.PLACES, words.PLACE_WEIGHTS)[0]
            first, last = _name(dice, place.code)
            local = f"{ascii_word(first)}.{ascii_word(last)}"
            if local in taken:
                continue
            taken.add(local)
            number = len(staff)
            department = words.DEPARTMENTS[number % len(words.DEPARTMENTS)]
            leads = number < len(words.DEPARTMENTS)
            staff.append(
                Staff(
                    number=number,
                    first=first,
                    last=last,
                    email=f"{local}@{self.domain}",
                    department=department,
                    title=f"Head of {department}" if leads else f"{department} specialist",
                    place=place,
                    manager=None if leads else number % len(words.DEPARTMENTS),
                    hired=SEED_NOW - dice.randint(60, 2500) * DAY,
                    is_active=leads or dice.random() > 0.1,
                )
            )
        return tuple(staff)

    def _make_companies(self) -> tuple[Company, ...]:
        dice = self.dice("companies")
        companies: list[Company] = []
        taken: set[str] = set()
        sellers = self.team("Sales")
        while len(companies) < COMPANIES:
            place = dice.choices(words.PLACES, words.PLACE_WEIGHTS)[0]
            name, industry = _company_name(dice, place.code)
            domain = f"{domain_word(name)}.{words.TOP_LEVEL[place.code]}"
            if domain in taken:
                continue
            taken.add(domain)
            created = SEED_NOW - dice.randint(200, 1500) * DAY - dice.randint(0, DAY)
            employees = round(10 ** dice.uniform(0.7, 4.2))
            companies.append(
                Company(
                    number=len(companies),
                    name=name,
                    suffix=dice.choice(words.SUFFIXES[place.code]),
                    domain=domain,
                    industry=industry,
                    employees=employees,
                    revenue=int(employees * dice.uniform(60, 240)) * 1000,
                    founded=dice.randint(1921, 2021),
                    phone=f"{place.dial}{dice.randint(0, 9999):04}",
                    place=place,
                    street=_street(dice, place.code),
                    owner=dice.choice(sellers).number,
                    is_customer=dice.random() < 0.5,
                    created=created,
                    updated=dice.randint(created, SEED_NOW),
                )
            )
        return tuple(companies)

    def _make_people(self) -> tuple[Person, ...]:
        dice = self.dice("people")
        people: list[Person] = []
        for company in self.companies:
            taken: set[str] = set()
            for _ in range(dice.choice((3, 4, 5, 6, 7, 8, 12))):
                first, last = _name(dice, company.place.code)
                local = f"{ascii_word(first)}.{ascii_word(last)}"
                if local in taken:
                    continue
                taken.add(local)
                created = dice.randint(company.created, SEED_NOW - DAY)
                people.append(
                    Person(
                        number=len(people),
                        company=company,
                        first=first,
                        last=last,
                        title=dice.choice(words.TITLES),
                        email=f"{local}@{company.domain}",
                        phone=f"{company.place.dial}{dice.randint(0, 9999):04}",
                        mobile=f"{company.place.dial[:3]}9{dice.randint(0, 99_999_999):08}",
                        created=created,
                        updated=dice.randint(created, SEED_NOW),
                    )
                )
        return tuple(people)

    def _make_deals(self) -> tuple[Deal, ...]:
        dice = self.dice("deals")
        sellers = self.team("Sales")
        deals: list[Deal] = []
        for company in self.companies:
            for _ in range(dice.choice((0, 1, 1, 2, 3)) + company.is_customer):
                product, quantity = dice.choice(self.products), dice.choice((1, 2, 5, 10, 25, 100))
                rate = words.TO_USD[company.currency]
                amount = round(product.price * quantity / rate * dice.uniform(0.8, 1.1))
                created = dice.randint(company.created, SEED_NOW - DAY)
                status = dice.choices(("open", "won", "lost"), (4, 4 if company.is_customer else 0, 2))[0]
                deals.append(
                    Deal(
                        number=len(deals),
                        company=company,
                        person=dice.choice(self.by_company[company.number]),
                        owner=dice.choice(sellers).number,
                        product=product,
                        quantity=quantity,
                        amount=amount,
                        step=dice.randint(0, 4),
                        status=status,
                        created=created,
                        updated=dice.randint(created, SEED_NOW),
                        closes=created + dice.randint(20, 200) * DAY,
                    )
                )
        return tuple(deals)

    def _make_tickets(self) -> tuple[Ticket, ...]:
        dice = self.dice("tickets")
        agents = self.team("Support")
        customers = [c for c in self.companies if c.is_customer]
        tickets: list[Ticket] = []
        for number in range(320):
            company = dice.choice(customers)
            person = dice.choice(self.by_company[company.number])
            agent = dice.choice(agents)
            subject, text = dice.choice(words.COMPLAINTS)
            created = dice.randint(max(company.created, SEED_NOW - 400 * DAY), SEED_NOW - 5 * DAY)
            times = sorted(dice.randint(created, created + 4 * DAY) for _ in range(dice.randint(0, 4)))
            comments: list[tuple[Person | Staff, bool, str, int]] = [(person, False, text, created)]
            for i, time in enumerate(times):
                by_agent = i % 2 == 0
                comments.append((agent if by_agent else person, by_agent, dice.choice(words.REPLIES), time))
            tickets.append(
                Ticket(
                    number=number,
                    company=company,
                    person=person,
                    agent=agent.number,
                    subject=subject,
                    text=text,
                    status=dice.choice(("new", "open", "pending", "hold", "solved", "closed", "closed")),
                    priority=dice.choice(("low", "normal", "normal", "high", "urgent")),
                    channel=dice.choice(("email", "web", "api", "chat", "voice")),
                    tags=tuple(sorted(dice.sample(words.TAGS, dice.randint(0, 3)))),
                    comments=tuple(comments),
                    created=created,
                    updated=comments[-1][3] + dice.randint(0, DAY),
                )
            )
        return tuple(tickets)


@lru_cache(maxsize=16)
def open_world(tenant: str, seed: int = 0) -> World:
    """The world of a tenant; the same for the same arguments, for ever."""
    return World(tenant, seed)


def ascii_word(text: str) -> str:
    """Lower-case ASCII letters and digits, German umlauts written out: ``Müller`` → ``mueller``."""
    for umlaut, plain in (("ä", "ae"), ("ö", "oe"), ("ü", "ue"), ("ß", "ss")):
        text = text.lower().replace(umlaut, plain)
    flat = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return "".join(letter for letter in flat if letter.isalnum())


def domain_word(name: str) -> str:
    """The first label of a company's domain."""
    parts = [ascii_word(part) for part in name.split()]
    return ("-" if any(ord(letter) > 127 for letter in name) else "").join(parts)


def _name(dice: random.Random, code: str) -> tuple[str, str]:
    local = code if code in words.FIRST_NAMES and dice.random() < 0.8 else ""
    return dice.choice(words.FIRST_NAMES[local]), dice.choice(words.LAST_NAMES[local])


def _company_name(dice: random.Random, code: str) -> tuple[str, str]:
    if code == "DE" and dice.random() < 0.6:
        trade, industry = dice.choice(words.GERMAN_TRADES)
        return f"{dice.choice(words.GERMAN_ROOTS)} {trade}", industry
    trade, industry = dice.choice(words.TRADES)
    return f"{dice.choice(words.ROOTS)} {trade}", industry


def _street(dice: random.Random, code: str) -> str:
    name, number = dice.choice(words.STREETS.get(code, words.STREETS[""])), dice.randint(1, 240)
    return f"{name} {number}" if code in words.STREET_FIRST else f"{number} {name}"
