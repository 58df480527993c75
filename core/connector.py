"""The connector spec: what a config file says about a vendor. Frozen; refuses bad combinations when built.

How YAML becomes a spec, with file and line in each error, is ``core/config_reader.py``.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from core.errors import ConfigError
from core.names import IDENTIFIER, parse_path

Kind = Literal["rest", "salesforce", "sql", "files"]
Identifier = Annotated[str, Field(pattern=IDENTIFIER.pattern)]


def check_path(value: str) -> str:
    """Return ``value`` if it is a field path; ValueError, so that pydantic says where it stands."""
    try:
        parse_path(value)
    except ConfigError as error:
        raise ValueError(error.problem) from None
    return value


class Spec(BaseModel):
    """Base: frozen, strict, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


# --- authentication ---------------------------------------------------------------------------


class NoAuth(Spec):
    type: Literal["none"]


class BearerAuth(Spec):
    """``Authorization: Bearer <token>``. Credential: ``token``."""

    type: Literal["bearer"]


class ApiKeyAuth(Spec):
    """An API key in a header or a query parameter. Credential: ``api_key``."""

    type: Literal["api_key"]
    location: Literal["header", "query"] = "header"
    name: str
    prefix: str = ""


class BasicAuth(Spec):
    """HTTP basic. Credentials: ``username``, ``password`` (``username_suffix`` as Zendesk's ``/token``)."""

    type: Literal["basic"]
    username_suffix: str = ""


class OAuth2ClientCredentials(Spec):
    """Credentials: ``client_id``, ``client_secret``. ``token_path`` is relative to the base URL."""

    type: Literal["oauth2_client_credentials"]
    token_path: str
    scope: str | None = None


class OAuth2RefreshToken(Spec):
    """Credentials: ``client_id``, ``client_secret``, ``refresh_token``."""

    type: Literal["oauth2_refresh_token"]
    token_path: str


class DatabaseAuth(Spec):
    """A database URL. Credential: ``url``."""

    type: Literal["database_url"]


Auth = Annotated[
    NoAuth
    | BearerAuth
    | ApiKeyAuth
    | BasicAuth
    | OAuth2ClientCredentials
    | OAuth2RefreshToken
    | DatabaseAuth,
    Field(discriminator="type"),
]

CREDENTIAL_FIELDS: dict[str, tuple[str, ...]] = {
    "none": (),
    "bearer": ("token",),
    "api_key": ("api_key",),
    "basic": ("username", "password"),
    "oauth2_client_credentials": ("client_id", "client_secret"),
    "oauth2_refresh_token": ("client_id", "client_secret", "refresh_token"),
    "database_url": ("url",),
}
"""Credential names each auth type asks for; everything not a secret belongs in connection options."""


class Limits(Spec):
    """How hard a source may be asked. Rates per second, durations in seconds, sizes in bytes."""

    requests_per_s: float = Field(default=10.0, gt=0)
    burst: int = Field(default=10, ge=1)
    page_deadline_s: float = Field(default=60.0, gt=0)
    page_max_bytes: int = Field(default=64 * 1024 * 1024, ge=1024)
    retries: int = Field(default=5, ge=0, le=20)
    retry_after_max_s: float = Field(default=60.0, ge=0)


# --- pagination (rest) ------------------------------------------------------------------------


class NoPagination(Spec):
    type: Literal["none"]


class CursorPagination(Spec):
    """The body holds a cursor at ``next``, sent back as query parameter ``param``.

    ``last_id`` takes the cursor from the last record's field instead (Stripe's ``starting_after``);
    ``has_more`` names the body's boolean that ends it.
    """

    type: Literal["cursor"]
    param: str
    next: str | None = None
    last_id: str | None = None
    has_more: str | None = None


class OffsetPagination(Spec):
    """``offset_param`` grows by ``page_size``; ends at a short page, or at ``has_more`` false."""

    type: Literal["offset"]
    offset_param: str = "offset"
    limit_param: str = "limit"
    page_size: int = Field(default=100, ge=1)
    has_more: str | None = None


class PagePagination(Spec):
    """``page_param`` counts up from ``first``; ends at a short page."""

    type: Literal["page"]
    page_param: str = "page"
    size_param: str | None = None
    page_size: int = Field(default=100, ge=1)
    first: int = 1


class NextLinkPagination(Spec):
    """The body holds the next page's URL at ``next``; ends when it is absent or null.

    ``has_more`` names a boolean of the body that ends it when false, ``at_end`` one that ends it when
    true (Zendesk's ``end_of_stream``, whose last page still carries a URL).
    """

    type: Literal["next_link"]
    next: str
    has_more: str | None = None
    at_end: str | None = None


class LinkHeaderPagination(Spec):
    """RFC 8288 ``Link: <…>; rel="next"``."""

    type: Literal["link_header"]


Pagination = Annotated[
    NoPagination
    | CursorPagination
    | OffsetPagination
    | PagePagination
    | NextLinkPagination
    | LinkHeaderPagination,
    Field(discriminator="type"),
]


# --- streams ----------------------------------------------------------------------------------

CursorFormat = Literal["iso8601", "epoch_s", "epoch_ms", "date", "text", "number"]


class Incremental(Spec):
    """Ask only for what is new: ``cursor`` is the record's field, ``param`` the filter it is sent in.

    ``format`` says how the filter value is written and compared. Without ``param`` (sql, salesforce)
    the kind builds the filter itself. ``template`` wraps the value, e.g. ``"(updated_at>='{value}')"``.
    """

    cursor: str
    param: str | None = None
    format: CursorFormat = "iso8601"
    template: str = "{value}"

    @field_validator("cursor")
    @classmethod
    def _is_path(cls, value: str) -> str:
        return check_path(value)


