"""Configs as two lists: what is taken, and what is refused with which message."""

from __future__ import annotations

import time
import tracemalloc
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.config_reader import check_config, load_configs, read_config
from core.errors import ConfigError

HEAD = "connector: shop\ntitle: Shop\nkind: rest\nbase_url: https://shop.example\n"
STREAM = "streams:\n  items:\n    primary_key: [id]\n    endpoint:\n      path: /items\n"
MAPPED = STREAM + "    entity: product\n    mappings:\n"

VALID = [
    pytest.param(HEAD + STREAM, id="smallest"),
    pytest.param(HEAD + "description: no\n" + STREAM, id="no stays text"),
    pytest.param(HEAD + "options: {at: 22:22, day: 2024-01-01, zip: 007}\n" + STREAM, id="text, not numbers"),
    pytest.param(HEAD + "limits: {requests_per_s: 2, burst: 4}\n" + STREAM, id="whole number as rate"),
    pytest.param(HEAD + "auth:\n  type: api_key\n  name: X-Key\n" + STREAM, id="tagged union"),
    pytest.param(HEAD + "schedule: {cron: '0 4 * * *'}\n" + STREAM, id="cron"),
    pytest.param(
        HEAD + STREAM + "      pagination: {type: cursor, param: after, next: paging.next.after}\n", id="p"
    ),
    pytest.param(HEAD + MAPPED + "      name: title\n", id="mapping shorthand"),
    pytest.param(
        HEAD + MAPPED + "      price:\n        from: amount\n        transform: cast\n", id="one source"
    ),
    pytest.param(HEAD + MAPPED + "      name: {from: [a, b], transform: coalesce}\n", id="two sources"),
    pytest.param(HEAD + MAPPED + "      type: {transform: constant, args: {value: item}}\n", id="no source"),
]

