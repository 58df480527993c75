"""Two mapping sets over the same raw loads, side by side: what each fills, what does not fit, what differs.

Nothing is written. Both projections run in DuckDB; personal data, by the ontology's flags, never gets into
the samples.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from core.compile import FieldColumns, compile_values
from core.connector import StreamSpec
from core.errors import UnknownName
from core.mapping import FieldMapping, MappingSet
from core.names import join_name
from core.ontology import Entity, Ontology
from resources.canonical import explain_failure
from resources.canonical_engine import open_engine, open_load
from resources.loads import Load, list_loads

if TYPE_CHECKING:
    import duckdb

    from resources.mesh import Mesh

SAMPLES = 5
"""Differing values kept of each field."""
VALUE_MAX = 60
"""Characters of a value in a sample."""
MASKED = "•••"
_UPSERTS = "op = 'upsert'"


@dataclass(frozen=True)
class Sample:
    """One value that differs. ``a`` and ``b`` are JSON text, None for nothing, or masked."""

    record_id: str
    load_id: str
    a: str | None
    b: str | None


@dataclass
class FieldComparison:
    """One canonical field under both sets; counts of records. ``b`` alone fills it: ``in_a`` is false."""

    target: str
    in_a: bool
    in_b: bool
    masked: bool
    filled_a: int = 0
    filled_b: int = 0
    misfits_a: int = 0
    misfits_b: int = 0
    changed: int = 0
    samples: list[Sample] = field(default_factory=list)


@dataclass
class Comparison:
    """Two sets over ``records`` of ``loads`` loads (upserts; deletes have no fields).

    ``refused_*``: records a set would send to quarantine; ``changed``: records that differ in any field, or
    that one set takes and the other refuses.
    """

    a: MappingSet
    b: MappingSet
    loads: int = 0
    records: int = 0
    refused_a: int = 0
    refused_b: int = 0
    changed: int = 0
    fields: dict[str, FieldComparison] = field(default_factory=dict)

    @property
    def differs(self) -> bool:
        """Whether any record comes out differently."""
        return self.changed > 0 or self.refused_a != self.refused_b or self.a.entity != self.b.entity


def compare_sets(
    mesh: Mesh, tenant_id: str, key: tuple[str, str], a: MappingSet, b: MappingSet, loads: int | None = None
) -> Comparison:
    """Run both sets over the newest ``loads`` loads of the stream (default: all of them).

    Raises UnknownName for a stream without config, MappingRefused for a set that cannot be applied,
    StorageUnavailable.
    """
    spec = mesh.specs.get(key[0])
    if spec is None or key[1] not in spec.streams:
        raise UnknownName(f"no connector config describes {join_name(*key)}")
    landed = [one for one in list_loads(mesh.db, tenant_id, *key) if one.landed]
    chosen = landed[-loads:] if loads else landed
    result = _prepare(a, b, mesh.ontology, spec.streams[key[1]])
    with open_engine(mesh.settings) as engine:
        for load in chosen:
            files = mesh.lake.files(tenant_id, load.connector, load.stream, load.load_id)
            with explain_failure(tenant_id, b):
                columns = open_load(engine, files)
                _Pair(engine, tenant_id, result, mesh.ontology, spec.streams[key[1]], columns).add(load)
    return result


def _prepare(a: MappingSet, b: MappingSet, ontology: Ontology, spec: StreamSpec) -> Comparison:
    mapped_a, mapped_b = ({m.target: m for m in one.mappings} for one in (a, b))
    personal = _list_personal(a, ontology) | _list_personal(b, ontology)
    result = Comparison(a, b)
    for target in sorted(mapped_a | mapped_b):
        sources = {s for mapped in (mapped_a, mapped_b) if target in mapped for s in _read(mapped[target])}
        flagged = any(_is_personal(ontology.entity(one.entity), target) for one in (a, b))
        masked = flagged or bool(sources & personal)
        result.fields[target] = FieldComparison(target, target in mapped_a, target in mapped_b, masked)
    return result


def _list_personal(one: MappingSet, ontology: Ontology) -> set[str]:
    """Source fields that this set takes for personal data, whatever else they are mapped to."""
    entity = ontology.entity(one.entity)
    return {s for m in one.mappings if _is_personal(entity, m.target) for s in _read(m)}


def _read(mapping: FieldMapping) -> set[str]:
    return set(mapping.sources)


def _is_personal(entity: Entity, target: str) -> bool:
    found = entity.fields.get(target)
    return found is not None and found.pii


@dataclass(frozen=True)
class _Pair:
    """Both sets over one opened load."""

    engine: duckdb.DuckDBPyConnection
    tenant_id: str
    result: Comparison
    ontology: Ontology
    spec: StreamSpec
    columns: list[str]

    def add(self, load: Load) -> None:
        """Count the load's records into the result."""
        columns_a, columns_b = self._make("a", self.result.a), self._make("b", self.result.b)
        counted = {"records": "count(*)", "refused_a": "count(a.code)", "refused_b": "count(b.code)"}
        differs = {
            target: _differ(columns_a.get(target), columns_b.get(target)) for target in self.result.fields
        }
        anything = " OR ".join([*differs.values(), "(a.code IS NULL) <> (b.code IS NULL)"])
        counted["changed"] = f"count_if({anything})"
        totals = self._query(counted)
        for name, count in totals.items():
            setattr(self.result, name, getattr(self.result, name) + count)
        self.result.loads += 1
        for target, one in self.result.fields.items():
            self._add_field(one, columns_a.get(target), columns_b.get(target), differs[target], load)

    def _make(self, name: str, mapping_set: MappingSet) -> dict[str, FieldColumns]:
        made = compile_values(
            mapping_set,
            self.ontology.entity(mapping_set.entity),
            self.columns,
            primary_key=self.spec.primary_key,
            deletion=self.spec.deletion,
        )
        with explain_failure(self.tenant_id, mapping_set):
            self.engine.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {made.sql}")
        return {one.target: one for one in made.fields}

    def _add_field(
        self, one: FieldComparison, a: FieldColumns | None, b: FieldColumns | None, differs: str, load: Load
    ) -> None:
        counts = self._query(
            {
                "filled_a": f"count({_filled('a', a)})",
                "filled_b": f"count({_filled('b', b)})",
                "misfits_a": f"count_if({_misfit('a', a)})",
                "misfits_b": f"count_if({_misfit('b', b)})",
                "changed": f"count_if({differs})",
            }
        )
        for name, count in counts.items():
            setattr(one, name, getattr(one, name) + count)
        wanted = SAMPLES - len(one.samples)
        if counts["changed"] and wanted > 0:
            one.samples += self._sample(one, _value("a", a), _value("b", b), differs, load, wanted)

    def _sample(
        self, one: FieldComparison, a: str, b: str, differs: str, load: Load, wanted: int
    ) -> list[Sample]:
        query = (
            f"SELECT a.record_id, {a}, {b} FROM a JOIN b USING (row) WHERE a.{_UPSERTS} AND {differs} "
            f"ORDER BY row LIMIT {wanted}"
        )
        hidden, masked = self._key_is_personal(), one.masked
        rows = self.engine.execute(query).fetchall()
        return [
            Sample(MASKED if hidden else str(key), load.load_id, _show(va, masked), _show(vb, masked))
            for key, va, vb in rows
        ]

    def _key_is_personal(self) -> bool:
        personal = _list_personal(self.result.a, self.ontology) | _list_personal(self.result.b, self.ontology)
        return bool(personal & set(self.spec.primary_key))

    def _query(self, counted: dict[str, str]) -> Counter[str]:
        items = ", ".join(counted.values())
        query = f"SELECT {items} FROM a JOIN b USING (row) WHERE a.{_UPSERTS}"
        return Counter(dict(zip(counted, self.engine.execute(query).fetchall()[0], strict=True)))


