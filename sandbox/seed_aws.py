"""AWS exports of connector ``aws_cost``: FOCUS, both Cost and Usage Reports, Cost Explorer, AWS Config.

Each account exports its lines in one format only, and the monthly reports add up to the lines.
"""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from sandbox.aws_columns import cur2_row, cur_row, focus_row
from sandbox.vendors.base import word_id
from sandbox.world import World

Writer = Callable[[Path], None]
MONTHS = ((2025, 5), (2025, 6))
ACCOUNTS = ("production", "staging", "data")
SERVICES: tuple[tuple[str, str, str, str, str], ...] = (
    ("AmazonEC2", "Amazon Elastic Compute Cloud", "Compute", "AWS::EC2::Instance", "Hrs"),
    ("AmazonRDS", "Amazon Relational Database Service", "Databases", "AWS::RDS::DBInstance", "Hrs"),
    ("AmazonS3", "Amazon Simple Storage Service", "Storage", "AWS::S3::Bucket", "GB-Mo"),
    ("AWSLambda", "AWS Lambda", "Compute", "AWS::Lambda::Function", "Lambda-GB-Second"),
    ("AmazonDynamoDB", "Amazon DynamoDB", "Databases", "AWS::DynamoDB::Table", "ReadRequestUnits"),
)
REGIONS = (("eu-central-1", "EU (Frankfurt)"), ("us-east-1", "US East (N. Virginia)"))
SIZES = ("t3.medium", "m6i.large", "r6g.xlarge", "c7g.2xlarge")


@dataclass(frozen=True)
class Resource:
    """Something that runs and costs."""

    number: int
    account: int
    service: tuple[str, str, str, str, str]
    region: tuple[str, str]
    name: str
    arn: str
    size: str
    owner: str
    environment: str
    created: datetime
    is_gone: bool


@dataclass(frozen=True)
class Line:
    """A charge; ``resource`` is None for taxes, fees and credits."""

    number: int
    account_id: str
    account_name: str
    payer_id: str
    payer_name: str
    month: tuple[int, int]
    day: datetime
    kind: str
    resource: Resource | None
    quantity: Decimal
    list_price: Decimal
    cost: Decimal
    has_plan: bool

    @property
    def key(self) -> str:
        """Identity of the line."""
        return word_id("", self.number * 31 + int(self.account_id) % 997, 26).lower()


def account_id(world: World, number: int) -> str:
    """The twelve digits of an account."""
    return str(100_000_000_000 + world.dice("aws", number).randrange(10**11) * 8)[:12]


def aws_files(world: World) -> dict[str, Writer]:
    """Writers by path."""
    cloud = _Cloud(world)
    writers: dict[str, Writer] = {
        "cost_explorer/2025.jsonl": cloud.write_reports,
        "config/snapshot.jsonl": cloud.write_config,
    }
    for month in MONTHS:
        stamp = f"{month[0]}-{month[1]:02}"
        writers[f"focus/{stamp}/focus-00001.csv"] = lambda path, m=month: cloud.write_focus(path, m)  # type: ignore[misc]
        writers[f"cur/{stamp}/cur-00001.csv"] = lambda path, m=month: cloud.write_cur(path, m)  # type: ignore[misc]
        writers[f"cur2/{stamp}/cur2-00001.parquet"] = lambda path, m=month: cloud.write_cur2(path, m)  # type: ignore[misc]
    return writers


