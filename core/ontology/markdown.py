"""Writes docs/ontology.md from the definitions: ``python -m core.ontology.markdown > docs/ontology.md``."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from core.ontology import CanonicalField, Entity, Ontology, load_ontology

ALIASES_SHOWN = 5

_HEAD = """\
# The canonical model

Everything the mesh brings together ends in one of these entities. They are defined in `core/ontology/`,
one YAML file an entity; this page is written from them (`python -m core.ontology.markdown`).

**Types.** `string`, `url`, `email`, `phone`, `country` and `enum` are text; `integer` and `number` are
numbers; `currency` is an amount in major units; `date` is a day; `datetime` is a moment, kept in UTC.

**Marks.** *required*: a record without it goes to quarantine. *identity*: tells which real-world thing it is.
*personal*: personal data. *→ entity*: the key of a record of that entity. An enum with `…` is open: vendors
may add values of their own.

**Also called** shows the first of the names vendors use; the YAML file has all of them.
"""


def write_markdown(ontology: Ontology) -> str:
    """The whole page: an index by domain, then a table an entity."""
    return "\n".join([_HEAD, *_write_index(ontology), *_write_entities(ontology)]) + "\n"


def _write_index(ontology: Ontology) -> Iterator[str]:
    count = sum(len(entity.fields) for entity in ontology.entities.values())
    yield f"## Index: {len(ontology.entities)} entities, {count} fields\n"
    yield "| domain | entities |"
    yield "|---|---|"
    by_domain = sorted(ontology.entities.values(), key=lambda entity: (entity.domain, entity.name))
    for domain, entities in groupby(by_domain, key=lambda entity: entity.domain):
        links = " · ".join(f"[{entity.name}](#{entity.name})" for entity in entities)
        yield f"| {domain} | {links} |"
    yield ""


def _write_entities(ontology: Ontology) -> Iterator[str]:
    for name in sorted(ontology.entities):
        entity = ontology.entities[name]
        yield f"## {name}\n"
        yield f"{entity.description} Domain {entity.domain}, owned by {entity.owner}."
        yield f"Also called {_list_aliases(entity)}.\n"
        yield "| field | type | meaning | marks | also called |"
        yield "|---|---|---|---|---|"
        yield from map(_write_row, entity.fields.values())
        yield ""


def _write_row(field: CanonicalField) -> str:
    cells = (f"`{field.name}`", field.type, field.description, _write_marks(field), _list_aliases(field))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _write_marks(field: CanonicalField) -> str:
    values = ", ".join(f"`{value}`" for value in field.enum) + (" …" if field.open else "")
    marks = (
        (field.required, "required"),
        (field.identity, "identity"),
        (field.pii, "personal"),
        (field.references, f"→ {' or '.join(field.references)}"),
        (field.enum, values),
        (field.unit, f"in {field.unit}"),
        (field.format, f"format {field.format}"),
    )
    return "; ".join(words for given, words in marks if given)


def _list_aliases(named: CanonicalField | Entity) -> str:
    return ", ".join(named.aliases[:ALIASES_SHOWN])


if __name__ == "__main__":
    print(write_markdown(load_ontology()), end="")
