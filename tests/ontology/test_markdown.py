"""docs/ontology.md says what the definitions say."""

from __future__ import annotations

from pathlib import Path

from core.ontology import load_ontology
from core.ontology.markdown import write_markdown


def test_the_page_is_current(project_root: Path) -> None:
    page = (project_root / "docs" / "ontology.md").read_text()
    assert page == write_markdown(load_ontology()), "python -m core.ontology.markdown > docs/ontology.md"


def test_every_field_and_link_is_on_the_page() -> None:
    ontology = load_ontology()
    page = write_markdown(ontology)
    for entity in ontology.entities.values():
        assert f"[{entity.name}](#{entity.name})" in page
        section = page.split(f"\n## {entity.name}\n")[1].split("\n## ")[0]
        for field in entity.fields.values():
            assert f"| `{field.name}` | {field.type} | {field.description} |" in section
