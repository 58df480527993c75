"""A vendor of one's own: a REST source with contacts, deals and notes, whose data a test changes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from core.config_reader import read_config
from core.connector import ConnectorSpec
from tests.connectors.server import Exchange, serve

CONFIG = """
connector: {name}
title: Vendor {name}
kind: rest
auth: {{type: bearer}}
limits: {{requests_per_s: 1000, burst: 100, retries: 0, page_deadline_s: 5}}
streams:
  contacts:
    entity: contact
    primary_key: [id]
    endpoint: {{path: /contacts}}
    mappings: {{id: id, name: name, email: {{from: mail, transform: lower}}}}
  companies:
    entity: account
    primary_key: [id]
    endpoint: {{path: /companies}}
    mappings: {{id: id, name: name, employee_count: staff}}
  notes:
    primary_key: [id]
    endpoint: {{path: /notes}}
"""


@dataclass
class Vendor:
    """The running source. ``broken`` paths answer 404; every request is counted by path."""

    url: str
    spec: ConnectorSpec
    data: dict[str, list[dict[str, Any]]]
    broken: set[str] = field(default_factory=set)

    @property
    def credentials(self) -> dict[str, str]:
        return {"token": "t0p-s3cret"}


def build_spec(name: str = "vendor") -> ConnectorSpec:
    """The config of a vendor."""
    return read_config(CONFIG.format(name=name), f"{name}.yaml")


@contextmanager
def run_vendor(name: str = "vendor") -> Iterator[Vendor]:
    """Serve a vendor until the block ends."""
    data: dict[str, list[dict[str, Any]]] = {
        "/contacts": [
            {"id": 1, "name": "Ada Lovelace", "mail": "ADA@acme.test", "shoe_size": 38},
            {"id": 2, "name": "Alan Turing", "mail": "alan@acme.test", "shoe_size": 43},
        ],
        "/companies": [{"id": 10, "name": "Acme", "staff": 12}],
        "/notes": [{"id": "n1", "text": "hello"}],
    }
    with serve() as server:
        vendor = Vendor(server.url, build_spec(name), data)

        def answer(exchange: Exchange) -> None:
            path = exchange.path.split("?")[0]
            if path in vendor.broken:
                exchange.json({"error": "gone"}, 404)
            else:
                exchange.json(vendor.data[path])

        server.routes.update(dict.fromkeys(data, answer))
        yield vendor
