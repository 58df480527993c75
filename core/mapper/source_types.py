"""Types as sources write them, in a few kinds: of JSON schemas, SQL, CRMs; and which kinds go together."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

from core.ontology import CanonicalField

Verdict = Literal["contradicts", "doubtful", "agrees", ""]

_NAMES = {
    "text": "string str text varchar varchar2 nvarchar nvarchar2 char character nchar bpchar clob longtext "
    "mediumtext tinytext textarea citext keyword html richtext longtextarea multiline",
    "choice": "picklist multipicklist combobox enum enumeration select multiselect singleselect option radio",
    "id": "id reference ref uuid guid uniqueidentifier objectid lookup masterdetail foreignkey rowid",
    "boolean": "boolean bool bit checkbox logical booleancheckbox",
    "integer": "integer int bigint smallint tinyint mediumint int2 int4 int8 int16 int32 int64 int128 uint8 "
    "uint16 uint32 uint64 long short serial bigserial hugeint byteint",
    "number": "number float double decimal numeric real float4 float8 float32 float64 fixed dec bigdecimal "
    "doubleprecision bignumeric",
    "amount": "currency money smallmoney amount monetary",
    "percent": "percent percentage",
    "time": "date datetime datetime2 smalldatetime timestamp timestamptz timestampltz timestampntz "
    "timestampwithtimezone timestampwithouttimezone datetimeoffset epoch unixtime iso8601",
    "nested": "object array json jsonb struct record map list variant super dict hstore xml table blob bytea "
    "binary bytes varbinary image file attachment",
    "email": "email",
    "url": "url uri link website",
    "phone": "phone phonenumber telephone tel",
}
_WHOLE = re.compile(r"\b(?:number|numeric|decimal)\s*\(\s*\d+\s*(?:,\s*0\s*)?\)")
"""SQL's numbers without digits after the point, keys among them."""
_KINDS = {word: kind for kind, line in _NAMES.items() for word in line.split()}

_NUMBERS = ("integer", "number", "amount")
_ADDRESSES = ("email", "url", "phone", "country")
_CONTRADICTS: dict[str, tuple[str, ...]] = {
    "boolean": ("time", "id", "text", *_NUMBERS, *_ADDRESSES),
    "time": ("boolean", "text", "choice", "id", *_NUMBERS, *_ADDRESSES),
    "integer": ("email", "url", "country"),
    "number": ("boolean", *_ADDRESSES),
    "amount": ("boolean", "time", "id", "text", "choice", *_ADDRESSES),
    "percent": ("boolean", "time", "id", "text", "choice", "amount", *_ADDRESSES),
    "nested": ("boolean", "time", "integer", "number"),
    "email": ("boolean", "time", "id", "url", "phone", "country", "choice", *_NUMBERS),
    "url": ("boolean", "time", "email", "phone", "country", "choice", *_NUMBERS),
    "phone": ("boolean", "time", "id", "email", "url", "country", "choice", *_NUMBERS),
    "id": ("boolean", "time", "email", "url", *_NUMBERS),
    "choice": ("time", "email", "url", "phone", "amount"),
}
_DOUBTFUL: dict[str, tuple[str, ...]] = {
    "boolean": ("choice",),
    "integer": ("boolean", "text", "choice", "phone"),
    "number": ("text", "choice", "time", "id"),
    "amount": ("integer",),
    "nested": ("choice", "id", "country", "amount"),
    "text": ("boolean",),
    "choice": ("id",),
}
_AGREES: dict[str, tuple[str, ...]] = {
    "boolean": ("boolean",),
    "time": ("time",),
    "integer": ("integer", "number", "amount", "id"),
    "number": ("number", "amount"),
    "amount": ("amount",),
    "percent": ("number",),
    "email": ("email",),
    "url": ("url",),
    "phone": ("phone",),
    "id": ("id",),
    "choice": ("choice",),
}


@lru_cache(maxsize=4096)
def read_kind(text: str) -> str:
    """The kind of a source type (``numeric(10,2)``, ``TIMESTAMP WITH TIME ZONE``), or '' where unclear."""
    plain = re.sub(r"(?:nullable|lowcardinality)\((.*)\)", r"\1", text.lower())
    lowered = _WHOLE.sub("integer", plain)
    lowered = re.sub(r"\(.*?\)", "", lowered)
    if "[]" in lowered or "<" in lowered:
        return "nested"
    names = [re.sub(r"[^a-z0-9]|unsigned|signed|nullable", "", part) for part in re.split(r"[|,]", lowered)]
    kinds = {_KINDS.get(name, "") for name in names if name not in ("", "null", "none")}
    return kinds.pop() if len(kinds) == 1 else ""


def kind_of(field: CanonicalField) -> str:
    """The kind of a canonical field."""
    if field.type in ("date", "datetime"):
        return "time"
    if field.type in ("boolean", "integer", "number", "email", "url", "phone", "country"):
        return field.type
    if field.type == "currency":
        return "amount"
    if field.type == "enum":
        return "choice"
    return "id" if field.references or field.name == "id" or field.name.endswith("_id") else "text"


def judge_kinds(source: str, target: str) -> Verdict:
    """Whether a source of one kind may fill a field of another; '' says nothing."""
    for verdict, table in (("contradicts", _CONTRADICTS), ("doubtful", _DOUBTFUL), ("agrees", _AGREES)):
        if target in table.get(source, ()):
            return verdict  # type: ignore[return-value]
    return ""
