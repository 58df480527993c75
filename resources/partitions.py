"""Tenants as Dagster partitions: they come and go at run time, so the partitions are dynamic.

The ``tenants`` table is the truth; partitions follow it (``resources/tenants.py`` never asks Dagster).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dagster import DagsterInstance, DynamicPartitionsDefinition

PARTITIONS_NAME = "tenants"
TENANTS = DynamicPartitionsDefinition(name=PARTITIONS_NAME)
"""The partitions of every asset: one a tenant."""

TENANT_TAG = "aos/tenant"
"""Run tag with the tenant; the run queue lets one run at a time pass per value."""


@dataclass(frozen=True)
class PartitionChange:
    """What a reconciliation did."""

    added: tuple[str, ...]
    removed: tuple[str, ...]


def add_partition(instance: DagsterInstance, tenant_id: str) -> None:
    """Make a tenant selectable in Dagster; nothing happens if it is already."""
    instance.add_dynamic_partitions(PARTITIONS_NAME, [tenant_id])


def remove_partition(instance: DagsterInstance, tenant_id: str) -> None:
    """Take a tenant's partition away; nothing happens if there is none."""
    instance.delete_dynamic_partition(PARTITIONS_NAME, tenant_id)


def reconcile_partitions(instance: DagsterInstance, tenants: Iterable[str]) -> PartitionChange:
    """Make the partitions exactly ``tenants``."""
    wanted = set(tenants)
    present = set(instance.get_dynamic_partitions(PARTITIONS_NAME))
    added, removed = sorted(wanted - present), sorted(present - wanted)
    if added:
        instance.add_dynamic_partitions(PARTITIONS_NAME, added)
    for tenant_id in removed:
        remove_partition(instance, tenant_id)
    return PartitionChange(tuple(added), tuple(removed))