INVALID = [
    pytest.param("", "shop.yaml:1: not a config; expected keys and values, found null", id="empty"),
    pytest.param("- a", 'not a config; expected keys and values, found ["a"]', id="list"),
    pytest.param("a: 1\na: 2", "shop.yaml:2 a: the key stands twice; found first on line 1", id="twice"),
    pytest.param("a: &x 1\nb: 2", "shop.yaml:1 a: anchors are not allowed; found &x", id="anchor"),
    pytest.param("a: {b: *x}", "shop.yaml:1 a.b: aliases are not allowed; found *x", id="alias"),
    pytest.param("a: !!python/name:os.system x", "shop.yaml:1 a: tags are not allowed", id="tag"),
    pytest.param(
        "a:\n  1: b", 'shop.yaml:2 a: a key that is not text; found 1. Quote it: "1".', id="number key"
    ),
    pytest.param("? [a]\n: 1", "shop.yaml:1: a key that is not text", id="list as key"),
    pytest.param("a: 1\n---\nb: 1", "shop.yaml:2: a second document", id="two documents"),
    pytest.param("a: [1,\nb", "shop.yaml:3: not YAML: did not find expected ',' or ']'", id="syntax"),
    pytest.param("\ta: 1", "shop.yaml:1: not YAML", id="tab"),
    pytest.param('a: "\\0"', "escape for a character that text cannot have; found U+0000", id="nul"),
    pytest.param("a: \ud800", "a character that text cannot have; found U+D800", id="surrogate"),
    pytest.param("[" * 500, "nested too deeply; expected at most 24 levels", id="deep"),
    pytest.param("a: " + "x" * 300_000, "too large; expected at most 262144 bytes", id="large"),
    pytest.param(HEAD, "shop.yaml:1 streams: a required key is missing", id="missing"),
    pytest.param(
        HEAD + STREAM + "    incremntal: {cursor: a}\n",
        "shop.yaml:10 streams.items.incremntal: unknown key; expected one of deletion, description, endpoint,"
        " entity, files, incremental, mappings, primary_key, sobject, table, title, found 'incremntal'. "
        "Did you mean 'incremental'?",
        id="near miss",
    ),
    pytest.param(
        HEAD + STREAM + "      pagination: {type: cursr}\n",
        "shop.yaml:10 streams.items.endpoint.pagination.type: unknown type; expected one of none, cursor,"
        " offset, page, next_link, link_header, found 'cursr'. Did you mean 'cursor'?",
        id="unknown tag",
    ),
    pytest.param(
        HEAD + STREAM + "      pagination:\n        type: cursor\n        cursor: x\n        param: p\n",
        "shop.yaml:12 streams.items.endpoint.pagination.cursor: unknown key; expected one of",
        id="key inside a union, named as its tag",
    ),
    pytest.param(
        HEAD + "auth: {}\n" + STREAM, "shop.yaml:5 auth.type: a required key is missing", id="no tag"
    ),
    pytest.param(
        HEAD + "limits: {burst: yes}\n" + STREAM,
        'shop.yaml:5 limits.burst: wrong type; expected a whole number, found "yes"',
        id="text for number",
    ),
    pytest.param(
        HEAD + "limits: {burst: 0}\n" + STREAM, "limits.burst: value out of range; expected", id="range"
    ),
    pytest.param(HEAD + "title2: x\n" + STREAM, "Did you mean 'title'?", id="top-level key"),
    pytest.param(
        HEAD.replace("rest", "soap") + STREAM,
        "shop.yaml:3 kind: not an allowed value; expected 'rest', 'salesforce', 'sql' or 'files', found",
        id="kind",
    ),
    pytest.param(
        HEAD.replace("rest", "sql") + STREAM,
        "shop.yaml:6 streams.items: kind sql reads 'table', found ['endpoint']",
        id="locator of another kind",
    ),
    pytest.param(
        HEAD + STREAM.replace("[id]", "[]"),
        "shop.yaml:7 streams.items.primary_key: names no field; a stream needs a primary key; found []",
        id="no key field",
    ),
    pytest.param(
        HEAD + STREAM.replace("[id]", "[a..b]"),
        "shop.yaml:7 streams.items.primary_key: field path has an empty part",
        id="path",
    ),
    pytest.param(
        HEAD + STREAM.replace("[id]", "id"), "primary_key: wrong type; expected a list", id="bare key"
    ),
    pytest.param(
        HEAD + STREAM.replace("items:", "Items:", 1), "streams.Items: unusable name", id="stream name"
    ),
    pytest.param(
        HEAD + STREAM + "      parent: boxes\n",
        "streams.items.endpoint.parent: no stream 'boxes'",
        id="parent",
    ),
    pytest.param(
        HEAD + STREAM + "    incremental: {cursor: at}\n    deletion: {type: snapshot}\n",
        "shop.yaml:6 streams.items: deletion by snapshot needs every record at each read",
        id="contradiction",
    ),
    pytest.param(
        HEAD + STREAM + "    mappings: {name: title}\n", "mappings need the canonical entity", id="no entity"
    ),
    pytest.param(
        HEAD + MAPPED + "      name: {from: a, transform: uper}\n",
        "shop.yaml:12 streams.items.mappings.name.transform: unknown transform; expected one of direct, cast",
        id="transform",
    ),
    pytest.param(
        HEAD + MAPPED + "      name: {from: a, transform: lowr}\n",
        "Did you mean 'lower'?",
        id="near transform",
    ),
    pytest.param(
        HEAD + MAPPED + "      name: 5\n", "mappings.name: wrong type; expected keys", id="mapping type"
    ),
    pytest.param(HEAD + MAPPED + "      name: {form: a}\n", "Did you mean 'from'?", id="mapping key"),
    pytest.param(
        HEAD + MAPPED + "      name: a..b\n", "mappings.name: field path has an empty part", id="source"
    ),
    pytest.param(
        HEAD.replace("connector: shop", "connector: store") + STREAM,
        "shop.yaml:1 connector: the connector's name is not the file's; expected 'shop', found 'store'",
        id="file name",
    ),
]


@pytest.mark.parametrize("text", VALID)
def test_valid(text: str) -> None:
    assert read_config(text, "shop.yaml").connector == "shop"


