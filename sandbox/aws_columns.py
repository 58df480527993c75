"""One charge in the columns of FOCUS 1.0, of the legacy Cost and Usage Report, and of CUR 2.0."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sandbox.seed_aws import Line

_PLAN = "arn:aws:savingsplans::{}:savingsplan/5f2d7c1e-0000-4000-8000-000000000001"
_CATEGORY = {"Tax": "Tax", "Credit": "Credit"}


def focus_row(line: Line) -> dict[str, Any]:
    """FOCUS 1.0 as AWS Data Exports writes it; nothing is ``NULL``."""
    resource, start, end = line.resource, *_period(line)
    first, last = _billing_period(line)
    usage = resource is not None
    row: dict[str, Any] = {
        "AvailabilityZone": f"{resource.region[0]}a" if resource and line.number % 2 else None,
        "BilledCost": line.cost,
        "BillingAccountId": line.payer_id,
        "BillingAccountName": line.payer_name,
        "BillingCurrency": "USD",
        "BillingPeriodEnd": _plain(last),
        "BillingPeriodStart": _plain(first),
        "ChargeCategory": _CATEGORY.get(line.kind, "Usage"),
        "ChargeClass": None,
        "ChargeDescription": describe(line),
        "ChargeFrequency": "Usage-Based" if usage else "One-Time",
        "ChargePeriodEnd": _plain(end),
        "ChargePeriodStart": _plain(start),
        **_commitment(line),
        "ConsumedQuantity": line.quantity if usage else None,
        "ConsumedUnit": resource.service[4] if resource else None,
        "ContractedCost": line.cost,
        "ContractedUnitPrice": line.list_price if usage else None,
        "EffectiveCost": effective_cost(line),
        "InvoiceIssuerName": "Amazon Web Services, Inc.",
        "ListCost": line.cost,
        "ListUnitPrice": line.list_price if usage else None,
        "PricingCategory": ("Committed" if line.has_plan else "Standard") if usage else None,
        "PricingQuantity": line.quantity if usage else None,
        "PricingUnit": resource.service[4] if resource else None,
        "ProviderName": "AWS",
        "PublisherName": "Amazon Web Services, Inc.",
        "RegionId": resource.region[0] if resource else None,
        "RegionName": resource.region[1] if resource else None,
        "ResourceId": resource.arn if resource else None,
        "ResourceName": resource.name if resource else None,
        "ResourceType": resource.service[3] if resource else None,
        "ServiceCategory": resource.service[2] if resource else "Other",
        "ServiceName": resource.service[1] if resource else "AWS Billing",
        "SkuId": sku(line),
        "SkuPriceId": f"{sku(line)}.JRTCKXETXF.{line.number:06}" if usage else None,
        "SubAccountId": line.account_id,
        "SubAccountName": line.account_name,
        "Tags": json.dumps(tags(line)) if usage else None,
        "x_CostCategories": None,
        "x_Discounts": None,
        "x_Operation": operation(line),
        "x_ServiceCode": resource.service[0] if resource else None,
        "x_UsageType": usage_type(line),
    }
    return {name: "NULL" if value is None else value for name, value in row.items()}


def _commitment(line: Line) -> dict[str, Any]:
    has = line.has_plan
    return {
        "CommitmentDiscountCategory": "Spend" if has else None,
        "CommitmentDiscountId": _PLAN.format(line.payer_id) if has else None,
        "CommitmentDiscountName": None,
        "CommitmentDiscountStatus": "Used" if has else None,
        "CommitmentDiscountType": "Savings Plan" if has else None,
    }


def cur_row(line: Line) -> dict[str, Any]:
    """The legacy report's columns, empty where there is nothing."""
    facts = _facts(line)
    names = {
        "identity": "identity", "bill": "bill", "line_item": "lineItem", "pricing": "pricing",
        "product": "product", "reservation": "reservation", "savings_plan": "savingsPlan",
    }  # fmt: skip
    row = {f"{names[group]}/{_legacy(group, name)}": value for (group, name), value in facts.items()}
    row |= {f"resourceTags/user:{name}": value for name, value in tags(line).items()}
    return {name: "" if value is None else value for name, value in row.items()}


def cur2_row(line: Line) -> dict[str, Any]:
    """CUR 2.0's columns, typed: numbers as doubles, times as timestamps, tags as JSON text."""
    odd = {
        ("product", "region"): "product_region_code",
        ("reservation", "reservation_arn"): "reservation_reservation_a_r_n",
        ("savings_plan", "savings_plan_arn"): "savings_plan_savings_plan_a_r_n",
    }
    row: dict[str, Any] = {}
    for (group, name), value in _facts(line).items():
        typed = float(value) if isinstance(value, Decimal) else value
        if name.endswith("_date") and isinstance(value, str):
            typed = datetime.fromisoformat(value)
        row[odd.get((group, name), f"{group}_{name}")] = typed
    row["bill_payer_account_name"] = line.payer_name
    row["line_item_usage_account_name"] = line.account_name
    row["resource_tags"] = json.dumps({f"user_{k.lower()}": v for k, v in tags(line).items()})
    return row


