"""The vendors of the sandbox, by the name of their connector."""

from __future__ import annotations

from collections.abc import Callable

from sandbox.vendors.base import Vendor
from sandbox.vendors.github import GitHub
from sandbox.vendors.hubspot import HubSpot
from sandbox.vendors.pipedrive import Pipedrive
from sandbox.vendors.salesforce import Salesforce
from sandbox.vendors.stripe import Stripe
from sandbox.vendors.zendesk import Zendesk

VENDORS: dict[str, Callable[[], Vendor]] = {
    "github": GitHub,
    "hubspot": HubSpot,
    "pipedrive": Pipedrive,
    "salesforce": Salesforce,
    "stripe": Stripe,
    "zendesk": Zendesk,
}
