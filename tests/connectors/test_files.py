"""Files as people and machines really write them: every good record is read, every bad line is named."""

from __future__ import annotations

import gzip
import json
import os
from datetime import date, datetime
from pathlib import Path
from random import Random
from typing import Any, cast

import fsspec
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.errors import ConfigError, SourceUnavailable
from resources.connectors.base import AOS_TYPE, Page, Reject, SourceContext, check_source, open_reader
from resources.connectors.file_listing import compile_pattern
from tests.connectors.conftest import make_spec

State = dict[str, Any]


def make_context(folder: Path | str, pattern: str, **rest: Any) -> SourceContext:
    stream = {"primary_key": rest.pop("primary_key", ["id"]), "files": {"pattern": pattern, **rest}}
    deletion = stream["files"].pop("deletion", None)
    streams = {"things": {**stream, "deletion": deletion}}
    return SourceContext("acme", make_spec("files", streams), options={"path": str(folder)})


def read_pages(context: SourceContext, state: State | None = None) -> list[Page]:
    return list(open_reader(context).read("things", {} if state is None else state))


def rows_of(pages: list[Page]) -> list[Any]:
    rows: list[Any] = []
    for page in pages:
        rows += page.records.to_pylist() if isinstance(page.records, pa.Table) else page.records
    return rows


def rejects_of(pages: list[Page]) -> list[Reject]:
    return [reject for page in pages for reject in page.rejects]


def types_of(pages: list[Page]) -> dict[str, str]:
    schema = cast(pa.Table, pages[0].records).schema
    return {one.name: (one.metadata or {})[AOS_TYPE].decode() for one in schema}


def read_text(tmp_path: Path, text: str | bytes, name: str = "a.csv", **rest: Any) -> list[Page]:
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_pages(make_context(tmp_path, name, **rest))


# --- csv --------------------------------------------------------------------------------------


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_separators_and_line_ends(separator: str, end: str, tmp_path: Path) -> None:
    lines = [["id", "name", "price"], ["1", "a,b;c|d\te", "1,50"], ["2", "x", "2,50"]]
    text = end.join(separator.join(f'"{c}"' if separator in c else c for c in line) for line in lines)
    pages = read_text(tmp_path, text)
    assert rows_of(pages) == [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]
    assert rejects_of(pages) == []


def test_quotes_newlines_and_blank_lines(tmp_path: Path) -> None:
    text = '\n\nid,name\r\n1,"say ""hi"", you"\r\n\r\n2,"two\r\nlines"\r\n   \r\n3,5" pipe\r\n4,""\r\n5,\r\n'
    pages = read_text(tmp_path, text)
    assert [row["name"] for row in rows_of(pages)] == ['say "hi", you', "two\r\nlines", '5" pipe', None, None]
    assert rejects_of(pages) == []


def test_malformed_lines_do_not_lose_the_file(tmp_path: Path) -> None:
    lines = [
        "id,name",
        "1,ok",
        "2",
        "3,a,b",
        '4,"open',
        '5,"a"b',
        "6,caf\\xe9",
        '7,"multi',
        'line"',
        "8,ok",
        '9,"open',
    ]
    text = "\n".join(lines).encode().replace(b"\\xe9", b"\xe9") + "\n10,ü é ö\n".encode()
    pages = read_text(tmp_path, text)
    assert [row["id"] for row in rows_of(pages)] == ["1", "7", "8", "10"]
    assert [(r.line, r.raw, r.reason) for r in rejects_of(pages)] == [
        (3, "2", "1 fields where the header has 2"),
        (4, "3,a,b", "3 fields where the header has 2"),
        (5, '4,"open', "quotes inside a field that are not doubled"),
        (6, '5,"a"b', "quotes inside a field that are not doubled"),
        (7, "6,caf\\xe9", "bytes that are no text in the file's encoding"),
        (11, '9,"open', "a quoted field that does not end"),
    ]
    assert {r.file for r in rejects_of(pages)} == {"a.csv"}


