"""Drift: the difference between two table schemas as a list of typed operations.

Each operation knows whether it destroys something a mapping may rely on, whether it is loud (somebody
should look) and says itself in one sentence. ``apply_operations`` replays a difference.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from core.schema import FieldSchema, TableSchema


@dataclass(frozen=True)
class Operation:
    """A change of one field. ``path`` in the grammar of ``core.names``."""

    op: ClassVar[str]
    path: str

    @property
    def destructive(self) -> bool:
        """Whether values that were there are no longer, or no longer mean the same."""
        return False

    @property
    def loud(self) -> bool:
        """Whether somebody should look at it."""
        return True

    def describe(self) -> str:
        """One sentence, without a full stop."""
        raise NotImplementedError

    def to_json(self) -> dict[str, Any]:
        """The stored form; ``operation_from_json`` reads it back."""
        facts = {name: value for name, value in vars(self).items() if name != "path"}
        lists = {name: list(value) if isinstance(value, tuple) else value for name, value in facts.items()}
        return {"op": self.op, "path": self.path, **lists}


@dataclass(frozen=True)
class Added(Operation):
    """A field that was not there before."""

    op = "added"
    types: tuple[str, ...]
    nullable: bool

    def describe(self) -> str:
        """``field x was added (string)``."""
        return f"field {self.path} was added ({_say(self.types)})"


@dataclass(frozen=True)
class Removed(Operation):
    """A field that is no longer there."""

    op = "removed"
    types: tuple[str, ...]

    @property
    def destructive(self) -> bool:
        """Always: its values are gone."""
        return True

    def describe(self) -> str:
        """``field x was removed (was string)``."""
        return f"field {self.path} was removed (was {_say(self.types)})"


@dataclass(frozen=True)
class TypeChanged(Operation):
    """A field whose values have other types than before."""

    op = "type_changed"
    before: tuple[str, ...]
    after: tuple[str, ...]

    @property
    def destructive(self) -> bool:
        """Unless every old value still has its type, or the field had no value before."""
        return bool(set(self.before) - set(self.after) - {"null"}) and not self._widens

    @property
    def loud(self) -> bool:
        """Unless it is only the first value of a field that was always null."""
        return self.before != ("null",)

    @property
    def _widens(self) -> bool:
        return set(self.before) - set(self.after) == {"integer"} and "number" in self.after

    def describe(self) -> str:
        """``field x changed from integer to string``."""
        return f"field {self.path} changed from {_say(self.before)} to {_say(self.after)}"


@dataclass(frozen=True)
class NullableChanged(Operation):
    """A field that may now be null or absent, or no longer."""

    op = "nullable_changed"
    nullable: bool

    @property
    def loud(self) -> bool:
        """Never by itself."""
        return False

    def describe(self) -> str:
        """``field x may now be null``."""
        return f"field {self.path} " + ("may now be null" if self.nullable else "is now never null")


OPERATIONS: dict[str, type[Operation]] = {
    kind.op: kind for kind in (Added, Removed, TypeChanged, NullableChanged)
}


def operation_from_json(row: dict[str, Any]) -> Operation:
    """Read what ``to_json`` wrote. Raises KeyError for an operation this version does not know."""
    facts: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in row.items()
        if name != "op"
    }
    return OPERATIONS[row["op"]](**facts)


def diff_schemas(old: TableSchema, new: TableSchema) -> list[Operation]:
    """What turns ``old`` into ``new``, sorted by path. How often a field is present does not count."""
    before = {field.path: field for field in old.fields}
    after = {field.path: field for field in new.fields}
    operations: list[Operation] = []
    for path in sorted(before.keys() | after.keys()):
        operations.extend(_diff_field(path, before.get(path), after.get(path)))
    return operations


def _diff_field(path: str, old: FieldSchema | None, new: FieldSchema | None) -> Iterable[Operation]:
    if old is None and new is not None:
        yield Added(path, new.types, new.nullable)
    elif old is not None and new is None:
        yield Removed(path, old.types)
    elif old is not None and new is not None:
        if old.types != new.types:
            yield TypeChanged(path, old.types, new.types)
        if old.nullable != new.nullable:
            yield NullableChanged(path, new.nullable)


def apply_operations(operations: Iterable[Operation], schema: TableSchema) -> TableSchema:
    """The schema after ``operations``; equal in fingerprint to the schema they lead to."""
    fields = {field.path: field for field in schema.fields}
    for operation in operations:
        match operation:
            case Added(path, types, nullable):
                fields[path] = FieldSchema(path, types, nullable)
            case Removed(path):
                del fields[path]
            case TypeChanged(path, _, types):
                old = fields[path]
                fields[path] = FieldSchema(path, types, old.nullable, old.presence_ratio)
            case NullableChanged(path, nullable):
                old = fields[path]
                fields[path] = FieldSchema(path, old.types, nullable, old.presence_ratio)
    return TableSchema(tuple(sorted(fields.values())))


def describe_drift(operations: Iterable[Operation]) -> str:
    """All operations in one line, the loud ones first."""
    ordered = sorted(operations, key=lambda operation: not operation.loud)
    return "; ".join(operation.describe() for operation in ordered)


def _say(types: tuple[str, ...]) -> str:
    return " or ".join(types)
