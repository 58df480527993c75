"""The tenant's own database: a shop's customers, products, orders and staff, in ``shop_<tenant>``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url

from core.errors import StorageUnavailable
from sandbox.facts import Company, Person
from sandbox.spelling import bare_name
from sandbox.times import moment
from sandbox.vendors.salesforce_ids import salesforce_id
from sandbox.world import DAY, SEED_NOW, World

ORDERS = 760

TABLES = """
create table customers (
    customer_id integer primary key, display_name text not null, company_name text, first_name text,
    last_name text, email text, phone text, vat_number text, crm_account_id text, currency char(3),
    balance numeric(12, 2) not null default 0, is_active boolean not null default true,
    tax_exempt boolean not null default false, notes text, payment_terms text,
    billing_street text, billing_city text, billing_region text, billing_postal_code text,
    billing_country text, shipping_street text, shipping_city text, shipping_region text,
    shipping_postal_code text, shipping_country text, is_deleted boolean not null default false,
    created_at timestamptz not null, updated_at timestamptz not null
);
create table products (
    product_id integer primary key, sku text unique, name text not null, description text, category text,
    unit_price numeric(12, 2), unit_cost numeric(12, 2), currency char(3), vat_rate numeric(5, 2), unit text,
    weight_kg numeric(8, 3), stock integer, discontinued boolean not null default false, supplier text,
    created_at timestamptz, updated_at timestamptz
);
create table orders (
    order_id bigint primary key, order_number text not null, customer_id integer references customers,
    customer_email text, status text, payment_status text, fulfillment_status text, currency char(3),
    subtotal numeric(12, 2), discount numeric(12, 2), shipping_cost numeric(12, 2), tax numeric(12, 2),
    total numeric(12, 2), is_confirmed boolean, ordered_at timestamptz, completed_at timestamptz,
    cancelled_at timestamptz, cancel_reason text, billing_street text, billing_city text,
    billing_postal_code text, billing_country text, shipping_street text, shipping_city text,
    shipping_postal_code text, shipping_country text, metadata jsonb,
    created_at timestamptz not null, updated_at timestamptz not null
);
create table order_items (
    order_id bigint references orders, line_number smallint, product_id integer references products, sku text,
    title text, quantity integer, unit_price numeric(12, 2), discount numeric(12, 2), tax numeric(12, 2),
    line_total numeric(12, 2), weight_kg numeric(8, 3), updated_at timestamptz not null,
    primary key (order_id, line_number)
);
create table employees (
    employee_id integer primary key, staff_number text, first_name text, last_name text, work_email text,
    private_email text, work_phone text, mobile_phone text, job_title text, department_id integer,
    department text, employment_type text, status text, hired_on date, left_on date,
    manager_id integer, office text, office_city text, office_country text, salary_currency char(3),
    created_at timestamptz, updated_at timestamptz
);
create index on customers (updated_at);
create index on orders (updated_at);
create index on order_items (updated_at);
"""


def load_shop(url: str, world: World, *, replace: bool) -> str:
    """Create and fill the schema; returns the URL that reads it. Raises StorageUnavailable."""
    parsed = make_url(url)
    schema = f"shop_{world.tenant}"
    plain = parsed.set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        with psycopg.connect(plain) as connection:
            if replace:
                drop = sql.SQL("drop schema if exists {} cascade")
                connection.execute(drop.format(sql.Identifier(schema)))
            if not _exists(connection, schema):
                _create(connection, schema, world)
    except psycopg.OperationalError as error:
        raise StorageUnavailable(
            "the shop's database does not answer", found=str(error).strip(), where=str(parsed)
        ) from None
    read = parsed.update_query_dict({"options": f'-csearch_path="{schema}"'})
    return read.render_as_string(hide_password=False)


def _exists(connection: psycopg.Connection[Any], schema: str) -> bool:
    query = "select 1 from information_schema.schemata where schema_name = %s"
    return connection.execute(query, (schema,)).fetchone() is not None


def _create(connection: psycopg.Connection[Any], schema: str, world: World) -> None:
    connection.execute(sql.SQL("create schema {}").format(sql.Identifier(schema)))
    connection.execute(sql.SQL("set local search_path to {}").format(sql.Identifier(schema)))
    connection.execute(TABLES.encode())
    shop = _Shop(world)
    for table, rows in (
        ("customers", shop.customers()),
        ("products", shop.products()),
        ("orders", shop.orders()),
        ("order_items", shop.items),
        ("employees", shop.employees()),
    ):
        with connection.cursor() as cursor, cursor.copy(f"copy {table} from stdin".encode()) as copy:
            for row in rows:
                copy.write_row(row)


class _Shop:
    def __init__(self, world: World) -> None:
        self.world = world
        self.buyers: list[tuple[Company, Person]] = [
            (person.company, person)
            for person in world.people
            if person.company.is_customer and person.number % 3 == 0
        ][:300]
        self.items: list[Sequence[Any]] = []

    def customers(self) -> Iterator[Sequence[Any]]:
        """Rows of customers, in the order of the columns."""
        for number, (company, person) in enumerate(self.buyers):
            place = company.place
            ship = number % 4 == 0
            created = moment(max(person.created, SEED_NOW - 800 * DAY))
            yield (
                1 + number,
                bare_name(company) if number % 2 else person.name,
                bare_name(company),
                person.first,
                person.last,
                person.email if number % 5 else person.email.upper(),
                person.phone,
                f"{place.code}{100_000_000 + company.number}" if place.code != "US" else None,
                salesforce_id("001", company.number) if number % 2 else None,
                company.currency,
                -25.5 if number % 37 == 0 else 0,
                number % 29 != 0,
                number % 31 == 0,
                None if number % 6 else "Prefers deliveries before noon",
                ("net30", "prepaid", "net14")[number % 3],
                company.street,
                place.city,
                place.region,
                place.postal,
                place.code,
                company.street if ship else None,
                place.city if ship else None,
                place.region if ship else None,
                place.postal if ship else None,
                place.code if ship else None,
                number % 59 == 58,
                created,
                moment(min(person.updated + 3600, SEED_NOW)),
            )

    def products(self) -> Iterator[Sequence[Any]]:
        """Rows of products."""
        for product in self.world.products:
            yield (
                1 + product.number,
                product.sku,
                product.name,
                f"{product.name} for business",
                "service" if product.interval else "hardware",
                product.price,
                product.cost,
                "USD",
                19,
                product.interval or "piece",
                None if product.interval else 0.4 + product.number / 10,
                None if product.interval else 40 + product.number,
                product.number % 13 == 12,
                None if product.interval else "Hansa Logistik",
                moment(product.created),
                moment(product.created + 30 * DAY),
            )

    def orders(self) -> Iterator[Sequence[Any]]:
        """Rows of orders; their lines are gathered in ``items`` on the way."""
        dice = self.world.dice("shop", "orders")
        for number in range(ORDERS):
            buyer = dice.randrange(len(self.buyers))
            company, person = self.buyers[buyer]
            placed = dice.randint(SEED_NOW - 700 * DAY, SEED_NOW - 2 * DAY)
            updated = min(placed + dice.randint(1, 12) * DAY, SEED_NOW)
            subtotal = self._lines(number, dice.sample(self.world.products, dice.randint(1, 4)), updated)
            discount = round(subtotal * 0.1, 2) if number % 9 == 0 else 0
            shipping = 0 if subtotal > 500 else 9.9
            tax = round((subtotal - discount) * 0.19, 2)
            cancelled = number % 23 == 7
            # Two orders are in a state the shop's own list does not have.
            paid = (
                "chargeback" if number in (101, 402) else dice.choice(("paid", "paid", "pending", "refunded"))
            )
            yield (
                500_000 + number,
                f"SO-{10_000 + number}",
                1 + buyer,
                person.email,
                "cancelled" if cancelled else dice.choice(("open", "shipped", "completed")),
                paid,
                dice.choice(("unfulfilled", "partial", "fulfilled")),
                "USD",
                subtotal,
                discount,
                shipping,
                tax,
                round(subtotal - discount + shipping + tax, 2),
                not cancelled,
                moment(placed),
                moment(updated) if not cancelled and number % 3 else None,
                moment(updated) if cancelled else None,
                "changed mind" if cancelled else None,
                *(company.street, company.place.city, company.place.postal, company.place.code) * 2,
                f'{{"channel": "{("web", "app")[number % 2]}", "coupon": null}}',
                moment(placed),
                moment(updated),
            )

    def _lines(self, number: int, chosen: Sequence[Any], updated: int) -> float:
        dice = self.world.dice("shop", "lines", number)
        subtotal = 0.0
        for line, product in enumerate(chosen, 1):
            quantity = dice.choice((1, 1, 2, 3, 10))
            amount = round(product.price * quantity, 2)
            subtotal += amount
            goods = not product.interval
            keys = (500_000 + number, line, 1 + product.number, product.sku, product.name)
            money = (quantity, product.price, 0, round(amount * 0.19, 2), amount)
            row = (*keys, *money, 0.5 * quantity if goods else None, moment(updated))
            self.items.append(row)
        return round(subtotal, 2)

    def employees(self) -> Iterator[Sequence[Any]]:
        """Rows of employees: the tenant's staff."""
        departments = sorted({s.department for s in self.world.staff})
        for person in self.world.staff:
            hired = moment(person.hired).date()
            left = None if person.is_active else min(hired + timedelta(days=700), date(2025, 6, 15))
            yield (
                1 + person.number,
                f"E{1000 + person.number}",
                person.first,
                person.last,
                person.email,
                f"{person.first.lower()}@mail.example" if person.first.isascii() else None,
                f"{person.place.dial}{person.number:04}",
                None,
                person.title,
                10 * (1 + departments.index(person.department)),
                person.department,
                "full_time" if person.number % 4 else "part_time",
                "active" if person.is_active else "terminated",
                hired,
                left,
                1 + person.manager if person.manager is not None else None,
                person.place.city,
                person.place.city,
                person.place.code,
                "EUR",
                moment(person.hired),
                moment(person.hired + 90 * DAY),
            )
