"""What every kind of source offers: a reader that yields pages of a stream. One kind, one file beside this.

A kind turns a connector spec and a connection's credentials into pages of source records. It neither
writes nor maps: what becomes of a page is ``resources/loader.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from core.connector import CREDENTIAL_FIELDS, ConnectorSpec, StreamSpec
from core.errors import ConfigError, CredentialError, UnknownName
from core.names import join_name

if TYPE_CHECKING:
    import pyarrow as pa

AOS_TYPE = b"aos_type"
"""Arrow field metadata key: the source's logical type, one of ``core.schema.TYPES``."""

AOS_GUESSED = b"aos_guessed"
"""Arrow field metadata key, present when the logical type was guessed from the values of one page."""

KINDS: dict[str, str] = {
    "rest": "resources.connectors.rest",
    "salesforce": "resources.connectors.salesforce",
    "sql": "resources.connectors.sql",
    "files": "resources.connectors.files",
}
"""Module of each kind; it has ``open_reader(context)`` and ``check_source(context)``."""


@dataclass(frozen=True)
class SourceContext:
    """One tenant's connection, as a kind needs it. ``repr`` shows no credential.

    ``base_url`` is the connection's, or None for the spec's. ``access_token(refresh)`` returns a valid
    OAuth token and calls ``refresh(credentials)`` only when the stored one has expired; None keeps
    the token in the reader's memory instead.
    """

    tenant_id: str
    spec: ConnectorSpec
    base_url: str | None = None
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)
    options: Mapping[str, str] = field(default_factory=dict)
    access_token: Callable[..., str] | None = field(default=None, repr=False)
    connected_at: str = ""

    @property
    def where(self) -> str:
        """``tenant/connector``, for messages."""
        return join_name(self.tenant_id, self.spec.connector)

    def option(self, name: str) -> str | None:
        """A connection option; the connector spec's when the connection has none."""
        return self.options.get(name) or self.spec.options.get(name)

    def stream(self, name: str) -> StreamSpec:
        """The stream's spec. Raises UnknownName."""
        if name not in self.spec.streams:
            raise UnknownName(
                f"connector {self.spec.connector!r} has no stream {name!r}",
                expected="one of " + ", ".join(sorted(self.spec.streams)),
                where=self.where,
            )
        return self.spec.streams[name]


class Reject(NamedTuple):
    """Input that is not a record: the line it stood on (from 1; 0 = the whole file), its text, the reason."""

    line: int
    raw: str
    reason: str
    file: str = ""


@dataclass
class Page:
    """Some records of a stream, in the order of the source.

    ``records`` is a list of any JSON values (the loader refuses what is not an object; a number whose
    spelling a float cannot hold, as 1.10, is a Decimal), or an Arrow
    table whose columns are all text, with the source's logical type in each field's metadata under
    ``AOS_TYPE``. ``deleted``: the records name what the source has deleted. ``complete`` False: part of
    the source could not be read, so a record's absence proves nothing.
    """

    records: list[Any] | pa.Table
    deleted: bool = False
    rejects: list[Reject] = field(default_factory=list)
    complete: bool = True


class Reader(Protocol):
    """Reads the streams of one connection. Several streams may be read in different threads."""

    def read(self, stream: str, state: dict[str, Any]) -> Iterator[Page]:
        """Yield pages of ``stream`` that are new since ``state``, advancing ``state`` as it goes.

        ``state`` is JSON data and empty at first; it may be kept only when the iterator ended without an
        error. Raises SourceUnavailable, CredentialError (both stop the whole connection) or ConfigError.
        """
        ...

    def close(self) -> None:
        """Give back connections; the reader is not used afterwards."""
        ...


def open_reader(context: SourceContext) -> Reader:
    """The reader of the spec's kind. Cheap: nothing is asked of the source yet.

    Raises CredentialError when a credential of the auth type is missing, ConfigError when the
    connection lacks something the kind needs.
    """
    check_credentials(context)
    reader: Reader = import_module(KINDS[context.spec.kind]).open_reader(context)
    return reader


def check_source(context: SourceContext) -> None:
    """Ask the source for as little as possible to see that it answers and takes the credentials.

    Raises SourceUnavailable, CredentialError or ConfigError.
    """
    check_credentials(context)
    import_module(KINDS[context.spec.kind]).check_source(context)


def check_credentials(context: SourceContext) -> None:
    """Raise CredentialError unless every credential of the spec's auth type is there and not empty."""
    wanted = CREDENTIAL_FIELDS[context.spec.auth.type]
    missing = [name for name in wanted if not context.credentials.get(name)]
    if missing:
        raise CredentialError(
            f"credentials of connector {context.spec.connector!r} are incomplete",
            expected=", ".join(wanted),
            found="no " + ", ".join(missing),
            where=context.where,
            remedy=f"aos connection rotate {context.tenant_id} {context.spec.connector}",
        )


def require_base_url(context: SourceContext) -> str:
    """The connection's base URL or the spec's, without a trailing slash. Raises ConfigError when neither."""
    url = context.base_url or context.spec.base_url
    if not url:
        raise ConfigError(
            f"connector {context.spec.connector!r} has no base URL",
            expected="base_url in the connector config or on the connection",
            where=context.where,
        )
    return url.rstrip("/")