def _facts(line: Line) -> dict[tuple[str, str], Any]:
    """What both reports say, by group and snake-case name."""
    resource, start, end = line.resource, *_period(line)
    first, last = _billing_period(line)
    usage = resource is not None
    return {
        ("identity", "line_item_id"): line.key,
        ("identity", "time_interval"): f"{_iso(start)}/{_iso(end)}",
        ("bill", "invoice_id"): f"24{line.month[0]}{line.month[1]:02}7",
        ("bill", "invoicing_entity"): "Amazon Web Services EMEA SARL",
        ("bill", "billing_entity"): "AWS",
        ("bill", "bill_type"): "Anniversary",
        ("bill", "payer_account_id"): line.payer_id,
        ("bill", "billing_period_start_date"): _iso(first),
        ("bill", "billing_period_end_date"): _iso(last),
        ("line_item", "usage_account_id"): line.account_id,
        ("line_item", "line_item_type"): line.kind,
        ("line_item", "usage_start_date"): _iso(start),
        ("line_item", "usage_end_date"): _iso(end),
        ("line_item", "product_code"): resource.service[0] if resource else "AWSBilling",
        ("line_item", "usage_type"): usage_type(line),
        ("line_item", "operation"): "RunInstances"
        if resource and resource.service[0] == "AmazonEC2"
        else None,
        ("line_item", "availability_zone"): f"{resource.region[0]}a"
        if resource and line.number % 2
        else None,
        ("line_item", "resource_id"): resource.arn if resource else None,
        ("line_item", "usage_amount"): line.quantity,
        ("line_item", "currency_code"): "USD",
        ("line_item", "unblended_rate"): line.list_price if usage else None,
        ("line_item", "unblended_cost"): line.cost,
        ("line_item", "blended_cost"): line.cost,
        ("line_item", "line_item_description"): describe(line),
        ("line_item", "legal_entity"): "Amazon Web Services EMEA SARL",
        ("product", "location"): resource.region[1] if resource else None,
        ("product", "product_family"): resource.service[2] if resource else None,
        ("product", "region"): resource.region[0] if resource else None,
        ("product", "sku"): sku(line),
        ("pricing", "currency"): "USD" if usage else None,
        ("pricing", "public_on_demand_cost"): line.cost if usage else None,
        ("pricing", "public_on_demand_rate"): line.list_price if usage else None,
        ("pricing", "term"): "OnDemand" if usage and not line.has_plan else None,
        ("pricing", "unit"): resource.service[4] if resource else None,
        ("reservation", "effective_cost"): None,
        ("reservation", "reservation_arn"): None,
        ("savings_plan", "savings_plan_arn"): _PLAN.format(line.payer_id) if line.has_plan else None,
        ("savings_plan", "savings_plan_effective_cost"): effective_cost(line) if line.has_plan else None,
    }


def _legacy(group: str, name: str) -> str:
    """``line_item_id`` → ``LineItemId``; products and prices begin with a small letter."""
    camel = "".join(part.capitalize() for part in name.split("_")).replace("Arn", "ARN")
    return camel[0].lower() + camel[1:] if group in ("pricing", "product") else camel


def describe(line: Line) -> str:
    """The text of the charge."""
    if line.resource is None:
        return {"Tax": "Tax for product code AmazonEC2", "Credit": "AWS Activate credit"}[line.kind]
    unit = line.resource.service[4]
    return f"${line.list_price} per {unit} in {line.resource.region[1]} ({line.number})"


def effective_cost(line: Line) -> Decimal:
    """Cost with commitments spread over usage: a plan's usage is cheaper."""
    return (line.cost * Decimal("0.72")).quantize(Decimal("0.0000000001")) if line.has_plan else line.cost


def operation(line: Line) -> str | None:
    """What was called."""
    return "RunInstances" if line.resource and line.resource.service[0] == "AmazonEC2" else None


def usage_type(line: Line) -> str | None:
    """The meter."""
    return f"{line.resource.region[0][:2].upper()}-{line.resource.size}" if line.resource else None


def sku(line: Line) -> str | None:
    """The article."""
    return f"SKU{line.resource.number:013}" if line.resource else None


def tags(line: Line) -> dict[str, str]:
    """Labels of the resource."""
    if line.resource is None:
        return {"environment": "", "owner": ""}
    return {"environment": line.resource.environment, "owner": line.resource.owner}


def _period(line: Line) -> tuple[datetime, datetime]:
    return line.day, line.day + timedelta(days=1)


def _billing_period(line: Line) -> tuple[datetime, datetime]:
    first = line.day.replace(day=1)
    return first, (first + timedelta(days=32)).replace(day=1)


def _plain(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