def test_one_open_quote_costs_one_line_of_many(tmp_path: Path) -> None:
    text = "id,name\n" + "".join(f'{n},"x\n' if n % 1000 == 7 else f"{n},x\n" for n in range(30_000))
    pages = read_text(tmp_path, text)
    assert len(rows_of(pages)) == 29_970
    assert len(rejects_of(pages)) == 30


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"]
)
def test_encodings(encoding: str, tmp_path: Path) -> None:
    text = "id;Straße;Größe\n1;Müllerstraße 5;€ groß\n2;Weg;klein\n"
    [first, second] = rows_of(read_text(tmp_path, text.encode(encoding)))
    assert first == {"id": "1", "Straße": "Müllerstraße 5", "Größe": "€ groß"}
    assert second["Größe"] == "klein"


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("shift_jis", "顧客番号は東京都千代田区の会社です。株式会社の住所を確認してください。"),
        ("cp1251", "Общество с ограниченной ответственностью находится в городе Москва, Россия"),
        ("gb18030", "北京市朝阳区的公司地址需要重新确认，请联系客户服务中心。"),
        ("cp1252", "Société Générale à Orléans, très près de l'église où l'été"),
    ],
)
def test_legacy_encodings(encoding: str, text: str, tmp_path: Path) -> None:
    content = f"id;name\n1;{text}\n".encode(encoding)
    assert rows_of(read_text(tmp_path, content)) == [{"id": "1", "name": text}]


def test_an_encoding_shown_late_in_the_file(tmp_path: Path) -> None:
    text = "id;name\n" + "".join(f"{n};plain text\n" for n in range(200_000)) + "900001;Zoë Müller\n"
    pages = read_text(tmp_path, text.encode("cp1252"))
    assert rows_of(pages)[-1] == {"id": "900001", "name": "Zoë Müller"}
    assert rejects_of(pages) == []


def test_header_problems_are_handled_and_reported(tmp_path: Path) -> None:
    pages = read_text(tmp_path, "id,name,,name,name__2\n1,a,b,c,d\n")
    assert rows_of(pages) == [{"id": "1", "name": "a", "column_3": "b", "name__3": "c", "name__2": "d"}]
    assert [r.reason for r in rejects_of(pages)] == [
        "column 3 has no name and is read as 'column_3'",
        "column 4 is named 'name' again and is read as 'name__3'",
    ]


def test_null_values(tmp_path: Path) -> None:
    text = 'id,a,b\n1,,n/a\n2,"n/a",x\n'
    rows = rows_of(read_text(tmp_path, text, null_values=["n/a"]))
    assert [(r["a"], r["b"]) for r in rows] == [("", None), (None, "x")]


def test_types_are_guessed_from_all_values(tmp_path: Path) -> None:
    columns = {
        "id": ("1", "-20", "integer"),
        "zip": ("01234", "10115", "string"),
        "price": ("1.50", "2", "number"),
        "sci": ("1e5", ".5", "number"),
        "flag": ("true", "FALSE", "boolean"),
        "day": ("2024-02-29", "2024-03-01", "date"),
        "noday": ("2024-02-30", "2024-03-01", "string"),
        "at": ("2024-01-01T00:00:00Z", "2024-01-01 10:00:00.5+02", "timestamp"),
        "none": ("", "", "null"),
        "comma": ("1,5", "2,5", "string"),
        "long": ("12345678901234567890", "1", "number"),
    }
    names = list(columns)
    text = "\n".join("\t".join(row) for row in [names, *([columns[n][i] for n in names] for i in (0, 1))])
    assert types_of(read_text(tmp_path, text, "a.tsv")) == {n: columns[n][2] for n in names}


def test_excel_s_separator_hint_and_gzip(tmp_path: Path) -> None:
    content = gzip.compress(b"sep=|\r\nid|name\r\n1|x\r\n")
    assert rows_of(read_text(tmp_path, content, "a.csv.gz")) == [{"id": "1", "name": "x"}]


def test_a_file_of_header_only_has_columns_and_no_records(tmp_path: Path) -> None:
    pages = read_text(tmp_path, "id,name\n")
    assert types_of(pages) == {"id": "null", "name": "null"}
    assert rejects_of(pages) == []
    assert rows_of(pages) == []


