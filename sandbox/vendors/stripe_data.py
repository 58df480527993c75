"""A world as a Stripe account holds it (API version 2023-08-16): minor units, seconds since 1970."""

from __future__ import annotations

from sandbox.facts import Company
from sandbox.table import Record, Table
from sandbox.vendors.base import word_id
from sandbox.vendors.salesforce_ids import salesforce_id
from sandbox.vendors.stripe_records import (
    charge_fields,
    customer_id,
    intent_fields,
    invoice_record,
    minor,
    price_record,
    product_record,
)
from sandbox.world import DAY, SEED_NOW, World

_MONTH = 30 * DAY


def build_tables(world: World) -> dict[str, Table]:
    """All of an account's tables."""
    return _Account(world).tables


class _Account:
    """Builds the tables in the order money flows: customers, subscriptions, invoices, charges, refunds."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.dice = world.dice("stripe")
        self.companies = [c for c in world.companies_in("stripe") if c.is_customer or c.number % 4 == 0]
        self.plans = [p for p in world.products if p.interval]
        names = ("customers", "products", "prices", "subscriptions", "invoices", "invoice_lines", "charges",
                 "payment_intents", "refunds", "credit_notes", "events")  # fmt: skip
        self.tables = {name: _table(name) for name in names}
        self._catalogue()
        for company in self.companies:
            self._customer(company)
        for number, company in enumerate(self.companies[:110]):
            self._subscription(number, company)

    def _catalogue(self) -> None:
        for product in self.world.products:
            self.tables["products"].put(product_record(self.world, product), product.created, product.created)
            for number, currency in enumerate(("USD", "EUR", "JPY")[: 3 if product.interval else 1]):
                price = price_record(product, number, currency)
                self.tables["prices"].put(price, product.created)

    def _customer(self, company: Company) -> None:
        person = self.world.by_company[company.number][0]
        place = company.place
        address = {
            "city": place.city,
            "country": place.code,
            "line1": company.street,
            "line2": None,
            "postal_code": place.postal,
            "state": place.region,
        }
        created = max(company.created, SEED_NOW - 700 * DAY)
        record = {
            "id": customer_id(company.number),
            "object": "customer",
            "address": address,
            "balance": -minor(25, company.currency) if company.number % 19 == 0 else 0,
            "created": created,
            "currency": company.currency.lower(),
            "default_source": None,
            "delinquent": company.number % 23 == 0,
            "description": None,
            "discount": None,
            "email": f"billing@{company.domain}" if company.number % 3 else person.email,
            "invoice_prefix": word_id("", company.number, 8).upper(),
            "livemode": False,
            "metadata": {"salesforce_id": salesforce_id("001", company.number)} if company.number % 2 else {},
            "name": f"{company.name} {company.suffix}".replace(".", ""),
            "next_invoice_sequence": 2,
            "phone": company.phone,
            "preferred_locales": [],
            "shipping": {"address": address, "name": company.name, "phone": ""}
            if company.number % 4 == 1
            else None,
            "tax_exempt": "reverse" if place.code in ("DE", "FR", "NL", "SE") else "none",
            "test_clock": None,
        }
        self.tables["customers"].put(record, created)
        self._event("customer.created", record, created)

    def _subscription(self, number: int, company: Company) -> None:
        product = self.dice.choice(self.plans)
        currency = company.currency if company.currency in ("EUR", "JPY") else "USD"
        index = ("USD", "EUR", "JPY").index(currency)
        price = price_record(product, index, currency)
        start = self.dice.randint(SEED_NOW - 200 * DAY, SEED_NOW - 2 * DAY)
        status = self.dice.choices(("active", "past_due", "canceled", "trialing"), (80, 6, 10, 4))[0]
        period = _MONTH if product.interval == "month" else 365 * DAY
        ended = SEED_NOW - 10 * DAY if status == "canceled" else None
        quantity = self.dice.choice((1, 1, 3, 5, 10))
        key = word_id("sub_", number, 24)
        bills = [start + period * i for i in range(1 + self.dice.randint(0, 1))]
        bills = [time for time in bills if time < SEED_NOW]
        invoices = [self._invoice(key, i, number, company, price, quantity, t) for i, t in enumerate(bills)]
        item = {
            "id": word_id("si_", number),
            "object": "subscription_item",
            "price": price,
            "quantity": quantity,
            "subscription": key,
        }
        record = {
            "id": key,
            "object": "subscription",
            "billing_cycle_anchor": start,
            "cancel_at": None,
            "cancel_at_period_end": number % 17 == 0 and status == "active",
            "canceled_at": ended,
            "collection_method": "charge_automatically",
            "created": start,
            "currency": currency.lower(),
            "current_period_start": bills[-1],
            "current_period_end": bills[-1] + period,
            "customer": customer_id(company.number),
            "days_until_due": None,
            "default_payment_method": word_id("pm_", company.number, 24),
            "description": product.name,
            "ended_at": ended,
            "items": {"object": "list", "data": [item], "has_more": False, "total_count": 1},
            "latest_invoice": invoices[-1],
            "livemode": False,
            "metadata": {},
            "start_date": start,
            "status": status,
            "trial_end": start + 14 * DAY if status == "trialing" else None,
            "trial_start": start if status == "trialing" else None,
        }
        self.tables["subscriptions"].put(record, start)

    def _invoice(
        self,
        subscription: str,
        index: int,
        number: int,
        company: Company,
        price: Record,
        quantity: int,
        time: int,
    ) -> str:
        order = number * 4 + index
        key = word_id("in_", order, 24)
        subtotal = price["unit_amount"] * quantity
        discount = subtotal // 10 if order % 15 == 0 else 0
        tax = 0 if company.place.code == "US" else round((subtotal - discount) * 0.19)
        total = subtotal - discount + tax
        status = "open" if order % 13 == 0 else ("void" if order % 61 == 0 else "paid")
        record = invoice_record(
            key, company, price["currency"], time, status, (subtotal, discount, tax, total)
        )
        record |= {
            "number": f"{word_id('', company.number, 8).upper()}-{index + 1:04}",
            "billing_reason": "subscription_cycle" if index else "subscription_create",
            "subscription": subscription,
        }
        charge = self._charge(order, company, record) if status != "void" else None
        record["charge"] = charge
        record["payment_intent"] = word_id("pi_", order, 24) if charge else None
        self.tables["invoices"].put(record, time)
        self._line(order, record, price, quantity, subtotal, discount, tax)
        self._event("invoice.paid" if status == "paid" else "invoice.created", record, time)
        if order % 20 == 5 and status == "paid":
            self._credit_note(order, record)
        return key

    def _line(
        self, order: int, invoice: Record, price: Record, quantity: int, amount: int, discount: int, tax: int
    ) -> None:
        record = {
            "_invoice": invoice["id"],
            "id": word_id("il_", order, 24),
            "object": "line_item",
            "amount": amount,
            "amount_excluding_tax": amount,
            "currency": invoice["currency"],
            "description": f"{quantity} × {price['nickname']}",
            "discount_amounts": [{"amount": discount, "discount": "di_sandbox"}] if discount else [],
            "discountable": True,
            "discounts": [],
            "livemode": False,
            "metadata": {},
            "period": {"start": invoice["period_start"], "end": invoice["period_end"]},
            "plan": None,
            "price": price,
            "proration": False,
            "quantity": quantity,
            "subscription": invoice["subscription"],
            "tax_amounts": [{"amount": tax, "inclusive": False, "tax_rate": "txr_sandbox"}] if tax else [],
            "tax_rates": [],
            "type": "subscription",
        }
        self.tables["invoice_lines"].put(record, invoice["created"])

    def _charge(self, order: int, company: Company, invoice: Record) -> str:
        failed, time = invoice["status"] == "open", invoice["created"] + 3600
        refunded = invoice["total"] if order % 29 == 3 and not failed else 0
        key, intent = word_id("ch_", order, 24), word_id("pi_", order, 24)
        method = ("card", "sepa_debit", "card", "card")[order % 4]
        common = {
            "amount": invoice["total"],
            "created": time,
            "currency": invoice["currency"],
            "customer": invoice["customer"],
            "description": "Subscription update" if order % 2 else "Subscription creation",
            "invoice": invoice["id"],
            "livemode": False,
            "metadata": {},
            "payment_method": word_id("pm_", company.number, 24),
            "receipt_email": None,
            "application_fee_amount": None,
        }
        charge = common | charge_fields(
            key, intent, company, invoice["total"], refunded, method, failed=failed
        )
        self.tables["charges"].put(charge, time)
        self.tables["payment_intents"].put(
            common | intent_fields(intent, key, invoice["total"], failed), time
        )
        self._event("charge.failed" if failed else "charge.succeeded", charge, time)
        if refunded:
            self._refund(order, charge)
        return key

    def _refund(self, order: int, charge: Record) -> None:
        time = min(charge["created"] + 9 * DAY, SEED_NOW)
        record = {
            "id": word_id("re_", order, 24),
            "object": "refund",
            "amount": charge["amount"],
            "balance_transaction": word_id("txn_", order, 24),
            "charge": charge["id"],
            "created": time,
            "currency": charge["currency"],
            "description": None,
            "metadata": {},
            "payment_intent": charge["payment_intent"],
            "reason": ("requested_by_customer", "duplicate", None)[order % 3],
            "receipt_number": None,
            "status": "succeeded",
        }
        self.tables["refunds"].put(record, time)
        self._event("charge.refunded", record, time)

    def _credit_note(self, order: int, invoice: Record) -> None:
        amount, time = invoice["subtotal"] // 5, min(invoice["created"] + 5 * DAY, SEED_NOW)
        record = {
            "id": word_id("cn_", order, 24),
            "object": "credit_note",
            "amount": amount,
            "created": time,
            "currency": invoice["currency"],
            "customer": invoice["customer"],
            "discount_amount": 0,
            "invoice": invoice["id"],
            "livemode": False,
            "memo": "Service interruption",
            "metadata": {},
            "number": f"{invoice['number']}-CN-01",
            "out_of_band_amount": None,
            "pdf": f"https://pay.stripe.com/credit_notes/{invoice['id']}/pdf",
            "reason": "product_unsatisfactory",
            "refund": None,
            "status": "issued",
            "subtotal": amount,
            "total": amount,
            "type": "post_payment",
            "voided_at": None,
        }
        self.tables["credit_notes"].put(record, time)

    def _event(self, kind: str, subject: Record, time: int) -> None:
        if time < SEED_NOW - 30 * DAY:
            return
        table = self.tables["events"]
        record = {
            "id": word_id("evt_", len(table.rows), 24),
            "object": "event",
            "api_version": "2023-08-16",
            "created": time,
            "data": {"object": {"id": subject["id"], "object": subject["object"]}},
            "livemode": False,
            "pending_webhooks": 0,
            "request": {"id": None, "idempotency_key": None},
            "type": kind,
        }
        table.put(record, time)


_PREFIXES = {
    "customers": "cus_", "products": "prod_", "prices": "price_", "subscriptions": "sub_", "invoices": "in_",
    "invoice_lines": "il_", "charges": "ch_", "payment_intents": "pi_", "refunds": "re_",
    "credit_notes": "cn_", "events": "evt_",
}  # fmt: skip
_CHANGES = {
    "invoice_lines": "description", "products": "description", "prices": "nickname", "credit_notes": "memo",
    "events": "type", "customers": "phone",
}  # fmt: skip


def _table(name: str) -> Table:
    return Table(
        name,
        new_id=lambda n: word_id(_PREFIXES[name], 900_000 + n, 24),
        spell=int,
        change=_CHANGES.get(name, "description"),
        created_at=("created",) if name != "invoice_lines" else (),
        updated_at=("updated",) if name == "products" else (),
        unique=("email",) if name == "customers" else (),
    )