class _Cloud:
    def __init__(self, world: World) -> None:
        self.world = world
        self.ids = [account_id(world, number) for number in range(len(ACCOUNTS))]
        self.resources = [self._resource(number) for number in range(96)]
        self.lines = [line for account in range(len(ACCOUNTS)) for line in self._lines(account)]

    def _resource(self, number: int) -> Resource:
        dice = self.world.dice("aws", "resource", number)
        account, service, region = number % len(ACCOUNTS), dice.choice(SERVICES), dice.choice(REGIONS)
        code, kind = service[0].removeprefix("Amazon").removeprefix("AWS").lower(), service[3].split("::")[2]
        name = f"{dice.choice(('api', 'web', 'etl', 'ml', 'search', 'auth'))}-{number:03}"
        ident = f"i-{word_id('', number, 17).lower()}" if code == "ec2" else name
        arn = f"arn:aws:{code}:{region[0]}:{self.ids[account]}:{kind.lower()}/{ident}"
        return Resource(
            number=number,
            account=account,
            service=service,
            region=region,
            name=name,
            arn=f"arn:aws:s3:::{self.world.tenant}-{name}" if code == "s3" else arn,
            size=dice.choice(SIZES),
            owner=self.world.staff[dice.randrange(len(self.world.staff))].email,
            environment=("production", "staging", "development")[account],
            created=datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=dice.randint(0, 9_000)),
            is_gone=number % 24 == 23,
        )

    def _lines(self, account: int) -> list[Line]:
        dice = self.world.dice("aws", "lines", account)
        mine = [r for r in self.resources if r.account == account]
        lines: list[Line] = []
        for month in MONTHS:
            first = datetime(*month, 1, tzinfo=UTC)
            for resource in mine:
                for _ in range(dice.randint(2, 6)):
                    at = first + timedelta(days=dice.randint(0, 29))
                    price = Decimal(dice.randint(20, 9_000)) / 10_000
                    quantity = Decimal(dice.randint(1, 24_000)) / 1_000
                    has_plan = resource.service[0] == "AmazonEC2" and dice.random() < 0.3
                    kind = "SavingsPlanCoveredUsage" if has_plan else "Usage"
                    lines.append(self._line(len(lines), account, month, at, kind, resource, quantity, price))
            for kind, amount in (("Tax", 42), ("Credit", -25)):
                lines.append(
                    self._line(len(lines), account, month, first, kind, None, Decimal(1), Decimal(amount))
                )
        return lines

    def _line(
        self,
        number: int,
        account: int,
        month: tuple[int, int],
        at: datetime,
        kind: str,
        resource: Resource | None,
        quantity: Decimal,
        price: Decimal,
    ) -> Line:
        cost = (quantity * price).quantize(Decimal("0.0000000001"))
        return Line(
            number=number,
            account_id=self.ids[account],
            account_name=f"{self.world.tenant}-{ACCOUNTS[account]}",
            payer_id=self.ids[0],
            payer_name=self.world.tenant,
            month=month,
            day=at,
            kind=kind,
            resource=resource,
            quantity=quantity,
            list_price=price,
            cost=cost,
            has_plan=kind == "SavingsPlanCoveredUsage",
        )

    def _of(self, account: int, month: tuple[int, int]) -> list[Line]:
        return [line for line in self.lines if line.account_id == self.ids[account] and line.month == month]

    def write_focus(self, path: Path, month: tuple[int, int]) -> None:
        """FOCUS 1.0 with AWS's own ``x_`` columns. One charge has lost its cost."""
        rows = [focus_row(line) for line in self._of(0, month)]
        if month == MONTHS[0]:
            rows[5]["BilledCost"] = "NULL"
        _write_csv(path, rows)

    def write_cur(self, path: Path, month: tuple[int, int]) -> None:
        """The legacy report. One line is of a kind nobody knows."""
        rows = [cur_row(line) for line in self._of(1, month)]
        if month == MONTHS[1]:
            rows[8]["lineItem/LineItemType"] = "LoyaltyBonus"
        _write_csv(path, rows)

    def write_cur2(self, path: Path, month: tuple[int, int]) -> None:
        """The report of today, typed."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist([cur2_row(line) for line in self._of(2, month)]), path)

    def write_reports(self, path: Path) -> None:
        """GetCostAndUsage by month and account, one group a line; the last two months add up to the lines."""
        sums: dict[tuple[str, tuple[int, int]], Decimal] = defaultdict(Decimal)
        for line in self.lines:
            sums[line.account_id, line.month] += line.cost
        with path.open("w", encoding="utf-8") as stream:
            for month in [(2025, m) for m in range(1, 7)]:
                for number, key in enumerate(self.ids):
                    known = sums.get((key, month))
                    dice = self.world.dice("aws", "report", key, month)
                    amount = known if known is not None else Decimal(dice.randint(60_000, 240_000)) / 100
                    name = f"{self.world.tenant}-{ACCOUNTS[number]}"
                    stream.write(json.dumps(_report(key, name, month, amount)) + "\n")

    def write_config(self, path: Path) -> None:
        """Configuration items; a resource that is gone comes last, as deleted."""
        with path.open("w", encoding="utf-8") as stream:
            for resource in sorted(self.resources, key=lambda r: r.is_gone):
                stream.write(json.dumps(_config_item(resource, self.ids[resource.account])) + "\n")


def _report(key: str, name: str, month: tuple[int, int], amount: Decimal) -> dict[str, Any]:
    start = datetime(*month, 1, tzinfo=UTC)
    end = (start + timedelta(days=32)).replace(day=1)
    return {
        "TimePeriod": {"Start": f"{start:%Y-%m-%d}", "End": f"{end:%Y-%m-%d}"},
        "Keys": [key],
        "Attributes": {"description": name},
        "Metrics": {
            "UnblendedCost": {"Amount": str(amount), "Unit": "USD"},
            "AmortizedCost": {"Amount": str(amount), "Unit": "USD"},
            "UsageQuantity": {"Amount": "0", "Unit": "N/A"},
        },
        "Estimated": month == MONTHS[-1],
    }


def _config_item(resource: Resource, account: str) -> dict[str, Any]:
    kind = resource.service[3]
    configuration: dict[str, Any] = {}
    if kind == "AWS::EC2::Instance":
        configuration = {"instanceType": resource.size, "state": {"code": 16, "name": "running"}}
    elif kind == "AWS::RDS::DBInstance":
        configuration = {"dbinstanceClass": f"db.{resource.size}", "dbinstanceStatus": "available"}
    return {
        "configurationItemVersion": "1.3",
        "configurationItemCaptureTime": "2025-06-30T06:00:00.000Z",
        "configurationStateId": 1_751_263_200_000 + resource.number,
        "awsAccountId": account,
        "configurationItemStatus": "ResourceDeleted" if resource.is_gone else "OK",
        "resourceType": kind,
        "resourceId": resource.arn.rpartition("/")[2].rpartition(":")[2],
        "resourceName": resource.name,
        "ARN": resource.arn,
        "awsRegion": resource.region[0],
        "availabilityZone": f"{resource.region[0]}a" if "Instance" in kind else "Regional",
        "resourceCreationTime": f"{resource.created:%Y-%m-%dT%H:%M:%S.000Z}",
        "tags": {
            "Name": resource.name,
            "Owner": resource.owner,
            "Environment": resource.environment,
            "CostCenter": f"CC{100 + resource.number % 4}",
        },
        "relatedEvents": [],
        "relationships": [],
        "configuration": configuration,
        "supplementaryConfiguration": {},
    }


def _write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
