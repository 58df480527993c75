"""What went wrong with a database, said without its URL: whose fault it is decides the error."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, NoSuchModuleError, SQLAlchemyError

from core.errors import ConfigError, CredentialError, MeshError, SourceUnavailable
from resources.connectors.wording import Scrubber

_REFUSED = re.compile(
    r"(?i)authentication failed|access denied|no password supplied|pg_hba\.conf|role .* does not exist"
    r"|database .* does not exist|unknown database|not permitted to log in|auth.* plugin"
)
_MYSQL_REFUSED = {1044, 1045, 1049, 1698, 1251, 2059}
_WRONG_REQUEST = re.compile(r"^(42|0A|22)")
_MYSQL_WRONG_REQUEST = {1054, 1142, 1143, 1146, 1064}
_SQLITE_WRONG = re.compile(r"no such (table|column)|file is not a database|unable to open database file")


@contextmanager
def named_errors(where: str, scrubber: Scrubber, remedy: str) -> Iterator[None]:
    """Turn what SQLAlchemy and drivers raise inside into CredentialError, ConfigError, SourceUnavailable."""
    try:
        yield
    except MeshError:
        raise
    except (NoSuchModuleError, ModuleNotFoundError):
        raise CredentialError(
            "the database URL names a driver that is not installed",
            expected="postgresql://, mysql:// or sqlite://",
            where=where,
            remedy=remedy,
        ) from None
    except DBAPIError as error:
        raise _name_error(error, where, scrubber, remedy) from None
    except SQLAlchemyError as error:
        raise SourceUnavailable(
            "the database did not answer as expected",
            found=f"{type(error).__name__}: {scrubber.excerpt(str(error))}",
            where=where,
        ) from None


def _name_error(error: DBAPIError, where: str, scrubber: Scrubber, remedy: str) -> MeshError:
    cause = error.orig
    state = str(getattr(cause, "sqlstate", None) or "")
    number = cause.args[0] if cause is not None and cause.args and isinstance(cause.args[0], int) else 0
    # The driver's own text only: SQLAlchemy adds the statement and its parameters.
    text = " ".join(str(arg) for arg in cause.args) if cause is not None else type(error).__name__
    found = scrubber.excerpt(text.split("\nLINE")[0])
    if state.startswith("28") or number in _MYSQL_REFUSED or (not state and _REFUSED.search(text)):
        return CredentialError("the database refused the login", found=found, where=where, remedy=remedy)
    if state == "57014":
        return SourceUnavailable(
            "the database took too long for a page",
            found=found,
            where=where,
            remedy="Index the cursor column or raise limits.page_deadline_s",
        )
    if _WRONG_REQUEST.match(state) or number in _MYSQL_WRONG_REQUEST or _SQLITE_WRONG.search(text):
        return ConfigError("the database refused the query", found=found, where=where)
    return SourceUnavailable("the database does not answer", found=found, where=where)


def missing(what: str, name: str, known: Iterable[str], where: str) -> ConfigError:
    """A table or column that is not there, with names that come near."""
    names = sorted(known)
    folded = {one.casefold(): one for one in reversed(names)}
    near = difflib.get_close_matches(name.casefold(), folded, n=3, cutoff=0.5)
    return ConfigError(
        f"the database has no {what} {name!r}",
        found="near names: " + ", ".join(folded[one] for one in near)
        if near
        else "none of " + (", ".join(names[:15]) or "nothing"),
        where=where,
        remedy="Check the stream in the connector config, and what the login may see",
    )
