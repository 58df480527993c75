"""Mapped fields inside the projection: their columns, and why a record with them is refused.

SQL is DuckDB's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.json_sql import has_nul
from core.load_columns import LoadColumns
from core.mapping import FieldMapping
from core.names import quote_literal
from core.ontology.model import CanonicalField, Entity
from core.transforms_sql import FieldSql, Step, compile_transform
from core.typed_sql import is_blank

FOUND_MAX = 80
"""Characters of a refused value that its reason quotes."""


@dataclass(frozen=True)
class MappedField:
    """A mapped field and the columns its steps have in the query."""

    number: int
    mapping: FieldMapping
    canonical: CanonicalField
    sql: FieldSql

    @property
    def text(self) -> str:
        return f"t{self.number}"

    @property
    def aside(self) -> str:
        return f"k{self.number}"

    @property
    def instant(self) -> str:
        return f"i{self.number}"

    @property
    def value(self) -> str:
        return f"v{self.number}"

    @property
    def missing(self) -> str:
        return f"m{self.number}"

    @property
    def misfit(self) -> str:
        return f"b{self.number}"

    @property
    def is_required(self) -> bool:
        return self.canonical.required and self.mapping.transform != "constant"


def compile_field(number: int, mapping: FieldMapping, entity: Entity, load: LoadColumns) -> MappedField:
    """The SQL of one mapping, whose columns carry ``number``."""
    canonical = entity.fields[mapping.target]
    names = (f"t{number}", f"k{number}", f"i{number}")
    return MappedField(number, mapping, canonical, compile_transform(Step(mapping, canonical, load, *names)))


def write_flags(field: MappedField) -> list[str]:
    """Per field: is it missing though required, does its text not fit."""
    flags = []
    blank = is_blank(field.text)
    if field.is_required:
        flags.append(f"({field.value} IS NULL OR {field.value} = '\"\"') AND {blank} AS {field.missing}")
    if field.sql.expected is not None:
        flags.append(f"CASE WHEN {field.value} IS NULL THEN NOT {blank} ELSE false END AS {field.misfit}")
    return flags


def write_refusal(fields: Sequence[MappedField], primary_key: Sequence[str]) -> list[str]:
    """``code`` and ``reason``; only upserts are judged by their fields, a delete needs no more than a key."""
    judged = [(flag, code, sentence) for f in fields for flag, code, sentence in _list_judgements(f)]
    any_flag = " OR ".join(flag for flag, _, _ in judged) or "false"
    codes = " ".join(f"WHEN {flag} THEN '{code}'" for flag, code, _ in judged)
    sentences = ", ".join(f"CASE WHEN {flag} THEN {sentence} END" for flag, _, sentence in judged) or "NULL"
    unstorable = f"({has_nul('data')} OR {has_nul('unknown_fields')} OR contains(record_id, chr(0)))"
    keyless = quote_literal(f"primary key {', '.join(primary_key)}: required, found nothing")
    nul = quote_literal("a text holds the character U+0000, which cannot be stored")
    cases = [
        ("record_id IS NULL", "'missing_key'", keyless),
        (f"op = 'upsert' AND ({any_flag})", f"CASE {codes} ELSE NULL END", f"concat_ws('; ', {sentences})"),
        (f"COALESCE({unstorable}, false)", "'unstorable_text'", nul),
    ]
    return [
        "CASE " + " ".join(f"WHEN {case[0]} THEN {case[1]}" for case in cases) + " END AS code",
        "CASE " + " ".join(f"WHEN {case[0]} THEN {case[2]}" for case in cases) + " END AS reason",
    ]


def _list_judgements(field: MappedField) -> list[tuple[str, str, str]]:
    """(flag, code, SQL of the sentence) of what can be wrong with a field."""
    sources = ", ".join(field.mapping.sources)
    name = field.canonical.name + (f" (from {sources})" if sources else "")
    found = f"CASE WHEN length({field.text}) > {FOUND_MAX} THEN left({field.text}, {FOUND_MAX}) || '…' "
    found = f"to_json({found}ELSE {field.text} END)"
    judgements = []
    if field.is_required:
        missing = quote_literal(f"{name}: required, found nothing")
        judgements.append((field.missing, "missing_required", missing))
    if field.sql.expected is not None:
        code = "not_in_enum" if field.canonical.is_closed else "wrong_type"
        sentence = quote_literal(f"{name}: expected {field.sql.expected}, found ")
        judgements.append((field.misfit, code, f"{sentence} || {found}"))
    return judgements