class FlagDeletion(Spec):
    """A record whose ``field`` has one of ``values`` (compared as text, case-folded) is deleted."""

    type: Literal["flag"]
    field: str
    values: tuple[str, ...] = ("true",)


class SnapshotDeletion(Spec):
    """The stream is always read whole; a record absent from a complete read is deleted."""

    type: Literal["snapshot"]


class EndpointDeletion(Spec):
    """A second request (rest) lists deleted records; ``primary_key`` names their key fields."""

    type: Literal["endpoint"]
    path: str
    params: dict[str, str | int | bool] = Field(default_factory=dict)
    records: str | None = None
    incremental: Incremental | None = None


Deletion = Annotated[FlagDeletion | SnapshotDeletion | EndpointDeletion, Field(discriminator="type")]


class Endpoint(Spec):
    """A REST endpoint. ``records`` is the path of the list inside the body; absent = body is the list.

    ``parent``: fetch once per record of another stream; ``{field}`` in ``path`` is filled from it,
    and ``include`` copies parent fields into each record under the given names.
    """

    path: str
    method: Literal["GET", "POST"] = "GET"
    params: dict[str, str | int | bool] = Field(default_factory=dict)
    headers: dict[str, str] = Field(default_factory=dict)
    body: dict[str, Any] | None = None
    records: str | None = None
    pagination: Pagination = NoPagination(type="none")
    parent: Identifier | None = None
    include: dict[str, str] = Field(default_factory=dict)


class Table(Spec):
    """A table of a database, ``schema.name`` or ``name``."""

    name: str


class Files(Spec):
    """Files of a folder or fsspec URL: one glob pattern, one stream. Format guessed when absent.

    ``row_key`` names a column that is added for rows without a key of their own, made from their content;
    a changed row is another row then, so it goes with deletion by snapshot.
    """

    pattern: str
    format: Literal["csv", "jsonl", "parquet", "excel"] | None = None
    sheet: str | None = None
    null_values: tuple[str, ...] = ("",)
    row_key: str | None = None


class MappingSpec(Spec):
    """One baseline mapping, canonical field on the left: ``{from: path, transform: cast, …}``.

    ``args`` depend on the transform; the closed list and its arguments are in ``core/mapping.py``.
    """

    from_: tuple[str, ...] = Field(alias="from", default=())
    transform: str | None = None
    args: dict[str, Any] = Field(default_factory=dict)

    @field_validator("from_")
    @classmethod
    def _paths(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(check_path(path) for path in value)


class StreamSpec(Spec):
    """One entity of a connector. Exactly one of endpoint, sobject, table, files, by the kind."""

    title: str | None = None
    description: str = ""
    entity: Identifier | None = None
    primary_key: tuple[str, ...]
    endpoint: Endpoint | None = None
    sobject: str | None = None
    table: Table | None = None
    files: Files | None = None
    incremental: Incremental | None = None
    deletion: Deletion | None = None
    mappings: dict[str, MappingSpec] = Field(default_factory=dict)

    @field_validator("primary_key")
    @classmethod
    def _paths(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("names no field; a stream needs a primary key")
        return tuple(check_path(path) for path in value)

    @model_validator(mode="after")
    def _combinations(self) -> Self:
        if self.incremental is not None and isinstance(self.deletion, SnapshotDeletion):
            raise ValueError("deletion by snapshot needs every record at each read: remove incremental")
        if self.mappings and self.entity is None:
            raise ValueError("mappings need the canonical entity: set entity")
        return self


LOCATOR: dict[str, str] = {
    "rest": "endpoint",
    "salesforce": "sobject",
    "sql": "table",
    "files": "files",
}
"""Which of a stream's locators each kind reads."""


class Schedule(Spec):
    """When a connection syncs: every so many seconds, or by cron expression (UTC)."""

    every_s: int | None = Field(default=None, ge=60)
    cron: str | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.every_s is None) == (self.cron is None):
            raise ValueError("a schedule has either every_s or cron")
        return self


class ConnectorSpec(Spec):
    """A vendor, described. ``base_url`` may be overridden by a connection."""

    connector: Identifier
    title: str
    kind: Kind
    description: str = ""
    docs_url: str | None = None
    base_url: str | None = None
    auth: Auth = NoAuth(type="none")
    limits: Limits = Limits()
    schedule: Schedule = Schedule(every_s=3600)
    headers: dict[str, str] = Field(default_factory=dict)
    options: dict[str, str] = Field(default_factory=dict)
    streams: dict[Identifier, StreamSpec]

    @model_validator(mode="after")
    def _fits_kind(self) -> Self:
        if not self.streams:
            raise ValueError("a connector needs at least one stream")
        wanted = LOCATOR[self.kind]
        for name, stream in self.streams.items():
            given = [key for key in LOCATOR.values() if getattr(stream, key) is not None]
            if given != [wanted]:
                raise ValueError(
                    f"streams.{name}: kind {self.kind} reads '{wanted}', found {given or 'none'}"
                )
            parent = stream.endpoint.parent if stream.endpoint else None
            if parent is not None and parent not in self.streams:
                raise ValueError(f"streams.{name}.endpoint.parent: no stream {parent!r}")
        return self
