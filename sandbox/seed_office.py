"""The drop folder of connector ``files``: exports people make by hand, each in its own dialect."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from sandbox import words
from sandbox.spelling import local_phone, shouted_name
from sandbox.times import day, iso_z, moment, plain
from sandbox.vendors.base import mix
from sandbox.vendors.salesforce_ids import salesforce_id
from sandbox.world import DAY, SEED_NOW, World

Writer = Callable[[Path], None]
BRANCHES = {
    "technology": "IT", "manufacturing": "Maschinenbau", "transportation": "Logistik", "retail": "Handel",
    "energy": "Energie", "healthcare": "Gesundheit", "media": "Medien", "finance": "Finanzen",
    "insurance": "Versicherung", "education": "Bildung", "construction": "Bau", "hospitality": "Gastgewerbe",
    "telecommunications": "Telekommunikation", "consulting": "Beratung", "agriculture": "Landwirtschaft",
}  # fmt: skip
VENDORS = (
    "Papierhaus Lorenz", "Cloudline Hosting", "Stadtwerke", "Office Depot", "TravelDesk", "Meyer Catering",
    "Kabel & Draht", "SecureIT", "Printworks", "Hansa Logistik", "Fleet Partners", "Bright Cleaning",
)  # fmt: skip
LEDGER = (
    ("1000", "Cash", "asset", "debit"), ("1200", "Bank", "asset", "debit"),
    ("1400", "Receivables", "asset", "debit"),
    ("1600", "Payables", "liability", "credit"), ("2900", "Equity", "equity", "credit"),
    ("4000", "Revenue", "revenue", "credit"), ("4010", "Subscriptions", "revenue", "credit"),
    ("4020", "Hardware", "revenue", "credit"), ("6000", "Salaries", "expense", "debit"),
    ("6300", "Rent", "expense", "debit"), ("6600", "Travel", "expense", "debit"),
    ("6640", "Entertainment", "expense", "debit"), ("6800", "Office", "expense", "debit"),
    ("6805", "Telephone", "expense", "debit"), ("6815", "Software", "expense", "debit"),
)  # fmt: skip


def office_files(world: World, months: int = 6) -> dict[str, Writer]:
    """Writers by file name."""
    writers: dict[str, Writer] = {
        "accounts.csv": lambda path: _write_accounts(world, path),
        "contacts_fair_2024.xlsx": lambda path: _write_contacts(world, path, 0),
        "contacts_webinar_2025.xlsx": lambda path: _write_contacts(world, path, 1),
        "vendors.csv": lambda path: _write_vendors(world, path),
        "bills.parquet": lambda path: _write_bills(world, path),
        "bank_transactions.jsonl": lambda path: _write_bank(world, path),
        "ledger_accounts.csv": lambda path: _write_ledger(world, path),
        "shipments.csv": lambda path: _write_shipments(world, path),
    }
    for month in range(1, months + 1):
        writers[f"expenses_2025-{month:02}.csv"] = lambda path, m=month: _write_expenses(world, path, m)  # type: ignore[misc]
    return writers


def _columns(text: str) -> tuple[str, ...]:
    return tuple(text.split("|"))


def _write_csv(
    path: Path, rows: Sequence[Sequence[Any]], *, separator: str = ",", encoding: str = "utf-8"
) -> None:
    with path.open("w", encoding=encoding, newline="") as stream:
        csv.writer(stream, delimiter=separator).writerows(rows)


def _write_accounts(world: World, path: Path) -> None:
    rows: list[Sequence[Any]] = [
        _columns(
            "Kundennummer|Firma|Webseite|E-Mail|Telefon|Telefax|Branche|Jahresumsatz|Mitarbeiter|"
            "Straße|PLZ|Ort|Land|Betreuer|Salesforce-ID|Bemerkung|Angelegt am|Geändert am"
        )
    ]
    for line, company in enumerate(world.companies_in("files")[:90]):
        # Two cells nobody can read: they show what becomes of bad input.
        revenue: Any = "unbekannt" if line == 4 else company.revenue
        created = "31.02.2023 10:00" if line == 9 else moment(company.created).strftime("%d.%m.%Y %H:%M")
        rows.append(
            (
                f"K-{20_000 + company.number}",
                shouted_name(company),
                f"www.{company.domain}",
                f"info@{company.domain}",
                local_phone(company.phone),
                "",
                BRANCHES[company.industry],
                revenue,
                company.employees,
                company.street,
                company.place.postal,
                company.place.city,
                company.place.country,
                world.staff[company.owner].name,
                salesforce_id("001", company.number) if company.number % 3 else "n/a",
                "Übernommen aus Altsystem" if company.number % 2 else "",
                created,
                moment(company.updated).strftime("%d.%m.%Y %H:%M"),
            )
        )
    _write_csv(path, rows, separator=";", encoding="cp1252")


def _write_contacts(world: World, path: Path, half: int) -> None:
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.active
    header = _columns(
        "Contact ID|First Name|Last Name|Salutation|Job Title|E-mail|Phone|"
        "Mobile|Company|Web Site|City|Country|Notes|Collected On"
    )
    sheet.append(header)
    people = [p for p in world.people_in("files", 240) if p.number % 2 == half]
    for person in people:
        sheet.append(
            (
                f"F{half + 1}-{person.number:05}",
                person.first,
                person.last,
                ("Mr", "Ms", None)[person.number % 3],
                person.title,
                person.email.upper() if person.number % 5 == 0 else person.email,
                local_phone(person.phone),
                person.mobile,
                person.company.legal_name,
                person.company.domain,
                person.company.place.city,
                person.company.place.country,
                "Wants a demo" if person.number % 4 == 0 else None,
                moment(person.created).replace(tzinfo=None, microsecond=0),
            )
        )
    book.save(path)


def _write_vendors(world: World, path: Path) -> None:
    rows: list[Sequence[Any]] = [
        _columns(
            "vendor_no|vendor_name|legal_name|email|phone|street|zip|city|country|vat_id|"
            "register_no|iban|payment_terms|category|notes|created_at|changed_at"
        )
    ]
    for number, name in enumerate(VENDORS):
        place = words.PLACES[6 + number % 3]
        domain = "".join(letter for letter in name.lower() if letter.isascii() and letter.isalnum())
        rows.append(
            (
                f"V{700 + number}",
                name,
                f"{name} GmbH",
                f"rechnung@{domain}.example",
                f"{place.dial}{mix(number) % 10_000:04}",
                f"Gewerbestraße {number + 1}",
                place.postal,
                place.city,
                place.country,
                f"DE{200_000_000 + mix(number) % 99_999_999}",
                f"HRB {10_000 + number * 37}",
                iban(mix(number, 3) % 10**18),
                ("net30", "net14", "immediate")[number % 3],
                ("office", "it", "energy", "travel")[number % 4],
                "",
                day(SEED_NOW - (900 - number) * DAY),
                plain(SEED_NOW - number * 9 * DAY),
            )
        )
    _write_csv(path, rows)


def iban(account: int) -> str:
    """A German IBAN with the right check digits for an account of at most eighteen digits."""
    body = f"{account:018}"
    check = 98 - int(f"{body}131400") % 97
    return f"DE{check:02}{body}"


def _write_bills(world: World, path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    dice = world.dice("files", "bills")
    rows: list[dict[str, Any]] = []
    for number in range(140):
        vendor = dice.randrange(len(VENDORS))
        issued = date(2025, 6, 30) - timedelta(days=dice.randint(0, 400))
        amount = Decimal(dice.randint(2_000, 900_000)) / 100
        paid = dice.random() < 0.7
        rows.append(
            {
                "bill_id": 60_000 + number,
                "bill_number": f"ER-{issued:%Y}-{number:04}",
                "vendor_no": f"V{700 + vendor}",
                "vendor_name": VENDORS[vendor],
                "currency": "EUR",
                "exchange_rate": 1.0,
                "total_amount": amount,
                "open_amount": Decimal("0.00") if paid else amount,
                "bill_date": issued,
                "due_date": issued + timedelta(days=30),
                "payment_terms": "net30",
                "payable_account": "1600",
                "cost_center": ("D10", "D20", "D30")[number % 3],
                "memo": None if number % 3 else "Monthly fee",
                "created_at": datetime(issued.year, issued.month, issued.day, 9, 30, tzinfo=UTC),
                "updated_at": datetime(issued.year, issued.month, issued.day, 9, 30, tzinfo=UTC)
                + timedelta(days=3),
            }
        )
    pq.write_table(pa.Table.from_pylist(rows), path)


def _write_expenses(world: World, path: Path, month: int) -> None:
    dice = world.dice("files", "expenses", month)
    rows: list[Sequence[Any]] = [
        _columns(
            "Beleg|Date|Paid By|Card|Account|Account Name|Payee ID|Payee|Payee Type|Amount|"
            "Currency|Purpose|Refund|Entered At"
        )
    ]
    for number in range(45):
        payee = dice.choice(VENDORS)
        on = date(2025, month, dice.randint(1, 28))
        account, name, *_ = dice.choice(LEDGER[9:])
        # One day that is not in the calendar and one amount in words.
        text = "31/04/2025" if (month, number) == (4, 7) else on.strftime("%d/%m/%Y")
        amount: Any = "twelve" if (month, number) == (2, 3) else f"{dice.randint(350, 98_000) / 100:.2f}"
        rows.append(
            (
                f"BE-{month:02}-{number:04}",
                text,
                dice.choice(("card", "card", "cash")),
                f"CC-{dice.randint(1, 6)}",
                account,
                name,
                f"V{700 + VENDORS.index(payee)}",
                payee,
                "vendor",
                amount,
                "EUR",
                dice.choice(("Team lunch", "Train to customer", "Licences", "Paper", "")),
                "yes" if number % 19 == 4 else "no",
                f"{on.isoformat()}T18:{number:02}:00Z",
            )
        )
    _write_csv(path, rows)


def _write_bank(world: World, path: Path) -> None:
    dice = world.dice("files", "bank")
    with path.open("w", encoding="utf-8") as stream:
        for number in range(420):
            incoming = dice.random() < 0.55
            company = dice.choice(world.companies)
            booked = SEED_NOW - dice.randint(0, 360) * DAY
            amount: Any = "12,50" if number == 77 else round(dice.uniform(12, 9_000), 2)
            record = {
                "transactionId": f"T{booked // DAY}{number:05}",
                "creditDebitIndicator": "receive" if incoming else "spend",
                "status": "booked" if number % 31 else "pending",
                "account": {"id": "ACC-1", "iban": iban(4_711), "name": "Operating account"},
                "counterparty": {
                    "id": f"CP-{company.number}" if incoming else None,
                    "name": company.name if incoming else dice.choice(VENDORS),
                },
                "bookingDate": day(booked),
                "valueDate": day(booked + DAY),
                "amount": {"value": amount, "currency": "EUR"},
                "currencyExchange": {"rate": 1.09, "sourceCurrency": "USD"} if number % 17 == 0 else None,
                "remittanceInformation": f"Invoice {1000 + number}" if incoming else "Card payment",
                "reconciled": number % 3 > 0,
                "lastUpdated": iso_z(booked + DAY),
            }
            stream.write(json.dumps(record, ensure_ascii=False) + "\n")


def _write_ledger(world: World, path: Path) -> None:
    dice = world.dice("files", "ledger")
    rows: list[Sequence[Any]] = [
        _columns(
            "account_no|name|full_name|description|type|sub_type|classification|balance|currency|"
            "active|is_sub_account|parent_no|tax_code|normal_side|changed_at"
        )
    ]
    for number, name, kind, side in LEDGER:
        sub = number[2:] not in ("00",)
        parent = f"{number[:2]}00" if sub else ""
        rows.append(
            (
                number,
                name,
                f"{kind.capitalize()}:{name}",
                f"{name} of {world.tenant}",
                kind,
                name.lower(),
                kind,
                f"{dice.uniform(1_000, 900_000):.2f}",
                "EUR",
                "true",
                str(sub).lower(),
                parent,
                "VAT19" if kind in ("revenue", "expense") else "",
                side.capitalize(),
                plain(SEED_NOW - dice.randint(1, 90) * DAY),
            )
        )
    _write_csv(path, rows)


def _write_shipments(world: World, path: Path) -> None:
    dice = world.dice("files", "shipments")
    rows: list[Sequence[Any]] = [
        _columns("shipment_id|order_number|carrier|tracking_no|tracking_link|shipped")
    ]
    for number in range(310):
        carrier = dice.choice(("DHL", "UPS", "DPD"))
        tracking = f"{carrier}{mix(number, 5) % 10**12:012}"
        link = f"https://track.{carrier.lower()}.example/{tracking}"
        shipped = day(SEED_NOW - (310 - number) * DAY)
        rows.append((f"S{30_000 + number}", f"SO-{10_000 + number * 2}", carrier, tracking, link, shipped))
    _write_csv(path, rows, separator="\t")
