"""Sets as YAML: whatever can be published is read back exactly; what is wrong is named by file and line."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.baseline import check_mappings
from core.errors import ConfigError, MappingRefused, MeshError
from core.mapping import FieldMapping, MappingSet
from core.mapping_yaml import read_set_file, write_set
from core.names import format_path
from core.ontology import load_ontology

ONTOLOGY = load_ontology()
ACCOUNT = ONTOLOGY.entity("account")
TEXTS = [
    f.name for f in ACCOUNT.fields.values() if f.type in ("string", "url") and f.name not in ("id", "name")
]
NUMBERS = [f.name for f in ACCOUNT.fields.values() if f.type in ("number", "currency")]

text = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)
words = st.one_of(
    text, st.sampled_from(["no", "null", "1e3", "22:22", "", "{", "- a", "#", "~", "'", "\x7f"])
)
paths = st.lists(text, min_size=1, max_size=3).map(lambda parts: format_path(tuple(parts)))
numbers = st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False))


@st.composite
def mappings(draw: st.DrawFn) -> tuple[FieldMapping, ...]:
    made = [FieldMapping("id", (draw(paths),)), FieldMapping("name", (draw(paths),), "trim")]
    for target in draw(st.lists(st.sampled_from(TEXTS), unique=True, max_size=6)):
        made.append(draw(_mapping(target)))
    for target in draw(st.lists(st.sampled_from(NUMBERS), unique=True, max_size=2)):
        made.append(FieldMapping(target, (), "constant", {"value": draw(numbers)}))
    return tuple(made)


def _mapping(target: str) -> st.SearchStrategy[FieldMapping]:
    several = st.lists(paths, min_size=2, max_size=4, unique=True).map(tuple)
    sure = st.floats(0, 1)
    return st.one_of(
        st.builds(
            FieldMapping, st.just(target), st.tuples(paths), st.just("direct"), confidence=sure, origin=text
        ),
        st.builds(
            FieldMapping,
            st.just(target),
            several,
            st.just("concat"),
            st.fixed_dictionaries({"separator": words}),
        ),
        st.builds(
            FieldMapping,
            st.just(target),
            st.tuples(paths),
            st.just("enum_map"),
            st.fixed_dictionaries({"values": st.dictionaries(words, words, min_size=1, max_size=4)}),
        ),
    )


def make_set(said: tuple[FieldMapping, ...]) -> MappingSet:
    return MappingSet("id", "t", "shop", "accounts", 1, "account", said)


@given(mappings())
def test_what_can_be_published_survives_the_way_through_yaml(said: tuple[FieldMapping, ...]) -> None:
    try:
        check_mappings(said, ACCOUNT)
    except MappingRefused:
        return
    written = make_set(said)
    read = read_set_file(write_set(written), "x.yaml", ONTOLOGY)
    assert (read.key, read.fingerprint) == (("shop", "accounts"), written.fingerprint)
    assert sorted(read.mappings, key=str) == sorted(written.mappings, key=str)


HEAD = "connector: shop\nstream: accounts\nentity: account\nmappings:\n  id: id\n  name: name\n"
SITE = HEAD + "  website: "

VALID: list[Any] = [
    pytest.param(HEAD, id="shorthand"),
    pytest.param(SITE + "{from: web}\n", id="flow"),
    pytest.param(HEAD + "  annual_revenue: revenue\n", id="usual transform"),
    pytest.param(HEAD + "  website:\n    from: [a, b]\n    transform: coalesce\n", id="two sources"),
]

INVALID: list[Any] = [
    pytest.param("", "x.yaml:1: no mapping set", id="empty"),
    pytest.param("connector: shop\n", "x.yaml:1 stream: no stream", id="no stream"),
    pytest.param(
        HEAD.replace("entity: account", "entity: acount"), "x.yaml:3 entity: no canonical", id="entity"
    ),
    pytest.param(HEAD + "  websit: web\n", "x.yaml:7 mappings.websit: entity 'account' has no", id="target"),
    pytest.param(SITE + "{form: web}\n", "unknown key 'form'", id="key"),
    pytest.param(SITE + "{from: web, transform: eval}\n", "there is no transform 'eval'", id="transform"),
    pytest.param(SITE + "{from: web, confidence: 7}\n", "confidence is a probability", id="confidence"),
    pytest.param(SITE + "{from: web, confidence: sure}\n", "confidence is a number", id="not a number"),
    pytest.param(SITE + "{from: 7}\n", "no source", id="source"),
    pytest.param(SITE + "'{no json'\n", "not JSON", id="json"),
    pytest.param(HEAD + "  id: other\n", "the key stands twice", id="twice"),
    pytest.param(HEAD.replace("  id: id\n", ""), "requires 'id'", id="required"),
    pytest.param(HEAD.replace("shop", "../shop"), "unusable name", id="path"),
]


@pytest.mark.parametrize("written", VALID)
def test_what_a_person_may_write(written: str) -> None:
    assert read_set_file(written, "x.yaml", ONTOLOGY).key == ("shop", "accounts")


@pytest.mark.parametrize(("written", "said"), INVALID)
def test_what_is_wrong_is_named(written: str, said: str) -> None:
    with pytest.raises((ConfigError, MappingRefused)) as caught:
        read_set_file(written, "x.yaml", ONTOLOGY)
    assert isinstance(caught.value, MeshError)
    assert said in str(caught.value)