def _value(name: str, columns: FieldColumns | None) -> str:
    return "NULL" if columns is None else f"{name}.{columns.value}"


def _differ(a: FieldColumns | None, b: FieldColumns | None) -> str:
    return f"{_value('a', a)} IS DISTINCT FROM {_value('b', b)}"


def _filled(name: str, columns: FieldColumns | None) -> str:
    """An empty text fills nothing."""
    return "NULL" if columns is None else f"NULLIF({name}.{columns.value}, '\"\"')"


def _misfit(name: str, columns: FieldColumns | None) -> str:
    flags = [] if columns is None else [f for f in (columns.missing, columns.misfit) if f is not None]
    return " OR ".join(f"{name}.{flag}" for flag in flags) or "false"


def _show(value: Any, masked: bool) -> str | None:
    if value is None:
        return None
    if masked:
        return MASKED
    text = str(value)
    return text if len(text) <= VALUE_MAX else text[:VALUE_MAX] + "…"


def rate(part: int, whole: int) -> float | None:
    """A share (0 to 1), None of nothing."""
    return part / whole if whole else None


def list_differing(result: Comparison) -> Sequence[FieldComparison]:
    """The fields in which any record differs, the most frequent first."""
    return sorted((f for f in result.fields.values() if f.changed), key=lambda f: (-f.changed, f.target))
