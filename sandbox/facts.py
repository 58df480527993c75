"""What a world consists of: companies, people, staff, products, deals and tickets, as plain facts."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox import words
from sandbox.words import Place


@dataclass(frozen=True)
class Company:
    """A company. Money in whole units of ``currency``, times in seconds since 1970."""

    number: int
    name: str
    suffix: str
    domain: str
    industry: str
    employees: int
    revenue: int
    founded: int
    phone: str
    place: Place
    street: str
    owner: int
    is_customer: bool
    created: int
    updated: int

    @property
    def legal_name(self) -> str:
        """Name with its legal form: ``Kestrel Robotics, Inc.``, ``Müller Bau GmbH``."""
        comma = "," if self.place.code == "US" else ""
        return f"{self.name}{comma} {self.suffix}"

    @property
    def currency(self) -> str:
        """ISO 4217 code of the country."""
        return words.CURRENCIES[self.place.code]


@dataclass(frozen=True)
class Person:
    """Someone who works at a company."""

    number: int
    company: Company
    first: str
    last: str
    title: str
    email: str
    phone: str
    mobile: str
    created: int
    updated: int

    @property
    def name(self) -> str:
        """Given and family name."""
        return f"{self.first} {self.last}"


@dataclass(frozen=True)
class Staff:
    """Someone who works at the tenant's own company."""

    number: int
    first: str
    last: str
    email: str
    department: str
    title: str
    place: Place
    manager: int | None
    hired: int
    is_active: bool

    @property
    def name(self) -> str:
        """Given and family name."""
        return f"{self.first} {self.last}"


@dataclass(frozen=True)
class Product:
    """What the tenant sells. ``interval`` is month, year or empty; price in USD."""

    number: int
    name: str
    sku: str
    interval: str
    price: int
    cost: int
    created: int


@dataclass(frozen=True)
class Deal:
    """A sale. ``step`` 0 to 4 while open; ``status`` open, won or lost."""

    number: int
    company: Company
    person: Person
    owner: int
    product: Product
    quantity: int
    amount: int
    step: int
    status: str
    created: int
    updated: int
    closes: int


@dataclass(frozen=True)
class Ticket:
    """A request for help; ``comments`` are (person or staff, is staff, text, time)."""

    number: int
    company: Company
    person: Person
    agent: int
    subject: str
    text: str
    status: str
    priority: str
    channel: str
    tags: tuple[str, ...]
    comments: tuple[tuple[Person | Staff, bool, str, int], ...]
    created: int
    updated: int