def test_big_files_come_in_bounded_pages(tmp_path: Path) -> None:
    text = "id,body\n" + "".join(f"{n},{'x' * 500}\n" for n in range(60_000))
    pages = read_text(tmp_path, text)
    assert sum(len(page.records) for page in pages) == 60_000
    assert max(cast(pa.Table, page.records).nbytes for page in pages) < 16 * 1024 * 1024


# --- files that are not what they seem --------------------------------------------------------


def make_parquet(path: Path) -> bytes:
    pq.write_table(pa.table({"id": list(range(1000)), "x": ["y" * 50] * 1000}), path)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("b.csv", b"", "it is empty"),
        ("b.csv", b"\n \n", "it is empty"),
        ("b.csv", b"<!DOCTYPE html><html>not found</html>", "it holds HTML or XML"),
        ("b.csv", b"\xef\xbb\xbf<html>", "it holds HTML or XML"),
        ("b.csv", b"PK\x03\x04....", "it is a zip archive or an Excel workbook"),
        (
            "b.csv",
            gzip.compress(b"id,name\n1,x\n", mtime=0),
            "it is gzip-compressed, without .gz in its name",
        ),
        ("b.csv.gz", gzip.compress(Random(0).randbytes(90_000), mtime=0)[:-5000], "cut off or damaged"),
        ("b.csv.gz", b"id,name\n1,x\n", "cut off or damaged"),
        ("b.csv", b"other,columns\n1,2\n", "it has no column id (the primary key); it has other, columns"),
        ("b.csv", b"id,name\n" + b"a line of a letter\n" * 50, "none of its first 50 lines fits the header"),
        ("b.parquet", b"PAR1 and then nothing", "it is no whole Parquet file"),
        ("b.xlsx", b"PK\x03\x04 and then nothing", "it is no whole workbook"),
        ("b.xls", b"<html><table>", "it is no whole workbook"),
        ("b.json", b'[\n {"id": 1},\n', "it is one JSON document over many lines"),
        ("b.exe", b"MZ", "its name ends in .exe, which is no format"),
    ],
)
def test_a_bad_file_is_refused_with_a_reason_and_the_others_go_on(
    name: str, content: bytes, reason: str, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text("id,name\n1,first\n")
    (tmp_path / name).write_bytes(content)
    (tmp_path / "c.csv").write_text("id,name\n2,last\n")
    context = make_context(tmp_path, "*")
    state: State = {}
    pages = read_pages(context, state)
    assert [row["name"] for row in rows_of(pages) if row] == ["first", "last"]
    [reject] = rejects_of(pages)
    assert reason in reject.reason
    assert (reject.line, reject.raw, reject.file) == (0, name, name)
    assert not all(page.complete for page in pages)
    assert read_pages(context, state) == [], "an unchanged bad file is not reported twice"


def test_a_truncated_parquet_file(tmp_path: Path) -> None:
    content = make_parquet(tmp_path / "a.parquet")
    (tmp_path / "a.parquet").write_bytes(content[:-100])
    [reject] = rejects_of(read_pages(make_context(tmp_path, "*.parquet")))
    assert "no whole Parquet file" in reject.reason


def test_a_file_that_vanishes(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / f"{name}.csv").write_text(f"id,name\n1,{name}\n")
    reader = open_reader(make_context(tmp_path, "*.csv"))
    state: State = {}
    pages = reader.read("things", state)
    taken = [next(pages)]
    (tmp_path / "b.csv").unlink()
    taken += pages
    assert [row["name"] for row in rows_of(taken)] == ["a", "c"]
    assert [(r.file, r.reason) for r in rejects_of(taken)] == [
        ("b.csv", "it vanished before it could be read")
    ]
    assert sorted(state["files"]) == ["a.csv", "c.csv"]


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id\n1\n")
    (tmp_path / "a.csv").chmod(0)
    [reject] = rejects_of(read_pages(make_context(tmp_path, "*.csv")))
    assert "Permission denied" in reject.reason


# --- what has been read -----------------------------------------------------------------------


def test_each_file_is_read_once_and_again_when_it_changes(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,name\n1,a\n")
    (tmp_path / "b.csv").write_text("id,name\n2,b\n")
    context = make_context(tmp_path, "*.csv")
    state: State = {}
    assert len(rows_of(read_pages(context, state))) == 2
    before = json.dumps(state)
    assert read_pages(context, state) == []
    assert json.dumps(state) == before
    (tmp_path / "b.csv").write_text("id,name\n2,b\n3,c\n")
    (tmp_path / "c.csv").write_text("id,name\n4,d\n")
    (tmp_path / "a.csv").unlink()
    assert [row["id"] for row in rows_of(read_pages(context, state))] == ["2", "3", "4"]
    assert sorted(state["files"]) == ["b.csv", "c.csv"]


def test_with_snapshot_deletion_all_files_are_read_each_time(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,name\n1,a\n")
    context = make_context(tmp_path, "*.csv", deletion={"type": "snapshot"})
    state: State = {}
    for _ in range(2):
        pages = read_pages(context, state)
        assert len(rows_of(pages)) == 1
        assert all(page.complete for page in pages)
    (tmp_path / "a.csv").unlink()
    assert [page.complete for page in read_pages(context, state)] == [False], (
        "an empty folder deletes nothing"
    )


# --- other formats ----------------------------------------------------------------------------


def test_json_lines(tmp_path: Path) -> None:
    text = '\ufeff{"id": 1, "price": 1.10}\n\nnot json\n{"id": 2}\n[3]\n{"id": "caf\udce9"}'
    pages = read_text(tmp_path, text.encode("utf-8", "surrogateescape"), "a.jsonl")
    rows = rows_of(pages)
    assert [rows[0]["id"], str(rows[0]["price"]), rows[1], rows[2]] == [1, "1.10", {"id": 2}, [3]]
    assert [r.line for r in rejects_of(pages)] == [3, 6]
    compressed = gzip.compress(b'{"id": 1}\n')
    assert rows_of(read_text(tmp_path, compressed, "b.ndjson.gz")) == [{"id": 1}]
    assert read_text(tmp_path, b"", "c.jsonl") == []


def test_parquet(tmp_path: Path) -> None:
    table = pa.table(
        {
            "id": pa.array([1, 2]),
            "price": pa.array([None, "1.10"]).cast(pa.decimal128(10, 2)),
            "at": pa.array([datetime(2024, 1, 1, 10), None], pa.timestamp("us", "Europe/Berlin")),
            "tags": pa.array([["a", "b"], None]),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    pages = read_pages(make_context(tmp_path, "*.parquet"))
    assert rows_of(pages) == [
        {"id": "1", "price": None, "at": "2024-01-01T10:00:00.000000Z", "tags": '["a","b"]'},
        {"id": "2", "price": "1.10", "at": None, "tags": None},
    ]
    assert types_of(pages) == {"id": "integer", "price": "number", "at": "timestamp", "tags": "array"}


def test_an_empty_parquet_file_has_columns(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": pa.array([], pa.int64())}), tmp_path / "a.parquet")
    assert types_of(read_pages(make_context(tmp_path, "*.parquet"))) == {"id": "integer"}


def test_excel(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    rows = [
        [],
        ["id", "Größe", "ratio", "day", "at", "ok", None, "mixed", "empty"],
        [1, "groß", 0.5, date(2024, 2, 29), datetime(2024, 1, 1, 10, 30), True, "x", 1, None],
        [],
        [2, "n/a", 3, date(2024, 3, 1), datetime(2024, 1, 2), False, "y", "two", None],
    ]
    for row in rows:
        sheet.append(row)
    book.create_sheet("More").append(["id"])
    book.save(tmp_path / "a.xlsx")
    (tmp_path / "~$a.xlsx").write_bytes(b"lock")
    pages = read_pages(make_context(tmp_path, "*.xlsx", null_values=["", "n/a"]))
    first, second = rows_of(pages)
    assert first == {
        "id": "1", "Größe": "groß", "ratio": "0.5", "day": "2024-02-29", "at": "2024-01-01T10:30:00",
        "ok": "true", "column_7": "x", "mixed": "1", "empty": None,
    }  # fmt: skip
    assert (second["Größe"], second["ratio"]) == (None, "3")
    assert types_of(pages) == {
        "id": "integer", "Größe": "string", "ratio": "number", "day": "date", "at": "timestamp",
        "ok": "boolean", "column_7": "string", "mixed": "string", "empty": "null",
    }  # fmt: skip
    [problem] = rejects_of(pages)
    assert (problem.line, problem.reason) == (2, "column 7 has no name and is read as 'column_7'")
    [reject] = rejects_of(read_pages(make_context(tmp_path, "*.xlsx", sheet="Sales")))
    assert "it has no sheet 'Sales', only Sheet, More" in reject.reason


# --- where files are --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("*.csv", ["a.csv", "a b.csv"], ["x/a.csv", ".a.csv", "a.csv.gz"]),
        ("**/*.csv", ["a.csv", "x/a.csv", "x/y/a.csv"], [".git/a.csv", "x/.a.csv"]),
        ("x/**", ["x/a", "x/y/z"], ["a", "y/a", "x"]),
        ("x/*/a?.csv", ["x/1/ab.csv"], ["x/ab.csv", "x/1/2/ab.csv", "x/1/a.csv"]),
        ("[ab]*.csv", ["a1.csv"], ["c.csv"]),
        ("[!ab].csv", ["c.csv"], ["a.csv"]),
        ("a+(1).csv", ["a+(1).csv"], ["aa1.csv"]),
        (".hidden/*", [".hidden/a"], ["hidden/a"]),
    ],
)
def test_patterns(pattern: str, yes: list[str], no: list[str]) -> None:
    compiled = compile_pattern(pattern, "test")
    assert [path for path in yes + no if compiled.fullmatch(path)] == yes


@pytest.mark.parametrize("pattern", ["../*.csv", "/etc/passwd", "a/../../b", "s3://x/*", "..\\x"])
def test_patterns_that_leave_the_folder(pattern: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="stays inside"):
        read_pages(make_context(tmp_path, pattern))


def test_links_do_not_lead_out(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    for folder in (inside / "sub", outside):
        folder.mkdir(parents=True)
        (folder / "x.csv").write_text("id,name\n1,secret\n")
    (inside / "link.csv").symlink_to(outside / "x.csv")
    (inside / "linked").symlink_to(outside)
    (inside / "loop").symlink_to(inside)
    (inside / "broken.csv").symlink_to(inside / "none.csv")
    os.mkfifo(inside / "pipe.csv")
    pages = read_pages(make_context(inside, "**/*.csv"))
    assert len(rows_of(pages)) == 1
    assert {r.file: r.reason for r in rejects_of(pages)} == {
        "broken.csv": "it vanished before it could be read",
        "link.csv": "it is a link that leads out of the folder",
        "pipe.csv": "it is no regular file",
    }


def test_an_fsspec_url() -> None:
    store = fsspec.filesystem("memory")
    store.pipe("/bucket/exports/2024/a.csv", b"id,name\n1,x\n")
    store.pipe("/bucket/exports/b.parquet", b"nothing")
    context = make_context("memory://bucket/exports", "**/*.csv")
    check_source(context)
    state: State = {}
    assert rows_of(read_pages(context, state)) == [{"id": "1", "name": "x"}]
    assert read_pages(context, state) == []
    store.pipe("/bucket/exports/2024/a.csv", b"id,name\n1,changed\n")
    assert rows_of(read_pages(context, state)) == [{"id": "1", "name": "changed"}]


def test_folders_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match="cannot be listed"):
        check_source(make_context(tmp_path / "none", "*"))
    with pytest.raises(ConfigError, match="cannot be used"):
        check_source(make_context("nosuch://bucket", "*"))
    with pytest.raises(ConfigError, match="does not know its folder"):
        open_reader(make_context("", "*"))
