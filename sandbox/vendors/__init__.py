"""The vendors of the sandbox, by the name of their connector."""

from __future__ import annotations

from collections.abc import Callable

from sandbox.vendors.base import Vendor
from sandbox.vendors.hubspot import HubSpot

VENDORS: dict[str, Callable[[], Vendor]] = {"hubspot": HubSpot}
