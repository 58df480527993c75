"""The pure part of the bench of entities: what is asked, and what is right."""

from __future__ import annotations

from bench.entity_quality import split_streams
from core.mapper.question import Question


def test_streams_are_asked_without_their_entity_and_only_where_somebody_said_it() -> None:
    labels = {
        Question("crm", "people", "email", "contact"): frozenset({"email"}),
        Question("crm", "people", "blob", "contact"): frozenset[str](),
        Question("crm", "clicks", "at", "event"): frozenset[str](),
    }
    streams, right = split_streams(labels)
    assert list(streams) == [("crm", "people")]
    assert [(one.field, one.entity) for one in streams["crm", "people"]] == [("email", ""), ("blob", "")]
    assert right["crm", "people"] == {"contact"}
