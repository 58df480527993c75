"""The records of a Stripe account, as API version 2023-08-16 shapes them."""

from __future__ import annotations

from typing import Any

from sandbox.facts import Company, Product
from sandbox.table import Record
from sandbox.vendors.base import word_id
from sandbox.words import TO_USD
from sandbox.world import DAY, World

ZERO_DECIMAL = frozenset({"JPY"})
_BOX = {"height": 4.0, "length": 8.0, "weight": 12.5, "width": 6.0}
_MONTH = 30 * DAY


def customer_id(number: int) -> str:
    """Key of the n-th customer."""
    return word_id("cus_", number)


def minor(amount: float, currency: str) -> int:
    """An amount in the currency's minor units; yen have none."""
    return round(amount) if currency in ZERO_DECIMAL else round(amount * 100)


def product_record(world: World, product: Product) -> Record:
    """A product."""
    return {
        "id": word_id("prod_", product.number),
        "object": "product",
        "active": product.number % 13 > 0,
        "created": product.created,
        "default_price": word_id("price_", product.number * 10, 24),
        "description": f"{product.name}, billed {product.interval or 'once'}",
        "images": [f"https://files.stripe.com/{product.sku.lower()}.png"] if product.number % 2 else [],
        "livemode": False,
        "metadata": {"sku": product.sku},
        "name": product.name,
        "package_dimensions": None if product.interval else dict(_BOX),
        "shippable": not product.interval,
        "statement_descriptor": None,
        "tax_code": None,
        "type": "service" if product.interval else "good",
        "unit_label": "seat" if product.interval else None,
        "updated": product.created,
        "url": f"https://{world.domain}/{product.sku.lower()}",
    }


def price_record(product: Product, number: int, currency: str) -> Record:
    """A price of a product in one currency."""
    recurring: dict[str, Any] | None = None
    if product.interval:
        recurring = {
            "aggregate_usage": None,
            "interval": product.interval,
            "interval_count": 1,
            "usage_type": "licensed",
        }
    amount = product.price / TO_USD[currency]
    return {
        "id": word_id("price_", product.number * 10 + number, 24),
        "object": "price",
        "active": True,
        "billing_scheme": "per_unit",
        "created": product.created,
        "currency": currency.lower(),
        "livemode": False,
        "lookup_key": None,
        "metadata": {},
        "nickname": f"{product.name} {currency}",
        "product": word_id("prod_", product.number),
        "recurring": recurring,
        "tax_behavior": "exclusive",
        "tiers_mode": None,
        "type": "recurring" if recurring else "one_time",
        "unit_amount": minor(amount, currency),
        "unit_amount_decimal": str(minor(amount, currency)),
    }


def invoice_record(
    key: str, company: Company, currency: str, time: int, status: str, money: tuple[int, int, int, int]
) -> Record:
    """An invoice; ``money`` is subtotal, discount, tax and total in minor units."""
    subtotal, discount, tax, total = money
    paid = status == "paid"
    return {
        "id": key,
        "object": "invoice",
        "account_country": "US",
        "amount_due": total,
        "amount_paid": total if paid else 0,
        "amount_remaining": 0 if paid else total,
        "attempt_count": 1,
        "attempted": True,
        "collection_method": "charge_automatically",
        "created": time,
        "currency": currency,
        "customer": customer_id(company.number),
        "customer_address": {
            "city": company.place.city,
            "country": company.place.code,
            "line1": company.street,
            "line2": None,
            "postal_code": company.place.postal,
            "state": company.place.region,
        },
        "customer_email": f"billing@{company.domain}",
        "customer_name": company.name,
        "description": None,
        "due_date": time + 14 * DAY if company.number % 5 == 0 else None,
        "hosted_invoice_url": f"https://invoice.stripe.com/i/{key}",
        "invoice_pdf": f"https://pay.stripe.com/invoice/{key}/pdf",
        "livemode": False,
        "metadata": {},
        "paid": paid,
        "period_start": time - _MONTH,
        "period_end": time,
        "status": status,
        "status_transitions": {
            "finalized_at": time + 600,
            "marked_uncollectible_at": None,
            "paid_at": time + 3600 if paid else None,
            "voided_at": time + DAY if status == "void" else None,
        },
        "subtotal": subtotal,
        "tax": tax or None,
        "total": total,
        "total_discount_amounts": [{"amount": discount, "discount": "di_sandbox"}] if discount else [],
        "total_excluding_tax": total - tax,
    }


def charge_fields(
    key: str, intent: str, company: Company, amount: int, refunded: int, method: str, *, failed: bool
) -> Record:
    """What a charge has besides what it shares with its intent."""
    return {
        "id": key,
        "object": "charge",
        "amount_captured": 0 if failed else amount,
        "amount_refunded": refunded,
        "balance_transaction": None if failed else word_id("txn_", company.number, 24),
        "billing_details": {
            "address": {"city": company.place.city, "country": company.place.code},
            "email": f"billing@{company.domain}",
            "name": company.name,
            "phone": company.phone,
        },
        "captured": not failed,
        "disputed": False,
        "failure_code": "card_declined" if failed else None,
        "failure_message": "Your card was declined." if failed else None,
        "outcome": {"network_status": "declined_by_network" if failed else "approved_by_network"},
        "paid": not failed,
        "payment_intent": intent,
        "payment_method_details": {"type": method, method: {"country": company.place.code, "last4": "4242"}},
        "receipt_number": None,
        "receipt_url": f"https://pay.stripe.com/receipts/{key}",
        "refunded": refunded > 0,
        "status": "failed" if failed else "succeeded",
    }


def intent_fields(key: str, charge: str, amount: int, failed: bool) -> Record:
    """What a payment intent has besides what it shares with its charge."""
    return {
        "id": key,
        "object": "payment_intent",
        "amount_received": 0 if failed else amount,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic",
        "latest_charge": charge,
        "status": "requires_payment_method" if failed else "succeeded",
    }
