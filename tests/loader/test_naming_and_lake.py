"""What files look like, in the source's own spelling, and how the lake is read."""

from __future__ import annotations

import logging
from typing import Any

import pyarrow.parquet as pq
import pytest

from resources.lake import order_load_ids
from tests.loader.fake_kind import after_cursor, pages_of

ODD = {
    "id": 1, "A-b": "1", "a_b": "2", "aB": "3", "价格": "4", "عربي": "5", "é": "6", "it's": "7", 'a"b': "8",
    "a\nb": "9", " ": "10", "a▶b": "11", "x.y": "12", "_dlt_id": "13", "_AOS_row": "14",
    "AB": "15", " a": "16",
}  # fmt: skip


def test_every_field_keeps_its_spelling_and_value(make_loading: Any) -> None:
    loading = make_loading(whole={"odd": pages_of([ODD])})
    report = loading.load()
    assert not report.errors
    (row,) = loading.rows("odd")
    del row["_aos_row"], row["_aos_deleted"]
    assert row == {
        "id": "1", "A-b": "1", "a_b": "2", "aB": "3", "价格": "4", "عربي": "5", "é": "6", "it's": "7",
        'a"b': "8", "a\nb": "9", " ": "10", "a▶b": "11", "x.y": "12", "x_dlt_id": "13", "x_AOS_row": "14",
        "AB__2": "15", " a": "16",
    }  # fmt: skip
    (load_id,) = loading.lake.loads(loading.tenant_id, "shop")
    (manifest,) = loading.lake.manifest(loading.tenant_id, "shop", load_id)
    assert manifest.renamed_json == '{"_dlt_id": "x_dlt_id", "_AOS_row": "x_AOS_row", "AB": "AB__2"}'


def test_a_twin_by_case_keeps_its_column_in_later_loads(make_loading: Any) -> None:
    records = [{"id": 1, "n": 1, "Name": "a"}]
    loading = make_loading(new={"people": after_cursor(records)})
    loading.load()
    records.append({"id": 2, "n": 2, "name": "b"})
    loading.load()
    records.append({"id": 3, "n": 3, "name": "c", "Name": "d"})
    loading.load()
    rows = loading.rows("people")
    assert [(row["Name"], row.get("name__2")) for row in rows] == [("a", None), (None, "b"), ("d", "c")]


def test_files_are_zstd_and_pass_through_dlt_unchanged(
    make_loading: Any, caplog: pytest.LogCaptureFixture
) -> None:
    records = [{"id": n, "n": n, "b": 1, "a": 2} for n in range(10)]
    loading = make_loading(new={"people": after_cursor(records)})
    loading.load()
    records.append({"id": 10, "n": 10, "c": 3})
    dlt_log = logging.getLogger("dlt")
    dlt_log.setLevel(logging.INFO)
    dlt_log.addHandler(caplog.handler)
    try:
        loading.load()
    finally:
        dlt_log.removeHandler(caplog.handler)
        dlt_log.setLevel(logging.WARNING)
    messages = [record.getMessage() for record in caplog.records]
    assert not [text for text in messages if "must be rewritten" in text or "requires normalization" in text]
    assert [text for text in messages if "directly imported" in text]
    load_id = loading.lake.loads(loading.tenant_id, "shop")[-1]
    (path,) = loading.lake.files(loading.tenant_id, "shop", "people", load_id)
    file = pq.ParquetFile(path)
    assert file.metadata.row_group(0).column(0).compression == "ZSTD"
    assert file.schema_arrow.names == ["_aos_row", "_aos_deleted", "id", "n", "b", "a", "c"]


def test_load_ids_are_ordered_as_numbers() -> None:
    assert order_load_ids(["1795159019.57", "1795159019.5760472", "999.5", "1795159019.6"]) == [
        "999.5", "1795159019.57", "1795159019.5760472", "1795159019.6",
    ]  # fmt: skip


def test_unknown_places_are_empty(make_loading: Any) -> None:
    lake = make_loading(whole={"a": pages_of()}).lake
    assert lake.loads("nobody", "shop") == []
    assert lake.files("nobody", "shop", "a", "1.0") == []
    assert lake.manifest("nobody", "shop", "1.0") == []
    lake.delete_tenant("nobody")


def test_the_folder_of_a_tenant_goes_away(make_loading: Any) -> None:
    loading = make_loading(whole={"a": pages_of([{"id": 1}])})
    loading.load()
    loading.lake.delete_tenant(loading.tenant_id)
    assert loading.lake.loads(loading.tenant_id, "shop") == []
    loading.lake.delete_tenant(loading.tenant_id)
