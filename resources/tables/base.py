"""What all tables share: their names' convention, times, tenant keys."""

from __future__ import annotations

from sqlalchemy import Column, DateTime, ForeignKeyConstraint, MetaData, PrimaryKeyConstraint, func

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
    }
)
NOW = func.now()


def time_column(name: str, *, nullable: bool = False, default: bool = True) -> Column[object]:
    """A point in time; now, unless it may be absent or ``default`` is off."""
    return Column(
        name,
        DateTime(timezone=True),
        nullable=nullable,
        server_default=NOW if default and not nullable else None,
    )


def tenant_key(*columns: str) -> list[PrimaryKeyConstraint | ForeignKeyConstraint]:
    """The primary key: the tenant, then ``columns``."""
    return [PrimaryKeyConstraint("tenant_id", *columns)]


def owned_by_tenant() -> ForeignKeyConstraint:
    """Rows that go when their tenant goes."""
    return ForeignKeyConstraint(["tenant_id"], ["tenants.tenant_id"], ondelete="CASCADE")


def part_of(parent: str, column: str) -> ForeignKeyConstraint:
    """Rows that go when the tenant's row of ``parent`` goes that ``column`` names."""
    names = ["tenant_id", column]
    return ForeignKeyConstraint(names, [f"{parent}.{name}" for name in names], ondelete="CASCADE")