@pytest.mark.parametrize(("text", "message"), INVALID)
def test_invalid(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_config(text, "configs/shop.yaml")
    assert message in str(caught.value)
    assert str(caught.value).startswith("configs/shop.yaml")


def test_mapping_shorthand_equals_longhand() -> None:
    short = read_config(HEAD + MAPPED + "      name: properties.title\n", "shop.yaml")
    long = read_config(HEAD + MAPPED + "      name: {from: [properties.title]}\n", "shop.yaml")
    assert short == long
    assert short.streams["items"].mappings["name"].from_ == ("properties.title",)


def test_every_mistake_in_order_of_lines() -> None:
    text = HEAD.replace("title: Shop\n", "") + STREAM + "      pth: x\n    title: 4\n"
    spec, errors = check_config(text, "shop.yaml")
    assert spec is None
    assert [e.where for e in errors] == [
        "shop.yaml:1 title",
        "shop.yaml:9 streams.items.endpoint.pth",
        "shop.yaml:10 streams.items.title",
    ]


def test_broken_file_leaves_the_others(tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text(HEAD + STREAM)
    (tmp_path / "bad.yaml").write_text("a: [")
    (tmp_path / "latin.yaml").write_bytes(b"title: caf\xe9")
    (tmp_path / "old.yml").write_text(HEAD + STREAM)
    (tmp_path / "gone.yaml").symlink_to(tmp_path / "nowhere")
    report = load_configs([tmp_path, tmp_path / "missing"])
    assert list(report.specs) == ["shop"]
    assert report.files["shop"] == tmp_path / "shop.yaml"
    messages = "\n".join(map(str, report.errors))
    for part in (
        "bad.yaml",
        "is not UTF-8",
        "old.yaml",
        "cannot be read: No such file",
        "no such file or folder",
    ):
        assert part in messages
    assert len(report.errors) == 5


def test_one_connector_in_two_folders(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "shop.yaml").write_text(HEAD + STREAM)
    report = load_configs([tmp_path / "a", tmp_path / "b"])
    assert report.specs == {}
    (error,) = report.errors
    assert str(tmp_path / "a" / "shop.yaml") in str(error)
    assert str(tmp_path / "b" / "shop.yaml") in str(error)


BITS = st.sampled_from(
    [
        *HEAD.splitlines(keepends=True),
        *STREAM.splitlines(keepends=True),
        "- ",
        "{",
        "}",
        "[",
        "]",
        ": ",
        "\n  ",
        "&a ",
        "*a",
        "!!int ",
        "|",
        ">",
        '"',
        "'",
        "#",
        "---\n",
        "? ",
        "null",
        "1e999",
        "~",
        "auth: ",
        "type: ",
        "pagination: ",
        "mappings: ",
        "entity: x\n",
        "\\ud800",
        "9" * 30,
        "é",
        "\u2028",
    ]
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.one_of(st.text(), st.lists(BITS).map("".join), st.lists(BITS).map(lambda bits: HEAD + "".join(bits)))
)
def test_any_text_gives_a_spec_or_a_config_error(text: str) -> None:
    spec, errors = check_config(text, "shop.yaml")
    assert (spec is None) == bool(errors)
    assert all(isinstance(error, ConfigError) for error in errors)


BOMBS = {
    "aliases": "a: &a [x,x]\n" + "".join(f"{b}: &{b} [*{a},*{a}]\n" for a, b in pairwise("abcdefghi")),
    "brackets": "[" * 200_000,
    "braces": "{a: " * 60_000,
    "dashes": "- " * 120_000,
    "wide": "a: [" + "1," * 120_000 + "]",
    "keys": "\n".join(f"k{i}: 1" for i in range(25_000)),
    "digits": "a: " + "9" * 250_000,
    "float": "a: 1" + "0" * 16 + "." + "9" * 200_000 + "e9",
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_within_bounds(name: str) -> None:
    tracemalloc.start()
    started = time.process_time()
    spec, _ = check_config(BOMBS[name], "shop.yaml")
    used_s, (_, peak_bytes) = time.process_time() - started, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert spec is None
    assert used_s < 10
    assert peak_bytes < 100 * 1024 * 1024
