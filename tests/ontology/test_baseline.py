"""Mappings of configs and of published sets: what stands, what is refused and what the message says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.baseline import baseline_mappings, check_mappings
from core.config_reader import load_configs
from core.connector import MappingSpec, StreamSpec, Table
from core.errors import ConfigError, MappingRefused
from core.mapping import TRANSFORMS, FieldMapping
from core.ontology import load_ontology
from core.transforms import RULES, find_problem

ONTOLOGY = load_ontology()
OPPORTUNITY = ONTOLOGY.entity("opportunity")
ID: dict[str, dict[str, Any]] = {"id": {"from": ("Id",)}}


def build_stream(entity: str | None, mappings: dict[str, dict[str, Any]]) -> StreamSpec:
    specs = {target: MappingSpec.model_validate(spec) for target, spec in mappings.items()}
    return StreamSpec(primary_key=("Id",), entity=entity, table=Table(name="t"), mappings=specs)


def spec(*sources: str, transform: str | None = None, **args: Any) -> dict[str, Any]:
    return {"from": sources, "transform": transform, "args": args}


VALID = [
    ("name", spec("Name"), "direct"),
    ("amount", spec("Amount"), "cast"),
    ("is_won", spec("IsWon"), "cast"),
    ("close_date", spec("CloseDate"), "cast"),
    ("stage", spec("StageName"), "direct"),
    ("name", spec('properties."a.b"', transform="trim"), "trim"),
    ("amount", spec("cents", transform="minor_units"), "minor_units"),
    ("amount", spec("cents", transform="minor_units", currency_from="cur"), "minor_units"),
    ("status", spec("s", transform="enum_map", values={"0": "open"}), "enum_map"),
    ("is_won", spec("s", transform="enum_map", values={"won": True}, default=None), "enum_map"),
    ("name", spec("a", "b", transform="concat", separator=""), "concat"),
    ("amount", spec("a", "b", transform="coalesce"), "coalesce"),
    ("currency", spec(transform="constant", value="USD"), "constant"),
    ("close_date", spec(transform="constant", value="2024-02-29"), "constant"),
    ("name", spec("a", transform="split", separator="/", index=-1), "split"),
    ("created_at", spec("c", transform="parse_datetime", format="epoch_ms"), "parse_datetime"),
    ("created_at", spec("c", transform="parse_datetime", timezone="Europe/Berlin"), "parse_datetime"),
    ("close_date", spec("c", transform="parse_date", format="%d.%m.%Y"), "parse_date"),
    ("is_active", spec("closed", transform="invert_boolean"), "invert_boolean"),
    ("owner_id", spec("o", transform="json_path", path="$.id"), "json_path"),
]

INVALID = [
    ("nmae", spec("a"), r"has no field 'nmae'. Did you mean 'name'"),
    ("dealname", spec("a"), r"has no field 'dealname'. It is called 'name'"),
    ("name", spec(), r"'direct' takes 1 source\(s\).*found 0"),
    ("name", spec("a", "b"), r"Use 'coalesce' or 'concat'"),
    ("name", spec("a", transform="upper"), r"no transform 'upper'.*expected direct, cast"),
    ("name", spec("a", transform="castt"), r"Did you mean 'cast'"),
    ("amount", spec("a", transform="direct"), r"cannot fill type currency.*Use 'cast'"),
    ("name", spec("a", transform="minor_units"), r"cannot fill type string"),
    ("name", spec("a", transform="invert_boolean"), r"a field of type boolean"),
    ("name", spec("a", x=1), r"'direct' has no argument 'x'.*expected no arguments"),
    ("name", spec("a", transform="concat"), r"at least 2 source"),
    ("name", spec("a", "a", transform="concat"), r"a source stands twice"),
    ("name", spec("a", transform="split"), r"needs the argument 'separator'"),
    ("name", spec("a", transform="split", seperator="/"), r"Did you mean 'separator'"),
    ("name", spec("a", transform="constant", value="x"), r"takes no source"),
    ("name", spec(transform="constant", value=3), r"expected a text, found 3"),
    ("is_won", spec(transform="constant", value="true"), r"expected true or false"),
    ("probability", spec(transform="constant", value=True), r"a value of type number"),
    ("close_date", spec(transform="constant", value="2024-02-30"), r"ISO 8601 date"),
    ("created_at", spec(transform="constant", value="2024-02-03T00:00:00"), r"ISO 8601 datetime"),
    ("amount", spec("a", transform="minor_units", digits=7), r"from -9 to 6"),
    ("amount", spec("a", transform="minor_units", digits=2, currency_from="c"), r"one of the two"),
    ("created_at", spec("a", transform="parse_datetime", timezone="Berlin"), r"an IANA time zone"),
    ("created_at", spec("a", transform="parse_datetime", format="YYYY"), r"epoch_ms or strptime"),
    ("status", spec("a", transform="enum_map"), r"needs the argument 'values'"),
    ("status", spec("a", transform="enum_map", values={"a": 1}), r"expected a text"),
    ("owner_id", spec("a", transform="json_path", path="id"), r"starting with \$"),
]


@pytest.mark.parametrize(("target", "given_spec", "transform"), VALID)
def test_a_good_mapping_is_resolved(target: str, given_spec: dict[str, Any], transform: str) -> None:
    mappings = baseline_mappings(build_stream("opportunity", {**ID, target: given_spec}), ONTOLOGY)
    assert {m.target: m.transform for m in mappings} == {"id": "direct", target: transform}
    check_mappings(mappings, OPPORTUNITY)


@pytest.mark.parametrize(("target", "given_spec", "message"), INVALID)
def test_a_wrong_mapping_is_refused(target: str, given_spec: dict[str, Any], message: str) -> None:
    stream = build_stream("opportunity", {**ID, target: given_spec})
    with pytest.raises(ConfigError, match=message) as caught:
        baseline_mappings(stream, ONTOLOGY, "acme/deals")
    assert str(caught.value).startswith(f"acme/deals.mappings.{target}: ")


def test_a_closed_list_takes_lower_case_by_itself_and_refuses_direct() -> None:
    base = {"billed_cost": spec("BilledCost"), "charge_period_start": spec("ChargePeriodStart")}
    short = build_stream("cost_line", {**base, "charge_category": spec("ChargeCategory")})
    assert {m.transform for m in baseline_mappings(short, ONTOLOGY)} == {"cast", "lower"}
    for wrong, message in (
        (spec("c", transform="direct"), "Use 'lower' or 'enum_map'"),
        (spec("c", transform="enum_map", values={"RIFee": "fee"}), "one of usage, purchase"),
    ):
        with pytest.raises(ConfigError, match=message):
            baseline_mappings(build_stream("cost_line", {**base, "charge_category": wrong}), ONTOLOGY)


def test_what_is_required_must_be_filled() -> None:
    stream = build_stream("opportunity", {"name": spec("Name")})
    with pytest.raises(ConfigError, match=r"requires 'id'.*Map the stream's primary key"):
        baseline_mappings(stream, ONTOLOGY)
    with pytest.raises(MappingRefused, match="requires 'id'"):
        check_mappings((), OPPORTUNITY)


def test_a_stream_without_entity_or_mappings_has_none() -> None:
    assert baseline_mappings(build_stream(None, {}), ONTOLOGY) == ()
    assert baseline_mappings(build_stream("account", {}), ONTOLOGY) == ()


def test_an_unknown_entity_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'opportunity'"):
        baseline_mappings(build_stream("oportunity", {}), ONTOLOGY)


def test_a_set_fills_each_field_once() -> None:
    twice = (FieldMapping("id", ("a",)), FieldMapping("id", ("b",)))
    with pytest.raises(MappingRefused, match="two mappings fill the same field"):
        check_mappings(twice, OPPORTUNITY)
    with pytest.raises(MappingRefused, match="confidence is a probability"):
        check_mappings((FieldMapping("id", ("a",), confidence=float("nan")),), OPPORTUNITY)
    with pytest.raises(MappingRefused, match="empty part"):
        check_mappings((FieldMapping("id", ("a..b",)),), OPPORTUNITY)


def test_every_transform_of_the_closed_list_has_a_rule() -> None:
    assert tuple(RULES) == TRANSFORMS


_ARGS = ["format", "timezone", "digits", "values", "separator", "index", "value", "path", "x"]
_ANY = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.dictionaries(st.text(max_size=2), st.text(max_size=2)),
)


@given(
    transform=st.sampled_from(TRANSFORMS),
    target=st.sampled_from(sorted(OPPORTUNITY.fields)),
    sources=st.lists(st.text(max_size=6), max_size=3),
    args=st.dictionaries(st.sampled_from(_ARGS), _ANY, max_size=3),
)
def test_any_mapping_is_judged_without_a_crash(
    transform: Any, target: str, sources: list[str], args: dict[str, Any]
) -> None:
    mapping = FieldMapping(target, tuple(sources), transform, args)
    problem = find_problem(mapping, OPPORTUNITY.field(target))
    assert problem is None or problem.problem


def test_what_ships_stands(project_root: Path) -> None:
    report = load_configs([project_root / "connector_configs"])
    assert report.errors == []
    for connector, spec_ in report.specs.items():
        for name, stream in spec_.streams.items():
            mappings = baseline_mappings(stream, ONTOLOGY, f"{connector}/{name}")
            assert bool(mappings) == (stream.entity is not None), f"{connector}/{name}"
            if stream.entity is not None:
                check_mappings(mappings, ONTOLOGY.entity(stream.entity))
