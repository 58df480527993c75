"""Which expectations the ontology implies for a view: required, unique, formats, ranges, enums, references.

Pure. Types need no check: a view's columns are typed. Who runs these is ``resources/quality.py``.

An error is a broken promise of the model; a warning is data that a person should look at.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from core.ontology import CanonicalField, Entity
from core.view_layout import KEY

Severity = Literal["error", "warning"]
Kind = Literal["required", "unique", "format", "range", "enum", "reference", "order"]

EARLIEST, LATEST = "1900-01-01", "2200-01-01"
"""Dates outside are hardly meant: a zero, an overflow, a two-digit year."""

EXAMPLE_MAX = 80
_SHOWN = 1

_COUNTRIES = (
    "AD|AE|AF|AG|AI|AL|AM|AO|AQ|AR|AS|AT|AU|AW|AX|AZ|BA|BB|BD|BE|BF|BG|BH|BI|BJ|BL|BM|BN|BO|BQ|BR|BS|BT|"
    "BV|BW|BY|BZ|CA|CC|CD|CF|CG|CH|CI|CK|CL|CM|CN|CO|CR|CU|CV|CW|CX|CY|CZ|DE|DJ|DK|DM|DO|DZ|EC|EE|EG|EH|"
    "ER|ES|ET|FI|FJ|FK|FM|FO|FR|GA|GB|GD|GE|GF|GG|GH|GI|GL|GM|GN|GP|GQ|GR|GS|GT|GU|GW|GY|HK|HM|HN|HR|HT|"
    "HU|ID|IE|IL|IM|IN|IO|IQ|IR|IS|IT|JE|JM|JO|JP|KE|KG|KH|KI|KM|KN|KP|KR|KW|KY|KZ|LA|LB|LC|LI|LK|LR|LS|"
    "LT|LU|LV|LY|MA|MC|MD|ME|MF|MG|MH|MK|ML|MM|MN|MO|MP|MQ|MR|MS|MT|MU|MV|MW|MX|MY|MZ|NA|NC|NE|NF|NG|NI|"
    "NL|NO|NP|NR|NU|NZ|OM|PA|PE|PF|PG|PH|PK|PL|PM|PN|PR|PS|PT|PW|PY|QA|RE|RO|RS|RU|RW|SA|SB|SC|SD|SE|SG|"
    "SH|SI|SJ|SK|SL|SM|SN|SO|SR|SS|ST|SV|SX|SY|SZ|TC|TD|TF|TG|TH|TJ|TK|TL|TM|TN|TO|TR|TT|TV|TW|TZ|UA|UG|"
    "UK|UM|US|UY|UZ|VA|VC|VE|VG|VI|VN|VU|WF|WS|XK|YE|YT|ZA|ZM|ZW"
)
"""ISO 3166-1 alpha-2, with UK and XK, which everybody uses."""

_FORMATS: dict[str, tuple[str, str]] = {
    "email": (r"[^@\s]+@[^@\s]+\.[^@\s.]+", "an address like name@example.com"),
    "url": (
        r"(?=\S{4,2048}\Z)(?:[A-Za-z][A-Za-z0-9+.-]*://)?[^/:]+(?:\.[^/:]+|:\d+).*",
        "an address on the web",
    ),
    "phone": (r"\+?[0-9(][0-9()\s./-]{4,24}(?:(?:x|ext\.?|extension)\s*[0-9]{1,6})?", "a telephone number"),
    "country": (rf"(?:(?i:{_COUNTRIES})|[^\W\d_][^\d_]{{2,59}})", "a country code or name"),
    "domain": (r"(?=.{4,253}\Z)(?:[\w](?:[\w-]*[\w])?\.)+[^\W\d_][\w-]*[\w]", "a domain name"),
    "iban": (r"[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]){11,30}", "an IBAN"),
    "arn": (r"arn:[^:\s]+:[^:\s]*:[^:\s]*:[^:\s]*:\S+", "an Amazon resource name"),
    "iso_4217": (r"[A-Z]{3}", "a currency code of three capitals"),
    "iana_timezone": (r"[A-Za-z_]+(?:/[A-Za-z0-9_+-]+)*", "a time zone like Europe/Berlin"),
    "bcp_47": (r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*", "a language tag like en-GB"),
}
"""Format or type → the pattern (Python's) of a whole value, and what it says in words."""

_NEVER_NEGATIVE = ("annual_revenue", "amount_refunded", "amount_received", "fee_amount")
_ORDERED = (("created_at", "updated_at"), ("start_at", "end_at"), ("start_date", "end_date"))


@dataclass(frozen=True)
class Check:
    """One expectation. ``columns`` are those it looks at; the other parts depend on ``kind``.

    ``pattern`` (format) must fit the whole value; ``low``/``high`` (range) are numbers, or dates as text;
    ``values`` (enum); ``references`` (reference) are entities whose ids of the same connector are meant.
    ``masked``: examples must not show values.
    """

    entity: str
    kind: Kind
    columns: tuple[str, ...]
    severity: Severity
    description: str
    pattern: str | None = None
    low: float | str | None = None
    high: float | str | None = None
    values: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    masked: bool = False

    @property
    def column(self) -> str:
        """The column whose values are shown; of a key, its last."""
        return self.columns[-1]

    @property
    def name(self) -> str:
        """Unique within the entity: ``<column>_<kind>``."""
        return f"{self.column.lstrip('_')}_{self.kind}"


def list_checks(entity: Entity) -> tuple[Check, ...]:
    """Every check of the entity's view, in the order of its fields."""
    checks = [_key(entity, KEY, "each record of a stream is there once")]
    if "id" in entity.fields:
        checks.append(_key(entity, ("_connector", "_stream", "id"), "id is unique within its stream"))
    for field in entity.fields.values():
        checks += _list_field_checks(entity.name, field)
    return (*checks, *_list_order_checks(entity))


def _key(entity: Entity, columns: tuple[str, ...], description: str) -> Check:
    return Check(entity.name, "unique", columns, "error", description)


def _list_field_checks(entity: str, field: CanonicalField) -> Iterator[Check]:
    column, masked = (field.name,), field.pii or field.type in ("email", "phone")
    if field.required:
        yield Check(entity, "required", column, "error", f"{field.name} is never empty")
    form = field.format or field.type
    if form in _FORMATS:
        pattern, words = _FORMATS[form]
        text = f"{field.name} is {words}"
        yield Check(entity, "format", column, "warning", text, pattern=pattern, masked=masked)
    if field.is_closed:
        text = f"{field.name} is one of {', '.join(field.enum)}"
        yield Check(entity, "enum", column, "error", text, values=field.enum)
    if field.references:
        text = f"{field.name} is the id of a known {' or '.join(field.references)}"
        yield Check(entity, "reference", column, "warning", text, references=field.references, masked=masked)
    yield from _list_ranges(entity, field)


def _list_ranges(entity: str, field: CanonicalField) -> Iterator[Check]:
    column = (field.name,)
    if field.type in ("date", "datetime"):
        text = f"{field.name} lies between {EARLIEST} and {LATEST}"
        yield Check(entity, "range", column, "warning", text, low=EARLIEST, high=LATEST, masked=field.pii)
    elif field.min is not None or field.max is not None:
        text = f"{field.name} is {_say_range(field.min, field.max)}"
        yield Check(entity, "range", column, "error", text, low=field.min, high=field.max, masked=field.pii)
    elif field.type == "currency" and (field.name.endswith("price") or field.name in _NEVER_NEGATIVE):
        text = f"{field.name} is at least 0"
        yield Check(entity, "range", column, "warning", text, low=0, masked=field.pii)


def _say_range(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return f"at least {low:g}" if low is not None else f"at most {high:g}"
    return f"between {low:g} and {high:g}"


def _list_order_checks(entity: Entity) -> Iterator[Check]:
    spans = [
        (name, f"{name.removesuffix('_start')}_end") for name in entity.fields if name.endswith("_start")
    ]
    for start, end in (*_ORDERED, *spans):
        if start in entity.fields and end in entity.fields:
            yield Check(entity.name, "order", (start, end), "warning", f"{end} is not before {start}")


def mask_example(value: object) -> str:
    """A personal value as an example: its first character and its length."""
    text = str(value)
    return f"{text[:_SHOWN]}… ({len(text)} characters)"


def shorten_example(value: object) -> str:
    """Any other value as an example."""
    text = str(value)
    return text if len(text) <= EXAMPLE_MAX else f"{text[: EXAMPLE_MAX - 1]}…"
