"""Which fields of a source a mapping understands."""

from __future__ import annotations

from core.connector import StreamSpec
from core.coverage import Coverage, measure_coverage
from core.mapping import FieldMapping
from core.schema import FieldSchema, TableSchema


def schema(*paths: str) -> TableSchema:
    return TableSchema(tuple(FieldSchema(path, ("string",), True) for path in paths))


def test_leaves_are_mapped_or_left_over() -> None:
    found = measure_coverage(
        schema("id", "name", "address", "address.city", "address.zip", "shoe_size"),
        [FieldMapping("name", ("name",)), FieldMapping("address_city", ("address.city",))],
    )
    assert found == Coverage(("name", "address.city"), ("id", "address.zip", "shoe_size"))


def test_a_mapped_object_or_element_covers_what_is_in_it() -> None:
    found = measure_coverage(
        schema("tags.*", "emails.*.value", "emails.*.primary", "custom.a"),
        [
            FieldMapping("tags", ("tags",)),
            FieldMapping("email", ("emails.0.value",)),
            FieldMapping("x", ("custom",)),
        ],
    )
    assert found == Coverage(("tags.*", "emails.*.value", "custom.a"), ("emails.*.primary",))


def test_key_and_deletion_flag_are_understood() -> None:
    stream = StreamSpec.model_validate(
        {
            "primary_key": ("key",),
            "table": {"name": "t"},
            "deletion": {"type": "flag", "field": "gone"},
        }
    )
    assert measure_coverage(schema("key", "gone", "x"), [], stream) == Coverage(("key", "gone"), ("x",))
