"""How people type the same thing differently: names, telephone numbers, domains, e-mail addresses."""

from __future__ import annotations

from sandbox.facts import Company, Person
from sandbox.world import ascii_word


def local_phone(phone: str) -> str:
    """``+14155550134`` → ``(415) 555-0134``; others with spaces ``+49 30 5554868``."""
    if phone.startswith("+1") and len(phone) == 12:
        return f"({phone[2:5]}) {phone[5:8]}-{phone[8:]}"
    return f"{phone[:3]} {phone[3:5]} {phone[5:]}"


def dashed_phone(phone: str) -> str:
    """``+14155550134`` → ``+1-415-555-0134``."""
    return f"+1-{phone[2:5]}-{phone[5:8]}-{phone[8:]}" if phone.startswith("+1") else phone


def bare_name(company: Company) -> str:
    """Without legal form; umlauts written out for every third company, as imports do."""
    if company.number % 3 == 0 and any(ord(letter) > 127 for letter in company.name):
        return " ".join(ascii_word(part).capitalize() for part in company.name.split())
    return company.name


def shouted_name(company: Company) -> str:
    """As typed in a hurry: capitals, or the form without its comma and full stop, or a trailing space."""
    plain = f"{company.name} {company.suffix}".replace(",", "").rstrip(".")
    return (plain.upper(), plain, f"{plain} ", plain.replace("GmbH", "G.m.b.H."))[company.number % 4]


def website(company: Company) -> str:
    """``https://www.kestrelrobotics.com``, with and without the parts people leave out."""
    forms = ("https://www.{}", "https://{}/", "http://www.{}", "www.{}", "{}")
    return forms[company.number % 5].format(company.domain)


def typed_email(person: Person) -> str:
    """The address with capitals now and then: ``Anna.Weber@Example.de``."""
    local, domain = person.email.split("@")
    if person.number % 4:
        return person.email
    return ".".join(part.capitalize() for part in local.split(".")) + "@" + domain.capitalize()
